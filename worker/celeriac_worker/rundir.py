"""The run directory: where a worker says what it does, and finds what it is asked to do.

`<pid>.json` is written by the worker alone, `<pid>.orders` by drain.sh. Both sides replace whole
files, so that neither ever reads half of one.
"""

import json
import os
import stat
import tempfile

# An order is some hundred bytes. More is not ours.
ORDERS_BYTES_MAX = 4096

# A drain id comes from the control plane; a longer one is a mistake that would fill the log.
DRAIN_ID_CHARACTERS_MAX = 128

ORDERS = ("quiet", "resume")


class RunDirError(Exception):
    """No directory can be used, or what is in it cannot be trusted; the message says why."""


def choose():
    """The path of the run directory, made when missing. Raises RunDirError.

    $CELERIAC_RUN_DIR, else /run/celeriac where that can be written, else one of our own below the
    directory for temporary files.
    """
    given = os.environ.get("CELERIAC_RUN_DIR")
    if given:
        return _usable(given)
    try:
        return _usable("/run/celeriac")
    except RunDirError:
        return _usable(os.path.join(tempfile.gettempdir(), f"celeriac-{os.getuid()}"))


def _usable(path):
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise RunDirError(f"{path} cannot be made: {error.strerror}") from error
    # Not followed: in a shared directory for temporary files anybody may have put a link there.
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise RunDirError(f"{path} is not a directory")
    if found.st_uid not in (0, os.getuid()):
        raise RunDirError(f"{path} belongs to user {found.st_uid}")
    if found.st_mode & stat.S_IWOTH:
        raise RunDirError(f"{path} can be written by everybody")
    if not os.access(path, os.W_OK | os.X_OK):
        raise RunDirError(f"{path} cannot be written")
    return path


def start_time(pid="self"):
    """When the process started, in clock ticks since boot: it tells a pid from its reuse."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        # The name in parentheses may hold anything, so the fields are counted from its end: the
        # first after it is field 3, the start time is field 22.
        return int(file.read().rpartition(")")[2].split()[19])


def write_state(path, state):
    """Replace the file by `state`, JSON with one key on a line, which a shell can read too."""
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in state.items())
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    temporary = f"{path}.tmp"
    remove(temporary)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def read_orders(path):
    """`{order, drainId, deadline}` as drain.sh wrote it. Raises RunDirError, and OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, encoding="utf-8") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, os.getuid()):
            raise RunDirError(f"{path} is not a file of root or of this worker's user")
        text = file.read(ORDERS_BYTES_MAX + 1)
    if len(text) > ORDERS_BYTES_MAX:
        raise RunDirError(f"{path} is longer than {ORDERS_BYTES_MAX} bytes")
    return _checked(path, text)


def read_note(now):
    """The order that drain.sh left for workers that start later, or None where there is none.

    `now` in unix seconds: past its deadline the box should be gone, and a note that is still there
    must not keep it idle. Raises RunDirError, and OSError.
    """
    path = os.environ.get("CELERIAC_LEAVING") or "/run/celeriac.leaving"
    try:
        orders = read_orders(path)
    except FileNotFoundError:
        return None
    return orders if orders["deadline"] is None or orders["deadline"] > now else None


def _checked(path, text):
    try:
        orders = json.loads(text)
    except ValueError as error:
        raise RunDirError(f"{path} is not JSON: {error}") from error
    if not isinstance(orders, dict) or orders.get("order") not in ORDERS:
        raise RunDirError(f"{path}: order must be one of {', '.join(ORDERS)}")
    drain_id, deadline = orders.get("drainId"), orders.get("deadline")
    if not isinstance(drain_id, (str, type(None))):
        raise RunDirError(f"{path}: drainId must be a string or null")
    if drain_id is not None and len(drain_id) > DRAIN_ID_CHARACTERS_MAX:
        raise RunDirError(f"{path}: drainId is longer than {DRAIN_ID_CHARACTERS_MAX} characters")
    if not isinstance(deadline, (int, type(None))):
        raise RunDirError(f"{path}: deadline must be unix seconds or null")
    return {"order": orders["order"], "drainId": drain_id, "deadline": deadline}


def remove(path):
    """Remove the file if it is there."""
    try:
        os.remove(path)
    except FileNotFoundError:
        pass
