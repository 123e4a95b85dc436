"""Checks that others may run on their own machine and on their own parts."""

from metarl.testing.adapters import check_adapter
from metarl.testing.agents import AgentMaker, check_agent
from metarl.testing.conformance import Conformance
from metarl.testing.parity import ParityCheck, check_metaworld_parity, describe_machine
from metarl.testing.task_distribution import (
    KINDS,
    Finding,
    Report,
    check_benchmark,
    check_task_distribution,
)

__all__ = [
    "KINDS",
    "AgentMaker",
    "Conformance",
    "Finding",
    "ParityCheck",
    "Report",
    "check_adapter",
    "check_agent",
    "check_benchmark",
    "check_metaworld_parity",
    "check_task_distribution",
    "describe_machine",
]
