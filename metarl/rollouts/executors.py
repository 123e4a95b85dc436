"""Where jobs run: in this process, or in worker processes."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import traceback
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Self, TypeAlias

import cloudpickle

from metarl.errors import ConfigError, RolloutError, WorkerDiedError
from metarl.policies import Policy
from metarl.rollouts.collector import Collector
from metarl.rollouts.jobs import Job, JobResult, chunks
from metarl.tasks import TaskDistribution

Progress: TypeAlias = Callable[[int], None]
"""Called with a number of jobs that have just been finished."""


class Executor(ABC):
    """Runs jobs somewhere. Results don't depend on where; see :class:`Job`."""

    @abstractmethod
    def run(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[JobResult]:
        """Runs jobs and returns their results in the same order.

        Args:
            jobs: Jobs with the same number of episodes.
            progress: Called with the number of jobs that have just been finished.
        """

    @abstractmethod
    def close(self) -> None:
        """Ends what the executor started; may be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class SerialExecutor(Executor):
    """Runs jobs one after another in this process."""

    def __init__(self, distribution: TaskDistribution, policy: Policy) -> None:
        self._collector = Collector(distribution, policy)
        self._chunk_size = max(1, distribution.tasks_per_vec)

    def run(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[JobResult]:
        """Runs jobs in order."""
        results = []
        for start in range(0, len(jobs), self._chunk_size):
            results += self._collector.run(jobs[start : start + self._chunk_size])
            if progress is not None:
                progress(len(results) - start)
        return results

    def close(self) -> None:
        """Closes the environments."""
        self._collector.close()


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    chunk: tuple[int, Sequence[Job]] | None = None


class ProcessExecutor(Executor):
    """Runs jobs in worker processes that keep their environments.

    Workers are started by ``forkserver`` where there is one, else by ``spawn``; a process with
    threads is never forked. As always with these, a script that starts workers needs the guard
    ``if __name__ == "__main__":``.

    Args:
        distribution: Where environments come from; sent to each worker once.
        policy: Structure of the policy; sent to each worker once.
        num_workers: Number of processes, at least 1.

    Raises:
        ConfigError: If ``num_workers`` is below 1, or the distribution can't be sent.
    """

    def __init__(self, distribution: TaskDistribution, policy: Policy, num_workers: int) -> None:
        if num_workers < 1:
            raise ConfigError(f"num_workers: got {num_workers}; must be at least 1.")
        self._chunk_size = max(1, distribution.tasks_per_vec)
        try:
            payload = cloudpickle.dumps((distribution, policy))
        except Exception as error:  # whatever an object's own pickling raises
            raise ConfigError(
                f"distribution: can't be sent to a worker process ({error}); keep open handles "
                "out of its attributes, or use num_workers=0."
            ) from error
        methods = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        self._workers: list[_Worker] = []
        for index in range(num_workers):
            here, there = context.Pipe()
            process = context.Process(  # type: ignore[attr-defined]
                target=_work, args=(there, payload), name=f"metarl-worker-{index}", daemon=True
            )
            process.start()
            there.close()
            self._workers.append(_Worker(process, here))

    def run(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[JobResult]:
        """Hands out jobs as workers become free.

        Raises:
            Exception: Whatever an environment raised, as itself, with notes on where.
            WorkerDiedError: If a worker process ended; all workers are closed.
        """
        if not self._workers:
            raise RolloutError("the executor is closed")
        if not jobs:
            return []
        stretches = chunks(jobs, self._chunk_size, len(self._workers))
        waiting = deque((start, jobs[start:stop]) for start, stop in stretches)
        results: list[JobResult | None] = [None] * len(jobs)
        try:
            idle = deque(self._workers)
            busy: list[_Worker] = []
            while waiting or busy:
                while waiting and idle:
                    worker = idle.popleft()
                    worker.chunk = waiting.popleft()
                    self._send(worker)
                    busy.append(worker)
                for worker in self._ready(busy):
                    start, results_of_chunk = self._receive(worker)
                    results[start : start + len(results_of_chunk)] = results_of_chunk
                    worker.chunk = None
                    if progress is not None:
                        progress(len(results_of_chunk))
                    busy.remove(worker)
                    idle.append(worker)
        except BaseException:
            # Work may be under way in workers that nobody will listen to any more.
            self.close()
            raise
        return [result for result in results if result is not None]

    def close(self) -> None:
        """Ends the workers: asks, waits a moment, then kills."""
        for worker in self._workers:
            worker.connection.close()  # an idle worker leaves at once when its pipe closes
        for worker in self._workers:
            if worker.chunk is not None:
                worker.process.terminate()
            worker.process.join(timeout=5)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers = []

    def _send(self, worker: _Worker) -> None:
        assert worker.chunk is not None
        try:
            worker.connection.send(worker.chunk[1])
        except OSError:
            raise self._death(worker) from None

    @staticmethod
    def _ready(busy: Sequence[_Worker]) -> list[_Worker]:
        signals = {w.connection: w for w in busy} | {w.process.sentinel: w for w in busy}
        return list({id(signals[s]): signals[s] for s in wait(list(signals))}.values())  # type: ignore[index]

    def _receive(self, worker: _Worker) -> tuple[int, list[JobResult]]:
        assert worker.chunk is not None
        try:
            if not worker.connection.poll():
                raise EOFError
            reply = worker.connection.recv()
        except (EOFError, OSError):  # OSError: it ended in the middle of a message
            raise self._death(worker) from None
        if isinstance(reply, BaseException):
            raise reply
        return worker.chunk[0], reply

    @staticmethod
    def _death(worker: _Worker) -> WorkerDiedError:
        worker.process.join(timeout=1)
        code = worker.process.exitcode
        how = (
            f"was killed by {signal.Signals(-code).name}"
            if code and code < 0
            else f"left with {code}"
        )
        jobs = [] if worker.chunk is None else worker.chunk[1]
        tasks = ", ".join(f"{job.task.family} ({job.task.digest})" for job in jobs)
        hint = "; out of memory?" if code == -signal.SIGKILL else ""
        return WorkerDiedError(f"{worker.process.name} {how}{hint}, while it ran {tasks}")


def _work(connection: Connection, payload: bytes) -> None:
    """A worker's main loop: jobs in, results or an exception out, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    collector: Collector | None = None
    try:
        while True:
            try:
                jobs = connection.recv()
            except (EOFError, OSError):
                return
            try:
                if collector is None:
                    collector = Collector(*pickle.loads(payload))  # noqa: S301 - from our parent
                reply: object = collector.run(jobs)
            except Exception as error:  # noqa: BLE001 - goes to the main process whole
                reply = _portable(error)
            try:
                connection.send(reply)
            except OSError:
                return
    finally:
        if collector is not None:
            collector.close()


def _portable(error: Exception) -> Exception:
    """What to send of an exception: itself if it survives pickling; its traceback is a note."""
    error.add_note("in a worker process:\n" + traceback.format_exc())
    try:
        copied = pickle.loads(pickle.dumps(error))  # noqa: S301 - what was just written
        if type(copied) is type(error) and getattr(copied, "__notes__", None):
            return error
    except Exception:  # noqa: BLE001, S110 - any failure means: not portable
        pass
    portable = RolloutError(f"{type(error).__name__}: {error}")
    for note in getattr(error, "__notes__", []):
        portable.add_note(note)
    return portable
