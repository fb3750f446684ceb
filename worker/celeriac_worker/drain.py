"""What a worker does while an order stands: hand back what does not run, and tell what does."""

import json
import time

from . import handback, internals, log, rundir

# A poll lands after wait_time_seconds and the way to SQS and back. Past this it counts as lost,
# and what is held goes back without it; what it still brings goes back when it lands.
POLL_MARGIN_SECONDS = 2

# An unreachable SQS is tried again after this, doubled each time up to the maximum: each try holds
# the event loop for up to handback's timeouts.
RETRY_SECONDS = 1
RETRY_SECONDS_MAX = 15

# An entry that SQS refuses is tried once more; then it is left to its visibility timeout.
ENTRY_TRIES = 2


class Drain:
    """The standing order of one worker, and what came of it. Used in the event loop alone."""

    def __init__(self, path, about):
        self.path = path
        self.about = about
        self.consumer = None
        self.quiet = None
        self.held = []
        self.clients = {}
        self.ran = set()
        self.polls_until = 0.0
        self.retry_at = 0.0
        self.retry_seconds = RETRY_SECONDS
        self.error = None
        self.counts = _no_counts()
        self.written = None
        self.said = None

    @property
    def active(self):
        """Whether anything is to be done or watched."""
        return self.quiet is not None or bool(self.held)

    def attach(self, consumer):
        """Go on with a consumer that has just started, or started again."""
        self.consumer = consumer
        # kombu restored the messages of a channel that is closed, as far as it could.
        lost = [held for held in self.held if held.message.channel.closed]
        self._drop(lost)
        self.counts["failed"] += len(lost)
        if self.quiet is not None:
            self._stop_polling()

    def order(self, orders):
        """Carry out what rundir.read_orders returned."""
        if orders["order"] == "resume":
            self._resume()
            return
        begun = self.quiet is None
        since = time.time() if begun else self.quiet["since"]
        self.quiet = {"drainId": orders["drainId"], "deadline": orders["deadline"], "since": since}
        if begun:
            self.counts = _no_counts()
            self.ran = set()
            self.error = self.said = None
            self.polls_until = time.monotonic() + self._poll_seconds_max()
            self._stop_polling()
            self._hold(internals.withdraw(self.consumer))

    def keep(self, message):
        """Whether the message that has just landed is held back from Celery."""
        if self.quiet is None:
            return False
        self._hold([message])
        return True

    def advance(self):
        """Do what can be done now and write down what changed; whether more can be done at once."""
        try:
            if self._can_hand_back():
                self._hand_back()
        finally:
            self._write()
        return self._can_hand_back()

    def _can_hand_back(self):
        return self.held and self._polls_landed() and time.monotonic() >= self.retry_at

    def failed_with(self, error):
        """Remember what went wrong, for the state file."""
        self.error = f"{type(error).__name__}: {error}"

    def _resume(self):
        if self.quiet is not None:
            for channel in internals.channels(self.consumer):
                internals.unpause(channel)
            self._say("resumed")
        self.quiet = None
        self.ran = set()

    def _stop_polling(self):
        for channel in internals.channels(self.consumer):
            internals.pause(channel)

    def _poll_seconds_max(self):
        return self.about["waitTimeSeconds"] + POLL_MARGIN_SECONDS

    def _polls_landed(self):
        # Before that an open poll would only receive again what is handed back.
        return internals.polls(self.consumer) == 0 or time.monotonic() >= self.polls_until

    def _hold(self, messages):
        self.held += [Held(message) for message in messages]

    def _drop(self, helds):
        """Forget them, and let kombu forget their messages: neither restored nor acknowledged."""
        gone = {held.handle for held in helds}
        self.held = [held for held in self.held if held.handle not in gone]
        for held in helds:
            held.message.channel.qos.ack(held.handle)

    def _hand_back(self):
        """One call, so that the loop turns between two."""
        first = self.held[0].queue_url
        some = [held for held in self.held if held.queue_url == first]
        some = some[: handback.ENTRIES_PER_CALL_MAX]
        try:
            outcome = handback.hand_back(
                self._client(some[0].message), first, [held.handle for held in some]
            )
        except Exception as error:
            # Contained here, because the worker must live and this is tried again.
            log.warning("celeriac_worker could not hand back: %s", error)
            self.failed_with(error)
            self._try_again_later()
            return
        self.error = None
        self.retry_seconds = RETRY_SECONDS
        self._settle(some, outcome)
        if not self.held:
            self.clients.clear()

    def _client(self, message):
        """Made once for a queue, which takes 0.1 s, and not kept: its credentials would expire."""
        url = internals.queue_url(message)
        if url not in self.clients:
            self.clients[url] = internals.new_client(message, handback.client_config())
        return self.clients[url]

    def _try_again_later(self):
        self.retry_at = time.monotonic() + self.retry_seconds
        self.retry_seconds = min(2 * self.retry_seconds, RETRY_SECONDS_MAX)

    def _settle(self, helds, outcome):
        done = []
        for held in helds:
            result = outcome[held.handle]
            held.tries += 1
            if result is None:
                self.counts["handedBack"] += 1
            elif result == "gone":
                self.counts["gone"] += 1
            elif held.tries < ENTRY_TRIES:
                # Most likely a throttle, which a second one at once would not pass either.
                self.retry_at = time.monotonic() + RETRY_SECONDS
                continue
            else:
                self.counts["failed"] += 1
                self.error = f"{held.handle[:12]}: {result}"
            done.append(held)
        self._drop(done)

    def _write(self):
        taken = {held.handle for held in self.held}
        ran_now = internals.running(self.consumer, taken) if self.quiet else []
        runs = {entry["id"] or entry["handle"] for entry in ran_now}
        self.ran |= runs
        self.counts["finished"] = len(self.ran - runs)
        state = {**self.about, **self._progress(ran_now)}
        if state != self.written:
            rundir.write_state(self.path, state)
            self.written = state
        if state["phase"] in ("quiet", "idle") and self.said != state["phase"]:
            self.said = state["phase"]
            self._say(state["phase"], ran_now)

    def _progress(self, ran_now):
        quiet = self.quiet or {"drainId": None, "deadline": None, "since": None}
        return {
            "phase": self._phase(ran_now),
            **quiet,
            **self.counts,
            "error": self.error,
            # The counts come before the lists, so that drain.sh need not read those.
            "runningCount": len(ran_now),
            "heldCount": len(self.held),
            "running": ran_now,
            "held": [internals.ledger_entry(held.message) for held in self.held],
        }

    def _phase(self, ran_now):
        if self.quiet is None:
            return "working"
        if self.held or not self._polls_landed():
            return "quieting"
        return "quiet" if ran_now else "idle"

    def _say(self, phase, ran_now=()):
        """The one JSON line. A warning, since Celery's workers log nothing less by default."""
        running = [{"id": entry["id"], "task": entry["task"]} for entry in ran_now]
        line = {"celeriac": phase, "drainId": self.quiet["drainId"], **self.counts}
        line["seconds"] = round(time.time() - self.quiet["since"], 3)
        log.warning("%s", json.dumps({**line, "running": running}))


class Held:
    """A message that Celery no longer has and SQS does not have back yet."""

    def __init__(self, message):
        self.message = message
        self.handle = message.delivery_tag
        self.queue_url = internals.queue_url(message)
        self.tries = 0


def _no_counts():
    return {"handedBack": 0, "gone": 0, "failed": 0, "finished": 0}
