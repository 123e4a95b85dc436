import metaworld
import pytest

import metarl.envs  # noqa: F401 - registers the ids


@pytest.fixture(autouse=True)
def few_goals(monkeypatch):
    """Drawing 50 goals per class takes seconds; both sides draw four."""
    monkeypatch.setattr(metaworld, "_N_GOALS", 4)
