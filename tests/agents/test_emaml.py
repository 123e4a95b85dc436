from __future__ import annotations

import pytest

from metarl.agents import EMAML, MAML
from metarl.errors import ConfigError
from tests.agents.small import after, identical, small_agent


def test_emaml_is_maml_with_credit_for_sampling() -> None:
    emaml, maml = after(1, small_agent(EMAML)), after(1, small_agent(MAML))
    assert identical(emaml, after(1, small_agent(MAML, sampling_coef=1.0)))
    assert not identical(emaml, maml)
    assert identical(maml, after(1, small_agent(EMAML, sampling_coef=0.0)))


def test_one_task_has_no_credit_to_give() -> None:
    message = "meta_batch_size: got 1; must be at least 2 with a sampling_coef"
    with pytest.raises(ConfigError, match=message):
        small_agent(EMAML, meta_batch_size=1)
    small_agent(EMAML, meta_batch_size=1, sampling_coef=0.0)
