"""Task families and benchmarks."""

from .metaworld.dropin import register_envs
from .registry import BENCHMARKS, BenchmarkEntry, benchmark_names, make_benchmark

__all__ = ["BENCHMARKS", "BenchmarkEntry", "benchmark_names", "make_benchmark"]

register_envs()
