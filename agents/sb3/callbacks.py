"""Stable-Baselines3's callbacks around the learning of an agent that isn't theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from stable_baselines3.common.callbacks import BaseCallback, ProgressBarCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from metarl.agent import Agent, Callback
from metarl.errors import ConfigError
from metarl.seeding import Purpose, Stream

AnyCallback: TypeAlias = Callback | BaseCallback
"""One of ours, or one of Stable-Baselines3's."""


class SB3Callback:
    """Runs a Stable-Baselines3 callback once per iteration of an agent.

    ``agent.learn(callback=EvalCallback(...))`` wraps by itself; make one of these to choose where
    the logger writes. An iteration stands for a step: ``on_step`` is called once in each, so
    ``eval_freq``, ``save_freq`` and ``n_calls`` count iterations, while ``num_timesteps`` counts
    environment steps as ever. ``self.model`` is the agent, with ``logger``, ``get_env`` and
    ``get_vec_normalize_env`` added; ``self.training_env`` is an environment of one training task
    that is made when asked for; ``self.locals`` holds ``self`` (the agent), ``total_timesteps`` and
    ``figures``. Callbacks that read single steps (``infos``, ``dones``) have nothing to read here.

    Args:
        callback: Theirs, or a ``CallbackList`` of them.
        logger: Where ``self.logger`` writes, and the figures of every iteration with it; by
            default nowhere. ``stable_baselines3.common.logger.configure`` makes one.

    Raises:
        ConfigError: If it is their progress bar, which counts single steps.
    """

    def __init__(self, callback: BaseCallback, logger: Logger | None = None) -> None:
        if isinstance(callback, ProgressBarCallback):
            raise ConfigError(
                "callback: ProgressBarCallback counts single steps; use progress_bar=True."
            )
        self.callback = callback
        self.logger = Logger(None, []) if logger is None else logger

    @contextmanager
    def started(self, agent: Agent, total_timesteps: int) -> Iterator[Callback]:
        """Starts the callback's training, and ends it on leaving."""
        model: Any = _Model(agent, self.logger)
        try:
            self.callback.init_callback(model)
            self.callback.on_training_start({"self": agent, "total_timesteps": total_timesteps}, {})
            self.callback.on_rollout_start()
            yield self
            self.callback.on_training_end()
        finally:
            model.close()

    def __call__(self, agent: Agent, figures: Mapping[str, float]) -> bool:
        """Takes one step of the callback, around one iteration."""
        self.callback.update_locals({"figures": dict(figures)})
        for name, value in figures.items():
            self.logger.record(name, value)
        go_on = self.callback.on_step()
        self.callback.on_rollout_end()
        self.logger.dump(agent.num_timesteps)
        if go_on:
            self.callback.on_rollout_start()
        return go_on


def as_list(callback: AnyCallback | Sequence[AnyCallback] | None) -> list[AnyCallback]:
    """What ``learn`` was given, as a list."""
    if callback is None:
        return []
    return list(callback) if isinstance(callback, Sequence) else [callback]


@contextmanager
def started(
    callback: AnyCallback | Sequence[AnyCallback] | None, agent: Agent, total_timesteps: int
) -> Iterator[list[Callback]]:
    """Starts those of Stable-Baselines3, and ends them on leaving; ours are passed on.

    Args:
        callback: What ``learn`` was given.
        agent: Who learns.
        total_timesteps: Until when.
    """
    with ExitStack() as stack:
        ours: list[Callback] = []
        for one in as_list(callback):
            theirs = SB3Callback(one) if isinstance(one, BaseCallback) else one
            if isinstance(theirs, SB3Callback):
                ours.append(stack.enter_context(theirs.started(agent, total_timesteps)))
            else:
                ours.append(theirs)
        yield ours


class _Model:
    """An agent with what callbacks look for on a model; everything else is the agent's."""

    def __init__(self, agent: Agent, logger: Logger) -> None:
        self.agent = agent
        self.logger = logger
        self._env: VecEnv | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.agent, name)

    def save(self, path: str | Path) -> None:
        """Saves the agent into a folder, without the ending of a file."""
        self.agent.save(Path(str(path).removesuffix(".zip")))

    def get_env(self) -> VecEnv:
        """An environment of one training task, with their Monitor around it."""
        if self._env is None:
            train = self.agent.benchmark.train
            rng = Stream(self.agent.seed).child(Purpose.TASKS).numpy()
            task = train.sample(1, rng)[0]
            self._env = DummyVecEnv([lambda: Monitor(train.make_env(task))])
        return self._env

    def get_vec_normalize_env(self) -> None:
        """There is none."""

    def close(self) -> None:
        if self._env is not None:
            self._env.close()
