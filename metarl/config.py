"""Settings that are checked when they are made.

One typed model serves the Python call, the command line and the files of a run. All faults of a
set of settings are reported together, each with its field, its value and what is allowed; a
misspelt field gets the nearest known name.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from metarl.errors import ConfigError

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)


class _Checked(ModelMetaclass):
    """Turns what pydantic raises into our own error, for calls but not for nested settings.

    Nested faults have to reach pydantic, which gathers them with the rest.
    """

    def __call__(self, *args: Any, **values: Any) -> Any:
        try:
            return super().__call__(*args, **values)
        except ValidationError as error:
            raise ConfigError(describe(error, cast("type[BaseModel]", self))) from None


class Config(BaseModel, metaclass=_Checked):
    """Base class of all settings: immutable, no unknown fields, checked at construction.

    Raises:
        ConfigError: Listing every fault found.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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
        elif not field:  # a fault between settings
            lines.append(f"{fault['msg']}.")
        else:
            lines.append(f"{field}: got {fault['input']!r}; {fault['msg']}.")
    return "\n".join(lines)


def _settings_at(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """Names of the settings of the model that ``path`` leads to."""
    for part in path:
        field = model.model_fields.get(str(part))
        inner = None if field is None else field.annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []  # inside a list or a choice of models
        model = inner
    return list(model.model_fields)
