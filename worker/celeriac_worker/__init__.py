"""Lets drain.sh quiet a Celery worker on Amazon SQS before it is stopped.

    import celeriac_worker
    celeriac_worker.install(app)

Signals alone cannot do it: a warm shutdown keeps every prefetched message in flight until the last
running task ends, and a message that lands on the open long poll is lost to everybody until its
visibility timeout. With this package SIGUSR2 makes the worker read its orders: it stops polling,
lets the open poll land, hands back to SQS whatever is not running, and keeps a ledger of what runs.
"""

import logging

__version__ = "0.1.0"

log = logging.getLogger(__name__)


def install(app):
    """Add the drain step to the workers of `app`, a Celery application; again changes nothing.

    It raises nothing: what does not work is logged, and the worker is as it was without it. Where
    no orders can be taken (no event loop, SIGUSR2 in use, another broker) the worker says so once
    when it starts, and writes no state file, so that drain.sh never sends it SIGUSR2.
    """
    try:
        # Only here, so that `python -m celeriac_worker` needs no Celery.
        from .step import DrainStep

        app.steps["consumer"].add(DrainStep)
    except Exception:
        log.exception("celeriac_worker is not installed")
