"""Films in colour: the steps from frame to frame side by side in threads, and the file that they become."""

import hashlib
import queue
import shutil
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from keras_colorize.errors import ColorizeError
from keras_colorize.progress import Advance
from keras_colorize.video.hints import CarriedHints, carry_hints
from keras_colorize.video.motion import Motion, find_motion, follow
from keras_colorize.video.propagation import Opinion, Trail, propagate
from keras_colorize.video.read import FilmFrame, FilmSource, open_film
from keras_colorize.video.segments import SEGMENT_FRAMES, Segments, digest_of
from keras_colorize.video.settings import FilmSettings
from keras_colorize.video.write import CODECS, FrameFiles, SegmentEncoder, check_streams, codec_for, is_folder, join

if TYPE_CHECKING:
    from keras_colorize.inference.colorizer import Colorizer
    from keras_colorize.inference.hints import Hint

T = TypeVar("T")

EVERY = 2  # [choice] The network is asked about every second frame: more cost time and bring nothing (docs/film.md).
BATCH = 8  # frames in one call of the network; segments are a multiple of it
_SAMPLES = 12  # frames of a film in which a plain border is looked for
_BYTES_WAITING = 100_000_000  # of frames between two steps
_ROOM_LEFT = 200_000_000  # bytes that are never filled

Picture = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class ColoredFrame:
    """A frame in colour.

    frame: as it was read.
    pixels: rgb (H, W, 3) of the type of the frame's.
    trail: from which the next frame goes on; None where there is nothing yet.
    """

    frame: FilmFrame
    pixels: np.ndarray
    trail: Trail | None


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


def film_frames(colorizer: "Colorizer", path: str | Path, settings: FilmSettings | None = None) -> Iterator[FilmFrame]:
    """Yield the frames of a film in colour; only a few of them are in memory.

    Args:
        path: a file, or a folder of numbered frames.
        settings: see `FilmSettings`; those about the written film have no meaning here.

    Yields:
        frames whose `pixels` are rgb (H, W, 3), upright.

    Raises:
        ColorizeError: there is no such film, or it does not decode; at once.
    """
    settings = settings or FilmSettings()
    source = open_film(path, _rate(settings))
    scaled_hints(colorizer, source, settings)
    return (
        replace(colored.frame, pixels=colored.pixels, picture=None)
        for colored in color_frames(colorizer, source, settings, 0, None)
    )


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
    source = open_film(path, _rate(settings))
    if source.path.resolve() == out.resolve():
        raise ColorizeError(f"`out` '{out}' is the film itself: choose another name")
    folder = is_folder(out)
    codec = None if folder else codec_for(settings.codec, out, source.format.bits)
    if not folder and not out.absolute().parent.is_dir():
        raise ColorizeError(f"`out` '{out}' lies in no folder: make '{out.absolute().parent}' first")
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
            each = film.width * film.height * 3 * ((film.bits > 8 and 2) or 1) * 0.7
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


# Colour


