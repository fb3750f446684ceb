"""What the stand-ins for systemd and Docker share: real processes, a socket, one client.

Each stand-in is one long-lived process with state of its own. A command such as `systemctl stop x`
reaches it through a socket, as the real ones do, and it really signals, waits and starts again.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

# How long a stand-in waits between an exit and the next start.
RESTART_SECONDS = 0.2

# How often it looks whether a process has ended.
LOOK_SECONDS = 0.02


class Service:
    """One supervised command. `policy()` says at each exit whether it starts again."""

    def __init__(self, command, env, policy):
        self.command = command
        self.env = env
        self.policy = policy
        self.process = None
        self.stopping = False
        self.starts = 0

    def start(self):
        if self.running():
            return
        self.stopping = False
        self.starts += 1
        log = open(self.env["SERVICE_LOG"], "ab")
        # A session of its own: its process group is what systemd would see as the control group.
        self.process = subprocess.Popen(
            self.command, env=self.env, stdout=log, stderr=log, start_new_session=True
        )
        threading.Thread(target=self._watch, args=(self.process,), daemon=True).start()

    def _watch(self, process):
        code = process.wait()
        self.ended(process)
        if not self.stopping and self.policy(code):
            time.sleep(RESTART_SECONDS)
            if not self.stopping:
                self.start()

    def ended(self, process):
        """What happens to the rest of the group when the main process has ended."""
        self.signal_group(process, signal.SIGKILL)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def wait(self, seconds):
        end = time.monotonic() + seconds
        while self.running() and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
        return not self.running()

    @staticmethod
    def signal_group(process, number):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass


def serve(path, command):
    """Answer each connection with `command(arguments) -> (code, output)`, for ever."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    print("listening", flush=True)
    while True:
        connection, _ = server.accept()
        threading.Thread(target=_answer, args=(connection, command), daemon=True).start()


def _answer(connection, command):
    with connection, connection.makefile("rw") as file:
        code, output = command(json.loads(file.readline()))
        file.write(json.dumps([code, output]) + "\n")


def main():
    """The client: `service.py SOCKET ARGUMENT...` is one command."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(sys.argv[1])
        with connection.makefile("rw") as file:
            file.write(json.dumps(sys.argv[2:]) + "\n")
            file.flush()
            code, output = json.loads(file.readline())
    sys.stdout.write(output)
    sys.exit(code)


if __name__ == "__main__":
    main()
