import numpy as np
import pytest

from metarl.evaluation.controls import UNKNOWN, stands_beside, worth_lines
from tests.evaluation.stubs import made_up

NOISE = np.random.default_rng(0).normal(size=(40, 2, 1))
STEP = np.array([[0.0], [1.0]])


def adapting(gain: float, success: float | None = None):
    flags = None
    if success is not None:
        flags = np.zeros((40, 2, 1), dtype=bool)
        flags[: int(40 * success), 1] = True
    return made_up(NOISE + gain * STEP, flags)


def test_without_the_pretrained_control_the_worth_is_said_to_be_unknown():
    assert worth_lines(adapting(10.0), {}) == [UNKNOWN]
    assert worth_lines(adapting(10.0), {"untrained": adapting(0.0)}) == [UNKNOWN]
    assert "--controls pretrained" in UNKNOWN


def test_without_adaptation_there_is_nothing_to_say():
    assert worth_lines(made_up(NOISE[:, :1]), {}) == []


def test_a_control_nearly_as_good_is_made_visible():
    (line,) = worth_lines(adapting(10.0), {"pretrained": adapting(9.5)})
    assert line.startswith("after 1 step, return: +0.5 [")
    assert "the control gains 95 % of what this run gains by adapting" in line


def test_no_difference_is_no_advantage():
    (line,) = worth_lines(adapting(10.0), {"pretrained": adapting(10.0)})
    assert "no advantage of meta-learning is shown" in line


@pytest.mark.parametrize(
    ("own", "control", "verdict"),
    [(10.0, 2.0, "meta-learning was worth that much"), (2.0, 10.0, "meta-learning did harm")],
)
def test_a_difference_that_is_decided_is_a_verdict(own, control, verdict):
    (line,) = worth_lines(adapting(own), {"pretrained": adapting(control)})
    assert verdict in line


def test_success_gets_a_sentence_of_its_own():
    lines = worth_lines(adapting(10.0, 0.9), {"pretrained": adapting(10.0, 0.3)})
    assert len(lines) == 2
    assert lines[1].startswith("after 1 step, success, last step: +60 % [")
    assert "worth that much; the control gains 33 %" in lines[1]


def test_without_an_interval_nothing_is_decided():
    own, control = (
        made_up(np.array([[[0.0], [gain]]] * 2), exhaustive=True) for gain in (10.0, 2.0)
    )
    (line,) = worth_lines(own, {"pretrained": control})
    assert line.startswith("after 1 step, return: +8.0 against the pretrained control")
    assert "without an interval it is undecided what meta-learning was worth" in line


def test_a_control_stands_beside_its_own_tasks_and_protocol():
    own = made_up(NOISE)
    assert stands_beside(made_up(NOISE, seed=3), own)
    assert stands_beside(made_up(NOISE[:, :1]), own)  # one that doesn't adapt
    assert not stands_beside(made_up(NOISE[:20]), own)
    assert not stands_beside(made_up(NOISE, adaptation_episodes=20), own)
