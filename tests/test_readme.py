"""What the README shows is run: Python blocks wholly, `metarl` lines up to where work would begin.

A block under the comment ``<!-- not run: REASON -->`` is left out.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from metarl import cli
from metarl.cli import evaluating, training
from metarl.evaluation import Estimate, Evaluation, evaluate
from metarl.evaluation.cards import read_card
from metarl.evaluation.cards.tables import main_table
from metarl.evaluation.tables import number, percent

README = Path(__file__).parents[1] / "README.md"
FENCE = re.compile(
    r"(?:^<!-- not run:(?P<reason>[^\n]*?)-->\n\s*)?^```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A block of code: its language, why it isn't run (None if it is), its first line's number."""

    language: str
    code: str
    reason: str | None
    line: int


def blocks_of(text: str) -> list[Block]:
    found = []
    for match in FENCE.finditer(text):
        reason = match["reason"]
        line = 1 + text.count("\n", 0, match.start("code"))
        found.append(
            Block(
                match["language"], match["code"], None if reason is None else reason.strip(), line
            )
        )
    return found


def commands_of(block: Block) -> list[list[str]]:
    """The arguments of every `metarl` line of a shell block."""
    lines = block.code.replace("\\\n", " ").splitlines()
    words = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
    return [line[1:] for line in words if line[:1] == ["metarl"]]


BLOCKS = blocks_of(README.read_text())
COMMANDS = [
    command
    for block in BLOCKS
    if block.language in ("bash", "sh", "console") and block.reason is None
    for command in commands_of(block)
]


def test_blocks_are_found_with_language_place_and_reason():
    text = (
        "Title\n\n```python\na = 1\n```\n\nText with ```inline``` code.\n\n"
        "<!-- not run: needs a robot -->\n\n```sh\nmetarl tasks # all\n```\n"
        "<!-- another comment -->\n```\nplain\n```\n<!-- not run: -->\n```python\nb\n```\n"
    )
    assert blocks_of(text) == [
        Block("python", "a = 1\n", None, 4),
        Block("sh", "metarl tasks # all\n", "needs a robot", 12),
        Block("", "plain\n", None, 16),
        Block("python", "b\n", "", 20),
    ]


def test_commands_are_found_over_line_ends_and_beside_others():
    block = Block(
        "sh", "metarl a --b 'c d'  # why\nls\n$ metarl e \\\n    --f g\n# metarl h\n", None, 1
    )
    assert commands_of(block) == [["a", "--b", "c d"], ["e", "--f", "g"]]


def test_every_block_has_a_language_and_whatever_is_not_run_a_reason():
    for block in BLOCKS:
        assert block.language, f"README.md, line {block.line}: which language?"
        assert block.reason != "", f"README.md, line {block.line}: why isn't it run?"


def test_python_blocks_run_one_after_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for block in BLOCKS:
        if block.language == "python" and block.reason is None:
            # Line numbers of a traceback are then those of the README.
            exec(compile("\n" * (block.line - 1) + block.code, README, "exec"), names)


def test_metarl_lines_run_up_to_training_and_evaluation(tmp_path, monkeypatch):
    def save_untrained(agent, run, *limits) -> int:
        run.save_checkpoint(agent)
        return 0

    def evaluate_briefly(agent, distribution, protocol, **settings) -> Evaluation:
        brief = {"num_tasks": 2, "adaptation_episodes": 1}
        return evaluate(
            agent, distribution, protocol.model_copy(update=brief), **settings | {"num_workers": 0}
        )

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "train", save_untrained)
    monkeypatch.setattr(evaluating, "evaluate", evaluate_briefly)
    for command in COMMANDS:
        assert cli.main(command) == 0, shlex.join(command)


def returns(variant):
    return [Estimate(**value) for value in variant["episode_return"]["all"]]


def own_rate_of(card):
    """The further evaluation in which each run chose its step size."""
    (found,) = [one for one in card["extra"] if one["title"].startswith("Each run adapted")]
    return found


def test_the_results_are_those_of_the_cards():
    results = README.parent / "results"
    text = README.read_text()
    for row in main_table(read_card(results / "ml1-reach.json"), "success_final")[2:]:
        if not row.startswith("| ProMP"):
            assert row in text
    reach = [
        Estimate(**line["difference"])
        for comparison in read_card(results / "ml1-reach.json")["comparisons"]
        if comparison["labels"] == ["MAML", "control"]
        for line in comparison["lines"]
        if line["field"] == "success_final"
    ]
    assert percent(reach[1]).replace(" %", " points") in " ".join(text.split())
    assert reach[1].low > 0 > reach[-1].low  # ahead, and caught up with
    navigation, push = (read_card(results / f"{name}.json") for name in ("navigation", "ml1-push"))
    tuned = own_rate_of(navigation)["variants"]["control"]
    by_maml, by_control = returns(navigation["variants"]["MAML"]), returns(tuned)
    adapted, alone = (returns(push["variants"][label]) for label in ("MAML", "control"))
    shown = (by_maml[-1], by_control[-1], adapted[0], adapted[-1], alone[0])
    assert all(number(one) in " ".join(text.split()) for one in shown)
    assert by_maml[-1].low > by_control[-1].high
    assert alone[0].low > adapted[-1].high > adapted[-1].low > alone[-1].high  # as it says


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_metarl_lines_run_wholly(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in COMMANDS:
        assert cli.main(command) == 0, shlex.join(command)
