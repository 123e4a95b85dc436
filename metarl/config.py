"""Settings that are checked when they are made.

One typed model serves the Python call, the command line and the files of a run. All faults of a
set of settings are reported together, each with its field, its value and what is allowed; a
misspelt field gets the nearest known name.
"""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from metarl.errors import ConfigError


class Config(BaseModel):
    """Base class of all settings: immutable, no unknown fields, checked at construction."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def __init__(self, **values: Any) -> None:
        """Checks ``values``.

        Raises:
            ConfigError: Listing every fault found.
        """
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(describe(error, known=list(type(self).model_fields))) from None


def describe(error: ValidationError, known: list[str]) -> str:
    """Says each fault of a pydantic error in one line: field, value, what is allowed."""
    lines = []
    for fault in error.errors(include_url=False):
        field = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            near = difflib.get_close_matches(field, known, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(known)}."
            lines.append(f"{field}: no such setting; {hint}")
        else:
            lines.append(f"{field}: got {fault['input']!r}; {fault['msg']}.")
    return "\n".join(lines)
