"""Checks that others may run on their own machine and on their own parts."""

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
    "Finding",
    "ParityCheck",
    "Report",
    "check_benchmark",
    "check_metaworld_parity",
    "check_task_distribution",
    "describe_machine",
]
