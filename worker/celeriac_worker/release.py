"""Hands back what a stopped or dead worker still held, from its state file. Needs boto3."""

import json
import os

from . import handback, rundir


def release(path):
    """Make the messages of a state file visible: `{released, gone, failed: [{id, error}]}`.

    Only for a worker that is stopped or dead: a live one would soon receive its own task again and
    run it twice. Raises OSError and ValueError for a file that is no state file.
    """
    with open(path, encoding="utf-8") as file:
        state = json.load(file)
    if not isinstance(state, dict) or not isinstance(state.get("running"), list):
        raise ValueError(f"{path} is not a state file")
    _take_settings_of(state)
    result = {"released": 0, "gone": 0, "failed": []}
    for (queue_url, region), entries in _by_queue(state).items():
        for some in handback.in_tens(entries):
            _release(some, _client(state, queue_url, region), result)
    return result


def _by_queue(state):
    """The messages that can be handed back; an early acknowledged task has left none."""
    queues = {}
    for entry in [*state["running"], *state.get("held", ())]:
        if entry.get("handle"):
            queues.setdefault((entry["queueUrl"], entry["region"]), []).append(entry)
    return queues


def _release(entries, client_and_url, result):
    client, queue_url = client_and_url
    by_handle = {entry["handle"]: entry["id"] for entry in entries}
    try:
        outcome = handback.hand_back(client, queue_url, list(by_handle))
    except Exception as error:
        # One queue that cannot be reached must not keep the others' messages; it is in the result.
        outcome = {handle: f"{type(error).__name__}: {error}" for handle in by_handle}
    for handle, what in outcome.items():
        if what is None:
            result["released"] += 1
        elif what == "gone":
            result["gone"] += 1
        else:
            result["failed"].append({"id": by_handle[handle], "error": what})


def _client(state, queue_url, region):
    from boto3.session import Session

    session = Session(region_name=region)
    config = handback.client_config()
    return session.client("sqs", endpoint_url=state.get("endpoint"), config=config), queue_url


def _take_settings_of(state):
    """Use the AWS settings of the worker's own environment, while it is there to be read."""
    pid = state.get("pid")
    try:
        if not isinstance(pid, int) or rundir.start_time(pid) != state.get("startTime"):
            return
        with open(f"/proc/{pid}/environ", "rb") as file:
            settings = file.read().decode(errors="surrogateescape").split("\0")
    except OSError:
        # It is gone or another user's: our own settings must do.
        return
    pairs = (setting.split("=", 1) for setting in settings if setting.startswith("AWS_"))
    os.environ.update(pair for pair in pairs if len(pair) == 2)
