"""How fast Meta-World is stepped, as ratios measured in one run.

Usage: .venv/bin/python scripts/benchmark_metaworld.py [ml10 ml45 reach-v3 ...] [--rounds N]

Every row of the table is measured once per round, the rows taking turns: the machine's speed
drifts, ratios of neighbours don't. Resets are included everywhere but in the bare loop. That loop
steps Meta-World's own models; the engine's lack what is only looked at, so it may be the faster.
"""

from __future__ import annotations

import argparse
import copy
import multiprocessing
import os
import pickle
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import gymnasium
import mujoco
import numpy as np
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from metaworld.types import Task as TheirTask
from rich.console import Console
from rich.table import Table

from metarl.envs.metaworld import FAMILIES, ML1, ML10, ML45, MetaWorldTasks, MetaWorldVectorEnv
from metarl.policies import make_mlp_policy
from metarl.rollouts import RolloutEngine
from metarl.seeding import Stream
from metarl.tasks import Task

HORIZON = 500
EPISODES = 10  # worlds per task, for the batched engine
PLAIN_ENVS = 20
CORES = os.cpu_count() or 1

Measure = Callable[[], float]
"""Runs once and returns environment steps per second."""


def main() -> None:
    """Measures the workloads named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*", default=["ml10"], help="ml10, ml45, or families")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hidden", type=int, default=64, help="units of both hidden layers")
    options = parser.parse_args()
    for name in options.workloads:
        if name not in ("ml10", "ml45", *FAMILIES):
            parser.error(f"{name!r} is neither ml10 nor ml45 nor a family")
        measure(name, options.rounds, options.hidden)


def measure(name: str, rounds: int, hidden: int) -> None:
    """Measures one workload and prints its table."""
    makers: dict[str, Any] = {"ml10": ML10, "ml45": ML45}
    train = makers.get(name, partial(ML1, name))(seed=1).train
    assert isinstance(train, MetaWorldTasks)
    rng = np.random.default_rng(0)
    tasks = train.sample(20, rng)
    policy = make_mlp_policy(train.observation_space, train.action_space, (hidden, hidden))
    serial = RolloutEngine(train, policy)
    parallel = RolloutEngine(train, policy, num_workers=CORES)
    plain = [partial(plain_env, task) for task in tasks]
    sync = gymnasium.vector.SyncVectorEnv(plain)
    asynchronous = gymnasium.vector.AsyncVectorEnv(plain, context="forkserver")
    halves = [SyncProcess(plain[0::2]), SyncProcess(plain[1::2])]
    rows: dict[str, tuple[int, Measure]] = {
        "bare mj_step x 5 + mj_forward, a data per world": (1, bare_loop(tasks)),
        "batched engine": (1, engine(tasks)),
        "rollout engine, policy in the loop": (1, rollout(serial, tasks)),
        f"rollout engine, {CORES} workers": (CORES, rollout(parallel, tasks)),
        "SyncVectorEnv of plain metaworld": (1, partial(step_plain, sync)),
        f"AsyncVectorEnv, {PLAIN_ENVS} processes": (CORES, partial(step_plain, asynchronous)),
        "two processes of SyncVectorEnv": (min(2, CORES), partial(step_halves, halves)),
    }
    rates: dict[str, list[float]] = {label: [] for label in rows}
    for number in range(rounds + 1):
        for label, (_, run) in rows.items():
            rate = run()
            if number > 0:  # the first round warms up
                rates[label].append(rate)
    closed: tuple[RolloutEngine | gymnasium.vector.VectorEnv[Any, Any, Any] | SyncProcess, ...]
    closed = (serial, parallel, sync, asynchronous, *halves)
    for one in closed:
        one.close()
    report(name, hidden, rows, rates)


def report(
    name: str,
    hidden: int,
    rows: dict[str, tuple[int, Measure]],
    rates: dict[str, list[float]],
) -> None:
    """Prints medians and ratios of one workload."""
    console = Console(width=100)
    table = Table(title=f"{name}, policy {hidden}x{hidden}, {CORES} cores")
    for heading in ("", "cores", "steps/s", "min", "max"):
        table.add_column(heading, justify="right" if heading else "left")
    for label, (cores, _) in rows.items():
        values = rates[label]
        table.add_row(
            label, str(cores), *(f"{f(values):,.0f}" for f in (np.median, np.min, np.max))
        )
    console.print(table)
    bare, batched, serial, parallel, _, asynchronous, halves = rates.values()
    for label, above, below in (
        ("engine / bare loop", batched, bare),
        ("policy in the loop / bare loop", serial, bare),
        (f"{CORES} workers / AsyncVectorEnv", parallel, asynchronous),
        (f"{CORES} workers / two Sync processes", parallel, halves),
    ):
        ratios = np.array(above) / np.array(below)  # round by round
        console.print(
            f"{label}: {np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"
        )


def bare_loop(tasks: Sequence[Task]) -> Measure:
    """The physics alone: a data per world, random actions; only the two calls are timed."""
    worlds = physics_worlds(tasks)
    rng = np.random.default_rng(0)
    everything = int(mujoco.mjtState.mjSTATE_INTEGRATION)
    starts = [np.empty(mujoco.mj_stateSize(model, everything)) for model, *_ in worlds]
    for (model, data, *_), start in zip(worlds, starts, strict=True):
        mujoco.mj_getState(model, data, start, everything)

    def run() -> float:
        spent = 0.0
        for (model, data, *_), start in zip(worlds, starts, strict=True):
            mujoco.mj_setState(model, data, start, everything)
        for _ in range(HORIZON):
            for _, data, low, high in worlds:
                data.mocap_pos[:] = np.clip(data.mocap_pos + rng.uniform(-0.01, 0.01, 3), low, high)
                data.ctrl[:] = rng.uniform(-1, 1) * np.array([1.0, -1.0])
            began = time.perf_counter()
            for model, data, *_ in worlds:
                mujoco.mj_step(model, data, 5)
                mujoco.mj_forward(model, data)
            spent += time.perf_counter() - began
        return HORIZON * len(worlds) / spent

    return run


def physics_worlds(tasks: Sequence[Task]) -> list[tuple[Any, Any, Any, Any]]:
    """Model and data of each world, after a reset, and its family's bounds of the hand."""
    worlds = []
    for task in tasks:
        env = plain_env(task)
        env.reset()
        bounds = env.mocap_low, env.mocap_high
        worlds += [(env.model, copy.copy(env.data), *bounds) for _ in range(EPISODES)]
    return worlds


