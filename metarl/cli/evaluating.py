"""`metarl evaluate`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from metarl.cli.cards import write_card
from metarl.cli.controls import ELSEWHERE, find_pretrained, linked_control, untrained
from metarl.cli.loading import DIGEST, UPSTREAM, Split, evaluation_folder, rows_digest
from metarl.cli.oracle import oracle_control, saved_oracle, trained_oracle
from metarl.cli.output import OUT, counting, say
from metarl.cli.upstream import GOALS_PER_FAMILY, check_upstream, run_as_upstream
from metarl.cli.writable import check_writable
from metarl.envs.metaworld.expert import check_expert, evaluate_expert
from metarl.errors import ConfigError
from metarl.evaluation import Evaluation, evaluate
from metarl.evaluation.controls import Control, worth_lines
from metarl.evaluation.figures import adaptation_figure
from metarl.evaluation.protocol import Preset, resolve_protocol
from metarl.evaluation.sampling import Over, fixed_tasks_note, intervals_over
from metarl.evaluation.tables import count, gain_lines, percent, rate_lines, summary_table
from metarl.evaluation.upstream import UpstreamResult
from metarl.recipes.loading import load_run, new_goals, with_horizon
from metarl.runs import RunFolder
from metarl.storage import write_file, write_json
from metarl.tasks import TaskDistribution

THIS_RUN = "this run"


def evaluate_run(
    run: Annotated[Path, tyro.conf.Positional],
    preset: Preset | None = None,
    num_adaptation_steps: int | None = None,
    adaptation_episodes: int | None = None,
    evaluation_episodes: int | None = None,
    evaluation_actions: Literal["mean", "sampled"] | None = None,
    num_tasks: int | None = None,
    tasks: tuple[str, ...] | None = None,
    max_episode_steps: int | None = None,
    adaptation_lrs: tuple[float, ...] | None = None,
    split: Split = "test",
    seed: int = 0,
    controls: tuple[Control, ...] = (),
    pretrained: Path | None = None,
    as_upstream: bool = False,
    card: bool = False,
    num_workers: int = os.cpu_count() or 1,
    checkpoint: str = "latest",
    output: Path | None = None,
) -> int:
    """Evaluate a run's newest checkpoint on held-out tasks, before and after adaptation.

    Prints a table and what meta-learning was worth, and writes RUN/evaluation/<split>/: rows.csv,
    evaluation.json, summary.json, adaptation.png; the same for each control in controls/.

    Args:
        run: The run folder.
        preset: A whole protocol: metaworld (1 step from 10 episodes, 3 counted), finn2017 (3 steps
            from 20 episodes, 20 counted, sampled actions, 40 tasks) or quick (10 tasks, 1 step from
            5 episodes). Settings given beside it replace its own.
        num_adaptation_steps: Results are given after 0, 1, ... this many steps; 2 by default.
        adaptation_episodes: Episodes of experience before each step; 10 by default.
        evaluation_episodes: Episodes counted per task and step; 1 by default.
        evaluation_actions: Act by the mean while counted (the default), or sample.
        num_tasks: Tasks drawn, spread over families; by default all.
        tasks: Families or task digests to evaluate on.
        max_episode_steps: Horizon; by default that of training.
        adaptation_lrs: Inner step sizes that the run, and each control that adapts, choose their
            own from: that with the highest return after the last step on training tasks. With 0
            among them a policy may be left as it is.
        split: Held-out tasks, those trained on, or new goals of the families trained on.
        seed: Seed of the evaluation's randomness.
        controls: untrained (random initialisation), pretrained (the same training without
            meta-learning; trained now if there is none), expert (Meta-World's scripted one) and
            oracle (PPO that sees the goal; trained now if there is none, see `metarl oracle`);
            the first two adapt as the run does.
        pretrained: Run folder of the pretrained control, if there is one already.
        as_upstream: Evaluate by metaworld.evaluation too, whose rate is biased, to compare.
        card: Write RUN/card.md and card.json as well.
        num_workers: Processes that collect experience.
        checkpoint: latest, best, or the number of an iteration.
        output: Write into this folder instead, and nothing into the run; a control that has to be
            trained is put beside it (DIR-pretrained), an oracle into it.
    """
    given = {
        "num_adaptation_steps": num_adaptation_steps,
        "adaptation_episodes": adaptation_episodes,
        "evaluation_episodes": evaluation_episodes,
        "evaluation_actions": evaluation_actions,
        "num_tasks": num_tasks,
        "tasks": tasks,
        "max_episode_steps": max_episode_steps,
        "adaptation_lrs": adaptation_lrs,
        "seed": seed,
    }
    protocol = resolve_protocol(
        preset, **{name: value for name, value in given.items() if value is not None}
    )
    agent = load_run(run, checkpoint=checkpoint, num_workers=num_workers)
    distribution = _distribution(run, agent, split, max_episode_steps)
    # What can't be done is refused before anything takes its time.
    if "expert" in controls:
        check_expert(None if distribution is None else distribution.tasks)
    whole = load_run(run) if "oracle" in controls and checkpoint != "latest" else agent
    oracle_home = run
    if "oracle" in controls:
        if split == "new-goals":
            raise ConfigError("controls: got 'oracle'; it needs --split test or train.")
        saved = saved_oracle(run, agent.benchmark, whole.num_timesteps)
        if output is not None and saved is None:
            oracle_home = output
            saved_oracle(output, agent.benchmark, whole.num_timesteps)
    if card and output is not None:
        raise ConfigError("card: got True with output; a card is made of what lies in the run.")
    if as_upstream:
        check_upstream(RunFolder(run).config(), protocol)
    asked = set(controls)
    if pretrained is not None or linked_control(run) is not None:
        asked.add("pretrained")
    control = None
    if "pretrained" in asked:
        control = find_pretrained(run, agent, pretrained, num_workers, output)
    folder = output or evaluation_folder(run, split)
    check_writable(folder, ELSEWHERE)
    found: dict[str, Evaluation] = {}

    def measure(subject: Any, what: str) -> Evaluation:
        with counting(what) as progress:
            return evaluate(
                subject, distribution, protocol, num_workers=num_workers, progress=progress
            )

    def keep(name: str, evaluation: Evaluation) -> None:
        found[name] = evaluation
        save_evaluation(found, name, folder)

    # Each is saved before the next begins, which may take hours and fail.
    keep(THIS_RUN, measure(agent, "evaluating"))
    if "untrained" in asked:
        keep("untrained", measure(untrained(agent), "untrained control"))
    if control is not None:
        keep("pretrained", measure(control.agent(), "pretrained control"))
    if "expert" in asked:
        with counting("scripted expert") as progress:
            keep("expert", evaluate_expert(found[THIS_RUN].header, progress))
    if "oracle" in asked:
        oracle = trained_oracle(oracle_home, agent.benchmark, whole.num_timesteps)
        keep("oracle", oracle_control(run, oracle, found[THIS_RUN], split, num_workers))
    print_evaluation(found, f"{agent.benchmark.name}, {split} tasks, iteration {agent.iteration}")
    if as_upstream:
        _show_upstream(run_as_upstream(run, agent, protocol), found[THIS_RUN], folder)
    say(f"rows, summary and figure: {folder}")
    if card:
        say(f"card: {write_card([run], run / 'card', split=split)}")
    return 0


def save_evaluation(found: Mapping[str, Evaluation], name: str, folder: Path) -> None:
    """Writes one evaluation's rows and summary, and a figure of all that are there (PNG and SVG).

    Args:
        found: This run's evaluation first, then its controls by name.
        name: Which of them is new.
        folder: Where to; a control goes into ``controls/<name>``.
    """
    found[name].save(folder if name == THIS_RUN else folder / "controls" / name)
    for kind in ("png", "svg"):
        write_file(folder / f"adaptation.{kind}", adaptation_figure(_labelled(found), kind))


def print_evaluation(found: Mapping[str, Evaluation], title: str) -> None:
    """Prints summaries, what adaptation gained and what meta-learning was worth."""
    OUT.print(summary_table(_labelled(found), title))
    own = found[THIS_RUN]
    if own.header.split == "test" and own.header.shares_tasks:
        say("not held out: this benchmark's test tasks are among its training tasks")
    how = "the mean action" if own.protocol.evaluation_actions == "mean" else "sampled actions"
    kinds: set[Over] = {intervals_over([one]) for one in found.values()}
    shown = "" if kinds == {"nothing"} else " [95 % interval]"
    OUT.print(f"by {how}; mean over tasks{shown}", style="dim")
    if note := fixed_tasks_note(kinds):
        say(note)
    for line in rate_lines(found):
        say(line)
    for line in gain_lines(own.summary()):
        say(line)
    controls = {name: one for name, one in found.items() if name != THIS_RUN}
    for line in worth_lines(own, controls):
        say(line)


def _labelled(found: Mapping[str, Evaluation]) -> dict[str, list[Evaluation]]:
    """A single evaluation needs no label."""
    return {name if len(found) > 1 else "": [one] for name, one in found.items()}


def _distribution(
    run: Path, agent: Any, split: str, max_episode_steps: int | None
) -> TaskDistribution | None:
    benchmark = agent.benchmark
    if max_episode_steps not in (None, benchmark.train.max_episode_steps):
        benchmark = with_horizon(run, max_episode_steps)
    if split == "new-goals":
        return new_goals(RunFolder(run).config(), benchmark)
    found: TaskDistribution | None = benchmark.test if split == "test" else benchmark.train
    return found


def _show_upstream(upstream: UpstreamResult, own: Evaluation, folder: Path) -> None:
    said = {**asdict(upstream), "explanation": upstream.explanation}
    write_json(folder / UPSTREAM, {DIGEST: rows_digest(folder), **said})
    ours = own.summary()[upstream.adaptation_steps].success_any
    assert ours is not None
    say(
        f"success at any step after {count(upstream.adaptation_steps, 'adaptation step')}: "
        f"{percent(ours)} by our rows; by metaworld.evaluation, on {GOALS_PER_FAMILY} goals of "
        f"each family, {100 * upstream.success_rate:.0f} %."
    )
    say(upstream.explanation)
