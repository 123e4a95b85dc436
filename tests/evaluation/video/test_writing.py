from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from metarl.errors import ConfigError, RenderingError
from metarl.evaluation.video import check_format, write_video, writing
from metarl.evaluation.video.side_by_side import BACKGROUND, SUCCESS

COLOURS = [(200, 40, 40), (40, 200, 40), (40, 40, 200)]


def pictures() -> list[np.ndarray]:
    found = [np.full((48, 64, 3), BACKGROUND, dtype=np.uint8) for _ in COLOURS]
    for picture, colour in zip(found, COLOURS, strict=True):
        picture[8:40, 8:40] = colour
        picture[2:4] = SUCCESS
    return found


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_animations_hold_every_picture_in_its_colours(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"video{ending}"
    write_video(path, pictures(), fps=20)
    with Image.open(path) as animation:
        assert animation.size == (64, 48)
        assert animation.n_frames == 3
        assert animation.info["loop"] == 0
        durations = []
        for index, colour in enumerate(COLOURS):
            animation.seek(index)
            shown = np.asarray(animation.convert("RGB")).astype(int)
            assert np.abs(shown[24, 24] - colour).max() < 30
            assert np.abs(shown[3, 32] - SUCCESS).max() < 30
            durations.append(animation.info["duration"])
    assert durations[0] == 50
    assert durations[-1] == 1550


# imageio's ffmpeg plugin leaves its pipes to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_mp4(tmp_path: Path) -> None:
    if not writing.can_write_mp4():
        pytest.skip("the extra metarl[video] isn't installed")
    import imageio.v3 as imageio

    path = tmp_path / "video.mp4"
    write_video(path, [picture for picture in pictures() for _ in range(5)], fps=20)
    shown = imageio.imread(path)
    assert shown.shape == (15, 48, 64, 3)
    for index, colour in enumerate(COLOURS):
        assert np.abs(shown[5 * index + 4, 24, 24].astype(int) - colour).max() < 40
    assert imageio.immeta(path)["fps"] == 20


def test_mp4_without_its_extra_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    known = importlib.util.find_spec
    monkeypatch.setattr(
        writing, "find_spec", lambda name: None if name == "imageio_ffmpeg" else known(name)
    )
    with pytest.raises(ConfigError, match=r"pip install 'metarl\[video\]'"):
        check_format(Path("a.mp4"))


def test_other_endings_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"out: got 'a.avi'; must end in .gif, .webp, .mp4"):
        check_format(Path("a.avi"))


def test_no_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RenderingError, match="got none"):
        write_video(tmp_path / "a.gif", [], fps=20)
    assert not list(tmp_path.iterdir())
