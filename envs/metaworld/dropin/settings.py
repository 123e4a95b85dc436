"""The keyword arguments that Meta-World's ids take, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from gymnasium.vector import AutoresetMode

from metarl.envs.metaworld.engine.worlds import MAX_EPISODE_STEPS
from metarl.errors import ConfigError, UnknownNameError

_CHOICES: dict[str, tuple[Any, ...]] = {
    "task_select": ("random", "pseudorandom"),
    "reward_function_version": ("v1", "v2"),
    "reward_normalization_method": (None, "gymnasium", "exponential"),
    "render_mode": (None, "human", "rgb_array", "depth_array"),
}


@dataclass(frozen=True)
class Settings:
    """What Meta-World's ids let one choose about each environment; the defaults are theirs.

    Attributes:
        max_episode_steps: Steps after which an episode is truncated. None means 500; Meta-World
            truncates there even if more are asked for.
        terminate_on_success: Whether success ends the episode.
        use_one_hot: Whether the observation ends with the task's index, one-hot.
        num_tasks: Length of that one-hot vector.
        recurrent_info_in_obs: Whether the observation ends with the last action, reward and end
            of episode, for recurrent policies.
        normalize_reward_in_recurrent_info: Whether that reward is divided by ten.
        task_select: ``"random"``: a task drawn at every reset; ``"pseudorandom"``: the tasks in
            shuffled turns, the next one whenever ``sample_tasks`` is called.
        reward_function_version: ``"v1"`` or ``"v2"``; v1 runs on Meta-World's own environments.
        reward_normalization_method: None, ``"gymnasium"`` or ``"exponential"``.
        normalize_observations: Whether observations are brought to mean 0 and variance 1.
        reward_alpha: Rate of the exponential reward normalisation.
        render_mode: What ``render`` returns; if set, Meta-World's own environments are used.
        camera_name: Camera to render with.
        camera_id: Camera to render with, by number.
        width: Of the picture, pixels.
        height: Of the picture, pixels.
    """

    max_episode_steps: int | None = None
    terminate_on_success: bool = False
    use_one_hot: bool = False
    num_tasks: int | None = None
    recurrent_info_in_obs: bool = False
    normalize_reward_in_recurrent_info: bool = True
    task_select: str = "random"
    reward_function_version: str = "v2"
    reward_normalization_method: str | None = None
    normalize_observations: bool = False
    reward_alpha: float = 0.001
    render_mode: str | None = None
    camera_name: str | None = None
    camera_id: int | None = None
    width: int = 480
    height: int = 480

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                choices = ", ".join(map(repr, allowed))
                raise ConfigError(f"{name}: got {getattr(self, name)!r}; allowed: {choices}.")
        steps = self.max_episode_steps
        if steps is not None and (not isinstance(steps, int) or steps < 1):
            raise ConfigError(f"max_episode_steps: got {steps!r}; must be an integer, at least 1.")

    @property
    def horizon(self) -> int:
        """Steps after which an episode is truncated."""
        return min(self.max_episode_steps or MAX_EPISODE_STEPS, MAX_EPISODE_STEPS)

    @property
    def batched(self) -> bool:
        """Whether the batched engine serves these settings: it has reward v2 and no pictures."""
        return self.reward_function_version == "v2" and self.render_mode is None


SETTING_NAMES = tuple(field.name for field in fields(Settings))


def read_settings(keywords: Mapping[str, Any], others: Iterable[str], **defaults: Any) -> Settings:
    """Builds settings from the keyword arguments of an id.

    Args:
        keywords: As the user gave them.
        others: Further names that the id takes, to suggest.
        **defaults: Where the id's defaults differ from those of :class:`Settings`.

    Raises:
        UnknownNameError: If a keyword isn't a setting; lists the nearest names.
        ConfigError: If a value isn't allowed.
    """
    for name in keywords:
        if name not in SETTING_NAMES:
            raise UnknownNameError("keyword argument", name, {*SETTING_NAMES, *others})
    return Settings(**{**defaults, **keywords})


def read_autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    """Takes the mode itself or its value.

    Raises:
        ConfigError: If there is no such mode.
    """
    try:
        return AutoresetMode(mode)
    except ValueError:
        allowed = ", ".join(repr(m.value) for m in AutoresetMode)
        raise ConfigError(f"autoreset_mode: got {mode!r}; allowed: {allowed}.") from None


def check_vector_strategy(strategy: str) -> None:
    """Refuses what Meta-World would refuse; otherwise the strategy has no effect here."""
    if strategy not in ("sync", "async"):
        raise ConfigError(f"vector_strategy: got {strategy!r}; allowed: 'sync', 'async'.")
