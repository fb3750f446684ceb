"""The parts of Celery and kombu that are not their public interface, each in one place.

Checked with Celery 5.2 and 5.6 and kombu 5.2 and 5.6; `unsupported` says when something is missing.
"""

from queue import Empty

from celery.worker import state
from celery.worker.request import Request
from vine import promise


def unsupported(consumer):
    """Why orders cannot be carried out in this worker, as a clause; None when they can."""
    driver = getattr(consumer.connection.transport, "driver_type", None)
    if driver != "sqs":
        return f"the broker is {driver}, not SQS"
    channel = consumer.task_consumer.channel
    missing = [
        name
        for owner, name in (
            (channel, "qos"),
            (channel, "_get_async"),
            (channel, "sqs"),
            (channel.qos, "_delivered"),
            (channel.qos, "_dirty"),
            (channel.qos, "can_consume"),
            (consumer.timer, "_queue"),
            (consumer.controller.semaphore, "_waiting"),
            (consumer, "task_buckets"),
        )
        if not hasattr(owner, name)
    ]
    return f"kombu or Celery has no {', '.join(missing)}" if missing else None


def channels(consumer):
    """Every open channel of the worker's consuming connection, that of its tasks first."""
    own = consumer.task_consumer.channel
    others = getattr(consumer.connection.transport, "channels", None) or ()
    return [own, *(channel for channel in others if channel is not own)]


def pause(channel):
    """Let the channel start no poll until `unpause`."""
    # On the instance, where Celery itself puts its own limit of what is fetched ahead.
    channel.qos.__dict__.setdefault("_celeriac_can_consume", channel.qos.can_consume)
    channel.qos.can_consume = lambda: False


def unpause(channel):
    """Let the channel poll again as it did before `pause`; without one, change nothing."""
    before = channel.qos.__dict__.pop("_celeriac_can_consume", None)
    if before is not None:
        channel.qos.can_consume = before


def count_polls(channel, when_landed):
    """From now on keep `channel.celeriac_polls`, how many long polls are open; again, no change.

    `when_landed()` is called after each, when its messages have been delivered.
    """
    if hasattr(channel, "celeriac_polls"):
        return
    channel.celeriac_polls = 0
    get_async = channel._get_async

    def counted(queue, count=1, callback=None):
        def landed(*answer):
            channel.celeriac_polls -= 1
            try:
                return callback(*answer) if callback else None
            finally:
                when_landed()

        def failed(error):
            channel.celeriac_polls -= 1
            # Raises again, as it would have without the count.
            if callback:
                callback.throw(error)

        channel.celeriac_polls += 1
        try:
            return get_async(queue, count, callback=promise(landed, on_error=failed))
        except BaseException:
            channel.celeriac_polls -= 1
            raise

    channel._get_async = counted


def polls(consumer):
    """How many long polls are open."""
    return sum(getattr(channel, "celeriac_polls", 0) for channel in channels(consumer))


def withdraw(consumer):
    """Take back every request that the pool has not got; their messages.

    What the pool has got counts as running, even if no process has accepted it yet: handing that
    back would run it twice.
    """
    requests = [
        *_from_semaphore(consumer.controller.semaphore),
        *_from_timer(consumer),
        *_from_buckets(consumer.task_buckets),
        *_from_threads(consumer.pool),
    ]
    for request in requests:
        # Whoever still holds it can neither acknowledge nor reject it any more.
        request.acknowledged = True
        state.reserved_requests.discard(request)
        if state.requests.get(request.id) is request:
            del state.requests[request.id]
    return [request.message for request in requests]


def _from_semaphore(semaphore):
    """The requests that wait for a free process."""
    waiting = list(semaphore._waiting)
    ours = [waiter for waiter in waiting if waiter[1] and isinstance(waiter[1][0], Request)]
    # The same deque, since the semaphore keeps bound methods of it.
    semaphore._waiting.clear()
    semaphore._waiting.extend(waiter for waiter in waiting if waiter not in ours)
    return [waiter[1][0] for waiter in ours]


