"""The film that comes out: what is checked before the work, and what becomes of the segments at the end."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from keras_colorize.errors import ColorizeError
from keras_colorize.video.codecs import CODECS, codec_for, is_folder
from keras_colorize.video.muxer import check_streams, join
from keras_colorize.video.request import frames_in, scaled_hints
from keras_colorize.video.segments import Segments, digest_of
from keras_colorize.video.settings import FilmSettings
from keras_colorize.video.source import FilmSource
from keras_colorize.video.writer import FilmWriter

if TYPE_CHECKING:
    from keras_colorize.inference.colorizer import Colorizer
    from keras_colorize.inference.reference import ReferencePhoto

_ROOM_LEFT = 200_000_000  # bytes that are never filled


@dataclass(frozen=True)
class FilmResult:
    """The result of a film.

    out: the file, or the folder of frames.
    frames: that are in it.
    seconds: its length.
    damaged: times in seconds, from and to, of stretches that the file shows damaged; they are grey.
    lost: times in seconds at which nothing could be decoded; the frame before is shown again there, in grey.
    remarks: what its owner should know, a sentence each.
    stopped: whether somebody stopped the work; then `out` has the frames so far, and `resume` goes on.
    """

    out: Path
    frames: int
    seconds: float
    damaged: tuple[tuple[float, float], ...] = ()
    lost: tuple[float, ...] = ()
    remarks: tuple[str, ...] = ()
    stopped: bool = False


class FilmOutput:
    """A film in colour on its way: its segments, and the file or the folder that they become.

    Args:
        colorizer: of any system.
        source: the film.
        out: a file whose suffix names the container, or a folder for numbered frames in PNG.
        settings: with the reference as `with_reference` returns it.

    Attributes:
        out: as given.
        codec: a key of `CODECS`; None for a folder.
        segments: their folder.

    Raises:
        ColorizeError: a result or a part of one exists, `out` is the film itself, lies in no folder, or does not hold
            the codec or the film's sound.
    """

    def __init__(self, colorizer: "Colorizer", source: FilmSource, out: Path, settings: FilmSettings) -> None:
        if source.path.resolve() == out.resolve():
            raise ColorizeError(f"`out` '{out}' is the film itself: choose another name")
        folder = is_folder(out)
        self.out = out
        self.codec = None if folder else codec_for(settings.codec, out, source.format.bits)
        if not folder and not out.absolute().parent.is_dir():
            raise ColorizeError(f"`out` '{out}' lies in no folder: make '{out.absolute().parent}' first")
        if folder and out.is_dir() and any(out.iterdir()) and not (settings.resume or settings.overwrite):
            raise ColorizeError(f"`out` '{out}' holds files: `overwrite` replaces frames, `resume` goes on")
        self._source = source
        self._settings = settings
        self._remarks = [] if folder else check_streams(source, out)
        self._description = _description(colorizer, source, settings, self.codec)
        self.segments = Segments(out)
        self.segments.claim(self._description, settings.resume, settings.overwrite)

    def begin(self, whole: Sequence[int]) -> None:
        """Make the folder of the segments, and check the room on the disk.

        Args:
            whole: numbers of the segments that are done.

        Raises:
            ColorizeError: the folder cannot be made, or there is too little room.
        """
        self.segments.begin(self._description)
        self.check_room(whole, len(self.segments.times(whole)))

    def writer(self, number: int) -> FilmWriter:
        """Return a writer that begins with a segment of this number."""
        return FilmWriter(self.out, self._source.format, self.codec, self._settings.quality, number)

    def check_room(self, whole: Sequence[int], done: int) -> None:
        """Refuse to go on where the disk will not hold the rest of the film.

        Args:
            whole: numbers of the segments that are done.
            done: how many frames are in them.

        Raises:
            ColorizeError: there is too little room.
        """
        left = frames_in(self._source, self._settings) - done
        if left <= 0:
            return
        film = self._source.format
        size = self.segments.size(whole)
        if self.codec is None:
            each = film.width * film.height * 3 * (2 if film.bits > 8 else 1) * 0.7
        else:
            each = size / done if done else film.width * film.height * CODECS[self.codec].bits / 8
        needed = left * each
        if self.codec is not None:  # joined, all of it is there twice
            needed = 2 * needed + size + (_size(self._source.path) or 0) * 0.1
        free = shutil.disk_usage(self.segments.folder).free - _ROOM_LEFT
        if free < needed:
            raise ColorizeError(
                f"the disk of '{self.out}' has room for {max(free, 0) / 1e9:.1f} GB, and the film needs about"
                f" {needed / 1e9:.1f} GB: free some space or choose another `out`",
                action="same_command" if done else "",
            )

    def finish(self, count: int, lost: Sequence[float], stopped: FilmWriter | None = None) -> FilmResult:
        """Join the segments, remove their folder, and sum up.

        Args:
            count: how many segments are whole.
            lost: times in seconds at which nothing could be decoded.
            stopped: the writer, if the work was stopped before the film's end. The film then has its frames too, and
                the folder of segments stays.

        Raises:
            ColorizeError: there is no frame.
            OSError: the disk is full or may not be written.
        """
        whole = range(count)
        times = self.segments.times(whole)
        damaged = [time for number in whole for time in self.segments.notes(number)["damaged"]]
        parts = [self.segments.file(number) for number in whole]
        if stopped is not None and stopped.pts:
            stopped.close()
            parts.append(self.segments.file(stopped.number))
            times = np.concatenate([times, np.array(stopped.pts, np.int64)])
            damaged += stopped.damaged
        if not len(times) and stopped is None:
            raise ColorizeError(f"'{self._source.path}' has no frame that decodes: it is empty, damaged or encrypted")
        if len(times) and self.codec is not None:
            join(parts, times, self._source, self.out, stopped is None and self._settings.preview is None)
        if stopped is None:
            self.segments.remove()
        film = self._source.format
        remarks = list(self._remarks)
        if film.hdr:
            remarks.insert(0, f"the film is HDR ({film.hdr}): its light was mapped to BT.709")
        if film.interlaced:
            remarks.insert(0, "the film is interlaced: its fields were joined into whole frames")
        if (film.width % 2 or film.height % 2) and self.codec not in (None, "ffv1"):
            remarks.append(
                f"the film has an odd size, {film.width}×{film.height}: one more row or column repeats the last"
            )
        seconds = float((times[-1] - times[0]) * film.time_base + 1 / film.rate) if len(times) else 0.0
        stretches = stretches_of(damaged, float(2 / film.rate))
        return FilmResult(
            self.out, len(times), seconds, stretches, tuple(sorted(set(lost))), tuple(remarks), stopped is not None
        )


def stretches_of(times: list[float], gap: float) -> tuple[tuple[float, float], ...]:
    """Join times that lie at most `gap` seconds apart into stretches, from and to."""
    stretches: list[tuple[float, float]] = []
    for time in sorted(times):
        if stretches and time - stretches[-1][1] <= gap:
            stretches[-1] = (stretches[-1][0], time)
        else:
            stretches.append((time, time))
    return tuple(stretches)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _description(
    colorizer: "Colorizer", source: FilmSource, settings: FilmSettings, codec: str | None
) -> dict[str, object]:
    """Name all that decides how a film comes out."""
    names = ("vividness", "edges", "steady", "quality", "preview", "fps")
    hints = scaled_hints(colorizer, source, settings)
    reference = cast("ReferencePhoto | None", settings.reference)
    return {
        "the film": f"{source.path.name}, {_size(source.path) or source.format.frames:,}",
        "model": f"{colorizer.name} ({digest_of(colorizer.generator.get_weights())})",
        "codec": codec,
        "hints": f"{len(hints)} ({hashlib.sha256(repr(hints).encode()).hexdigest()[:16]})",
        "reference": None if reference is None else digest_of([reference.colors]),
        **{name: getattr(settings, name) for name in names},
    }
