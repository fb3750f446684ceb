"""The Celery application of the tests: what its tasks do is written to a file, line by line."""

import os
import time

from celery import Celery


def setting(name, default):
    return os.environ.get(name, default)


app = Celery("fleet", broker=f"sqs://testing:testing@{setting('SQS_HOST', 'localhost')}//")
app.conf.update(
    broker_transport_options={
        "region": "us-east-1",
        "is_secure": False,
        "wait_time_seconds": int(setting("WAIT_SECONDS", "2")),
        "visibility_timeout": 600,
    },
    broker_connection_retry_on_startup=True,
    task_acks_late=setting("ACKS_LATE", "yes") == "yes",
    task_default_queue=setting("QUEUE", "celery"),
    worker_prefetch_multiplier=int(setting("PREFETCH", "8")),
    worker_hijack_root_logger=False,
)


def note(*words):
    """One write of one line, so that the processes of a pool do not mix theirs."""
    line = " ".join(map(str, words)) + "\n"
    descriptor = os.open(setting("TASK_LOG", "/dev/null"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line.encode())
    os.close(descriptor)


@app.task(name="work", bind=True)
def work(self, gate):
    """Runs until the file `gate` below TASK_GATES is there; without a name, not at all."""
    note("begin", self.request.id)
    while gate and not os.path.exists(os.path.join(setting("TASK_GATES", "/nowhere"), gate)):
        time.sleep(0.05)
    note("end", self.request.id)


@app.task(name="nap", bind=True)
def nap(self, seconds):
    note("begin", self.request.id)
    time.sleep(seconds)
    note("end", self.request.id)


@app.task(name="limited", rate_limit="1/h")
def limited():
    note("end", "limited")


if setting("PACKAGE", "yes") == "yes":
    import celeriac_worker

    celeriac_worker.install(app)
