"""Makes messages visible again by their receipt handles. Needs boto3, not Celery."""

# What SQS takes in one ChangeMessageVisibilityBatch.
ENTRIES_PER_CALL_MAX = 10

# A call that hangs would hang the worker's event loop, and at the deadline the drain. SQS answers
# in tens of milliseconds; two short attempts ride out one lost packet and end within 10 s.
CONNECT_SECONDS_MAX = 2
READ_SECONDS_MAX = 3
ATTEMPTS = 2

# The handle is no good any more because the message is visible again or deleted: nothing to do.
GONE = ("MessageNotInflight", "ReceiptHandleIsInvalid")


def client_config():
    """The botocore Config for every call of this package."""
    from botocore.config import Config

    return Config(
        connect_timeout=CONNECT_SECONDS_MAX,
        read_timeout=READ_SECONDS_MAX,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
    )


def hand_back(client, queue_url, handles):
    """Make up to ten messages of a queue visible; `{handle: None | 'gone' | error}`.

    Raises what boto3 raises when the call as a whole fails.
    """
    entries = [
        {"Id": str(index), "ReceiptHandle": handle, "VisibilityTimeout": 0}
        for index, handle in enumerate(handles)
    ]
    answer = client.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)
    # An entry that the answer does not name has not been seen to succeed.
    outcome = {handle: "SQS did not answer for it" for handle in handles}
    for entry in answer.get("Successful", ()):
        outcome[handles[int(entry["Id"])]] = None
    for entry in answer.get("Failed", ()):
        outcome[handles[int(entry["Id"])]] = _what_failed(entry)
    return outcome


def _what_failed(entry):
    code, message = entry.get("Code", ""), entry.get("Message", "")
    # The query protocol puts a prefix before the code.
    gone = code.rpartition(".")[2] in GONE
    # What SQS answers for a message that was deleted since.
    deleted = code == "InvalidParameterValue" and "Message does not exist" in message
    return "gone" if gone or deleted else f"{code}: {message}"


def in_tens(items):
    """The items in lists of as many as one call takes."""
    step = ENTRIES_PER_CALL_MAX
    return [items[start : start + step] for start in range(0, len(items), step)]