def _from_timer(consumer):
    """The requests that wait for their ETA."""
    requests = []
    for _, _, entry in list(consumer.timer._queue):
        if entry.canceled or not entry.args or not isinstance(entry.args[0], Request):
            continue
        entry.cancel()
        # Each of them has raised the prefetch count by one.
        consumer.qos.decrement_eventually()
        requests.append(entry.args[0])
    return requests


def _from_buckets(buckets):
    """The requests that wait for their rate limit."""
    requests = []
    for bucket in buckets.values():
        if bucket is not None:
            requests += [item[0] for item in bucket.contents]
            bucket.clear_pending()
    return requests


def _from_threads(pool):
    """The requests that a pool of threads has queued: it takes all of them at once."""
    queue = getattr(getattr(pool, "executor", None), "_work_queue", None)
    if queue is None:
        return []
    items = []
    try:
        for _ in range(queue.qsize()):
            items.append(queue.get_nowait())
    except Empty:
        # A thread was faster: what it took runs.
        pass
    requests = []
    for item in items:
        request = _request_of(item)
        if request is None:
            queue.put(item)
        else:
            item.future.cancel()
            requests.append(request)
    return requests


def _request_of(item):
    """Whose work an item of an executor's queue is: its callback is a method of the request."""
    arguments = getattr(item, "args", None) or getattr(item, "task", (None, ()))[1]
    owners = (getattr(argument, "__self__", None) for argument in arguments or ())
    return next((owner for owner in owners if isinstance(owner, Request)), None)


def running(consumer, taken):
    """What runs: `[{id, task, handle, queueUrl, region}]`, without the handles in `taken`.

    The handle is null where no message is left to hand back: the task is acknowledged early, or
    its connection was lost, which made the message visible again.
    """
    requests = {request.message.delivery_tag: request for request in _copied(state.requests)}
    found = []
    for channel in channels(consumer):
        for handle, message in list(channel.qos._delivered.items()):
            if handle in taken or handle in channel.qos._dirty:
                continue
            found.append(ledger_entry(message, requests.pop(handle, None)))
    active = {request.id: request for request in list(state.active_requests)}
    known = {entry["id"] for entry in found}
    for request in active.values():
        if request.id not in known:
            found.append({**ledger_entry(request.message, request), "handle": None})
    return found


def _copied(requests):
    return [request for request in list(requests.values()) if hasattr(request, "message")]


def ledger_entry(message, request=None):
    """`{id, task, handle, queueUrl, region}` of a message, and of its request where known."""
    headers = message.headers or {}
    identity = headers.get("id") or message.properties.get("correlation_id")
    return {
        "id": request.id if request else identity,
        "task": request.name if request else headers.get("task"),
        "handle": message.delivery_tag,
        "queueUrl": queue_url(message),
        "region": region_of(message),
    }


def region_of(message):
    """The region of the queue that the message came from."""
    return _predefined(message)[1].get("region") or message.channel.region


def receives(message):
    """How often SQS says that the message was received, this time included; 0: it does not."""
    attributes = message.delivery_info.get("sqs_message", {}).get("Attributes") or {}
    return int(attributes.get("ApproximateReceiveCount", 0))


def queue_url(message):
    """The URL of the queue that the message came from."""
    return message.delivery_info.get("sqs_queue")


def _predefined(message):
    """The name and the settings of the message's queue where the configuration names it."""
    for name, queue in (message.channel.predefined_queues or {}).items():
        if queue.get("url") == queue_url(message):
            return name, queue
    return None, {}


def new_client(message, config):
    """A client for the message's queue, with kombu's credentials and endpoint but our timeouts."""
    from boto3.session import Session

    theirs = message.channel.sqs(_predefined(message)[0])
    credentials = theirs._request_signer._credentials
    keys = {}
    if credentials is not None:
        frozen = credentials.get_frozen_credentials()
        keys = {
            "aws_access_key_id": frozen.access_key,
            "aws_secret_access_key": frozen.secret_key,
            "aws_session_token": frozen.token,
        }
    session = Session(region_name=theirs.meta.region_name, **keys)
    return session.client("sqs", endpoint_url=theirs.meta.endpoint_url, config=config)


def endpoint_of(consumer):
    """The endpoint that the broker URL names, None for AWS's own."""
    return consumer.task_consumer.channel.endpoint_url
