"""Clips side by side, each under its label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from metarl.evaluation.video.recording import Clip, Frame, Picture

BACKGROUND, INK, FAINT = (17, 20, 26), (240, 242, 246), (164, 172, 186)
SUCCESS, BORDER = (64, 190, 120), (70, 78, 92)
GAP, EDGE = 12, 4
"""Between clips, and the frame around each, pixels."""


def side_by_side(clips: Sequence[Clip], caption: str, height: int = 360) -> Iterator[Picture]:
    """Joins clips into one sequence of pictures.

    A clip that ends early keeps its last picture. The frame around a clip, and the word beside the
    step, are green while the success flag is up.

    Args:
        clips: What to show, from left to right.
        caption: Shown below them.
        height: Of each clip's picture (pixels); width follows.
    """
    for index in range(max(len(clip.frames) for clip in clips)):
        panels = [_panel(clip, index, height) for clip in clips]
        width = sum(panel.width for panel in panels) + GAP * (len(panels) + 1)
        foot = _line(height)
        canvas = Image.new("RGB", _even(width, panels[0].height + 2 * GAP + foot), BACKGROUND)
        left = GAP
        for panel in panels:
            canvas.paste(panel, (left, GAP))
            left += panel.width + GAP
        pen = ImageDraw.Draw(canvas)
        where = (GAP, canvas.height - foot - GAP // 2)
        text, font = _fitting(caption, width - 2 * GAP, height)
        pen.text(where, text, fill=FAINT, font=font)
        yield np.asarray(canvas)


def _panel(clip: Clip, index: int, height: int) -> Image.Image:
    """One clip's picture under its label and what has happened so far."""
    frame = clip.frames[min(index, len(clip.frames) - 1)]
    picture = Image.fromarray(frame.picture)
    width = round(picture.width * height / picture.height)
    # Small drawings stay sharp; photographs become smooth.
    way = Image.Resampling.NEAREST if picture.height < height / 2 else Image.Resampling.LANCZOS
    picture = picture.resize((width, height), way)
    line = _line(height)
    panel = Image.new("RGB", (width + 2 * EDGE, height + 2 * EDGE + 2 * line), BACKGROUND)
    pen = ImageDraw.Draw(panel)
    text, font = _fitting(clip.label, width, height, bold=True)
    pen.text((0, 0), text, fill=INK, font=font)
    story = f"step {frame.step}/{clip.horizon}   return {frame.episode_return:.1f}   "
    flag = _flag(clip, index)
    _, font = _fitting(story + flag, width, height)
    pen.text((0, line), story, fill=FAINT, font=font)
    good = bool(frame.success)
    pen.text((font.getlength(story), line), flag, fill=SUCCESS if good else FAINT, font=font)
    box = (0, 2 * line, panel.width - 1, panel.height - 1)
    pen.rectangle(box, outline=SUCCESS if good else BORDER, width=EDGE)
    panel.paste(picture, (EDGE, 2 * line + EDGE))
    return panel


def _flag(clip: Clip, index: int) -> str:
    """The success flag in words: colour alone wouldn't tell everyone."""
    shown: Sequence[Frame] = clip.frames[: index + 1]
    if clip.frames[-1].success is None:
        return ""
    if shown[-1].success:
        return "success"
    return "success lost" if any(frame.success for frame in shown) else "no success yet"


def _line(height: int) -> int:
    """Height of a line of text beside pictures of this height (pixels)."""
    return max(20, height // 14)


def _even(width: int, height: int) -> tuple[int, int]:
    """Video codecs want even sizes."""
    return width + width % 2, height + height % 2


def _fitting(
    text: str, width: int, height: int, *, bold: bool = False
) -> tuple[str, ImageFont.FreeTypeFont]:
    """Text and its font at the usual size, or smaller, or shortened, so that it fits."""
    size = round(_line(height) * 0.68)
    while size > 8 and _font(size, bold).getlength(text) > width:
        size -= 1
    font = _font(size, bold)
    if font.getlength(text) > width:
        while text and font.getlength(f"{text}…") > width:
            text = text[:-1]
        text = f"{text}…"
    return text, font


@cache
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which Matplotlib brings along."""
    weight = "bold" if bold else "normal"
    found = font_manager.findfont(font_manager.FontProperties(family="DejaVu Sans", weight=weight))
    return ImageFont.truetype(found, size)
