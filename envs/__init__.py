"""Task families and benchmarks."""

from .registry import BENCHMARKS, BenchmarkEntry, benchmark_names, make_benchmark

__all__ = ["BENCHMARKS", "BenchmarkEntry", "benchmark_names", "make_benchmark"]
