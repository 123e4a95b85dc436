"""Entry points of the meta-learning benchmarks: goals hidden, a split to train on, one to test on.

Arguments that all vector environments share are explained in :mod:`metarl.envs.metaworld.dropin`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gymnasium.vector import AutoresetMode

from metarl.errors import ConfigError

from .build import AnyEnv, AnyVectorEnv, build_env, build_vector_env, read_keywords
from .settings import Settings
from .splits import Row, Split, draw, meta_learning_rows


def make_ml_vec(
    *,
    split: Split,
    benchmark: str = "ML1",
    env_name: str | None = None,
    seed: int | None = None,
    meta_batch_size: int = 20,
    total_tasks_per_cls: int | None = None,
    num_envs: int | None = None,
    vector_strategy: str = "sync",
    autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    num_workers: int = 0,
    **settings: Any,
) -> AnyVectorEnv:
    """Builds ML1, ML10, ML25 or ML45, goals hidden.

    Tasks are chosen pseudo-randomly and not at resets: begin with ``call("sample_tasks")``. The
    test split ends episodes at success unless told.

    ``ML1-train`` serves the training tasks. Meta-World's own id of that name serves the test
    tasks (metaworld 3.1.1; Farama-Foundation/Metaworld#573), so that one differs on purpose.

    Args:
        split: ``"train"`` or ``"test"``, set by the id.
        benchmark: ``"ML1"``, ``"ML10"``, ``"ML25"`` or ``"ML45"``, set by the id.
        env_name: Meta-World's name of the class, for ML1 only.
        seed: Of the goals and of the choice among them.
        meta_batch_size: Rows, a multiple of the number of classes.
        total_tasks_per_cls: Goals per class to use, of 50; each row gets an equal share.
        num_envs: Ignored.
        vector_strategy: Ignored.
        autoreset_mode: What happens to rows whose episode has ended.
        num_workers: Processes to spread the rows over.
        **settings: See :class:`.settings.Settings`.
    """
    del num_envs
    chosen = read_keywords(
        make_ml_vec, settings, terminate_on_success=split == "test", task_select="pseudorandom"
    )
    _refuse_one_hot(chosen)
    classes = _ml_classes(benchmark, split, env_name, seed)
    rows = meta_learning_rows(classes, meta_batch_size, total_tasks_per_cls, seed)
    return build_vector_env(rows, chosen, vector_strategy, autoreset_mode, num_workers)


def make_custom_ml_vec(
    *,
    train_envs: Sequence[str],
    test_envs: Sequence[str],
    split: Split = "train",
    seed: int | None = None,
    meta_batch_size: int = 20,
    total_tasks_per_cls: int | None = None,
    num_envs: int | None = None,
    vector_strategy: str = "sync",
    autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    num_workers: int = 0,
    **settings: Any,
) -> AnyVectorEnv:
    """Builds a meta-learning benchmark of classes of your choice, goals hidden.

    As with Meta-World's id a task is drawn at every reset unless told, and success doesn't end
    the episode.

    Args:
        train_envs: Meta-World's names of the classes to train on.
        test_envs: And of those to test on.
        split: Which of the two to build.
        seed: Of the goals and of the choice among them.
        meta_batch_size: Rows, a multiple of the number of classes.
        total_tasks_per_cls: Goals per class to use, of 50; each row gets an equal share.
        num_envs: Ignored.
        vector_strategy: Ignored.
        autoreset_mode: What happens to rows whose episode has ended.
        num_workers: Processes to spread the rows over.
        **settings: See :class:`.settings.Settings`.
    """
    del num_envs
    chosen = read_keywords(make_custom_ml_vec, settings)
    _refuse_one_hot(chosen)
    _check_split(split)
    drawn = draw("CustomML", seed, train_envs=train_envs, test_envs=test_envs)
    classes = drawn.train if split == "train" else drawn.test
    rows = meta_learning_rows(classes, meta_batch_size, total_tasks_per_cls, seed)
    return build_vector_env(rows, chosen, vector_strategy, autoreset_mode, num_workers)


def make_ml1(*, split: Split, env_name: str, seed: int | None = None, **settings: Any) -> AnyEnv:
    """Builds one environment of ML1: goals hidden, the next one taken at every reset.

    Meta-World has this for vectors only, see :func:`make_ml_vec`.

    Args:
        split: ``"train"`` or ``"test"``, set by the id.
        env_name: Meta-World's name of the class.
        seed: Of the goals and of the choice among them.
        **settings: See :class:`.settings.Settings`.
    """
    chosen = read_keywords(
        make_ml1, settings, terminate_on_success=split == "test", task_select="pseudorandom"
    )
    _refuse_one_hot(chosen)
    row = Row(env_name, _ml_classes("ML1", split, env_name, seed)[env_name], seed)
    env = build_env(row, chosen)
    env.get_wrapper_attr("toggle_sample_tasks_on_reset")(True)
    return env


def _ml_classes(benchmark: str, split: Split, env_name: str | None, seed: int | None) -> Any:
    _check_split(split)
    if (benchmark == "ML1") != (env_name is not None):
        raise ConfigError(f"env_name: got {env_name!r}; ML1 needs one, {benchmark} takes none.")
    drawn = draw(benchmark, seed, train_envs=() if env_name is None else (env_name,))
    return drawn.train if split == "train" else drawn.test


def _check_split(split: str) -> None:
    if split not in ("train", "test"):
        raise ConfigError(f"split: got {split!r}; allowed: 'train', 'test'.")


def _refuse_one_hot(settings: Settings) -> None:
    if settings.use_one_hot:
        raise ConfigError("use_one_hot: got True; the meta-learning benchmarks have no task index.")
