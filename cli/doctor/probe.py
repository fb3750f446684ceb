"""What `npx celeriac doctor` asks of a worker's own Python; its last line is JSON.

Arguments: the application as `celery -A` takes it, or `-`; `metadata` to ask the instance metadata
service as well, or `-`.
"""

import importlib
import json
import os
import sys

# More names of tasks say nothing more.
TASKS_MAX = 10

# It answers in milliseconds or, from a container one hop too far, never.
METADATA_SECONDS = 2


def version(name):
    try:
        return importlib.import_module(name).__version__
    except ImportError:
        return None


def settings(name):
    from celery.app.utils import find_app

    app = find_app(name)
    app.loader.import_default_modules()
    app.finalize()
    conf = app.conf
    options = dict(conf.broker_transport_options or {})
    early = sorted(
        task.name
        for task in app.tasks.values()
        if not task.acks_late and not task.name.startswith("celery.")
    )
    return {
        "transport": str(app.connection_for_read().transport_cls),
        "acksLate": bool(conf.task_acks_late),
        "earlyTasks": early[:TASKS_MAX] if conf.task_acks_late else [],
        "rejectOnWorkerLost": bool(conf.task_reject_on_worker_lost),
        "acksOnFailureOrTimeout": bool(conf.task_acks_on_failure_or_timeout),
        "prefetchMultiplier": conf.worker_prefetch_multiplier,
        "softShutdownSeconds": conf.get("worker_soft_shutdown_timeout") or 0,
        "visibilitySeconds": options.get("visibility_timeout"),
        "waitSeconds": options.get("wait_time_seconds"),
        "defaultQueue": str(conf.task_default_queue),
    }


def metadata():
    from urllib.request import ProxyHandler, Request, build_opener

    base = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or "http://169.254.169.254"
    request = Request(
        base.rstrip("/") + "/latest/api/token",
        method="PUT",
        headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"},
    )
    with build_opener(ProxyHandler({})).open(request, timeout=METADATA_SECONDS) as answer:
        answer.read()
    return "token"


def reading(read, *arguments):
    """What it returns, or why it cannot be told: anything may go wrong in a user's application."""
    try:
        return read(*arguments)
    except Exception as error:
        return {"unread": "%s: %s" % (type(error).__name__, error)}


def main():
    app, ask = sys.argv[1:]
    answer = {
        "python": sys.executable,
        "celery": version("celery"),
        "kombu": version("kombu"),
        "billiard": version("billiard"),
        "celeriacWorker": version("celeriac_worker"),
        "settings": None if app == "-" else reading(settings, app),
        "metadata": reading(metadata) if ask == "metadata" else None,
    }
    # On a line of its own, whatever the application printed before.
    print("\n" + json.dumps(answer))


main()
