from __future__ import annotations

from metarl.agents import EMAML, MAML
from tests.agents.small import after, identical, small_agent


def test_emaml_is_maml_with_credit_for_sampling() -> None:
    emaml, maml = after(1, small_agent(EMAML)), after(1, small_agent(MAML))
    assert identical(emaml, after(1, small_agent(MAML, sampling_coef=1.0)))
    assert not identical(emaml, maml)
    assert identical(maml, after(1, small_agent(EMAML, sampling_coef=0.0)))
