"""`metarl evaluate --as-upstream`: Meta-World's own evaluation of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium

from metarl.agent import Agent
from metarl.errors import ConfigError
from metarl.evaluation.protocol import EvaluationProtocol
from metarl.evaluation.upstream import UpstreamResult, evaluate_as_upstream
from metarl.runs import RunFolder

GOALS_PER_FAMILY = 40
ENVS_PER_FAMILY = {"ml1": 10}
"""Environments side by side; 4 of each family in the larger benchmarks (20 in all)."""


def run_as_upstream(run: Path, agent: Agent, protocol: EvaluationProtocol) -> UpstreamResult:
    """Evaluates a run by ``metaworld.evaluation``, on Meta-World's test environments.

    40 goals per family as Meta-World assumes, one step, and the protocol's numbers of episodes.

    Raises:
        ConfigError: If the benchmark isn't one of ML1, ML10, ML25 and ML45, nothing is adapted, or
            a step size is to be chosen for it.
    """
    config = RunFolder(run).config()
    check_upstream(config, protocol)
    envs, per_family = _make_envs(config, agent)
    try:
        return evaluate_as_upstream(
            agent,
            envs,
            num_evals=GOALS_PER_FAMILY // per_family,
            adaptation_steps=protocol.num_adaptation_steps,
            adaptation_episodes=protocol.adaptation_episodes,
            evaluation_episodes=protocol.evaluation_episodes,
            seed=protocol.seed,
        )
    finally:
        envs.close()


def check_upstream(config: Mapping[str, Any], protocol: EvaluationProtocol) -> None:
    """Checks that Meta-World's evaluation applies to a run.

    Raises:
        ConfigError: If the benchmark isn't one of ML1, ML10, ML25 and ML45, nothing is adapted, or
            a step size is to be chosen for it.
    """
    if protocol.num_adaptation_steps < 1:
        raise ConfigError("num_adaptation_steps: got 0; Meta-World's evaluation adapts.")
    if protocol.adaptation_lrs is not None:
        raise ConfigError(
            f"adaptation_lrs: got {', '.join(map(str, protocol.adaptation_lrs))}; Meta-World's "
            "evaluation adapts at the run's own rate."
        )
    name = str(config["benchmark"]).partition("/")[0]
    if name not in ("ml1", "ml10", "ml25", "ml45"):
        raise ConfigError(
            f"as_upstream: got benchmark {config['benchmark']!r}; Meta-World's evaluation takes "
            "ml1/<family>, ml10, ml25 and ml45."
        )


def _make_envs(config: Mapping[str, Any], agent: Agent) -> tuple[Any, int]:
    name, _, family = str(config["benchmark"]).partition("/")
    per_family = ENVS_PER_FAMILY.get(name, 4)
    settings: dict[str, Any] = {
        "seed": config["benchmark_seed"],
        "meta_batch_size": per_family * (1 if family else 5),
        "total_tasks_per_cls": GOALS_PER_FAMILY,
        "max_episode_steps": agent.benchmark.train.max_episode_steps,
        "reward_function_version": agent.benchmark.settings["reward_version"],
    }
    if family:
        settings["env_name"] = family
    return gymnasium.make_vec(f"metarl/{name.upper()}-test-v0", **settings), per_family
