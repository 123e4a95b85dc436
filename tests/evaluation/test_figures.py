import io
from xml.etree import ElementTree

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest

from metarl.errors import ConfigError
from metarl.evaluation import Evaluation, figures
from metarl.evaluation.comparison import compare
from metarl.evaluation.figures import COLOURS, adaptation_figure, comparison_figure
from metarl.evaluation.summary import summarise
from tests.evaluation.stubs import made_up

SVG = "{http://www.w3.org/2000/svg}"


def evaluation(level: float = 0.0, *, success: bool | None = True) -> list[Evaluation]:
    steps, tasks = np.arange(3)[None, :, None], np.arange(4)[:, None, None]
    return [made_up(level + steps + 0.1 * tasks, None if success is None else tasks < steps)]


def pixels(png: bytes) -> np.ndarray:
    return matplotlib.image.imread(io.BytesIO(png), format="png")


def texts(svg: bytes) -> str:
    """Matplotlib draws text as paths and keeps the words in comments."""
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    root = ElementTree.fromstring(svg, parser=parser)
    assert root.tag == f"{SVG}svg"
    return "\n".join(e.text for e in root.iter(ElementTree.Comment))


def test_png_is_a_picture_with_something_on_it():
    picture = pixels(adaptation_figure({"MAML": evaluation()}, "png"))
    height, width, channels = picture.shape
    assert height > 300
    assert width > 2 * height
    assert channels == 4
    assert len(np.unique(picture.reshape(-1, 4), axis=0)) > 100


def test_svg_names_benchmark_axes_and_curves():
    words = texts(adaptation_figure({"MAML": evaluation(), "control": evaluation(2.0)}, "svg"))
    for word in (
        "made-up: 4 tasks, 95 % intervals over tasks",
        "adaptation steps",
        "return",
        "success at the last step (%)",
        "success at any step (%)",
        "MAML",
        "control",
    ):
        assert word in words


def test_svg_is_the_same_every_time():
    def without_ids(svg: bytes) -> list[str]:
        return [line for line in texts(svg).splitlines() if line.strip()]

    first, second = (adaptation_figure({"": evaluation()}, "svg") for _ in range(2))
    assert b"<dc:date>" not in first
    assert without_ids(first) == without_ids(second)


def test_a_family_without_success_has_one_panel():
    with_success = pixels(adaptation_figure({"": evaluation()}))
    without = pixels(adaptation_figure({"": evaluation(success=None)}))
    assert without.shape[1] == pytest.approx(with_success.shape[1] / 3, abs=2)
    words = texts(adaptation_figure({"": evaluation(success=None)}, "svg"))
    assert "success" not in words


def test_families_with_and_without_success_meet_in_the_return_alone():
    for curves in (("a", "b"), ("b", "a")):
        both = {"a": evaluation(), "b": evaluation(success=None)}
        words = texts(adaptation_figure({name: both[name] for name in curves}, "svg"))
        assert "return" in words
        assert "success" not in words


def test_another_curve_changes_the_picture():
    one = adaptation_figure({"a": evaluation()})
    assert not np.array_equal(
        pixels(one), pixels(adaptation_figure({"a": evaluation(), "b": evaluation(3.0)}))
    )


def test_every_curve_is_drawn_however_many_there_are():
    words = texts(adaptation_figure({f"curve {i}": evaluation(i) for i in range(6)}, "svg"))
    assert all(f"curve {i}" in words for i in range(6))


def test_nothing_to_draw_is_refused():
    with pytest.raises(ConfigError, match="evaluations: got none"):
        adaptation_figure({})


def test_runs_of_several_seeds_are_one_curve():
    words = texts(adaptation_figure({"MAML": evaluation() + evaluation(2.0)}, "svg"))
    assert "made-up: 4 tasks, 95 % intervals over runs and tasks; thin: 2 runs" in words


