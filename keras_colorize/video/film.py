"""A film in colour: a file, made in segments that survive a crash, or a folder of frames."""

import hashlib
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_colorize.errors import ColorizeError
from keras_colorize.progress import Advance
from keras_colorize.video.codecs import CODECS, codec_for, is_folder
from keras_colorize.video.encoder import SegmentEncoder
from keras_colorize.video.frame_folder import FrameFiles
from keras_colorize.video.muxer import check_streams, join
from keras_colorize.video.pipeline import ColoredFrame, color_frames, rate_of, scaled_hints, with_reference
from keras_colorize.video.propagation import Trail
from keras_colorize.video.segments import SEGMENT_FRAMES, Segments, digest_of
from keras_colorize.video.settings import FilmSettings
from keras_colorize.video.source import FilmSource, open_film

if TYPE_CHECKING:
    from keras_colorize.inference.colorizer import Colorizer

_ROOM_LEFT = 200_000_000  # bytes that are never filled


@dataclass(frozen=True)
class FilmResult:
    """The result of a film.

    out: the file, or the folder of frames.
    frames: that are in it.
    seconds: its length.
    damaged: times in seconds, from and to, of stretches that the file shows damaged; they are grey.
    lost: times in seconds at which nothing could be decoded.
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


def colorize_film(
    colorizer: "Colorizer",
    path: str | Path,
    out: str | Path,
    settings: FilmSettings | None = None,
    advance: Advance = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> FilmResult:
    """Colorize a film into a film, with its sound, subtitles, chapters and metadata.

    The film is made in segments of some ten seconds, in a folder beside `out`. What is in a whole segment survives
    whatever happens to the process, and a run with `resume` makes the same film as one that nobody disturbed.

    Args:
        colorizer: of any system.
        path: a file, or a folder of numbered frames.
        out: a file whose suffix names the container, or a folder for numbered frames in PNG.
        settings: see `FilmSettings`; the default settings if not given.
        advance: called after each frame with the frames done and about how many there are, 0 where that is unknown.
        stop: once it returns true, the segment is ended where it is and the film is joined so far.

    Raises:
        ColorizeError: nothing to colorize, a result that exists, sound that `out` does not hold, or a disk that is too
            small; mostly before the first frame.
        OSError: the disk is full or may not be written.
    """
    settings, out = settings or FilmSettings(), Path(out).expanduser()
    source = open_film(path, rate_of(settings))
    settings = with_reference(colorizer, settings)
    if source.path.resolve() == out.resolve():
        raise ColorizeError(f"`out` '{out}' is the film itself: choose another name")
    folder = is_folder(out)
    codec = None if folder else codec_for(settings.codec, out, source.format.bits)
    if not folder and not out.absolute().parent.is_dir():
        raise ColorizeError(f"`out` '{out}' lies in no folder: make '{out.absolute().parent}' first")
    if folder and out.is_dir() and any(out.iterdir()) and not (settings.resume or settings.overwrite):
        raise ColorizeError(f"`out` '{out}' holds files: `overwrite` replaces frames, `resume` goes on")
    remarks = [] if folder else check_streams(source, out)
    segments = Segments(out, _description(colorizer, source, settings, codec), settings.resume, settings.overwrite)
    segments.begin()
    work = _Work(source, out, codec, settings, segments)
    work.check_room()
    stopped = work.run(colorizer, advance, stop)
    if source.format.interlaced:
        remarks.insert(0, "the film is interlaced: its fields were joined into whole frames")
    return work.result(tuple(remarks), stopped)


class _Work:
    """The writing of one film, segment by segment."""

    def __init__(
        self, source: FilmSource, out: Path, codec: str | None, settings: FilmSettings, segments: Segments
    ) -> None:
        self._source = source
        self._out = out
        self._codec = codec
        self._settings = settings
        self._segments = segments
        self._files = FrameFiles(out, settings.quality) if codec is None else None
        self._encoder: SegmentEncoder | None = None
        self._pts: list[int] = []
        self._damaged: list[float] = []
        self._times = segments.times()

    def run(self, colorizer: "Colorizer", advance: Advance, stop: Callable[[], bool]) -> bool:
        """Colorize and write what is left; return whether somebody stopped it."""
        segments, total = self._segments, frames_in(self._source, self._settings)
        done = len(self._times)
        stopped = False
        trail = Trail.of(segments.last_state())
        if done == segments.done * SEGMENT_FRAMES:  # else the last segment was the film's end
            colored = color_frames(colorizer, self._source, self._settings, done, trail)
            try:
                with closing(colored):
                    for frame in colored:
                        self._add(frame)
                        done += 1
                        if done % SEGMENT_FRAMES == 0:
                            self._commit(frame.trail)
                            self.check_room()
                        advance(done, max(total, done) if total else 0)
                        if stop():
                            stopped = True
                            break
                    else:
                        if self._pts:
                            self._commit(frame.trail)
            except BaseException:
                if self._encoder is not None:
                    self._encoder.abandon()
                raise
        self._end(stopped)
        return stopped

    def check_room(self) -> None:
        """Refuse to go on where the disk will not hold the rest of the film.

        Raises:
            ColorizeError: there is too little room.
        """
        left = frames_in(self._source, self._settings) - len(self._times)
        if left <= 0:
            return
        film = self._source.format
        if self._codec is None:
            each = film.width * film.height * 3 * (2 if film.bits > 8 else 1) * 0.7
        else:
            each = film.width * film.height * CODECS[self._codec].bits / 8
        if len(self._times) and self._codec is not None:
            each = self._segments.size() / len(self._times)
        needed = left * each
        if self._codec is not None:  # joined, all of it is there twice
            needed = 2 * needed + self._segments.size() + (_size(self._source.path) or 0) * 0.1
        free = shutil.disk_usage(self._segments.folder).free - _ROOM_LEFT
        if free < needed:
            raise ColorizeError(
                f"the disk of '{self._out}' has room for {max(free, 0) / 1e9:.1f} GB, and the film needs about"
                f" {needed / 1e9:.1f} GB: free some space or choose another `out`",
                action="same_command" if len(self._times) else "",
            )

    def result(self, remarks: tuple[str, ...], stopped: bool) -> FilmResult:
        """Sum up what has become of the film."""
        film = self._source.format
        count = len(self._times)
        seconds = float((self._times[-1] - self._times[0]) * film.time_base + 1 / film.rate) if count else 0.0
        if film.width % 2 or film.height % 2:
            odd = f"the film has an odd size, {film.width}×{film.height}: one more row or column repeats the last"
            remarks += (odd,) if self._codec not in (None, "ffv1") else ()
        stretches = stretches_of(self._damaged, float(2 / film.rate))
        return FilmResult(self._out, count, seconds, stretches, tuple(sorted(set(self._source.lost))), remarks, stopped)

    def _add(self, colored: ColoredFrame) -> None:
        frame = colored.frame
        if self._files is not None:
            self._files.add(frame, colored.pixels)
        else:
            if self._encoder is None:
                assert self._codec is not None
                self._encoder = SegmentEncoder(
                    self._segments.file(self._segments.done), self._source.format, self._codec, self._settings.quality
                )
            self._encoder.add(colored.pixels, frame.pts)
        self._pts.append(frame.pts)
        if frame.damaged:
            self._damaged.append(frame.time)

    def _commit(self, trail: Trail | None) -> None:
        if self._encoder is not None:
            self._encoder.close()
            self._encoder = None
        self._segments.commit(np.array(self._pts), trail.arrays() if trail else {}, {"damaged": self._damaged})
        self._times = np.concatenate([self._times, np.array(self._pts, np.int64)])
        self._pts, self._damaged = [], []

    def _end(self, stopped: bool) -> None:
        """Join the segments, and the one that was stopped in its middle."""
        parts = self._segments.files()
        times = self._times
        if stopped and self._pts:
            if self._encoder is not None:
                self._encoder.close()
                self._encoder = None
            parts = [*parts, self._segments.file(self._segments.done)]
            times = np.concatenate([times, np.array(self._pts, np.int64)])
        self._damaged = [time for notes in self._segments.remarks() for time in notes["damaged"]] + self._damaged
        self._times = times
        if not len(times):
            if stopped:
                return
            raise ColorizeError(f"'{self._source.path}' has no frame that decodes: it is empty, damaged or encrypted")
        if self._codec is not None:
            whole = not stopped and self._settings.preview is None
            join(parts, times, self._source, self._out, whole)
        if not stopped:
            self._segments.remove()


def frames_in(source: FilmSource, settings: FilmSettings) -> int:
    """Return about how many frames a film has, or those of its preview; 0 where nobody knows."""
    frames = source.format.frames or 0
    if settings.preview is None:
        return frames
    shown = int(np.ceil(settings.preview * float(source.format.rate)))
    return min(frames, shown) if frames else shown


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
) -> dict[str, Any]:
    """Name all that decides how a film comes out."""
    names = ("vividness", "edges", "steady", "quality", "preview", "fps")
    hints = scaled_hints(colorizer, source, settings)
    reference: Any = settings.reference
    return {
        "the film": f"{source.path.name}, {_size(source.path) or source.format.frames:,}",
        "model": f"{colorizer.name} ({digest_of(colorizer.generator.get_weights())})",
        "codec": codec,
        "hints": f"{len(hints)} ({hashlib.sha256(repr(hints).encode()).hexdigest()[:16]})",
        "reference": None if reference is None else digest_of([reference.colors]),
        **{name: getattr(settings, name) for name in names},
    }
