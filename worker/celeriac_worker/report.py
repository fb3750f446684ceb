"""Puts one event of this worker or its box on the default event bus. Needs boto3."""

import json
import os
import urllib.request

from .handback import client_config

SOURCE = "celeriac.worker"
DRAIN_PROGRESS = "Celeriac Drain Progress"
RECEIVED_AGAIN = "Celeriac Messages Received Again"

# The metadata service answers in milliseconds or, in a container one hop too far, never.
METADATA_SECONDS_MAX = 1
METADATA_TOKEN_SECONDS = 60


def put_progress(detail):
    """Send an event about the drain of this instance; raises what `put` does, and OSError when the
    metadata service is needed and does not answer.
    """
    detail = {**detail, "instance-id": detail["instance-id"] or _instance_id()}
    put(DRAIN_PROGRESS, detail, _region())


def put(detail_type, detail, region):
    """Send the event. Raises what boto3 raises, and RuntimeError when the bus refuses the event."""
    from boto3.session import Session

    session = Session(region_name=region)
    # Older boto3 does not read this variable itself.
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    client = session.client("events", endpoint_url=endpoint, config=client_config())
    entry = {"Source": SOURCE, "DetailType": detail_type, "Detail": json.dumps(detail)}
    answer = client.put_events(Entries=[entry])
    if answer.get("FailedEntryCount"):
        refused = answer["Entries"][0]
        raise RuntimeError(f"{refused.get('ErrorCode')}: {refused.get('ErrorMessage')}")


def _instance_id():
    return os.environ.get("CELERIAC_INSTANCE_ID") or _metadata("instance-id")


def _region():
    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return named or _metadata("placement/region")


def _metadata(path):
    """One item of the instance metadata, by IMDSv2."""
    endpoint = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or "http://169.254.169.254"
    base = endpoint.rstrip("/") + "/latest"
    # The metadata service is never behind a proxy.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(request):
        with opener.open(request, timeout=METADATA_SECONDS_MAX) as answer:
            return answer.read().decode()

    lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": str(METADATA_TOKEN_SECONDS)}
    token = ask(urllib.request.Request(f"{base}/api/token", headers=lifetime, method="PUT"))
    headers = {"X-aws-ec2-metadata-token": token}
    return ask(urllib.request.Request(f"{base}/meta-data/{path}", headers=headers))
