"""A stand-in for systemd: `systemd.py SOCKET UNIT_FILE DROP_IN_FOLDER` keeps one unit.

As the real one it reads unit and drop-ins at start and on daemon-reload only, TERMs what KillMode
says, sends CONT after it, KILLs what is left of the group, and starts again what Restart says.
"""

import configparser
import glob
import os
import shlex
import signal
import sys
import threading

from service import Service, serve

# What systemd assumes for a unit that does not say.
DEFAULTS = {"KillMode": "control-group", "Restart": "no", "TimeoutStopSec": "90"}


class Unit(Service):
    def __init__(self, file, drop_ins):
        self.files = (file, drop_ins)
        self.name = os.path.basename(file)
        self.settings = {}
        self.reload()
        restarts = {"no": lambda _: False, "always": lambda _: True, "on-failure": bool}
        super().__init__(
            shlex.split(self.settings["ExecStart"]),
            dict(os.environ),
            lambda code: restarts[self.settings["Restart"]](code),
        )

    def reload(self):
        file, drop_ins = self.files
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        parser.optionxform = str
        parser.read([file, *sorted(glob.glob(os.path.join(drop_ins, self.name + ".d", "*.conf")))])
        self.settings = {**DEFAULTS, **parser["Service"]}

    def stop(self):
        self.stopping = True
        if not self.running():
            return
        process = self.process
        if self.settings["KillMode"] == "control-group":
            self.signal_group(process, signal.SIGTERM)
            self.signal_group(process, signal.SIGCONT)
        else:
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGCONT)
        if not self.wait(float(self.settings["TimeoutStopSec"])):
            self.signal_group(process, signal.SIGKILL)


def main():
    path, file, drop_ins = sys.argv[1:]
    unit = Unit(file, drop_ins)
    unit.start()

    def systemctl(arguments):
        command, *rest = [word for word in arguments if word != "--"]
        options = [word for word in rest if word.startswith("-") or word == "MainPID"]
        names = [word for word in rest if word not in options]
        known = {unit.name, unit.name.removesuffix(".service")}
        if any(name not in known for name in names):
            return 5, f"Unit {names[0]} not found.\n"
        if command == "show":
            return 0, f"{unit.process.pid if unit.running() else 0}\n"
        if command == "daemon-reload":
            unit.reload()
        elif command == "start":
            unit.start()
        elif command == "stop" and "--no-block" in options:
            threading.Thread(target=unit.stop).start()
        elif command == "stop":
            unit.stop()
        elif command == "is-active":
            return (0, "active\n") if unit.running() else (3, "inactive\n")
        elif command != "reset-failed":
            return 1, f"Unknown command {command}\n"
        return 0, ""

    serve(path, systemctl)


if __name__ == "__main__":
    main()
