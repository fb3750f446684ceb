"""The bootstep: takes orders in the worker's main process, without a thread or an idle timer."""

import atexit
import os
import signal
import sys
import time

import billiard
import celery
import kombu
from celery import bootsteps

from . import __version__, internals, log, rundir
from .drain import Drain
from .received import Received

# An order wakes the loop at once, and so does a poll that lands; what has no event of its own (a
# task that ends) is looked for this often, only while an order stands. drain.sh looks as often.
LOOK_SECONDS = 0.25


class DrainStep(bootsteps.StartStopStep):
    """Reads its orders on SIGUSR2 and carries them out in the consumer's event loop."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer, **kwargs):
        super().__init__(consumer, **kwargs)
        self.pid = os.getpid()
        self.drain = None
        self.received = Received()
        self.consumer = None
        self.pipe = None
        self.woken = False
        self.noted = False
        self.timer = None

    def start(self, consumer):
        """Say why no orders are taken where there is no event loop to take them in."""
        if consumer.hub is None:
            self._say_why("this pool has no event loop")

    def register_with_event_loop(self, consumer, hub):
        """Called each time that the loop starts: at first, and after a lost connection."""
        try:
            if self.drain is None:
                self._begin(consumer)
            if self.drain is not None:
                self._attach(consumer, hub)
        except Exception:
            log.exception("celeriac_worker takes no orders")

    def _begin(self, consumer):
        """Find out whether orders can be taken; if so, make what lasts as long as the worker."""
        refusal = internals.unsupported(consumer) or _refusal_of_signal()
        if refusal:
            self._say_why(refusal)
            return
        try:
            directory = rundir.choose()
        except rundir.RunDirError as error:
            self._say_why(f"no run directory: {error}")
            return
        self.path = os.path.join(directory, str(self.pid))
        self.pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.drain = Drain(f"{self.path}.json", _about_this_process(consumer))
        rundir.remove(f"{self.path}.orders")
        signal.signal(signal.SIGUSR2, self._on_signal)
        atexit.register(self._at_exit)

    def _attach(self, consumer, hub):
        """Join this run of the loop; an order that stands is in force before the first poll."""
        self.consumer = consumer
        hub.add_reader(self.pipe[0], self._on_readable)
        for channel in internals.channels(consumer):
            internals.count_polls(channel, self._soon)
        self._intercept(consumer.task_consumer)
        self.drain.attach(consumer)
        self.received.attach(consumer)
        self._contained(self._heed_note)
        # Celery clears the timers of the run before.
        self.timer = None
        if self.woken:
            # Asked while there was no loop to hear it: before the first poll, not after it.
            self._contained(self._take_orders)
        self._look()

    def _heed_note(self):
        """A box that was to leave before this worker was there: it begins quiet."""
        if self.noted:
            return
        self.noted = True
        note = rundir.read_note(time.time())
        if note is not None:
            log.warning("celeriac_worker starts quiet: this box is to leave (%s)", note["drainId"])
            self.drain.order(note)

    def _intercept(self, task_consumer):
        """Keep messages that land during an order from Celery, which would start them."""
        start = task_consumer.on_message

        def on_message(message):
            self.received.note(self.consumer, message)
            # A solo pool works inside this very loop: it sees its orders between two messages.
            # They are only taken here; the look follows when this message has its place.
            if self.woken:
                self._contained(self._take_orders)
                self._soon()
            if not self._contained(lambda: self.drain.keep(message)):
                start(message)

        task_consumer.on_message = on_message

    def _on_signal(self, *_):
        # The pool's processes inherit the handler; it is the main process that is meant.
        if os.getpid() != self.pid:
            return
        self.woken = True
        try:
            os.write(self.pipe[1], b"!")
        except BlockingIOError:
            # Full: the loop has yet to read of the signals before.
            pass

    def _on_readable(self):
        try:
            while os.read(self.pipe[0], 64):
                pass
        except BlockingIOError:
            pass
        # Otherwise a message that landed just before has had them taken.
        if self.woken:
            self._contained(self._take_orders)
        self._look()

    def _take_orders(self):
        self.woken = False
        self.drain.order(rundir.read_orders(f"{self.path}.orders"))

    def _soon(self):
        """Look once the loop has delivered what a poll has brought."""
        if self.drain.active:
            self.consumer.hub.call_soon(self._look)

    def _look(self):
        if self._contained(self.drain.advance):
            self.consumer.hub.call_soon(self._look)
        if self.drain.active and self.timer is None:
            self.timer = self.consumer.timer.call_repeatedly(LOOK_SECONDS, self._look)
        if not self.drain.active and self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _contained(self, act):
        """What it returns. The worker outlives whatever fails in it: False then, and a log line."""
        try:
            return act()
        except Exception as error:
            log.exception("celeriac_worker failed")
            self.drain.failed_with(error)
            return False

    def _at_exit(self):
        if os.getpid() == self.pid:
            for suffix in ("json", "json.tmp", "orders"):
                rundir.remove(f"{self.path}.{suffix}")

    def _say_why(self, reason):
        log.warning("celeriac_worker takes no orders: %s", reason)


def _refusal_of_signal():
    if os.environ.get("CELERY_RDBSIG"):
        return "CELERY_RDBSIG is set, so SIGUSR2 starts Celery's debugger"
    if signal.getsignal(signal.SIGUSR2) not in (signal.SIG_DFL, signal.SIG_IGN):
        return "SIGUSR2 already has a handler"
    return None


def _about_this_process(consumer):
    """What a state file says that does not change while the worker lives."""
    return {
        "pid": os.getpid(),
        "startTime": rundir.start_time(),
        "python": sys.executable,
        # Where `python -m celeriac_worker` finds this package.
        "path": os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        "queues": [queue.name for queue in consumer.task_consumer.queues],
        "endpoint": internals.endpoint_of(consumer),
        "waitTimeSeconds": consumer.task_consumer.channel.wait_time_seconds,
        "versions": {
            "celeriac_worker": __version__,
            "celery": celery.__version__,
            "kombu": kombu.__version__,
            "billiard": billiard.__version__,
        },
    }
