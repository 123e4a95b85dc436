from __future__ import annotations

import numpy as np
import pytest

from metarl.evaluation.video import Clip, side_by_side
from metarl.evaluation.video.recording import Frame
from metarl.evaluation.video.side_by_side import BORDER, EDGE, GAP, SUCCESS, _flag, _line

RED, BLUE = (200, 30, 30), (30, 30, 200)


def frame(step: int, success: bool | None = None, colour: tuple[int, int, int] = RED) -> Frame:
    picture = np.full((50, 80, 3), colour, dtype=np.uint8)
    return Frame(picture, step, float(step), success)


def test_clips_stand_side_by_side_until_the_longest_ends() -> None:
    short = Clip("before", (frame(0), frame(1)), 2)
    long = Clip("after", tuple(frame(step, colour=BLUE) for step in range(4)), 4)
    pictures = list(side_by_side([short, long], "goal 3", height=100))
    assert len(pictures) == 4
    sizes = {picture.shape for picture in pictures}
    assert len(sizes) == 1
    height, width, _ = sizes.pop()
    assert height % 2 == width % 2 == 0
    assert width >= 2 * 160
    middle = GAP + 2 * _line(100) + EDGE + 50
    for picture in pictures:
        assert tuple(picture[middle, GAP + EDGE + 80]) == RED
        assert tuple(picture[middle, 2 * GAP + 3 * EDGE + 160 + 80]) == BLUE


@pytest.mark.parametrize(("success", "colour"), [(True, SUCCESS), (False, BORDER), (None, BORDER)])
def test_success_frames_the_picture(success: bool | None, colour: tuple[int, ...]) -> None:
    clip = Clip("after", (frame(1, success),), 2)
    picture = next(iter(side_by_side([clip], "", height=100)))
    assert tuple(picture[GAP + 2 * _line(100) + 1, GAP + 60]) == colour


def test_success_is_told_in_words_too() -> None:
    flags = (None, False, True, False)
    clip = Clip("", tuple(frame(step, flag) for step, flag in enumerate(flags)), 3)
    words = [_flag(clip, index) for index in range(4)]
    assert words == ["no success yet", "no success yet", "success", "success lost"]
    assert _flag(Clip("", (frame(0), frame(1)), 1), 1) == ""


def test_long_captions_are_made_to_fit() -> None:
    clip = Clip("a label that is much longer than the picture is wide", (frame(0),), 1)
    picture = next(iter(side_by_side([clip], "caption " * 30, height=100)))
    right = picture[:, -GAP // 2 :]
    assert (right == right[0, 0]).all()
