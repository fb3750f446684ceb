"""Counts messages that are received again and again, and has another process report them.

SQS leaves a message that was received three times and not deleted out of the age of its oldest
message: what its worker cannot finish is seen by nobody else.
"""

import os
import subprocess
import sys
import time

from . import internals, log

# From the third receive on SQS leaves a message out of the age of the oldest.
RECEIVES_LEAST = 3

# Alerts are evaluated once a minute; more often than that would tell nobody anything.
REPORT_SECONDS_MIN = 60

# A poll brings ten messages, a prefetch several polls: they are told of together.
GATHER_SECONDS = 1


class Received:
    """What one worker has received again since its last report. Used in the event loop alone."""

    def __init__(self):
        self.counts = {}
        self.region = None
        self.next_at = 0.0
        self.process = None
        self.timer = None

    def note(self, consumer, message):
        """Count a message that has just landed. Raises nothing: the worker has work to do."""
        try:
            if internals.receives(message) < RECEIVES_LEAST:
                return
            name = internals.queue_url(message).rpartition("/")[2]
            self.counts[name] = self.counts.get(name, 0) + 1
            self.region = internals.region_of(message)
            self._report_in_time(consumer)
        except Exception:
            log.exception("celeriac_worker could not count what is received again")

    def attach(self, consumer):
        """Go on with a loop that has started again, whose timers are gone."""
        self.timer = None
        if self.counts:
            self._report_in_time(consumer)

    def _report_in_time(self, consumer):
        """Soon, or when the last report is old enough; only until then is there a timer."""
        if self.timer is None:
            wait = max(GATHER_SECONDS, self.next_at - time.monotonic())
            self.timer = consumer.timer.call_after(wait, self._when_due, (consumer,))

    def _when_due(self, consumer):
        self.timer = None
        try:
            # Reaps it, too. One that hangs is not followed by a second.
            if self.process is not None and self.process.poll() is None:
                self.next_at = time.monotonic() + REPORT_SECONDS_MIN
                self._report_in_time(consumer)
            else:
                self._report()
        except Exception:
            log.exception("celeriac_worker could not report what is received again")

    def _report(self):
        """In a process of its own: the loop must not wait for an answer of AWS."""
        counts, self.counts = self.counts, {}
        self.next_at = time.monotonic() + REPORT_SECONDS_MIN
        parent = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        paths = [parent, *filter(None, [os.environ.get("PYTHONPATH")])]
        command = [sys.executable, "-m", "celeriac_worker", "received", "--region", self.region]
        for name, count in counts.items():
            command += ["--queue", f"{name}={count}"]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
