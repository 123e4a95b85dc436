import numpy as np
from rich.console import Console

from metarl.evaluation import Estimate
from metarl.evaluation.comparison import compare
from metarl.evaluation.tables import comparison_table, gain_lines, number, percent, summary_table
from tests.evaluation.stubs import made_up

RETURNS = np.random.default_rng(0).normal(size=(20, 2, 1))
RETURNS += np.array([[0.0], [5.0]])
SUCCESS = np.repeat([[[False], [True]]], 20, axis=0)


def printed(table, width: int = 80) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_the_summary_shows_mean_and_interval_of_every_step():
    evaluation = made_up(RETURNS, SUCCESS)
    text = printed(summary_table({"": [evaluation]}, "Heading"))
    assert "Heading" in text
    for line in evaluation.summary():
        assert number(line.episode_return) in text
        assert percent(line.success_final) in text
    assert "0 % [0, 17]" in text
    assert "100 % [83, 100]" in text


def test_methods_stand_under_each_other_in_80_columns():
    runs = {"this run": [made_up(RETURNS, SUCCESS)], "pretrained": [made_up(-RETURNS, SUCCESS)]}
    text = printed(summary_table(runs))
    assert text.count("this run") == text.count("pretrained") == 2
    assert "…" not in text


def test_a_family_without_success_has_dashes():
    text = printed(summary_table({"": [made_up(RETURNS)]}))
    assert text.count(" - ") == 4
    assert "%" not in text


def test_a_comparison_shows_every_difference_with_its_interval():
    comparison = compare([made_up(RETURNS, SUCCESS)], [made_up(-RETURNS, SUCCESS)], ("one", "two"))
    text = printed(comparison_table(comparison), width=100)
    assert "made-up: one against two" in text
    for line in comparison.lines:
        show = number if line.field == "episode_return" else percent
        assert show(line.difference, sign=True) in text
        assert number(line.probability, digits=2) in text


def test_gains_are_sentences():
    (line,) = gain_lines(made_up(RETURNS).summary())
    assert line.startswith("after 1 step: return +")
    assert line.endswith("over no adaptation; 0 % [0, 17] of tasks made worse")


def test_numbers_and_rates():
    value = Estimate(0.25, -0.5, 1.0)
    assert number(value) == "0.2 [-0.5, 1.0]"
    assert number(Estimate(123.4, 100.0, 150.0)) == "123 [100, 150]"
    assert number(value, digits=2, sign=True) == "+0.25 [-0.50, +1.00]"
    assert percent(value) == "25 % [-50, 100]"
    assert percent(value, sign=True) == "+25 % [-50, +100]"
    assert percent(None) == "-"


def test_an_estimate_without_interval_is_shown_bare():
    assert number(Estimate(0.25)) == "0.2"
    assert percent(Estimate(0.25), sign=True) == "+25 %"
    alone = made_up(RETURNS[:2], SUCCESS[:2], exhaustive=True)
    text = printed(summary_table({"": [alone]}))
    assert "100 %" in text
    assert "[" not in text
    text = printed(comparison_table(compare([alone], [alone])), width=100)
    assert "+0.0" in text
    assert "[" not in text
