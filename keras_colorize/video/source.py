"""A film that is open for reading: a file of any container and codec that FFmpeg reads, or a folder of frames."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np

from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.video.film_file import FilmFile
from keras_colorize.video.frame_folder import DEFAULT_RATE, FrameFolder
from keras_colorize.video.frames import FilmFormat, FilmFrame

# Of the files that a mistyped name may mean. Any file is opened, whatever it is called.
_SUFFIXES = {
    ".3gp", ".asf", ".avi", ".dv", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf",
    ".ogv", ".ts", ".vob", ".webm", ".wmv",
}  # fmt: skip


class FilmSource(Protocol):
    """A film that is open for reading.

    path: of the file or the folder.
    format: known before the first frame is decoded.
    lost: times in seconds at which a part of the film could not be decoded at all. Where there is a frame before, it is
        given again there, and counts as damaged.
    """

    path: Path
    format: FilmFormat
    lost: list[float]

    def frames(self, first: int = 0) -> Iterator[FilmFrame]:
        """Decode the frames in the order in which they are shown, from a number on."""
        ...

    def frames_near(self, time: float) -> Iterator[FilmFrame]:
        """Decode from a frame before a time in seconds, the nearest at which a decoder may begin.

        Their times are right. Their numbers need not be, and the first frames may differ from those of `frames`.
        """
        ...

    def samples(self, count: int) -> Iterator[np.ndarray]:
        """Decode about so many frames from all parts of the film: pixels, as in a `FilmFrame`."""
        ...


def open_film(path: str | Path, rate: Fraction | None = None) -> FilmSource:
    """Open a file, or a folder of numbered frames.

    Args:
        rate: frames per second of a folder of frames; `DEFAULT_RATE` if not given. A file has its own.

    Raises:
        ColorizeError: there is no such file, it holds no film that can be decoded, or a rate came for a file.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        return FrameFolder(path, rate or Fraction(DEFAULT_RATE))
    if rate is not None:
        raise ColorizeError(f"`fps` is for folders of frames: '{path}' has a rate of its own")
    if not path.exists():
        beside = path.parent.iterdir() if path.parent.is_dir() else ()
        films = [entry.name for entry in beside if entry.suffix.lower() in _SUFFIXES or entry.is_dir()]
        raise ColorizeError(f"no file or folder '{path}'{did_you_mean(path.name, films)}")
    return FilmFile(path)
