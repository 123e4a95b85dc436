"""Videos of adaptation: the same goal before and after, side by side."""

from metarl.evaluation.video.opengl import choose_opengl
from metarl.evaluation.video.recording import Clip, record
from metarl.evaluation.video.side_by_side import side_by_side
from metarl.evaluation.video.writing import FORMATS, check_format, write_video

__all__ = [
    "FORMATS",
    "Clip",
    "check_format",
    "choose_opengl",
    "record",
    "side_by_side",
    "write_video",
]