def color_frames(
    colorizer: "Colorizer", source: FilmSource, settings: FilmSettings, first: int = 0, trail: Trail | None = None
) -> Generator[ColoredFrame]:
    """Colorize the frames of an open film from a number on.

    Three threads decode, ask the network, and finish, while the caller does something with the frames.

    Args:
        first: a multiple of `BATCH`.
        trail: of the frame before the first.
    """
    picture = find_picture(colorizer, source)
    film = source.format
    waiting = max(2, min(2 * BATCH, _BYTES_WAITING // (film.width * film.height * (3 if film.bits == 8 else 6))))
    frames = _until(source.frames(first), settings.preview)
    hints = scaled_hints(colorizer, source, settings)
    carried = carry_hints(colorizer, source, hints, picture) if hints else {}

    def finish(item: tuple[Opinion, Trail | None]) -> ColoredFrame:
        opinion, trail = item
        frame, framed = opinion.subject
        ab = trail.ab if trail is not None and opinion.ab is not None else None
        if ab is None:
            ab = np.zeros((*framed.shape, 2), np.float32)
        return ColoredFrame(frame, colorizer.finish(frame.pixels, framed, ab, settings.edges), trail)

    with closing(in_thread(frames, waiting, "decode")) as decoded:
        opinions = _opinions(colorizer, decoded, settings, picture, carried, trail)
        if settings.steady:
            shown: Iterator[tuple[Opinion, Trail | None]] = propagate(opinions, trail)
        else:
            shown = ((each, _alone(each)) for each in opinions)
        with closing(in_thread(shown, waiting, "network")) as steady:  # noqa: SIM117
            with closing(in_thread(map(finish, steady), waiting, "finish")) as finished:
                yield from finished


def scaled_hints(colorizer: "Colorizer", source: FilmSource, settings: FilmSettings) -> tuple["Hint", ...]:
    """Return the hints of the settings in pixels of the film.

    Raises:
        ColorizeError: one lies outside the film, or the network takes none.
    """
    given: Any = settings.hints
    hints = getattr(given, "hints", given)
    if not hints:
        return ()
    colorizer.check_takes_hints()
    height, width = source.format.height, source.format.width
    if hints is not given:
        hints = given.scaled(height, width)
    for hint in hints:
        if not (-0.5 <= hint.x <= width - 0.5 and -0.5 <= hint.y <= height - 0.5):
            raise ColorizeError(f"the hint at {hint.place} lies outside the film of {width}×{height} pixels")
    return tuple(hints)


def _alone(opinion: Opinion) -> Trail | None:
    if opinion.ab is None:
        return None
    return Trail(opinion.ab, np.ones(opinion.ab.shape[:2], np.float32), opinion.lightness)


def _opinions(
    colorizer: "Colorizer",
    frames: Iterable[FilmFrame],
    settings: FilmSettings,
    picture: Picture,
    hints: CarriedHints,
    trail: Trail | None,
) -> Iterator[Opinion]:
    """Ask the network for its opinion on frames, and find the motion from the frame before each of them.

    The network is asked about every `EVERY`th frame and those that begin a shot; its opinion moves along to the frames
    between. Damaged frames are not shown to it, and have no opinion.
    """
    before = trail.lightness if trail is not None else None
    for batch in _batches(frames):
        framed = [colorizer.frame(frame.pixels, picture=picture) for frame in batch]
        framed = [
            each.with_hints(hints[frame.number]) if frame.number in hints else each
            for each, frame in zip(framed, batch, strict=True)
        ]
        sound = [number for number, frame in enumerate(batch) if not frame.damaged]
        motions: dict[int, Motion | None] = {}
        for number in sound:
            lightness = framed[number].inputs.lightness[..., 0]
            motion = find_motion(before, lightness) if settings.steady and before is not None else None
            motions[number] = None if motion is None or motion.is_cut else motion
            before = lightness
        asked = [
            number
            for number in sound
            if motions[number] is None or number == sound[0] or batch[number].number % EVERY == 0
        ]
        chroma = dict(zip(asked, colorizer.predict([framed[n] for n in asked], settings.vividness), strict=True))
        last: np.ndarray | None = None
        for number, frame in enumerate(batch):
            motion = motions.get(number)
            if number in chroma:
                last = chroma[number]
            elif number in motions:
                assert last is not None and motion is not None  # the network is asked about the first
                last = follow(last, motion.backward) * np.float32(motion.exposure)
            shown = last if number in motions else None
            yield Opinion(framed[number].inputs.lightness[..., 0], shown, motion, (frame, framed[number]))


def _batches(frames: Iterable[FilmFrame]) -> Iterator[list[FilmFrame]]:
    """Cut frames into batches that begin at multiples of `BATCH`, so that a run that goes on has the same ones."""
    batch: list[FilmFrame] = []
    for frame in frames:
        batch.append(frame)
        if (frame.number + 1) % BATCH == 0:
            yield batch
            batch = []
    if batch:
        yield batch


def find_picture(colorizer: "Colorizer", source: FilmSource) -> Picture:
    """Find the picture inside the black bars of a film, the same for all frames: rows and columns.

    Bars count if they are there in every one of some frames through the film that show anything; they are as wide as in
    the frame where they are narrowest.
    """
    height, width = source.format.height, source.format.width
    found: list[Picture] = []
    for pixels in source.samples(_SAMPLES):
        if pixels.shape[:2] == (height, width) and float(pixels.std()) > 4.0 * (
            257 if pixels.dtype == np.uint16 else 1
        ):
            found.append(colorizer.frame(pixels).picture)
    if not found:
        return slice(0, height), slice(0, width)
    rows = slice(min(rows.start for rows, _ in found), max(rows.stop for rows, _ in found))
    return rows, slice(min(columns.start for _, columns in found), max(columns.stop for _, columns in found))


# Small parts


def in_thread(items: Iterable[T], waiting: int, name: str) -> Generator[T]:
    """Yield the items of an iterable that runs ahead in a thread of its own, by at most `waiting` items.

    What it raises is raised here. Whoever closes the generator stops the thread at its next item.
    """
    passed: queue.Queue[tuple[bool, Any]] = queue.Queue(waiting)
    closed = threading.Event()

    def give(done: bool, item: Any) -> bool:
        while not closed.is_set():
            with suppress(queue.Full):
                passed.put((done, item), timeout=0.1)
                return True
        return False

    def run() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                if not give(False, item):
                    break
            else:
                give(True, None)
        except BaseException as error:
            give(True, error)
        finally:
            if isinstance(iterator, Generator):
                iterator.close()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        while True:
            done, item = passed.get()
            if not done:
                yield item
            elif item is None:
                return
            else:
                raise item
    finally:
        closed.set()
        thread.join()


def _until(frames: Iterable[FilmFrame], seconds: float | None) -> Iterator[FilmFrame]:
    for frame in frames:
        if seconds is not None and frame.time >= seconds:
            return
        yield frame


def _rate(settings: FilmSettings) -> Fraction | None:
    return None if settings.fps is None else Fraction(settings.fps).limit_denominator(1001)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _description(
    colorizer: "Colorizer", source: FilmSource, settings: FilmSettings, codec: str | None
) -> dict[str, Any]:
    """Name all that decides how a film comes out."""
    names = ("vividness", "edges", "steady", "quality", "preview", "fps")
    hints = scaled_hints(colorizer, source, settings)
    return {
        "the film": f"{source.path.name}, {_size(source.path) or source.format.frames:,}",
        "model": f"{colorizer.name} ({digest_of(colorizer.generator.get_weights())})",
        "codec": codec,
        "hints": f"{len(hints)} ({hashlib.sha256(repr(hints).encode()).hexdigest()[:16]})",
        **{name: getattr(settings, name) for name in names},
    }
