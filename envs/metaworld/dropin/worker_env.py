"""The vector environment with its rows spread over worker processes."""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from metarl.envs.metaworld.engine.sources import BoolArray
from metarl.errors import ConfigError, WorkerDiedError

from .batch import Actions
from .infos import concatenated
from .settings import Settings
from .splits import Row
from .vector_env import LocalVectorEnv, MetaWorldVectorEnv, StepResult


class WorkerVectorEnv(MetaWorldVectorEnv):
    """Each worker holds a block of neighbouring rows as a :class:`.vector_env.LocalVectorEnv`.

    Rows don't know of one another, so the results are the same for any number of workers. A worker
    is started by ``forkserver`` where there is one, else by ``spawn``: a script that makes such
    an environment needs the guard ``if __name__ == "__main__":``.

    Args:
        rows: What each row plays.
        settings: How they are wrapped.
        autoreset_mode: What happens to a row whose episode has ended.
        num_workers: Processes, at most as many as rows.

    Every method raises a WorkerDiedError if a worker process has ended; the others are ended too.

    Raises:
        ConfigError: If there are more workers than rows.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        settings: Settings,
        autoreset_mode: AutoresetMode,
        num_workers: int,
    ) -> None:
        super().__init__(rows, settings, autoreset_mode)
        if not 1 <= num_workers <= len(rows):
            raise ConfigError(f"num_workers: got {num_workers}; allowed: 0 to {len(rows)}.")
        bounds = np.linspace(0, len(rows), num_workers + 1).astype(int).tolist()
        self._blocks = [slice(a, b) for a, b in pairwise(bounds)]
        methods = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        self._workers: list[_Worker] = []
        try:
            for block in self._blocks:
                arguments = (list(rows[block]), settings, autoreset_mode)
                self._workers.append(_Worker(context, block, arguments))
            for worker in self._workers:
                worker.receive()
        except BaseException:
            self.close()
            raise

    def _step_rows(self, actions: Actions, resetting: BoolArray) -> StepResult:
        del resetting  # the workers know
        parts = self._ask([_Request("step", (actions[block],)) for block in self._blocks])
        obs, rewards, terminated, truncated, infos = zip(*parts, strict=True)
        self._observations = np.concatenate(obs)
        return (
            self._observations.copy(),
            np.concatenate(rewards),
            np.concatenate(terminated),
            np.concatenate(truncated),
            concatenated(infos, [block.stop - block.start for block in self._blocks]),
        )

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Calls a method, or reads an attribute, of every row's environment."""
        parts = self._ask([_Request("call", (name, *args), kwargs)] * len(self._workers))
        return tuple(value for part in parts for value in part)

    def _set_attr(self, name: str, values: Sequence[Any]) -> None:
        self._ask([_Request("set_attr", (name, list(values[block]))) for block in self._blocks])

    def _reset_rows(self, mask: BoolArray) -> None:
        requests = []
        for block in self._blocks:
            options = {"reset_mask": mask[block]}
            some = bool(mask[block].any())
            requests.append(_Request("reset", (), {"options": options}) if some else None)
        for block, answer in zip(self._blocks, self._ask(requests), strict=True):
            if answer is not None:
                self._observations[block] = answer[0]

    def close_extras(self, **kwargs: Any) -> None:
        """Ends the workers: asks, waits a moment, then kills."""
        del kwargs
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            worker.end()
        self._workers = []

    def __del__(self) -> None:
        if getattr(self, "_workers", None):
            self.close()

    def _ask(self, requests: Sequence[_Request | None]) -> list[Any]:
        """Sends each worker its request, if it has one, and collects all answers.

        Raises:
            WorkerDiedError: If a worker has ended; the others are ended too.
            Exception: What the first of the workers that failed raised, once all have answered.
        """
        if self.closed:
            raise ConfigError("the environment is closed")
        asked = list(zip(self._workers, requests, strict=True))
        try:
            for worker, request in asked:
                if request is not None:
                    worker.send(request)
            answers = [None if request is None else worker.receive() for worker, request in asked]
        except BaseException:
            # Answers may be under way that nobody will listen to any more.
            self.close()
            raise
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers


@dataclass(frozen=True)
class _Request:
    """A method of the worker's environment to call."""

    method: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


class _Worker:
    """A process with a block of rows."""

    def __init__(self, context: Any, block: slice, arguments: tuple[Any, ...]) -> None:
        self._block = block
        self.connection, there = context.Pipe()
        self.process = context.Process(target=_work, args=(there, arguments), daemon=True)
        self.process.start()
        there.close()

    def send(self, request: _Request) -> None:
        try:
            self.connection.send(request)
        except (BrokenPipeError, ConnectionResetError):
            raise self._death() from None

    def receive(self) -> Any:
        try:
            return self.connection.recv()
        except (EOFError, ConnectionResetError):
            raise self._death() from None

    def end(self) -> None:
        self.process.join(timeout=5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.process.close()

    def _death(self) -> WorkerDiedError:
        self.process.join(timeout=1)
        code = self.process.exitcode
        how = (
            f"was killed by {signal.Signals(-code).name}"
            if code is not None and code < 0
            else f"ended with exit code {code}"
        )
        rows = f"rows {self._block.start} to {self._block.stop - 1}"
        return WorkerDiedError(f"the worker process with {rows} {how}; the environment is closed")


def _work(connection: Connection, arguments: tuple[Any, ...]) -> None:
    """A worker's main loop: requests in, answers or exceptions out, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    env = LocalVectorEnv(*arguments)
    connection.send(None)
    while True:
        try:
            request: _Request = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        answer: Any
        try:
            answer = getattr(env, request.method)(*request.args, **request.kwargs)
        except Exception as error:  # noqa: BLE001 - raised again in the main process
            error.add_note("in a worker process:\n" + traceback.format_exc())
            answer = error
        connection.send(answer)
