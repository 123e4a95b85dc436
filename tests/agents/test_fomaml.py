from __future__ import annotations

from metarl.agents import FOMAML, MAML
from tests.agents.small import after, identical, small_agent


def test_fomaml_is_maml_without_second_derivatives() -> None:
    first_order = after(2, small_agent(MAML, first_order=True))
    assert identical(after(2, small_agent(FOMAML)), first_order)
    assert not identical(first_order, after(2, small_agent(MAML)))
