"""Shows whether a long run grows: resident memory over many short iterations.

    python scripts/soak.py --iterations 2000 --num-workers 1

Prints the memory of this process and of its workers every hundredth of the way, and the slope of
the second half by least squares; the first half is for caches to fill.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import psutil

from metarl.agent import Agent
from metarl.agents import ALGORITHMS
from metarl.envs import make_benchmark
from metarl.runs import RunFolder, RunRecorder


def resident_mib() -> tuple[float, float]:
    """Resident memory of this process, and of its children together, MiB."""
    own = psutil.Process()
    children = sum(child.memory_info().rss for child in own.children(recursive=True))
    return own.memory_info().rss / 2**20, children / 2**20


def main() -> None:
    """Trains and watches."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--algorithm", default="maml", choices=sorted(ALGORITHMS))
    parser.add_argument("--benchmark", default="navigation")
    parser.add_argument("--iterations", type=int, default=2000)
    parser.add_argument("--num-workers", type=int, default=1)
    arguments = parser.parse_args()
    benchmark = make_benchmark(arguments.benchmark, max_episode_steps=5)
    agent = ALGORITHMS[arguments.algorithm](
        benchmark,
        num_workers=arguments.num_workers,
        meta_batch_size=2,
        episodes_per_task=2,
        hidden_sizes=(8,),
    )
    iterations: int = arguments.iterations
    every = max(1, iterations // 20)
    samples = []

    def watch(_: Agent, figures: Mapping[str, float]) -> bool:
        iteration = int(figures["iteration"])
        samples.append((iteration, *resident_mib()))
        if iteration % every == 0:
            print(
                "iteration {:6d}: main {:7.1f} MiB, workers {:7.1f} MiB".format(*samples[-1]),
                flush=True,
            )
        return iteration < iterations

    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder.create(Path(folder) / "run", {"soak": True}, benchmark.manifest())
        with agent, RunRecorder(run) as recorder:
            agent.learn(10**15, callback=[recorder, watch])
    later = np.array(samples[len(samples) // 2 :])
    for name, column in (("main", 1), ("workers", 2)):
        slope = np.polyfit(later[:, 0], later[:, column], 1)[0]
        print(f"{name}: {1000 * slope:+.3f} MiB per 1,000 iterations in the second half")


if __name__ == "__main__":
    main()
