"""Tasks that differ in their physics, and benchmarks of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec

from metarl.envs.registered import find_spec
from metarl.errors import ConfigError
from metarl.seeding import Purpose, Stream
from metarl.tasks import Benchmark, FiniteTaskDistribution, Task

from .environment import PhysicsEnv, changes_of, check_mujoco
from .variation import Vary

EnvMaker: TypeAlias = str | Callable[..., gymnasium.Env[Any, Any]]


class PhysicsTasks(FiniteTaskDistribution):
    """Tasks of one environment that differ in its physics.

    Args:
        env: Gymnasium's id, or what builds the environment from ``render_mode`` and ``env_kwargs``.
        tasks: The tasks; see :func:`sample_physics`.
        max_episode_steps: Horizon; by default the id's own.
        env_kwargs: Arguments of the environment's constructor.
        replace: Whether one sample may hold a task twice.

    Raises:
        ConfigError: If the environment has no MuJoCo model, or no horizon is known.
        TaskError: If a task has no physics.
    """

    def __init__(
        self,
        env: EnvMaker,
        tasks: Sequence[Task],
        *,
        max_episode_steps: int | None = None,
        env_kwargs: Mapping[str, Any] | None = None,
        replace: bool = False,
    ) -> None:
        super().__init__(tasks, replace=replace)
        self.env_name = name_of(env)
        self.env_kwargs = dict(env_kwargs or {})
        self._env = _resolved(env)
        for task in tasks:
            changes_of(task)
        example = make_plain(self._env, max_episode_steps, self.env_kwargs)
        horizon = max_episode_steps or (example.spec and example.spec.max_episode_steps)
        if not horizon or horizon < 1:
            raise ConfigError(
                f"max_episode_steps: got {max_episode_steps}, and {self.env_name} has no horizon "
                "of its own; give one of at least 1."
            )
        self.max_episode_steps = horizon
        self.observation_space = example.observation_space
        self.action_space = example.action_space
        example.close()

    def make_env(self, task: Task, render_mode: str | None = None) -> PhysicsEnv:
        """Builds the environment and changes its model."""
        env = make_plain(self._env, self.max_episode_steps, self.env_kwargs, render_mode)
        return PhysicsEnv(env, task)

    def retask(self, env: gymnasium.Env[Any, Any], task: Task) -> bool:
        """Changes the model of an environment that is there."""
        if not isinstance(env, PhysicsEnv):
            return False
        env.set_task(task)
        return True

    def describe(self) -> dict[str, Any]:
        """Adds the environment and its arguments."""
        return {**super().describe(), "env": self.env_name, "env_kwargs": self.env_kwargs}


def physics_benchmark(
    env: EnvMaker,
    vary: Sequence[Vary],
    *,
    name: str | None = None,
    seed: int = 0,
    num_train_tasks: int = 40,
    num_test_tasks: int = 20,
    max_episode_steps: int | None = None,
    env_kwargs: Mapping[str, Any] | None = None,
) -> Benchmark:
    """A benchmark of one environment with varying physics.

    Test tasks are drawn from the held-out ranges of what has any, else from the training ranges.

    Args:
        env: Gymnasium's id, or what builds the environment.
        vary: What varies.
        name: Of the benchmark; by default ``"<env> physics"``.
        seed: Seed of the tasks.
        num_train_tasks: Tasks to train on.
        num_test_tasks: Other tasks, to test on.
        max_episode_steps: Horizon; by default the id's own.
        env_kwargs: Arguments of the environment's constructor.

    Raises:
        ConfigError: If a number is out of range, nothing varies, or there is no MuJoCo model.
        UnknownNameError: If a name or pattern matches nothing in the model.
    """
    for field, number in (("num_train_tasks", num_train_tasks), ("num_test_tasks", num_test_tasks)):
        if number < 1:
            raise ConfigError(f"{field}: got {number}; must be at least 1.")
    example = make_plain(_resolved(env), max_episode_steps, env_kwargs or {})
    model = check_mujoco(example).model
    rng = Stream(seed).child(Purpose.SPLIT).numpy()
    family = name_of(env)
    train = sample_physics(family, model, vary, num_train_tasks, rng)
    test = sample_physics(family, model, vary, num_test_tasks, rng, held_out=True)
    example.close()
    return Benchmark(
        name=name or f"{family} physics",
        train=PhysicsTasks(env, train, max_episode_steps=max_episode_steps, env_kwargs=env_kwargs),
        test=PhysicsTasks(env, test, max_episode_steps=max_episode_steps, env_kwargs=env_kwargs),
        seed=seed,
        settings={"vary": [one.describe() for one in vary]},
    )


def sample_physics(
    family: str,
    model: Any,
    vary: Sequence[Vary],
    num_tasks: int,
    rng: np.random.Generator,
    *,
    held_out: bool = False,
) -> list[Task]:
    """Draws tasks.

    Args:
        family: Of the tasks.
        model: The ``MjModel`` that they change.
        vary: What varies.
        num_tasks: How many.
        rng: Where every random number comes from.
        held_out: Draw from the held-out ranges.

    Raises:
        ConfigError: If nothing varies, or the same quantity of an element twice.
        UnknownNameError: If a name or pattern matches nothing in the model.
    """
    if not vary:
        raise ConfigError("vary: got nothing; needs at least one Vary.")
    seen: set[tuple[str, str]] = set()
    for one in vary:
        for element in one.elements(model):
            if (one.quantity, element) in seen:
                raise ConfigError(f"vary: {one.quantity} of {element!r} is varied twice.")
            seen.add((one.quantity, element))
    return [
        Task(family, {"physics": [one.sample(model, rng, held_out=held_out) for one in vary]})
        for _ in range(num_tasks)
    ]


def make_plain(
    env: EnvSpec | Callable[..., gymnasium.Env[Any, Any]],
    max_episode_steps: int | None,
    env_kwargs: Mapping[str, Any],
    render_mode: str | None = None,
) -> gymnasium.Env[Any, Any]:
    """Builds an environment as it is, with a time limit."""
    arguments: dict[str, Any] = dict(env_kwargs)
    if render_mode is not None:
        arguments["render_mode"] = render_mode
    if isinstance(env, EnvSpec):
        return gymnasium.make(env, max_episode_steps=max_episode_steps, **arguments)
    built = env(**arguments)
    if max_episode_steps is None:
        return built
    return gymnasium.wrappers.TimeLimit(built, max_episode_steps)


def _resolved(env: EnvMaker) -> EnvSpec | Callable[..., gymnasium.Env[Any, Any]]:
    return find_spec(env) if isinstance(env, str) else env


def name_of(env: EnvMaker) -> str:
    """What tasks and manifests call an environment."""
    if isinstance(env, str):
        return env
    named = env if hasattr(env, "__qualname__") else type(env)
    return f"{named.__module__}:{named.__qualname__}"
