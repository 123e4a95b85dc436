import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from metarl.display import LiveDisplay, one_line

FIGURES = {
    "iteration": 3,
    "timesteps": 120_000,
    "pre/return": -12.34,
    "post/return": 56.78,
    "pre/success_final": 0.124,
    "post/success_final": 0.876,
    "outer/kl": 0.00987,
    "time/iteration_s": 1.25,
    "time/fps": 32_000.0,
}
WITHOUT_SUCCESS = {name: value for name, value in FIGURES.items() if "success" not in name}


def agent(num_timesteps: int) -> SimpleNamespace:
    return SimpleNamespace(num_timesteps=num_timesteps)


def shown(display: LiveDisplay) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(display._render())
    return console.file.getvalue()


def test_an_iteration_fits_one_line():
    assert one_line(FIGURES) == (
        "iteration 3, 120,000 steps, return -12.3 -> 56.8, success 12 % -> 88 %, 1.2 s"
    )


def test_a_family_without_success_leaves_it_out():
    assert one_line(WITHOUT_SUCCESS) == "iteration 3, 120,000 steps, return -12.3 -> 56.8, 1.2 s"


def test_outside_a_terminal_each_iteration_prints_one_line_and_nothing_else():
    console = Console(file=io.StringIO(), width=40)
    with LiveDisplay(200_000, console=console) as display:
        display(agent(120_000), FIGURES)
        display(agent(160_000), FIGURES | {"iteration": 4, "timesteps": 160_000})
    lines = console.file.getvalue().splitlines()
    assert lines == [
        one_line(FIGURES),
        one_line(FIGURES | {"iteration": 4, "timesteps": 160_000}),
    ]


def test_in_a_terminal_the_display_is_live_and_ends_with_the_last_figures():
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with LiveDisplay(200_000, console=console) as display:
        display(agent(120_000), FIGURES)
    text = console.file.getvalue()
    assert "meta-training" in text
    assert "return after adaptation" in text
    assert "56.8" in text
    assert one_line(FIGURES) not in text


def test_first_and_current_figures_stand_side_by_side():
    display = LiveDisplay(200_000, console=Console(file=io.StringIO()))
    display(agent(40_000), FIGURES | {"post/return": 11.11})
    display(agent(80_000), FIGURES)
    lines = [line.split() for line in shown(display).splitlines()]
    assert ["return", "after", "adaptation", "11.1", "56.8"] in lines
    assert ["success", "after,", "last", "step", "88", "%", "88", "%"] in lines
    assert ["KL", "of", "the", "outer", "step", "0.0099", "0.0099"] in lines


def test_the_live_table_leaves_out_what_a_family_lacks():
    display = LiveDisplay(200_000, console=Console(file=io.StringIO()))
    display(agent(40_000), WITHOUT_SUCCESS)
    assert "success" not in shown(display)
    assert "return before adaptation" in shown(display)


@pytest.mark.parametrize(
    ("timesteps", "percent"), [(0, "0%"), (50_000, "25%"), (200_000, "100%"), (230_000, "100%")]
)
def test_the_bar_shows_the_share_of_all_steps(timesteps, percent):
    display = LiveDisplay(200_000, console=Console(file=io.StringIO()))
    display(agent(timesteps), FIGURES)
    text = shown(display)
    assert f" {percent}" in text
    assert f"{timesteps:,} steps, 32,000/s" in text


def test_a_resumed_run_starts_where_it_was():
    display = LiveDisplay(200_000, 150_000, console=Console(file=io.StringIO()))
    assert "75%" in shown(display)
