"""A worker process as its parent sees it: started, asked, watched, ended."""

from __future__ import annotations

import math
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait

from metarl.errors import ConfigError, WorkerDiedError
from metarl.rollouts.jobs import Job, JobResult, episode_seeds
from metarl.rollouts.vitals import DUMP_SIGNAL, Vitals

POLL_S = 0.5
"""How often workers are looked at while none has anything to say."""

_START_S = 120.0
"""What a worker may take at least until it has started."""

# A worker sees the modules that its parent sees, in whatever way that came to find them. It doesn't
# import the parent's script, so a script needs no `if __name__ == "__main__":` for its sake.
_START = "import sys; sys.path[:] = {path!r}; from metarl.rollouts.worker import main; main()"


class Worker:
    """One worker process.

    No name in the file system and no helper process is involved, so that nothing is left behind
    however this process ends; and the worker ends when this process does.

    Args:
        name: What messages call it.
        payload: Distribution and policy, pickled.
        timeout: Seconds without a step after which it counts as hung.

    Raises:
        ConfigError: If this system has no such processes.
    """

    def __init__(self, name: str, payload: bytes, timeout: float) -> None:
        if os.name != "posix":
            raise ConfigError("num_workers: worker processes need a POSIX system; use 0.")
        self.name = name
        self.jobs: Sequence[Job] = ()
        self._timeout = timeout
        self._vitals = Vitals()
        here, there = socket.socketpair()
        lifeline, self._lifeline = os.pipe()
        descriptors = (there.fileno(), lifeline, self._vitals.descriptor)
        # Blocked until the worker has said what it does about it: Ctrl-C goes to the whole group.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own code
                [sys.executable, "-c", _START.format(path=sys.path), *map(str, descriptors)],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            there.close()
            os.close(lifeline)
        # A stopped worker must not stop this process in the middle of a message.
        limit = struct.pack("ll", math.ceil(timeout), 0)
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            here.setsockopt(socket.SOL_SOCKET, option, limit)
        self.connection = Connection(here.detach())
        self._payload: bytes | None = payload
        self._silence_s = 0.0
        self._beats = 0
        self._last_look = time.monotonic()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def start(self, jobs: Sequence[Job]) -> None:
        """Hands over jobs.

        Raises:
            WorkerDiedError: If it has died.
        """
        self.jobs = jobs
        self._silence_s, self._last_look = 0.0, time.monotonic()
        try:
            if self._payload is not None:
                # Not sooner: it takes in what is sent once it has started, beside the others.
                self.connection.send_bytes(self._payload)
                self._payload = None
            self.connection.send(list(jobs))
        except OSError as error:
            raise self._death(hung=isinstance(error, BlockingIOError)) from None

    def result(self) -> list[JobResult] | Exception | None:
        """What the jobs gave: results, what an environment raised, or ``None`` if not there yet.

        Raises:
            WorkerDiedError: If it has died, or has hung and been killed.
        """
        try:
            if self.connection.poll():
                reply: list[JobResult] | Exception = self.connection.recv()
                self.jobs = ()
                return reply
        except (EOFError, OSError) as error:  # OSError: it ended in the middle of a message
            raise self._death(hung=isinstance(error, BlockingIOError)) from None
        if self._process.poll() is not None and not self.connection.poll():
            raise self._death()  # though a process that it started may hold its pipe open
        if self._is_hung():
            if DUMP_SIGNAL is not None:
                self._process.send_signal(DUMP_SIGNAL)
                self._vitals.traceback(wait_s=1.0)
            raise self._death(hung=True)
        return None

    def close(self) -> None:
        """Ends the process: asks an idle one and waits a moment, kills a busy one."""
        self.connection.close()  # an idle worker leaves at once when its pipe closes
        if self.jobs:
            self._process.kill()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
            self._vitals.close()

    def _is_hung(self) -> bool:
        """Whether no step has been taken for too long.

        Counted in looks rather than by the clock: time during which this process itself was stopped
        is nobody's fault.
        """
        now = time.monotonic()
        beats, _ = self._vitals.read()
        if beats != self._beats:
            self._beats, self._silence_s = beats, 0.0
        else:
            self._silence_s += min(now - self._last_look, 2 * POLL_S)
        self._last_look = now
        starting = beats == 0
        return self._silence_s >= (max(self._timeout, _START_S) if starting else self._timeout)

    def _death(self, *, hung: bool = False) -> WorkerDiedError:
        """Says how it ended and what it was doing; the process is gone then."""
        try:
            self._process.wait(timeout=0 if hung else 1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        code = self._process.returncode
        if hung:
            how = f"took no step for {self._timeout:g} s and was killed"
        elif code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
            how += "; out of memory?" if code == -signal.SIGKILL else ""
        else:
            how = f"left with {code}"
        error = WorkerDiedError(f"{self.name} {how}, while it ran {self._whereabouts()}")
        if text := self._vitals.traceback():
            error.add_note("in the worker process:\n" + text)
        return error

    def _whereabouts(self) -> str:
        _, step = self._vitals.read()
        tasks = ", ".join(f"{job.task.family} ({job.task.digest})" for job in self.jobs)
        if len(self.jobs) != 1:
            return tasks
        (job,) = self.jobs
        seeds = episode_seeds(job.stream.numpy(), job.num_episodes)
        shown = ", ".join(map(str, seeds[:5])) + (", ..." if len(seeds) > 5 else "")
        when = "before the first step" if step < 0 else f"step {step}"
        return f"{tasks}, seeds {shown}, {when}"


def wait_for(workers: Sequence[Worker]) -> None:
    """Waits until one of them may have something to say, or ``POLL_S`` seconds at most."""
    wait([worker.connection for worker in workers], timeout=POLL_S)