def test_each_run_is_drawn_thinly_where_there_are_several():
    """Two seeds far apart look unlike two that agree, whose mean is the same."""
    apart, alike = (
        pixels(adaptation_figure({"MAML": [*evaluation(3.0 - far), *evaluation(3.0 + far)]}))
        for far in (2.0, 0.0)
    )
    faint = COLOURS[0], 0.35

    def share(picture: np.ndarray) -> float:
        colour = matplotlib.colors.to_rgb(faint[0])
        blended = [1 - faint[1] * (1 - channel) for channel in colour]
        return float((np.abs(picture[..., :3] - blended).max(axis=-1) < 0.02).mean())

    assert share(apart) > 3 * share(alike)


def lines_of(figure) -> tuple[list, list]:
    """Of a figure's second panel, success at the last step: its curves, and its bars' ends."""
    axis = figure.axes[1]
    bars = [bar for own in axis.collections for bar in own.get_segments()]
    return [np.asarray(line.get_xydata()) for line in axis.lines], bars


def test_bars_stand_beside_each_other_and_reach_as_far_as_intervals_do(monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, "picture", lambda figure, kind: drawn.append(figure))
    curves = {"MAML": evaluation() + evaluation(2.0), "control": evaluation()}
    adaptation_figure(curves)
    (first, second, mean, control), bars = lines_of(drawn[0])
    summary = [100 * np.array(line.success_final.ends) for line in summarise(curves["MAML"])]
    for bar, ends in zip(bars[:3], summary, strict=True):
        assert bar[:, 1] == pytest.approx(ends)
    each = [
        100 * run.values("success_final", step).mean()
        for run in curves["MAML"][:1]
        for step in range(3)
    ]
    for thin in (first, second):
        assert thin[:, 1] == pytest.approx(each)
    assert mean[:, 0] == pytest.approx(np.arange(3) - figures.SPACING / 2)
    assert control[:, 0] == pytest.approx(np.arange(3) + figures.SPACING / 2)
    assert [bar[0, 0] for bar in bars] == pytest.approx([*mean[:, 0], *control[:, 0]])


def test_a_curve_whose_bars_are_over_something_else_is_named():
    curves = {"MAML": evaluation() + evaluation(2.0), "control": evaluation()}
    words = " ".join(texts(adaptation_figure(curves, "svg")).split())
    assert "95 % intervals over runs and tasks (control: tasks)" in words
    assert "task by task; mean with 95 % interval over tasks" in " ".join(
        texts(comparison_figure(compare(*curves.values()), "svg")).split()
    )


def test_a_shorter_evaluation_is_drawn_beside_longer_ones():
    oracle = [made_up(np.full((4, 1, 1), 9.0), np.ones((4, 1, 1), dtype=bool))]
    words = texts(adaptation_figure({"MAML": evaluation(), "expert": oracle}, "svg"))
    assert "expert" in words


def test_a_comparison_is_drawn_with_every_quantity():
    comparison = compare(evaluation(2.0), evaluation(), ("one", "two"))
    words = texts(comparison_figure(comparison, "svg"))
    assert "made-up: one less two, task by task" in words
    assert "difference in return" in words
    assert "difference in success at the last step (%)" in words
    picture = pixels(comparison_figure(comparison))
    reverse = compare(evaluation(), evaluation(2.0), ("one", "two"))
    assert not np.array_equal(picture, pixels(comparison_figure(reverse)))


def test_curves_without_intervals_say_so():
    alone = [made_up(np.zeros((2, 3, 1)), exhaustive=True)]
    words = texts(adaptation_figure({"": alone}, "svg"))
    assert "made-up: 2 tasks, no intervals" in words
    assert "95 %" not in words
    words = texts(comparison_figure(compare(alone, alone), "svg"))
    assert "task by task; mean" in words
    assert "interval" not in words


def test_curves_with_and_without_intervals_stand_in_one_picture():
    runs = [made_up(np.full((2, 3, 1), level), exhaustive=True) for level in (0.0, 1.0, 3.0)]
    words = texts(adaptation_figure({"MAML": runs, "control": runs[:1]}, "svg"))
    assert "made-up: 2 tasks, 95 % intervals over runs; \n thin: runs (MAML: 3)" in words
    words = texts(adaptation_figure({"MAML": runs[:1], "control": runs}, "svg"))
    assert "made-up: 2 tasks, 95 % intervals over runs" in words
