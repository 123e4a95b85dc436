"""Benchmarks from elsewhere: other packages' entry points, and ``module:NAME``.

A package makes its benchmarks known in its ``pyproject.toml``::

    [project.entry-points."metarl.task_families"]
    my-arm = "my_package.tasks:my_arm"

What either leads to may be a :class:`~metarl.tasks.Benchmark`, a
:class:`~metarl.tasks.TaskDistribution`, or something to call for one of these: with ``seed`` and
settings such as ``max_episode_steps``, as far as it takes them.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from operator import attrgetter
from pathlib import Path
from typing import Any

from metarl.errors import ConfigError, MetarlError, UnknownNameError, describe_error
from metarl.tasks import Benchmark, TaskDistribution

GROUP = "metarl.task_families"


@dataclass(frozen=True)
class Discovered:
    """One name that another package has registered.

    Attributes:
        name: What to ask for.
        package: The package and its version.
        description: First line of its docstring; empty if there is none or it can't be loaded.
        problem: Why it can't be used, if it can't.
    """

    name: str
    package: str
    description: str
    problem: str | None


def entry_points_by_name() -> dict[str, list[EntryPoint]]:
    """What other packages have registered; nothing is imported."""
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        if point not in found.setdefault(point.name, []):
            found[point.name].append(point)
    return found


def discover() -> list[Discovered]:
    """Loads all that other packages have registered; a broken one is listed with its problem."""
    listed = []
    for name, points in sorted(entry_points_by_name().items()):
        packages = ", ".join(map(_package_of, points))
        try:
            listed.append(Discovered(name, packages, _first_line(load_named(name)), None))
        except ConfigError as error:
            listed.append(Discovered(name, packages, "", str(error)))
    return listed


def load_named(name: str) -> Any:
    """Imports what a name stands for.

    Raises:
        ConfigError: If it can't be imported, or two packages have registered the name.
    """
    points = entry_points_by_name()[name]
    if len(points) > 1:
        packages = " and ".join(map(_package_of, points))
        raise ConfigError(
            f"benchmark: {name!r} is registered by {packages}; "
            f"choose by {' or '.join(point.value for point in points)}."
        )
    return load_reference(points[0].value)


def is_reference(name: str) -> bool:
    """Whether a benchmark's name is of the form ``module:NAME``."""
    return ":" in name


def load_reference(reference: str) -> Any:
    """Imports ``module:NAME``.

    Raises:
        ConfigError: If the module isn't there or raises.
        UnknownNameError: If it holds no such name.
    """
    module_name, _, path = reference.partition(":")
    parts = [*module_name.split("."), *path.split(".")]
    if not all(part.isidentifier() for part in parts):
        raise ConfigError(f"benchmark: got {reference!r}; must be module:NAME.")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise _import_error(reference, error) from error
        raise ConfigError(
            f"benchmark: {reference!r}: there is no module {error.name!r}, neither installed nor "
            f"in {Path.cwd()}."
        ) from None
    except MetarlError:
        raise
    except Exception as error:
        raise _import_error(reference, error) from error
    try:
        return attrgetter(path)(module)
    except AttributeError:
        known = [name for name in vars(module) if not name.startswith("_")]
        raise UnknownNameError(f"benchmark: in {module_name}", path, known) from None


def make_from(thing: Any, name: str, seed: int, settings: Mapping[str, Any]) -> Benchmark:
    """Makes a benchmark from whatever a name led to.

    Args:
        thing: A benchmark, a task distribution, or what makes one.
        name: The name, for messages and for a distribution by itself.
        seed: Seed of the split.
        settings: Settings such as ``max_episode_steps``.

    Raises:
        ConfigError: If it is none of these, takes no such setting, or raises.
    """
    if isinstance(thing, Benchmark | TaskDistribution):
        _refuse(name, settings)
        own_seed = thing.seed if isinstance(thing, Benchmark) else 0
        if seed not in (0, own_seed):
            raise ConfigError(f"seed: got {seed}; {name} is made already, with seed {own_seed}.")
        return thing if isinstance(thing, Benchmark) else _without_test(thing, name, seed)
    if not callable(thing):
        raise ConfigError(
            f"benchmark: {name} is a {type(thing).__name__}; must be a Benchmark, a "
            "TaskDistribution, or what makes one."
        )
    made = _call(thing, name, seed, settings)
    if isinstance(made, TaskDistribution):
        return _without_test(made, name, seed)
    if not isinstance(made, Benchmark):
        raise ConfigError(f"benchmark: {name} makes a {type(made).__name__}, not a Benchmark.")
    return made


def _call(thing: Any, name: str, seed: int, settings: Mapping[str, Any]) -> Any:
    parameters = inspect.signature(thing).parameters
    takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
    _refuse(
        name, {key: settings[key] for key in settings if key not in parameters and not takes_any}
    )
    given = dict(settings)
    if "seed" in parameters or takes_any:
        given["seed"] = seed
    elif seed != 0:
        raise ConfigError(f"seed: got {seed}; {name} takes none.")
    try:
        inspect.signature(thing).bind(**given)
    except TypeError as error:
        raise ConfigError(f"benchmark: {name} is called with {given}: {error}.") from None
    try:
        return thing(**given)
    except MetarlError:
        raise
    except Exception as error:
        raise ConfigError(f"benchmark: making {name} raises {describe_error(error)}") from error


def _refuse(name: str, settings: Mapping[str, Any]) -> None:
    for key, value in settings.items():
        raise ConfigError(f"{key}: got {value!r}; {name} takes no such setting.")


def _without_test(distribution: TaskDistribution, name: str, seed: int) -> Benchmark:
    return Benchmark(name, distribution, None, seed=seed, settings={})


def _import_error(reference: str, error: Exception) -> ConfigError:
    return ConfigError(f"benchmark: importing {reference!r} raises {describe_error(error)}")


def _package_of(point: EntryPoint) -> str:
    package = point.dist
    return "an unknown package" if package is None else f"{package.name} {package.version}"


def _first_line(thing: Any) -> str:
    if isinstance(thing, Benchmark):
        return thing.name
    text = inspect.getdoc(thing) if inspect.isroutine(thing) or inspect.isclass(thing) else None
    described = text or getattr(thing, "name", "") or type(thing).__name__
    return str(described).partition("\n")[0]
