"""A recipe: settings for a problem, why these, what they take and the result that they gave."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Literal

import yaml
from pydantic import Field, model_validator

from metarl.config import Config
from metarl.errors import UnknownNameError
from metarl.evaluation.protocol import EvaluationProtocol
from metarl.recipes.settings import AnyAgent, RunConfig, read_settings, written_settings

CATALOGUE = files("metarl.recipes") / "catalogue"


class Variant(Config):
    """One way to train under a recipe.

    Attributes:
        algorithm: As ``metarl train`` names it.
        agent: What differs from the recipe's common settings.
        seeds: Of its runs, where they aren't the recipe's.
        total_timesteps: Of its training, where it isn't the recipe's.
    """

    algorithm: str
    agent: dict[str, Any] = Field(default={})
    seeds: tuple[int, ...] | None = Field(default=None, min_length=1)
    total_timesteps: int | None = Field(default=None, ge=1)


class Recipe(Config):
    """What to train, how, how long, and on what to evaluate.

    Attributes:
        name: As ``metarl train --recipe`` takes it.
        title: One line.
        source: Where the settings come from: our own runs, or a paper.
        why: Why these settings, and where they depart from their source.
        time: What a run of one variant and seed takes.
        memory: What it takes at its peak.
        card: Name of its result card in ``results/``; None where it hasn't been run to its end.
        seeds: Of the runs that its card is made of.
        evaluation: How its card evaluates.
        extra: Further evaluations on the card: the training tasks, new goals of the training
            families.
        num_extra_tasks: Of the training tasks and the new goals, spread over families; by default
            all of them.
        upstream_steps: Adaptation steps after which the card also has the rate that Meta-World's
            own evaluation gives.
        adaptation_lrs: Step sizes for a further evaluation on the card, in which each run is
            adapted at the one that suits it best on training tasks; 0 leaves it as it is.
        run: Settings that all variants share, as in a run's ``config.yaml``.
        variants: Ways to train by name, the main one first. The control trains with inner learning
            rate 0 and adapts as the others do: what it gains is fine-tuning, not meta-learning.
        note: What a reader of the card should know.
        reasons: Why a variant fails to adapt, where one does.
    """

    name: str
    title: str
    source: str
    why: str
    time: str
    memory: str
    card: str | None = None
    seeds: tuple[int, ...] = Field(default=(0, 1, 2), min_length=1)
    evaluation: EvaluationProtocol = EvaluationProtocol()
    extra: tuple[Literal["train", "new-goals"], ...] = ()
    num_extra_tasks: int | None = Field(default=None, ge=1)
    upstream_steps: tuple[int, ...] = ()
    adaptation_lrs: tuple[float, ...] | None = None
    run: dict[str, Any]
    variants: dict[str, Variant] = Field(min_length=1)
    note: str = ""
    reasons: dict[str, str] = Field(default={})

    @model_validator(mode="after")
    def _check_settings(self) -> Recipe:
        for variant in self.variants:
            self.settings(variant)
        return self

    def settings(
        self, variant: str | None = None, **changes: Any
    ) -> tuple[type[AnyAgent], RunConfig]:
        """The agent and the settings of a run.

        Args:
            variant: One of :attr:`variants`, by default the first.
            **changes: Settings of the run that replace the recipe's, such as ``seed``.

        Raises:
            UnknownNameError: If there is no such variant.
            CheckpointError: If a setting is faulty.
        """
        names = {name.lower(): name for name in self.variants}
        chosen = next(iter(names)) if variant is None else variant.lower()
        if chosen not in names:
            raise UnknownNameError("variant", chosen, names)
        way = self.variants[names[chosen]]
        agent = {**self.run.get("agent", {}), **way.agent}
        length = {} if way.total_timesteps is None else {"total_timesteps": way.total_timesteps}
        config = {**self.run, **length, **changes, "algorithm": way.algorithm, "agent": agent}
        return read_settings(config, f"recipe {self.name}")

    def agrees_with(self, config: Mapping[str, Any], variant: str) -> bool:
        """Whether a run with the settings ``config`` is one of this recipe.

        Its seed, its length and where it ran don't count.

        Raises:
            CheckpointError: If they are no settings of a run.
        """
        mine = written_settings(*self.settings(variant))
        theirs = written_settings(*read_settings(config, "config"))
        return all(
            mine[name] == theirs[name]
            for name in ("algorithm", "benchmark", "benchmark_seed", "max_episode_steps", "agent")
        )


def recipe_names() -> list[str]:
    """All recipes."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in CATALOGUE.iterdir()
        if entry.name.endswith(".yaml")
    )


def load_recipe(name: str) -> Recipe:
    """A recipe by its name.

    Raises:
        UnknownNameError: If there is none; lists the nearest names.
    """
    if name not in recipe_names():
        raise UnknownNameError("recipe", name, recipe_names())
    return Recipe(name=name, **yaml.safe_load((CATALOGUE / f"{name}.yaml").read_text()))
