"""Settings that are checked when they are made.

One typed model serves the Python call, the command line and the files of a run. All faults of a
set of settings are reported together, each with its field, its value and what is allowed; a
misspelt field gets the nearest known name.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from metarl.errors import ConfigError

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)


_OURS = "Value error, "
"""What pydantic puts before the messages of our own checks."""

_NAMES_ITS_FIELD = re.compile(r"\w+: got ")

_CHECKS_ARE_PUT_OFF = ContextVar("checks are put off", default=False)


class _Checked(ModelMetaclass):
    """Turns what pydantic raises into our own error, for calls but not for nested settings.

    Nested faults have to reach pydantic, which gathers them with the rest.
    """

    def __call__(self, *args: Any, **values: Any) -> Any:
        try:
            return super().__call__(*args, **values)
        except ValidationError as error:
            model = cast("type[BaseModel]", self)
            if _CHECKS_ARE_PUT_OFF.get():
                return model.model_construct(None, **values)
            raise ConfigError(describe(error, model)) from None


class Config(BaseModel, metaclass=_Checked):
    """Base class of all settings: immutable, no unknown fields, checked at construction.

    Raises:
        ConfigError: Listing every fault found.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, revalidate_instances="always"
    )


ConfigT = TypeVar("ConfigT", bound=Config)


@contextmanager
def checks_put_off() -> Iterator[None]:
    """Lets faulty settings be made in the block, so that :func:`check` can tell all their faults.

    For parsers that build nested settings from the inside out, where the innermost fault would be
    the only one told.
    """
    token = _CHECKS_ARE_PUT_OFF.set(True)
    try:
        yield
    finally:
        _CHECKS_ARE_PUT_OFF.reset(token)


def check(settings: ConfigT) -> ConfigT:
    """Checks settings that were made while checks were put off.

    Raises:
        ConfigError: Listing every fault found, those of nested settings too.
    """
    try:
        return type(settings).model_validate(settings)
    except ValidationError as error:
        raise ConfigError(describe(error, type(settings))) from None


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """Says each fault of a pydantic error in one line: field, value, what is allowed."""
    lines = []
    for fault in error.errors(include_url=False):
        field = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            *path, name = fault["loc"]
            known = _settings_at(model, path)
            near = difflib.get_close_matches(str(name), known, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(known)}."
            lines.append(f"{field}: no such setting{f'; {hint}' if known else '.'}")
        elif fault["type"] == "missing":
            lines.append(f"{field}: is missing.")
        else:
            lines.append(_told(field, fault["input"], fault["msg"]))
    return "\n".join(lines)


def _told(field: str, value: Any, message: str) -> str:
    """A fault in one line, with field and value unless the message names them itself."""
    said = message.removeprefix(_OURS)
    names_its_field = _NAMES_ITS_FIELD.match(said) is not None
    if not field:  # between settings
        return said
    if message.startswith(_OURS) and isinstance(value, BaseModel | dict):
        # Between the settings of a nested model, which would fill the screen.
        return f"{field}.{said}" if names_its_field else f"{field}: {said}"
    if names_its_field:
        return ".".join([*field.split(".")[:-1], said])
    return f"{field}: got {_short(value)}; {said}."


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + "..."


def _settings_at(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """Names of the settings of the model that ``path`` leads to."""
    for part in path:
        field = model.model_fields.get(str(part))
        inner = None if field is None else field.annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []  # inside a list or a choice of models
        model = inner
    return list(model.model_fields)