def engine(tasks: Sequence[Task]) -> Measure:
    """The batched engine with uniform actions."""
    vec = MetaWorldVectorEnv(tasks, EPISODES, HORIZON)
    rng = np.random.default_rng(0)

    def run() -> float:
        began = time.perf_counter()
        vec.reset()
        for _ in range(HORIZON):
            vec.step(rng.uniform(-1, 1, (vec.num_envs, 4)).astype(np.float32))
        return HORIZON * vec.num_envs / (time.perf_counter() - began)

    return run


def rollout(rollouts: RolloutEngine, tasks: Sequence[Task]) -> Measure:
    """Whole episodes with the policy, as training collects them."""
    params = rollouts.policy.params()

    def run() -> float:
        began = time.perf_counter()
        collected = rollouts.collect(tasks, params, Stream(0), num_episodes=EPISODES)
        return collected.num_steps / (time.perf_counter() - began)

    return run


def plain_env(task: Task) -> Any:
    """Meta-World's own environment."""
    env: Any = ALL_V3_ENVIRONMENTS[task.family]()
    data = {
        "env_cls": ALL_V3_ENVIRONMENTS[task.family],
        "rand_vec": np.array(task.parameters["rand_vec"]),
        "partially_observable": True,
    }
    env.set_task(TheirTask(task.family, pickle.dumps(data)))
    return env


def step_plain(vec: gymnasium.vector.VectorEnv[Any, Any, Any]) -> float:
    """A reset and an episode's steps in every row."""
    rng = np.random.default_rng(0)
    began = time.perf_counter()
    vec.reset()
    for _ in range(HORIZON):
        vec.step(rng.uniform(-1, 1, (vec.num_envs, 4)).astype(np.float32))
    return HORIZON * vec.num_envs / (time.perf_counter() - began)


class SyncProcess:
    """A process with a SyncVectorEnv of its own, which steps an episode when asked."""

    def __init__(self, makers: Sequence[Callable[[], Any]]) -> None:
        context = multiprocessing.get_context("forkserver")
        self.connection, there = context.Pipe()
        self.num_envs = len(makers)
        self._process = context.Process(target=_sync_process, args=(there, makers), daemon=True)
        self._process.start()

    def close(self) -> None:
        """Ends the process."""
        self.connection.close()
        self._process.join()


def step_halves(halves: Sequence[SyncProcess]) -> float:
    """An episode's steps in all processes at once."""
    began = time.perf_counter()
    for half in halves:
        half.connection.send(None)
    for half in halves:
        half.connection.recv()
    total = sum(half.num_envs for half in halves)
    return HORIZON * total / (time.perf_counter() - began)


def _sync_process(connection: Connection, makers: Sequence[Callable[[], Any]]) -> None:
    vec = gymnasium.vector.SyncVectorEnv(list(makers))
    try:
        while True:
            connection.recv()
            connection.send(step_plain(vec))
    except EOFError:
        vec.close()


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # Gymnasium's, about spaces of plain metaworld
    main()
