"""Does an agent keep its contract?"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from metarl.agent import Agent
from metarl.envs import make_benchmark
from metarl.errors import CheckpointError, ManifestMismatchError
from metarl.tasks import Benchmark
from metarl.testing.conformance import Conformance, run_checks
from metarl.types import Params

AgentT = TypeVar("AgentT", bound=Agent)

_ITERATIONS = 2


class AgentMaker(Protocol):
    """Builds an agent on a benchmark; an agent's class with small settings will do."""

    def __call__(self, benchmark: Benchmark, *, seed: int, num_workers: int) -> Agent:
        """Returns a new agent, which nothing has been learned by yet."""
        ...


def check_agent(
    make_agent: AgentMaker,
    *,
    benchmark: Benchmark | None = None,
    other_benchmark: Benchmark | None = None,
    seed: int = 0,
) -> Conformance:
    """Checks an agent by training it for a few iterations, some dozen times.

    That one seed gives one result, whatever the number of workers and the global random state; that
    what is saved goes on to the same bits, and is refused when damaged or on another benchmark;
    that it counts steps and iterations, calls its callbacks, and stops when asked; that adapting
    leaves it alone; and that it acts within the action space, with Stable-Baselines3's signature.

    Args:
        make_agent: Builds the agent; a small and quick one is best. An iteration must change it.
        benchmark: What to train on; by default 2-D navigation with episodes of 10 steps.
        other_benchmark: One with other tasks and the same spaces; by default navigation anew.
        seed: Seed of the agents.

    Returns:
        What was checked and the faults found.

    Example:
        >>> from functools import partial
        >>> from metarl.agents import MAML
        >>> small = partial(MAML, meta_batch_size=2, episodes_per_task=2, hidden_sizes=(4,))
        >>> check_agent(small).ok
        True
    """
    if benchmark is None:
        benchmark = make_benchmark("navigation", max_episode_steps=10)
        other_benchmark = other_benchmark or make_benchmark("navigation", max_episode_steps=11)
    with ExitStack() as stack:
        return run_checks(_Trial(make_agent, benchmark, other_benchmark, seed, stack), _CHECKS)


@dataclass
class _Trial:
    make_agent: AgentMaker
    benchmark: Benchmark
    other_benchmark: Benchmark | None
    seed: int
    stack: ExitStack
    _trained: dict[int, Params] = field(default_factory=dict)

    def agent(self, *, seed: int | None = None, num_workers: int = 0) -> Agent:
        """A new agent, closed in the end."""
        seed = self.seed if seed is None else seed
        agent = self.make_agent(self.benchmark, seed=seed, num_workers=num_workers)
        return self.stack.enter_context(agent)

    def folder(self) -> Path:
        return Path(self.stack.enter_context(tempfile.TemporaryDirectory())) / "agent"

    def trained(self, iterations: int = _ITERATIONS) -> Params:
        """Parameters of an agent that was trained without interruption, for comparison."""
        if iterations not in self._trained:
            self._trained[iterations] = _params(_train(self.agent(), iterations))
        return self._trained[iterations]


def _train(agent: AgentT, iterations: int = _ITERATIONS) -> AgentT:
    """Trains until the agent has so many iterations behind it."""
    if agent.iteration < iterations:
        agent.learn(10**15, callback=lambda agent, _: agent.iteration < iterations)
    return agent


def _params(agent: Agent) -> Params:
    return {name: value.clone() for name, value in agent.unadapted().params.items()}


def _same(left: Params, right: Params) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[n], right[n]) for n in left)


def _check_counting(trial: _Trial) -> list[str]:
    seen: list[tuple[int, int, Mapping[str, float]]] = []

    def watch(agent: Agent, figures: Mapping[str, float]) -> bool:
        seen.append((agent.iteration, agent.num_timesteps, dict(figures)))
        return len(seen) < _ITERATIONS

    agent = trial.agent()
    faults = []
    if (agent.iteration, agent.num_timesteps) != (0, 0):
        faults.append("a new agent has iterations or timesteps behind it")
    if agent.learn(10**15, callback=watch) is not agent:
        faults.append("learn doesn't return the agent")
    if [iteration for iteration, _, _ in seen] != list(range(1, _ITERATIONS + 1)):
        return [*faults, f"callbacks were called at iterations {[one[0] for one in seen]}"]
    steps = [timesteps for _, timesteps, _ in seen]
    if sorted(set(steps)) != steps or steps[0] <= 0:
        faults.append(f"num_timesteps doesn't grow: {steps}")
    for iteration, timesteps, figures in seen:
        for name, value in (("iteration", iteration), ("timesteps", timesteps)):
            if figures.get(name) != value:
                faults.append(f"figure {name!r} is {figures.get(name)}; the agent says {value}")
        odd = [name for name, value in figures.items() if not np.isfinite(value)]
        faults += [f"figure {name!r} isn't finite" for name in odd]
    before = agent.iteration
    agent.learn(agent.num_timesteps)
    if agent.iteration != before:
        faults.append("learn goes on beyond total_timesteps, which counts earlier calls too")
    return faults


def _check_learning(trial: _Trial) -> list[str]:
    if _same(trial.trained(), _params(trial.agent())):
        return [f"{_ITERATIONS} iterations change nothing"]
    return []


