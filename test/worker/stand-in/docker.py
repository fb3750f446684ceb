"""A stand-in for Docker: `docker.py SOCKET NAME POLICY FOLDER COMMAND...` keeps one container.

The container is a real pid and mount namespace, in which FOLDER is its own. As with the real one,
its policy decides whether it starts again, and an exec ends when the container does.
"""

import os
import signal
import subprocess
import sys

from service import Service, serve

# Without the rights for it, a namespace of users gives them.
USER = [] if os.getuid() == 0 else ["--user", "--map-root-user"]


class Container(Service):
    def __init__(self, name, policy, folder, command):
        self.name = name
        self.restart = policy
        # Nothing of this folder is seen outside, as it is with a container's file system.
        private = f'mount -t tmpfs -o mode=700 tmpfs {folder} && exec "$@"'
        super().__init__(
            ["unshare", *USER, "--pid", "--fork", "--kill-child", "--mount-proc", "--"]
            + ["sh", "-c", private, "sh", *command],
            dict(os.environ),
            lambda code: self.restart == "always" or (self.restart == "on-failure" and code != 0),
        )

    def first(self):
        """The host's pid of the container's first process, 0 when it does not run."""
        if not self.running():
            return 0
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as file:
            return int(file.read().split()[0])

    def execute(self, arguments):
        settings, rest = [], list(arguments)
        while rest[0] == "-e":
            settings.append(rest[1])
            rest = rest[2:]
        name, *command = rest
        if name != self.name or not self.running():
            return 1, f"Error: container {name} is not running\n"
        enter = ["nsenter", *(["--user", "--preserve-credentials"] if USER else [])]
        enter += ["--target", str(self.first()), "--pid", "--mount", "--"]
        done = subprocess.run(
            [*enter, "env", *settings, *command], capture_output=True, text=True, env=self.env
        )
        return done.returncode, done.stdout + done.stderr


def main():
    path, name, policy, folder, *command = sys.argv[1:]
    container = Container(name, policy, folder, command)
    container.start()
    # By their fields, which is how the formats of `docker inspect -f` differ.
    fields = {
        "State.Pid": lambda: container.first(),
        "RestartPolicy.Name": lambda: f"{container.restart}:0",
        ".Name": lambda: f"/{container.name}",
    }

    def docker(arguments):
        command, *rest = arguments
        if command == "exec":
            return container.execute(rest)
        if rest[-1] != name:
            return 1, f"Error: No such object: {rest[-1]}\n"
        if command == "inspect":
            field = next(field for field in fields if field in rest[1])
            return 0, f"{fields[field]()}\n"
        if command == "update":
            container.restart = rest[0].removeprefix("--restart=")
        elif command == "start":
            container.start()
        elif command == "kill":
            container.process.send_signal(signal.SIGKILL)
        else:
            return 1, f"Unknown command {command}\n"
        return 0, ""

    serve(path, docker)


if __name__ == "__main__":
    main()
