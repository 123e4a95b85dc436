"""A Gymnasium environment and what varies in it, as a benchmark."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from importlib.metadata import packages_distributions, version
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec

from metarl.envs.registered import find_spec
from metarl.errors import ConfigError, TaskError
from metarl.seeding import Purpose, Stream
from metarl.tasks import Benchmark, FiniteTaskDistribution, Task, TaskDistribution

from .environment import ApplyTask, Environment, Recipe, TaskEnv, name_of
from .ranges import Range
from .splits import RandomSplit, Ranges, Source, Split


class TaskFamily:
    """Any Gymnasium environment with something that varies.

    A task sets its parameters in up to four ways, each a mapping from name to range. A constructor
    argument that changes means a new environment; with the other three the environments are kept
    from task to task.

    Args:
        env: Gymnasium id, or a class or function that returns an environment.
        arguments: What varies among the constructor's arguments.
        options: What varies among ``reset``'s ``options``.
        attributes: What varies among the environment's attributes, by name or dotted path, e.g.
            ``m`` or ``model.opt.timestep``, through all wrappers. They are set before every reset.
        parameters: What ``apply`` makes of the environment.
        apply: Called as ``apply(env, parameters)``, with all parameters, on a new environment.
        reuse: Whether ``apply`` may be called again, with other parameters, on an environment that
            it has changed: true of one that sets values, false of one that scales those it finds.
        split: How train and test are kept apart.
        fixed: Constructor arguments that don't vary.
        max_episode_steps: Horizon; by default the id's own.
        name: What manifests and reports call it; by default after ``env``.
        observable: Names of the parameters that the observation shows on purpose.
        replace: Whether one sample may hold a task twice, where there are finitely many.

    Raises:
        ConfigError: If nothing varies, a parameter is named twice or has no range, or ``apply``
            comes without ``parameters`` or they without it.
    """

    def __init__(
        self,
        env: str | Callable[..., Environment],
        *,
        arguments: Ranges | None = None,
        options: Ranges | None = None,
        attributes: Ranges | None = None,
        parameters: Ranges | None = None,
        apply: ApplyTask | None = None,
        reuse: bool = False,
        split: Split | None = None,
        fixed: Mapping[str, Any] | None = None,
        max_episode_steps: int | None = None,
        name: str | None = None,
        observable: Sequence[str] = (),
        replace: bool = False,
    ) -> None:
        groups = [dict(group or {}) for group in (arguments, options, attributes, parameters)]
        self.ranges = _joined(groups, dict(fixed or {}))
        if (apply is None) != (not groups[3]):
            raise ConfigError("apply: comes with parameters, and they with it; give both or none.")
        if odd := set(observable) - set(self.ranges):
            raise ConfigError(f"observable: got {sorted(odd)}; known: {', '.join(self.ranges)}.")
        _check_horizon(max_episode_steps)
        self._env = env
        self._make_recipe = partial(
            Recipe,
            fixed=dict(fixed or {}),
            arguments=tuple(groups[0]),
            options=tuple(groups[1]),
            attributes=tuple(groups[2]),
            apply=apply,
            reuse=reuse,
        )
        self.split = RandomSplit() if split is None else split
        self.max_episode_steps = max_episode_steps
        self.name = name or (env if isinstance(env, str) else name_of(env))
        self.observable = tuple(observable)
        self.replace = replace

    def benchmark(self, seed: int = 0, *, max_episode_steps: int | None = None) -> Benchmark:
        """Divides the tasks into train and test.

        Args:
            seed: Seed of the split.
            max_episode_steps: Horizon; by default the family's.

        Raises:
            ConfigError: If the ranges can't be divided as told, or the environment can't be used.
        """
        _check_horizon(max_episode_steps)
        horizon = self.max_episode_steps if max_episode_steps is None else max_episode_steps
        recipe = self._recipe_with(horizon)
        stream = Stream(seed).child(Purpose.TASKS)
        train, test = self.split.divide(self.ranges, stream.numpy())
        return Benchmark(
            self.name,
            self._tasks(recipe, train),
            None if test is None else self._tasks(recipe, test),
            seed=seed,
            settings={"environment": name_of(recipe.env), **_version_of(recipe)},
        )

    def __call__(self, seed: int = 0, *, max_episode_steps: int | None = None) -> Benchmark:
        """The same: a family may stand wherever a function that makes a benchmark may."""
        return self.benchmark(seed, max_episode_steps=max_episode_steps)

    def _tasks(self, recipe: Recipe, source: Source) -> FamilyTasks:
        kind = FamilyTasks if source.values is None else FiniteFamilyTasks
        return kind(self, recipe, source)

    def _recipe_with(self, horizon: int | None) -> Recipe:
        env = find_spec(self._env) if isinstance(self._env, str) else self._env
        return self._make_recipe(env, max_episode_steps=horizon)


class FamilyTasks(TaskDistribution):
    """One side of a family's split.

    Args:
        family: What varies.
        recipe: How environments are made.
        source: Where parameters come from.

    Raises:
        ConfigError: If the environment's spaces are none that a policy can be built for.
    """

    def __init__(self, family: TaskFamily, recipe: Recipe, source: Source) -> None:
        self.family_name = family.name
        self.ranges = family.ranges
        self.recipe = recipe
        self.source = source
        self.observable_parameters = family.observable
        env = recipe.build(source.draw(np.random.default_rng(0)))
        self.observation_space, self.action_space = env.observation_space, env.action_space
        self.max_episode_steps = recipe.max_episode_steps or _horizon_of(env)
        env.close()
        _check_spaces(self.observation_space, self.action_space)

    def sample(self, num_tasks: int, rng: np.random.Generator) -> list[Task]:
        """Draws tasks from the continuum."""
        return [Task(self.family_name, self.source.draw(rng)) for _ in range(num_tasks)]

    def make_env(self, task: Task, render_mode: str | None = None) -> TaskEnv:
        """Builds the environment of one task.

        Raises:
            TaskError: If the task is none of this family, or changes the spaces.
        """
        env = self.recipe.build(self._parameters_of(task), render_mode)
        for name in ("observation_space", "action_space"):
            if (own := getattr(env, name)) != (shared := getattr(self, name)):
                env.close()
                raise TaskError(f"{task!r}: its {name} is {own}; must be {shared} for all tasks.")
        return env

    def retask(self, env: gymnasium.Env[Any, Any], task: Task) -> bool:
        """Moves an environment to another task, unless a constructor argument changes."""
        return isinstance(env, TaskEnv) and env.move_to(self._parameters_of(task))

    def describe(self) -> dict[str, Any]:
        """Adds what varies, in which ranges, and which part of them this is."""
        recipe = self.recipe
        return {
            **super().describe(),
            "environment": name_of(recipe.env),
            "fixed": {name: _as_json(value) for name, value in recipe.fixed.items()},
            "ranges": {name: one.to_json() for name, one in self.ranges.items()},
            "arguments": list(recipe.arguments),
            "options": list(recipe.options),
            "attributes": list(recipe.attributes),
            "apply": None if recipe.apply is None else name_of(recipe.apply),
            **self.source.describe(),
        }

    def _parameters_of(self, task: Task) -> dict[str, Any]:
        parameters = task.parameters
        if task.family != self.family_name or parameters.keys() != self.ranges.keys():
            raise TaskError(
                f"task: got {task!r}; needs family {self.family_name!r} and the parameters "
                f"{', '.join(self.ranges)}."
            )
        return parameters


class FiniteFamilyTasks(FamilyTasks, FiniteTaskDistribution):
    """One side of a split with finitely many tasks.

    Args:
        family: What varies.
        recipe: How environments are made.
        source: Where parameters come from; lists them.
    """

    def __init__(self, family: TaskFamily, recipe: Recipe, source: Source) -> None:
        FamilyTasks.__init__(self, family, recipe, source)
        listed = [Task(self.family_name, parameters) for parameters in source.values or ()]
        FiniteTaskDistribution.__init__(self, listed, replace=family.replace)

    def sample(self, num_tasks: int, rng: np.random.Generator) -> list[Task]:
        """Draws tasks from the list.

        Raises:
            ConfigError: If there are too few.
        """
        return FiniteTaskDistribution.sample(self, num_tasks, rng)


def _joined(groups: Sequence[Ranges], fixed: Mapping[str, Any]) -> dict[str, Range]:
    joined: dict[str, Range] = {}
    for group in groups:
        for name, one in group.items():
            if name in joined or name in fixed:
                raise ConfigError(f"{name}: is named twice; each parameter varies in one way.")
            if not isinstance(one, Range):
                raise ConfigError(
                    f"{name}: got {one!r}; must be a range: Uniform, LogUniform, Integers or OneOf."
                )
            joined[name] = one
    if not joined:
        raise ConfigError(
            "what varies: got nothing; give arguments, options, attributes or parameters."
        )
    return joined


def _check_horizon(max_episode_steps: int | None) -> None:
    if max_episode_steps is not None and max_episode_steps < 1:
        raise ConfigError(f"max_episode_steps: got {max_episode_steps}; must be at least 1.")


def _check_spaces(observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> None:
    if not isinstance(action_space, spaces.Box | spaces.Discrete):
        raise ConfigError(f"action_space: got {action_space}; must be Box or Discrete.")
    if not observation_space.is_np_flattenable:
        raise ConfigError(
            f"observation_space: got {observation_space}; must be Box, Discrete, or a Dict of such."
        )


def _horizon_of(env: TaskEnv) -> int:
    assert env.spec is not None
    assert env.spec.max_episode_steps is not None
    return env.spec.max_episode_steps


def _as_json(value: Any) -> Any:
    """The value if JSON holds it, else its name, which unlike its ``repr`` stays the same."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        return value.tolist() if isinstance(value, np.ndarray) else name_of(value)


_packages = cache(packages_distributions)


def _version_of(recipe: Recipe) -> dict[str, str]:
    """The package that the environment comes from, with its version, where it has one."""
    entry: Any = recipe.env
    if isinstance(entry, EnvSpec):
        entry = entry.entry_point
    module = entry.partition(":")[0] if isinstance(entry, str) else entry.__module__
    packages = _packages().get(str(module).partition(".")[0], [])
    return {f"version of {name}": version(name) for name in sorted(set(packages))}