def _check_seed(trial: _Trial) -> list[str]:
    faults = []
    global_state = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002
    if not _same(trial.trained(), _params(_train(trial.agent()))):
        faults.append("one seed gives two results (or one that depends on global random state)")
    torch.set_rng_state(global_state[0])
    np.random.set_state(global_state[1])  # noqa: NPY002
    if _same(trial.trained(), _params(_train(trial.agent(seed=trial.seed + 1)))):
        faults.append("two seeds give one result")
    return faults


def _check_workers(trial: _Trial) -> list[str]:
    # Two, as the jobs of a single one are grouped as without any.
    if not _same(trial.trained(), _params(_train(trial.agent(num_workers=2)))):
        return ["with two worker processes it learns something else than without"]
    return []


def _check_saving(trial: _Trial) -> list[str]:
    path, agent = trial.folder(), _train(trial.agent(), 1)
    agent.save(path)
    loaded = trial.stack.enter_context(type(agent).load(path, trial.benchmark))
    faults = [
        f"{name} is {getattr(loaded, name)} after loading; it was {getattr(agent, name)}"
        for name in ("seed", "iteration", "num_timesteps")
        if getattr(loaded, name) != getattr(agent, name)
    ]
    if not _same(_params(loaded), _params(agent)):
        faults.append("loaded parameters aren't those saved")
    if not _same(trial.trained(), _params(_train(loaded))):
        faults.append("training from what was saved goes elsewhere than training without a break")
    return faults


def _check_refusals(trial: _Trial) -> list[str]:
    path, agent, faults = trial.folder(), trial.agent(), []
    agent.save(path)
    files = [file for file in sorted(path.rglob("*")) if file.is_file()]
    for file in files:
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
        try:
            type(agent).load(path, trial.benchmark)
        except CheckpointError:
            pass
        else:
            faults.append(f"a file cut in half is loaded: {file.name}")
        finally:
            file.write_bytes(content)
    if trial.other_benchmark is not None:
        try:
            type(agent).load(path, trial.other_benchmark)
        except ManifestMismatchError:
            pass
        else:
            faults.append("what was saved on one benchmark is loaded on another")
    return faults


def _check_stopping(trial: _Trial) -> list[str]:
    agent = trial.agent()
    agent.learn(10**15, callback=lambda agent, _: agent.request_stop())
    faults = []
    if agent.iteration != 1:
        faults.append(f"asked to stop after an iteration, it took {agent.iteration}")
    if agent.stop_requested:
        faults.append("stop_requested stays set after learn has ended")
    if not _same(trial.trained(), _params(_train(agent))):
        faults.append("after being stopped it goes on elsewhere than without")
    return faults


def _check_adapting(trial: _Trial) -> list[str]:
    agent, faults = trial.agent(), []
    before = _params(agent)
    (task,) = trial.benchmark.train.sample(1, np.random.default_rng(trial.seed))
    none, one, again, other = (
        agent.adapt(task, num_steps=steps, num_episodes=2, seed=seed)
        for steps, seed in ((0, 1), (1, 1), (1, 1), (1, 2))
    )
    if not _same(before, _params(agent)):
        faults.append("adapting changes the agent")
    if not _same(none.params, before) or none.num_steps != 0:
        faults.append("adapting by 0 steps isn't the policy before adaptation")
    if one.num_steps != 1:
        faults.append(f"adapted by one step, the policy says {one.num_steps}")
    if not _same(one.params, again.params):
        faults.append("one seed gives two adapted policies")
    if _same(one.params, other.params):
        faults.append("adaptation doesn't depend on the experience")
    return faults


def _check_acting(trial: _Trial) -> list[str]:
    agent, space = trial.agent(), trial.benchmark.train.action_space
    observation_space = trial.benchmark.train.observation_space
    single: Any = observation_space.sample()
    single = np.nan_to_num(np.clip(single, -1, 1)) if isinstance(single, np.ndarray) else single
    faults = []
    for deterministic in (False, True):
        action, _ = agent.predict(single, deterministic=deterministic)
        if not space.contains(action):
            faults.append(f"predict gives {action!r}, which isn't in {space}")
    first, second = (agent.predict(single, deterministic=True)[0] for _ in range(2))
    if not np.array_equal(first, second):
        faults.append("the deterministic action differs from call to call")
    if isinstance(single, np.ndarray):
        actions, _ = agent.predict(np.stack([single] * 3))
        if len(actions) != 3 or not all(space.contains(action) for action in actions):
            faults.append("predict on three observations doesn't give three actions")
    return faults


def _check_closing(trial: _Trial) -> list[str]:
    agent = _train(trial.agent(), 1)
    agent.close()
    agent.close()
    return [] if _same(trial.trained(), _params(_train(agent))) else ["closing changes the course"]


_CHECKS = {
    "counts, calls back and ends": _check_counting,
    "learns": _check_learning,
    "one seed, one result": _check_seed,
    "workers make no difference": _check_workers,
    "what is saved goes on to the same bits": _check_saving,
    "damaged and foreign files are refused": _check_refusals,
    "stops when asked": _check_stopping,
    "adapting leaves the agent alone": _check_adapting,
    "acts within the action space": _check_acting,
    "closing is harmless": _check_closing,
}
