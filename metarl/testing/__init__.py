"""Checks that others may run on their own machine and on their own parts."""

from metarl.testing.parity import ParityCheck, check_metaworld_parity, describe_machine

__all__ = ["ParityCheck", "check_metaworld_parity", "describe_machine"]
