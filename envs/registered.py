"""Gymnasium ids, resolved where they are registered.

Worker processes don't import the module that registered an id, so what goes to them is the
specification that the id stands for.
"""

from __future__ import annotations

from importlib import import_module

import gymnasium
from gymnasium.envs.registration import (
    EnvSpec,
    find_highest_version,
    get_env_id,
    parse_env_id,
)

from metarl.errors import ConfigError


def find_spec(env_id: str) -> EnvSpec:
    """The specification of an id, by default of its newest version, or of ``module:id``.

    Raises:
        ConfigError: If there is no such module or id.
    """
    module, _, name = env_id.rpartition(":")
    try:
        if module:
            import_module(module)
        namespace, base, version = parse_env_id(name)
        if version is None:
            version = find_highest_version(namespace, base)
        return gymnasium.spec(get_env_id(namespace, base, version))
    except (gymnasium.error.Error, ImportError) as error:
        raise ConfigError(f"env: {error}") from None
