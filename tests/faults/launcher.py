"""Starts `metarl` commands quickly: one process imports everything once and is forked per command.

Run as a script it is that process. Each command gets a session of its own, so that whatever it
leaves behind can be found.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]


class Command:
    """A `metarl` command under way."""

    def __init__(self, pid: int, output: Path, launcher: Launcher) -> None:
        self.pid = pid
        self.output = output
        self._launcher = launcher

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self, seconds: float = 240) -> int:
        """The exit code; minus a signal's number if one killed it."""
        return self._launcher.wait(self.pid, seconds)

    def text(self) -> str:
        return self.output.read_text() if self.output.exists() else ""

    def processes(self) -> list[psutil.Process]:
        """Live processes of the command's session, itself among them."""
        found = []
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) == self.pid and process.status() != "zombie":
                    found.append(process)
            except (ProcessLookupError, psutil.NoSuchProcess):
                continue
        return found

    def workers(self) -> list[psutil.Process]:
        return [process for process in self.processes() if process.pid != self.pid]

    def expect_no_process(self, seconds: float = 30) -> None:
        wait_until(lambda: not self.processes(), seconds)


class Launcher:
    """The process that is forked."""

    def __init__(self) -> None:
        paths = os.pathsep.join([str(ROOT), str(ROOT / "tests"), *sys.path])
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        self._codes: dict[int, int] = {}
        assert self._answer() == "ready"

    def start(
        self, arguments: Sequence[object], output: Path, *, die_at: int | None = None
    ) -> Command:
        """Starts a command.

        Args:
            arguments: Its arguments.
            output: Where its output goes.
            die_at: It kills itself at the file operation with this number (from 1).
        """
        order = {
            "arguments": [str(one) for one in arguments],
            "output": str(output),
            "die_at": die_at,
        }
        self._ask(order)
        return Command(int(self._answer()), output, self)

    def run(self, arguments: Sequence[object], output: Path, *, die_at: int | None = None) -> int:
        """Runs a command to its end and returns its exit code."""
        return self.start(arguments, output, die_at=die_at).wait()

    def wait(self, pid: int, seconds: float) -> int:
        deadline = time.monotonic() + seconds
        while pid not in self._codes:
            assert time.monotonic() < deadline, "the command doesn't end"
            self._ask({"wait": pid})
            if (code := self._answer()) != "running":
                self._codes[pid] = int(code)
            else:
                time.sleep(0.02)
        return self._codes[pid]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _ask(self, order: dict[str, object]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def _die_at_file_operation(number: int) -> None:
    """Makes this process kill itself at its n-th operation on the file system."""
    count = 0
    ours = f"{os.sep}run{os.sep}"

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event not in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"):
            return
        if not any(ours in str(argument) for argument in arguments[:2]):
            return
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _serve() -> None:
    import tensorboard.compat.proto.event_pb2
    import tensorboard.summary.writer.record_writer  # noqa: F401

    from metarl.cli import main

    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            pid, status = os.waitpid(order["wait"], os.WNOHANG)
            print(os.waitstatus_to_exitcode(status) if pid else "running", flush=True)
            continue
        pid = os.fork()
        if pid:
            print(pid, flush=True)
            continue
        os.setsid()
        handle = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if order["die_at"] is not None:
            _die_at_file_operation(order["die_at"])
        code: object = 70
        try:
            code = main(order["arguments"])
        except SystemExit as leaving:
            code = leaving.code
        except BaseException:  # noqa: BLE001 - the forked process must not go on
            import traceback

            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 71)


if __name__ == "__main__":
    _serve()
