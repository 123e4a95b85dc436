"""Where jobs run: in this process, or in worker processes; and what happens when one fails."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Self, TypeAlias

import cloudpickle

from metarl.errors import (
    ConfigError,
    MetarlError,
    NonFiniteError,
    RolloutError,
    WorkerDiedError,
)
from metarl.policies import Policy
from metarl.rollouts.collector import Collector
from metarl.rollouts.jobs import Job, JobResult, chunks
from metarl.rollouts.processes import Worker, wait_for
from metarl.tasks import TaskDistribution

LOG = logging.getLogger(__name__)

Progress: TypeAlias = Callable[[int], None]
"""Called with a number of jobs that have just been finished."""

MAX_DEATHS = 3
"""A job whose worker has died or hung so many times is given up."""

MAX_EXCEPTIONS = 2
"""A job whose environment has raised so many times is given up."""

DEFAULT_WORKER_TIMEOUT = 300.0
"""Seconds without a step after which a worker counts as hung."""

MAX_WORKER_TIMEOUT = 1e6
"""A limit that any operating system's clocks can hold."""

AGAIN = "an environment raised %s: %s; its work is done once again in new environments"


class Executor(ABC):
    """Runs jobs somewhere. Results don't depend on where; see :class:`Job`.

    A job is a function of its own fields, so one that failed can be done again, in new
    environments, to the same bits. What an environment raises may be a passing trouble (memory, a
    file, a simulator of its own), so the job is done once again; if it fails again, or the error is
    one that this package raises on purpose, it would only come back, and goes to the caller.
    """

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
        results: list[JobResult] = []
        for start in range(0, len(jobs), self._chunk_size):
            chunk = jobs[start : start + self._chunk_size]
            try:
                results += self._collector.run(chunk)
            except Exception as error:
                if is_final(error):
                    raise
                LOG.warning(AGAIN, type(error).__name__, error)
                for job in chunk:
                    results += self._collector.run([job])
            if progress is not None:
                progress(len(results) - start)
        return results

    def close(self) -> None:
        """Closes the environments."""
        self._collector.close()


