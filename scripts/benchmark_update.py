"""Times the meta-update at the size of a recipe, over what its matrix products alone would take.

The bound is the count of multiplications that the update needs, over the rate at which this machine
multiplies matrices of the same shape in the same run. Experience is made up: only sizes matter.

    python scripts/benchmark_update.py                  # ML10: 20 tasks x 10 episodes x 500 steps
    python scripts/benchmark_update.py --hidden 64 64 --episodes 20 --steps 100   # 2-D navigation
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable
from itertools import pairwise

import torch
from rich.console import Console
from rich.table import Table

from metarl.adaptation import MetaLearner
from metarl.agents.adapters import GradientAdapter
from metarl.objective import MetaObjective
from metarl.outer import TRPO
from metarl.policies import GaussianMLPPolicy
from metarl.threads import map_in_threads, threads_for, torch_threads
from metarl.types import Params, Trajectories


def experience(
    policy: GaussianMLPPolicy, tasks: int, episodes: int, steps: int, size: int, seed: int
) -> Trajectories:
    """Made-up trajectories of the given size, acted by the policy's own parameters."""
    generator = torch.Generator().manual_seed(seed)
    observations = torch.randn(tasks, episodes, steps, size, generator=generator)
    with torch.no_grad():
        dist_params = policy(observations)[0]
    noise = torch.randn(tasks, episodes, steps, policy.action_dim, generator=generator)
    actions = dist_params[..., : policy.action_dim] + noise
    shape = (tasks, episodes, steps)
    flags = torch.zeros(tasks, episodes, dtype=torch.bool)
    return Trajectories(
        observations=observations,
        actions=actions,
        rewards=torch.zeros(shape),
        log_probs=policy.log_prob(dist_params, actions).detach(),
        dist_params=dist_params,
        mask=torch.ones(shape, dtype=torch.bool),
        terminated=flags,
        truncated=~flags,
        last_observations=observations[:, :, -1],
        success=None,
        unstable=flags,
        advantages=torch.randn(shape, generator=generator),
    )


def gemm_rate(rows: int, width: int, seconds: float = 1.0) -> float:
    """Operations a second of a matrix product of this shape."""
    a, b = torch.randn(rows, width), torch.randn(width, width)
    out = torch.empty(rows, width)
    torch.mm(a, b, out=out)
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        torch.mm(a, b, out=out)
        count += 1
    return 2.0 * rows * width * width * count / (time.perf_counter() - began)


def timed(work: Callable[[], object], rounds: int) -> float:
    """Median seconds of a call."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--observation", type=int, default=39)
    parser.add_argument("--action", type=int, default=4)
    parser.add_argument("--hidden", type=int, nargs="+", default=[512, 512])
    parser.add_argument("--fisher-stride", type=int, default=8)
    parser.add_argument("--fisher-support-stride", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, help="by default as training chooses")
    arguments = parser.parse_args()

    generator = torch.Generator().manual_seed(0)
    policy = GaussianMLPPolicy(
        arguments.observation, arguments.action, arguments.hidden, generator=generator
    )
    learner = MetaLearner(policy, GradientAdapter(policy, 0.01))
    meta_params = learner.meta_params()
    shape = (arguments.tasks, arguments.episodes, arguments.steps, arguments.observation)
    support, query = (experience(policy, *shape, seed=seed) for seed in (1, 2))
    rows = arguments.episodes * arguments.steps
    threads = arguments.threads or threads_for(rows, tuple(arguments.hidden))
    objective = MetaObjective(
        learner,
        [support],
        query,
        fisher_stride=arguments.fisher_stride,
        fisher_support_stride=arguments.fisher_support_stride,
        num_threads=threads,
    )
    sizes = [arguments.observation, *arguments.hidden, arguments.action]
    forward = 2.0 * arguments.tasks * rows * sum(a * b for a, b in pairwise(sizes))
    with torch_threads(1):
        widest = max(arguments.hidden)
        rates = map_in_threads(
            lambda _, rows: gemm_rate(rows, widest), range(threads), [rows] * threads
        )
        rate = sum(rates)
        vector: Params = {name: torch.randn_like(value) for name, value in meta_params.items()}
        products: list[Callable[[Params], Params]] = []
        seconds = {
            "loss and divergence": timed(lambda: objective.evaluate(meta_params), arguments.rounds),
            "meta-gradient": timed(lambda: objective.gradient(meta_params), arguments.rounds),
            "Fisher product, graphs": timed(
                lambda: products.append(objective.fisher_product(meta_params)), 1
            ),
            "Fisher product, each": timed(lambda: products[0](vector), arguments.rounds),
        }
        products.clear()
        seconds["TRPO step, whole"] = timed(lambda: TRPO().step(meta_params, objective), 1)
    own, others = 1.0 / arguments.fisher_stride, 1.0 / arguments.fisher_support_stride
    # Passes over a network's weights, in units of one forward pass: a gradient is forward (1) and
    # backward (2); its derivative along a vector is twice that again.
    passes = {
        "loss and divergence": 3.0 + 1.0,
        "meta-gradient": 3.0 + 3.0 + 6.0,
        "Fisher product, each": 12.0 * others + 4.0 * own,
    }
    title = (
        f"{arguments.tasks} tasks x {rows:,} steps, MLP {arguments.hidden}, {threads} of "
        f"{os.cpu_count()} threads, {rate / 1e9:.0f} GFLOP/s"
    )
    table = Table(title=title)
    for heading in ("part", "seconds", "bound", "over the bound"):
        table.add_column(heading, justify="left" if heading == "part" else "right")
    for part, value in seconds.items():
        bound = passes[part] * forward / rate if part in passes else None
        table.add_row(
            part,
            f"{value:.2f}",
            "" if bound is None else f"{bound:.2f}",
            "" if bound is None else f"{value / bound:.2f}",
        )
    console = Console()
    console.print(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    console.print(f"peak memory {peak:.2f} GiB, experience and interpreter included")


if __name__ == "__main__":
    main()
