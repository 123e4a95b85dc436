"""How fast the locomotion families are stepped, as ratios measured in one run.

Usage: .venv/bin/python scripts/benchmark_locomotion.py [halfcheetah-dir ant-goal ...] [--rounds N]

Per family: the batched environment on one core, Gymnasium's SyncVectorEnv on one core, and its
AsyncVectorEnv with a process per environment on all cores, both over Gymnasium's own environment
without a task, the same number of environments in each, resets included. Each is measured once per
round, taking turns: the machine's speed drifts, ratios of neighbours don't. "physics" is the bare
loop of mj_step over as many worlds, a data per world: what nothing that steps MuJoCo world by world
on one core can go beyond by much.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import set_forkserver_preload
from typing import Any

import gymnasium
import mujoco
import numpy as np
from rich.console import Console
from rich.table import Table

from metarl.envs import make_benchmark
from metarl.envs.locomotion import FAMILIES, LocomotionTasks
from metarl.envs.locomotion.robot import Frame, Robot
from metarl.envs.physics import ModelEditor
from metarl.errors import UnknownNameError
from metarl.tasks import Task

HORIZON = 200
CORES = os.cpu_count() or 1

Measure = Callable[[], float]
"""Runs once and returns environment steps per second."""


def main() -> None:
    """Measures the families named on the command line, by default all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("families", nargs="*", default=list(FAMILIES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--num-envs", type=int, default=10, help="environments in each")
    options = parser.parse_args()
    for name in options.families:
        if name not in FAMILIES:
            parser.error(str(UnknownNameError("family", name, FAMILIES)))
    table = Table(title=f"{options.num_envs} environments, {CORES} cores, steps/s (median)")
    for heading in ("family", "batched", "sync", "async", "physics"):
        table.add_column(heading, justify="left" if heading == "family" else "right")
    for heading in ("batched/sync", "batched/async", "batched/physics"):
        table.add_column(heading, justify="right")
    for name in options.families:
        table.add_row(name, *measure(name, options.rounds, options.num_envs))
    Console(width=130).print(table)


def measure(name: str, rounds: int, num_envs: int) -> list[str]:
    """Measures one family: medians, and ratios with their range over the rounds."""
    train = make_benchmark(name, max_episode_steps=HORIZON).train
    assert isinstance(train, LocomotionTasks)
    drawn = train.sample(num_envs, np.random.default_rng(0))
    makers = [partial(train.family.robot.make, max_episode_steps=HORIZON)] * num_envs
    sync = gymnasium.vector.SyncVectorEnv(makers)
    set_forkserver_preload(["metarl.envs"])  # else every process imports it anew
    asynchronous = gymnasium.vector.AsyncVectorEnv(makers, context="forkserver")
    batched = train.make_vec(drawn, 1)
    measures: tuple[Measure, ...] = (
        partial(step_batched, batched),
        partial(step_gymnasium, sync),
        partial(step_gymnasium, asynchronous),
        partial(step_physics, train, drawn),
    )
    rates = np.array([[run() for run in measures] for _ in range(rounds + 1)])[1:]  # one warms up
    sync.close()
    asynchronous.close()
    ratios = rates[:, :1] / rates[:, 1:]
    return [f"{rate:,.0f}" for rate in np.median(rates, axis=0)] + [
        f"{np.median(ratio):.2f} ({ratio.min():.2f}-{ratio.max():.2f})" for ratio in ratios.T
    ]


def step_batched(vec: gymnasium.vector.VectorEnv[Any, Any, Any]) -> float:
    """Horizon steps of all rows; rows that fall start again, as Gymnasium's do."""
    actions = random_actions(vec)
    began = time.perf_counter()
    vec.reset(seed=0)
    for action in actions:
        *_, terminated, truncated, _ = vec.step(action)
        over = terminated | truncated
        if over.any():
            vec.reset(options={"reset_mask": over})
    return HORIZON * vec.num_envs / (time.perf_counter() - began)


def step_gymnasium(vec: gymnasium.vector.VectorEnv[Any, Any, Any]) -> float:
    """The same with Gymnasium's vector environments, which reset by themselves."""
    actions = random_actions(vec)
    began = time.perf_counter()
    vec.reset(seed=0)
    for action in actions:
        vec.step(action)
    return HORIZON * vec.num_envs / (time.perf_counter() - began)


def step_physics(train: LocomotionTasks, tasks: Sequence[Task]) -> float:
    """The physics alone: a data per world; only the calls are timed."""
    family = train.family
    simulation = family.robot.reference
    editor = ModelEditor(simulation.model)
    worlds = []
    rng = np.random.default_rng(0)
    for task in tasks:
        model = editor.edited(task.parameters["physics"] if family.varies else [])
        data = mujoco.MjData(model)
        start(family.robot, model, data, rng)
        worlds.append((model, data))
    space, spent = train.action_space, 0.0
    assert isinstance(space, gymnasium.spaces.Box)
    for _ in range(HORIZON):
        for _, data in worlds:
            data.ctrl[:] = rng.uniform(space.low, space.high)
        began = time.perf_counter()
        for model, data in worlds:
            mujoco.mj_step(model, data, simulation.frame_skip)
        spent += time.perf_counter() - began
        for model, data in worlds:
            if has_fallen(family.robot, data):  # lying robots have more contacts to solve
                start(family.robot, model, data, rng)
    return HORIZON * len(worlds) / spent


def start(robot: Robot, model: Any, data: Any, rng: np.random.Generator) -> None:
    """Puts a world to the start of an episode."""
    mujoco.mj_resetData(model, data)
    data.qpos[:], data.qvel[:] = robot.initial(rng)
    mujoco.mj_forward(model, data)


def has_fallen(robot: Robot, data: Any) -> bool:
    """Whether an episode would end here."""
    nothing = np.empty((1, 0))
    frame = Frame(data.qpos[None], data.qvel[None], nothing, {}, nothing)
    return bool(robot.fallen(robot.healthy(frame))[0])


def random_actions(vec: gymnasium.vector.VectorEnv[Any, Any, Any]) -> Any:
    """Uniform actions, ``[horizon, rows, ...]``."""
    space = vec.single_action_space
    assert isinstance(space, gymnasium.spaces.Box)
    shape = (HORIZON, vec.num_envs, *(space.shape or ()))
    return np.random.default_rng(0).uniform(space.low, space.high, shape).astype(np.float32)


if __name__ == "__main__":
    main()
