"""Builds an environment with a task in it, and moves it to another task."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.wrappers import TimeLimit

from metarl.errors import ConfigError, TaskError

Environment: TypeAlias = gymnasium.Env[Any, Any]
ApplyTask: TypeAlias = Callable[[Environment, dict[str, Any]], None]


@dataclass(frozen=True)
class Recipe:
    """How the environment of a task is made.

    Attributes:
        env: Gymnasium's specification, or what builds an environment.
        max_episode_steps: Horizon; by default the specification's own.
        fixed: Constructor arguments that all tasks share.
        arguments: Names of the parameters that are constructor arguments.
        options: Names of those that are passed as ``reset(options=...)``.
        attributes: Names of those that are attributes, by dotted path from the environment.
        apply: Puts all parameters into a built environment.
        reuse: Whether ``apply`` may be called again, with other parameters, on an environment that
            it has been called on.
    """

    env: EnvSpec | Callable[..., Environment]
    max_episode_steps: int | None = None
    fixed: Mapping[str, Any] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    apply: ApplyTask | None = None
    reuse: bool = False

    def build(self, parameters: dict[str, Any], render_mode: str | None = None) -> TaskEnv:
        """Builds the environment of one task.

        Raises:
            ConfigError: If the environment has no horizon.
            TaskError: If an attribute isn't there or doesn't take its value.
        """
        own = {name: parameters[name] for name in self.arguments}
        given = {**self.fixed, **copy.deepcopy(own)}
        if render_mode is not None:
            given["render_mode"] = render_mode
        return TaskEnv(self._bare(given), self, parameters)

    def _bare(self, given: dict[str, Any]) -> Environment:
        if isinstance(self.env, EnvSpec):
            # Its checker warns of what `metarl check-env` finds, at the price of every step.
            env = gymnasium.make(
                self.env,
                max_episode_steps=self.max_episode_steps,
                disable_env_checker=True,
                **given,
            )
            horizon = None if env.spec is None else env.spec.max_episode_steps
        else:
            env = self.env(**given)
            horizon = self.max_episode_steps
            if horizon is not None:
                env = TimeLimit(env, horizon)
            elif env.spec is not None:
                horizon = env.spec.max_episode_steps
        if horizon is None or horizon < 1:
            env.close()
            raise ConfigError(
                f"max_episode_steps: {name_of(self.env)!r} doesn't say how long an episode may be; "
                "give it."
            )
        return env


def name_of(thing: EnvSpec | Callable[..., Any]) -> str:
    """Module and name of a callable, or the id."""
    if isinstance(thing, EnvSpec):
        return thing.id
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}.{named.__qualname__}"


class TaskEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment with a task in it.

    Attributes that the task sets are set anew before every reset, so that what an episode did to
    them is forgotten; the environment gets copies of the task's lists, which it may change. A flag
    ``is_success`` also appears as ``success``, the name that rollouts read.

    Args:
        env: The environment, built with the task's constructor arguments.
        recipe: How it was made.
        parameters: Those of the task.
    """

    def __init__(self, env: Environment, recipe: Recipe, parameters: dict[str, Any]) -> None:
        super().__init__(env)
        self.recipe = recipe
        self.parameters = parameters
        self._set_attributes()
        self._apply()

    def move_to(self, parameters: dict[str, Any]) -> bool:
        """Moves to the task with these parameters, if the environment needn't be built anew.

        Returns:
            Whether it has been moved.
        """
        recipe = self.recipe
        if any(parameters[name] != self.parameters[name] for name in recipe.arguments):
            return False
        if recipe.apply is not None and not recipe.reuse:
            return False
        self.parameters = parameters
        self._apply()
        return True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Starts an episode of the task."""
        self._set_attributes()
        own = {name: self.parameters[name] for name in self.recipe.options}
        merged = {**(options or {}), **copy.deepcopy(own)}
        return self.env.reset(seed=seed, options=merged or None)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Takes a step."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if "is_success" in info and "success" not in info:
            info = {**info, "success": info["is_success"]}
        return observation, reward, terminated, truncated, info

    def _set_attributes(self) -> None:
        for path in self.recipe.attributes:
            set_attribute(self.env, path, copy.deepcopy(self.parameters[path]))

    def _apply(self) -> None:
        if self.recipe.apply is not None:
            self.recipe.apply(self.env, copy.deepcopy(self.parameters))


def set_attribute(env: Environment, path: str, value: Any) -> None:
    """Sets ``env.<path>``, which must be there already; where it is an array, as an array.

    The first name of the path is looked for in one wrapper after another, outermost first.

    Raises:
        TaskError: If it isn't there, can't be set or has another shape.
    """
    owner: Any = env
    *owners, name = path.split(".")
    while isinstance(owner, gymnasium.Wrapper) and not hasattr(owner, [*owners, name][0]):
        owner = owner.env
    for part in owners:
        owner = _attribute(owner, part, path)
    present = _attribute(owner, name, path)
    if isinstance(present, np.ndarray):
        value = np.asarray(value, dtype=present.dtype)
        if value.shape != present.shape:
            raise TaskError(f"{path}: got shape {value.shape}; the attribute's is {present.shape}.")
    try:
        setattr(owner, name, value)
    except (AttributeError, TypeError) as error:
        raise TaskError(f"{path}: can't be set to {value!r} ({error}).") from error


def _attribute(owner: Any, name: str, path: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        known = [known for known in dir(owner) if not known.startswith("_")]
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else "."
        raise TaskError(f"{path}: {type(owner).__name__} has no attribute {name!r}{hint}") from None
