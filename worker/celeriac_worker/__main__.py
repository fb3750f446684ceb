"""python -m celeriac_worker release --state FILE
python -m celeriac_worker report --phase PHASE ... (see --help)
"""

import argparse
import json
import sys
import time

PHASES = ("started", "quiet", "running", "idle", "busy", "drained", "handed-back", "nothing")
PHASES += ("resumed", "failed")


def main(arguments):
    """Run one of the two commands; its exit code: 0 done, 1 not (all) done, 2 usage, 3 no boto3."""
    options = _parser().parse_args(arguments)
    return _release(options) if options.command == "release" else _report(options)


def _release(options):
    from .release import release

    try:
        result = release(options.state)
    except (OSError, ValueError) as error:
        result = {"released": 0, "gone": 0, "failed": [{"id": None, "error": str(error)}]}
    print(json.dumps(result), flush=True)
    return 1 if result["failed"] else 0


def _report(options):
    try:
        from botocore.exceptions import BotoCoreError, ClientError

        from .report import put
    except ImportError as error:
        print(error, file=sys.stderr)
        return 3

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
    try:
        put(detail)
    except (BotoCoreError, ClientError, OSError, RuntimeError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


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
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
