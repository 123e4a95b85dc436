"""Adapters: one inner-loop update rule per file."""
