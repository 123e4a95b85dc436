"""Video files: GIF and WebP through Pillow, MP4 through imageio's ffmpeg."""

from __future__ import annotations

import io
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image

from metarl.errors import ConfigError, RenderingError
from metarl.evaluation.video.recording import Picture
from metarl.evaluation.video.side_by_side import BACKGROUND, BORDER, FAINT, INK, SUCCESS
from metarl.storage import write_file

FORMATS = (".gif", ".webp", ".mp4")
HOLD = 1.5
"""Seconds that the last picture stays before a GIF or WebP starts again."""


def check_format(path: Path) -> None:
    """Checks, before anything is recorded, that such a file can be written.

    Raises:
        ConfigError: If the ending isn't one of :data:`FORMATS`, or MP4 lacks its extra.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"out: got {path.name!r}; must end in {', '.join(FORMATS)}.")
    if path.suffix.lower() == ".mp4" and not can_write_mp4():
        raise ConfigError(
            f"out: got {path.name!r}; MP4 needs ffmpeg: pip install 'metarl[video]'. "
            "GIF and WebP need nothing more."
        )


def can_write_mp4() -> bool:
    """Whether the extra that writes MP4 is installed."""
    return find_spec("imageio") is not None and find_spec("imageio_ffmpeg") is not None


def write_video(path: Path, pictures: Iterable[Picture], fps: float) -> None:
    """Writes pictures as a video; its ending says which kind.

    Args:
        path: File ending in one of :data:`FORMATS`.
        pictures: ``[height, width, 3]`` each, all of one size.
        fps: Pictures per second.

    Raises:
        ConfigError: If such a file can't be written.
        RenderingError: If there is no picture.
    """
    check_format(path)
    frames = list(pictures)
    if not frames:
        raise RenderingError("pictures: got none; a video needs at least one.")
    kind = path.suffix.lower()
    write_file(path, _mp4(frames, fps) if kind == ".mp4" else _animation(frames, fps, kind))


def _animation(frames: list[Picture], fps: float, kind: str) -> bytes:
    pictures = [Image.fromarray(frame) for frame in frames]
    durations = [round(1000 / fps)] * len(frames)
    durations[-1] += round(1000 * HOLD)
    how: dict[str, Any] = {"quality": 80, "method": 4} if kind == ".webp" else {"optimize": True}
    if kind == ".gif":
        palette = _common_palette(pictures)
        pictures = [
            picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures
        ]
    buffer = io.BytesIO()
    pictures[0].save(
        buffer,
        format=kind.removeprefix("."),
        save_all=True,
        append_images=pictures[1:],
        duration=durations,
        loop=0,
        **how,
    )
    return buffer.getvalue()


def _common_palette(pictures: list[Image.Image]) -> Image.Image:
    """One palette for all pictures, so that still parts don't flicker; text keeps its colours."""
    own = [BACKGROUND, INK, FAINT, SUCCESS, BORDER]
    chosen = pictures[:: max(1, len(pictures) // 8)]
    width, height = pictures[0].size
    sample = Image.new("RGB", (width, height * len(chosen)))
    for index, picture in enumerate(chosen):
        sample.paste(picture, (0, index * height))
    found = sample.quantize(256 - len(own)).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette(found[: 3 * (256 - len(own))] + [value for rgb in own for value in rgb])
    return palette


def _mp4(frames: list[Picture], fps: float) -> bytes:
    import imageio.v3 as imageio

    written: bytes = imageio.imwrite(
        "<bytes>", frames, extension=".mp4", fps=fps, codec="libx264", macro_block_size=2
    )
    return written
