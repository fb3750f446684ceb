"""The Celery application of the doctor's tests, without a broker of its own."""

import json
import os
import signal

from celery import Celery
from celery.signals import worker_ready

app = Celery("fleet", broker=os.environ.get("BROKER", "memory://"))
app.conf.update(
    task_acks_late=os.environ.get("ACKS_LATE") == "yes",
    worker_prefetch_multiplier=int(os.environ.get("PREFETCH", "4")),
    task_default_queue="video",
)


@app.task(name="mail.send", acks_late=False)
def send():
    pass


@worker_ready.connect
def write_state(**_):
    """What celeriac_worker does where it is installed: a state file, and a handler for SIGUSR2."""
    folder = os.environ.get("CELERIAC_RUN_DIR")
    if not folder:
        return
    signal.signal(signal.SIGUSR2, lambda *_: None)
    with open("/proc/self/stat") as file:
        start = int(file.read().rpartition(")")[2].split()[19])
    state = {"pid": os.getpid(), "startTime": start, "phase": "working"}
    state.update(python=os.environ["WORKER_PYTHON"], queues=["video"])
    with open(os.path.join(folder, "%d.json" % os.getpid()), "w") as file:
        json.dump(state, file)
