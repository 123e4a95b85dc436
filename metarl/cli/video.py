"""`metarl video`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from metarl.agent import Agent
from metarl.cli.output import counting, say
from metarl.errors import ConfigError, UnknownNameError
from metarl.evaluation.evaluator import choose_tasks
from metarl.evaluation.protocol import EvaluationProtocol
from metarl.evaluation.video import (
    Clip,
    check_format,
    choose_opengl,
    record,
    side_by_side,
    write_video,
)
from metarl.evaluation.video.writing import can_write_mp4
from metarl.recipes.loading import load_run
from metarl.seeding import Purpose, Stream
from metarl.tasks import Task, TaskDistribution

PICTURES_PER_SECOND = 20


def make_video(
    run: Annotated[Path, tyro.conf.Positional],
    task: str | None = None,
    goal: int = 0,
    num_adaptation_steps: int = 1,
    adaptation_episodes: int = 10,
    split: Literal["test", "train"] = "test",
    out: Path | None = None,
    height: int = 360,
    seed: int = 0,
) -> int:
    """Film one goal before and after adaptation, side by side.

    Without a display, MuJoCo's pictures are drawn through EGL or OSMesa (MUJOCO_GL is set by
    itself). Example: metarl video runs/reach --task reach-v3 --goal 7

    Args:
        run: The run folder.
        task: Family; by default the first.
        goal: Which of its goals, from 0; where goals are drawn, which of those that `metarl
            evaluate` draws by itself.
        num_adaptation_steps: Adaptation steps between the two, at least 1.
        adaptation_episodes: Episodes of experience before each step.
        split: Held-out tasks, or those trained on.
        out: File to write, .mp4 (needs metarl[video]), .gif or .webp; by default in RUN/video/.
        height: Of each picture (pixels), at least 64.
        seed: Seed of the adaptation's randomness.
    """
    for name, value, least in (
        ("goal", goal, 0),
        ("num_adaptation_steps", num_adaptation_steps, 1),
        ("adaptation_episodes", adaptation_episodes, 1),
        ("height", height, 64),
        ("seed", seed, 0),
    ):
        if value < least:
            raise ConfigError(f"{name}: got {value}; must be at least {least}.")
    if out is not None:
        check_format(out)
    agent = load_run(run)
    distribution = distribution_of(agent, split)
    chosen = find_task(distribution, task, goal)
    if out is None:
        name = re.sub(r"[^\w.-]+", "-", chosen.family)
        ending = "mp4" if can_write_mp4() else "gif"
        out = run / "video" / f"{name}-{split}-goal{goal}.{ending}"
    choose_opengl()
    policies = [agent.unadapted()]
    policies.append(
        agent.adapt(
            chosen,
            num_steps=num_adaptation_steps,
            num_episodes=adaptation_episodes,
            distribution=distribution,
            seed=seed,
        )
    )
    plural = "s" if num_adaptation_steps > 1 else ""
    labels = ["before adaptation", f"after {num_adaptation_steps} adaptation step{plural}"]
    # One environment for all: a second renderer in the same process can come out black.
    env = distribution.make_env(chosen, render_mode="rgb_array")
    fps = float(env.metadata.get("render_fps", PICTURES_PER_SECOND))
    every = max(1, round(fps / PICTURES_PER_SECOND))
    clips: list[Clip] = []
    try:
        with counting("filming") as progress:
            for policy, label in zip(policies, labels, strict=True):
                progress(len(clips), len(policies))
                horizon = distribution.max_episode_steps
                clips.append(record(policy, env, label=label, horizon=horizon, every=every))
    finally:
        env.close()
    held_out = "held-out" if split == "test" else "training"
    caption = f"{chosen.family}, {held_out} goal {goal}; {adaptation_episodes} episodes per step"
    write_video(out, side_by_side(clips, caption, height), fps / every)
    for clip in clips:
        last = clip.frames[-1]
        success = {None: "", True: ", success", False: ", no success"}[last.success]
        say(f"{clip.label}: return {last.episode_return:.1f}{success} at the last step")
    say(f"video: {out}")
    return 0


def distribution_of(agent: Agent, split: str) -> TaskDistribution:
    """The benchmark's training tasks or its held-out ones.

    Raises:
        ConfigError: If nothing is held out.
    """
    if split == "train":
        return agent.benchmark.train
    if agent.benchmark.test is None:
        raise ConfigError(
            f"split: got 'test'; {agent.benchmark.name} holds nothing out: use --split train."
        )
    return agent.benchmark.test


def find_task(distribution: TaskDistribution, family: str | None, goal: int) -> Task:
    """One goal of a family.

    Raises:
        UnknownNameError: If there is no such family.
        ConfigError: If it has fewer goals.
    """
    tasks: Sequence[Task] | None = distribution.tasks
    if tasks is None:
        protocol = EvaluationProtocol()
        tasks = choose_tasks(
            distribution, protocol, Stream(protocol.seed).child(Purpose.EVALUATION, 0)
        )
    families = list(dict.fromkeys(task.family for task in tasks))
    chosen = families[0] if family is None else family
    if chosen not in families:
        raise UnknownNameError("task", chosen, families)
    goals = [task for task in tasks if task.family == chosen]
    if goal >= len(goals):
        raise ConfigError(
            f"goal: got {goal}; {chosen} has {len(goals)} goals here, 0 to {len(goals) - 1}."
        )
    return goals[goal]
