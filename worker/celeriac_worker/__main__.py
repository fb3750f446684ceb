"""python -m celeriac_worker release --state FILE
python -m celeriac_worker report --phase PHASE ... (see --help)
python -m celeriac_worker received --region REGION --queue NAME=COUNT ...
"""

import argparse
import json
import sys
import time

PHASES = ("started", "quiet", "running", "idle", "busy", "drained", "handed-back", "nothing")
PHASES += ("resumed", "failed")


def main(arguments):
    """Run one of the commands; its exit code: 0 done, 1 not (all) done, 2 usage, 3 no boto3."""
    options = _parser().parse_args(arguments)
    commands = {"release": _release, "report": _report, "received": _received}
    return commands[options.command](options)


def _release(options):
    from .release import release

    try:
        result = release(options.state)
    except (OSError, ValueError) as error:
        result = {"released": 0, "gone": 0, "failed": [{"id": None, "error": str(error)}]}
    print(json.dumps(result), flush=True)
    return 1 if result["failed"] else 0


def _report(options):
    detail = {
        "instance-id": options.instance_id,
        "drain-id": options.drain_id,
        "reason": options.reason,
        "deadline": options.deadline,
        "phase": options.phase,
        "at": time.time() if options.at is None else options.at,
        "workers": options.workers,
        "running": options.running,
        "handedBack": options.handed_back,
        "finished": options.finished,
        "forced": options.forced,
        "quietSeconds": options.quiet_seconds,
    }
    return _sent(lambda report: report.put_progress(detail))


def _received(options):
    """One event a queue: it concerns those who watch that queue alone."""
    counts = dict(options.queue)
    return _sent(
        lambda report: [
            report.put(report.RECEIVED_AGAIN, {"queue": name, "messages": count}, options.region)
            for name, count in counts.items()
        ]
    )


def _sent(send):
    try:
        from botocore.exceptions import BotoCoreError, ClientError

        from . import report
    except ImportError as error:
        print(error, file=sys.stderr)
        return 3

    try:
        send(report)
    except (BotoCoreError, ClientError, OSError, RuntimeError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _queue_count(text):
    name, _, count = text.rpartition("=")
    if not name:
        raise ValueError(text)
    return name, int(count)


def _parser():
    parser = argparse.ArgumentParser(prog="celeriac_worker", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    release = commands.add_parser("release", help="hand back what a stopped worker still held")
    release.add_argument("--state", required=True, help="the worker's state file")
    report = commands.add_parser("report", help="put one event about a drain on the default bus")
    report.add_argument("--phase", required=True, choices=PHASES)
    report.add_argument("--reason", required=True)
    report.add_argument("--deadline", required=True, type=int, help="unix seconds")
    report.add_argument("--drain-id")
    report.add_argument("--instance-id", help="default: $CELERIAC_INSTANCE_ID, then IMDSv2")
    report.add_argument("--at", type=float, help="unix seconds; default: now")
    report.add_argument("--quiet-seconds", type=float)
    for count in ("workers", "running", "handed-back", "finished", "forced"):
        report.add_argument(f"--{count}", type=int, default=0)
    received = commands.add_parser("received", help="put an event about what is received again")
    received.add_argument("--region", required=True)
    received.add_argument("--queue", action="append", required=True, type=_queue_count)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
