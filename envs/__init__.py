"""Task families and benchmarks."""
