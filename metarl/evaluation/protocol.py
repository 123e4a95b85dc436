"""What an evaluation does, as settings: which tasks, how much adaptation, what is counted."""

from __future__ import annotations

from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from metarl.config import Config
from metarl.errors import ConfigError, UnknownNameError

NUM_SAMPLED_TASKS = 40
"""Tasks drawn for an evaluation where there are infinitely many."""

Preset: TypeAlias = Literal["metaworld", "finn2017", "quick"]


class EvaluationProtocol(Config):
    """How an agent is evaluated.

    For each task: episodes before adaptation; then, ``num_adaptation_steps`` times, collect
    ``adaptation_episodes`` episodes with sampled actions, adapt, and act again. Every (task, step,
    episode) is counted exactly once and lasts to its own end.
    """

    tasks: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Families or task digests to evaluate on; by default all.",
    )
    num_tasks: int | None = Field(
        default=None,
        ge=1,
        description="Tasks drawn, spread over families; by default all, or 40 of infinitely many.",
    )
    num_adaptation_steps: int = Field(
        default=2, ge=0, description="Results are given after 0, 1, ... this many steps."
    )
    adaptation_episodes: int = Field(
        default=10, ge=1, description="Episodes of experience before each step."
    )
    evaluation_episodes: int = Field(
        default=1, ge=1, description="Episodes counted per task and step."
    )
    evaluation_actions: Literal["mean", "sampled"] = Field(
        default="mean", description="Act by the mean while counted, or sample as in exploration."
    )
    max_episode_steps: int | None = Field(
        default=None, ge=1, description="Horizon; by default the benchmark's own."
    )
    adaptation_lrs: tuple[float, ...] | None = Field(
        default=None,
        description="Inner step sizes to choose from: that with the highest return after the last "
        "step on training tasks is taken, of equals the first; 0 leaves the policy as it is. By "
        "default the agent's own.",
    )
    seed: int = Field(default=0, ge=0, description="Root of the evaluation's randomness.")

    @field_validator("adaptation_lrs")
    @classmethod
    def _rates_are_some(cls, rates: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if rates is not None and not (rates and min(rates) >= 0):
            raise ValueError("needs at least one, and none below 0")
        return rates

    @model_validator(mode="after")
    def _tasks_are_named_or_drawn(self) -> Self:
        if self.tasks is not None and self.num_tasks is not None:
            raise ValueError("tasks and num_tasks: give one of the two")
        return self

    @model_validator(mode="after")
    def _rates_are_for_adapting(self) -> Self:
        if self.adaptation_lrs is not None and self.num_adaptation_steps == 0:
            raise ValueError(
                "adaptation_lrs: got some with num_adaptation_steps 0; needs 1 or more"
            )
        return self

    def without_adaptation(self) -> Self:
        """The same for what doesn't adapt: its rows are of step 0 alone."""
        return self.model_copy(update={"num_adaptation_steps": 0, "adaptation_lrs": None})

    @classmethod
    def preset(cls, name: str, **settings: Any) -> Self:
        """A published or customary protocol, single settings replaced by those given.

        Args:
            name: ``"metaworld"``: that of ``metaworld.evaluation`` (10 adaptation episodes, one
                step, 3 evaluation episodes), over all test goals and without its early end;
                ``"finn2017"``: 40 tasks, 20 episodes with sampled actions before each of 3 steps
                and after the last, as in the published test script of Finn et al.'s half-cheetah
                (their paper says 40 episodes, which is also what the 2-D point has:
                ``adaptation_episodes=40, evaluation_episodes=40``; they halve the rate after the
                first step, which is an agent's setting: ``MAMLConfig.later_step_scale``, 0.5 by
                default; unlike theirs, what is counted is not what the next step learns from);
                ``"quick"``: 10 tasks, 1 step from 5 episodes.
            **settings: Fields that replace the preset's.

        Raises:
            UnknownNameError: If there is no such preset.
            ConfigError: If a setting is unknown or out of range.
        """
        if name not in PRESETS:
            raise UnknownNameError("preset", name, PRESETS)
        values = {**PRESETS[name], **settings}
        if settings.get("tasks") is not None and "num_tasks" not in settings:
            values.pop("num_tasks", None)  # named tasks replace a preset's number
        return cls(**values)


PRESETS: dict[str, dict[str, Any]] = {
    "metaworld": {
        "num_adaptation_steps": 1,
        "adaptation_episodes": 10,
        "evaluation_episodes": 3,
    },
    "finn2017": {
        "num_tasks": 40,
        "num_adaptation_steps": 3,
        "adaptation_episodes": 20,
        "evaluation_episodes": 20,
        "evaluation_actions": "sampled",
    },
    "quick": {
        "num_tasks": 10,
        "num_adaptation_steps": 1,
        "adaptation_episodes": 5,
        "evaluation_episodes": 1,
    },
}


def resolve_protocol(
    protocol: EvaluationProtocol | str | None, **settings: Any
) -> EvaluationProtocol:
    """A protocol from one, from a preset's name, or from settings alone.

    Raises:
        ConfigError: If a whole protocol comes with single settings, or a setting is out of range.
    """
    if isinstance(protocol, EvaluationProtocol):
        if settings:
            raise ConfigError(
                f"protocol: got a whole one and {', '.join(sorted(settings))} beside it; "
                "set these in the protocol."
            )
        return protocol
    if protocol is None:
        return EvaluationProtocol(**settings)
    return EvaluationProtocol.preset(protocol, **settings)