class ProcessExecutor(Executor):
    """Runs jobs in worker processes that keep their environments.

    A worker that dies, or takes no step for ``worker_timeout`` seconds, is replaced and its jobs
    are done again. Jobs that were stepped together are then done one by one, so that the one that
    is to blame is found.

    Args:
        distribution: Where environments come from; sent to each worker once.
        policy: Structure of the policy; sent to each worker once.
        num_workers: Number of processes, at least 1.
        worker_timeout: Seconds without a step after which a worker counts as hung.

    Raises:
        ConfigError: If ``num_workers`` or ``worker_timeout`` is out of range, or the distribution
            can't be sent.
    """

    def __init__(
        self,
        distribution: TaskDistribution,
        policy: Policy,
        num_workers: int,
        worker_timeout: float = DEFAULT_WORKER_TIMEOUT,
    ) -> None:
        if num_workers < 1:
            raise ConfigError(f"num_workers: got {num_workers}; must be at least 1.")
        if not 0 < worker_timeout <= MAX_WORKER_TIMEOUT:
            raise ConfigError(
                f"worker_timeout: got {worker_timeout}; must be above 0, and at most "
                f"{MAX_WORKER_TIMEOUT:g}."
            )
        self._chunk_size = max(1, distribution.tasks_per_vec)
        self._timeout = worker_timeout
        try:
            self._payload = cloudpickle.dumps((distribution, policy))
        except Exception as error:  # whatever an object's own pickling raises
            raise ConfigError(
                f"distribution: can't be sent to a worker process ({error}); keep open handles "
                "out of its attributes, or use num_workers=0."
            ) from error
        self.workers: list[Worker] = []
        try:
            for index in range(num_workers):
                self.workers.append(self._start_worker(f"metarl-worker-{index}"))
        except BaseException:
            self.close()
            raise

    def run(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[JobResult]:
        """Hands out jobs as workers become free.

        Raises:
            Exception: Whatever an environment raised, as itself, with notes on where.
            WorkerDiedError: If workers died or hung over the same job ``MAX_DEATHS`` times.
        """
        if not self.workers:
            raise RolloutError("the executor is closed")
        if not jobs:
            return []
        plan = _Plan(jobs, chunks(jobs, self._chunk_size, len(self.workers)))
        try:
            while plan.waiting or plan.held:
                for worker in [one for one in self.workers if one not in plan.held]:
                    if plan.waiting:
                        self._hand_out(worker, plan)
                wait_for(list(plan.held))
                done = sum(self._listen(worker, plan) for worker in list(plan.held))
                if done and progress is not None:
                    progress(done)
        except BaseException:
            # Work may be under way in workers that nobody will listen to any more.
            self.close()
            raise
        if plan.error is not None:
            if not isinstance(plan.error, NonFiniteError):  # training goes on after that one
                self.close()
            raise plan.error
        return [result for result in plan.results if result is not None]

    def close(self) -> None:
        """Ends the workers: asks the idle ones, waits a moment, kills the rest."""
        for worker in self.workers:
            worker.close()
        self.workers = []

    def _hand_out(self, worker: Worker, plan: _Plan) -> None:
        plan.held[worker] = indices = plan.waiting.popleft()
        try:
            worker.start([plan.jobs[index] for index in indices])
        except WorkerDiedError as death:
            self._replace(worker, plan, death)

    def _listen(self, worker: Worker, plan: _Plan) -> int:
        """Takes what a worker has to say; returns how many jobs are done by it."""
        try:
            reply = worker.result()
        except WorkerDiedError as death:
            self._replace(worker, plan, death)
            return 0
        if reply is None:
            return 0
        indices = plan.held.pop(worker)
        if isinstance(reply, Exception):
            plan.note_exception(indices, reply)
            return 0
        for index, result in zip(indices, reply, strict=True):
            plan.results[index] = result
        return len(reply)

    def _replace(self, worker: Worker, plan: _Plan, death: WorkerDiedError) -> None:
        plan.note_death(plan.held.pop(worker), death)
        LOG.warning("%s; a new worker does its work again", death)
        place = self.workers.index(worker)
        worker.close()
        self.workers[place] = self._start_worker(worker.name)

    def _start_worker(self, name: str) -> Worker:
        return Worker(name, self._payload, self._timeout)


class _Plan:
    """The jobs of one call: waiting, held by a worker, or done. Jobs go by their index."""

    def __init__(self, jobs: Sequence[Job], stretches: Iterable[tuple[int, int]]) -> None:
        self.jobs = jobs
        self.waiting = deque(range(start, stop) for start, stop in stretches)
        self.held: dict[Worker, range] = {}
        self.results: list[JobResult | None] = [None] * len(jobs)
        self.error: Exception | None = None
        self._deaths: Counter[int] = Counter()
        self._exceptions: Counter[int] = Counter()

    def note_death(self, indices: range, death: WorkerDiedError) -> None:
        """Puts the jobs of a worker that died back to be done, one by one.

        Raises:
            WorkerDiedError: If that has been tried often enough.
        """
        self._deaths.update(indices)
        if self._deaths[indices[0]] >= MAX_DEATHS:
            given_up = WorkerDiedError(f"{death}; {MAX_DEATHS} workers were lost over it")
            for note in getattr(death, "__notes__", []):
                given_up.add_note(note)
            raise given_up
        self._put_back(indices)

    def note_exception(self, indices: range, error: Exception) -> None:
        """Puts the jobs back to be done one by one, or sees to it that the call ends."""
        self._exceptions.update(indices)
        if is_final(error) or self._exceptions[indices[0]] >= MAX_EXCEPTIONS:
            self.error = self.error or error
            self.waiting.clear()
        elif self.error is None:
            LOG.warning(AGAIN, type(error).__name__, error)
            self._put_back(indices)

    def _put_back(self, indices: range) -> None:
        if self.error is None:
            self.waiting.extendleft(range(index, index + 1) for index in reversed(indices))


def is_final(error: Exception) -> bool:
    """Whether doing a job again couldn't help: the package itself found something wrong."""
    return isinstance(error, MetarlError) and not isinstance(error, RolloutError)
