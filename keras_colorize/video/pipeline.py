"""The steps from a film's frames to frames in colour, side by side in threads."""

import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from keras_colorize.errors import ColorizeError
from keras_colorize.video.frames import FilmFrame
from keras_colorize.video.hints import CarriedHints, carry_hints
from keras_colorize.video.motion import Motion, find_motion, follow
from keras_colorize.video.propagation import Opinion, Trail, propagate
from keras_colorize.video.settings import FilmSettings
from keras_colorize.video.source import FilmSource, open_film

if TYPE_CHECKING:
    from keras_colorize.inference.colorizer import Colorizer
    from keras_colorize.inference.hints import Hint

T = TypeVar("T")

EVERY = 2  # [choice] The network is asked about every second frame: more cost time and bring nothing (docs/film.md).
BATCH = 8  # frames in one call of the network; segments are a multiple of it
_SAMPLES = 12  # frames of a film in which a plain border is looked for
_BYTES_WAITING = 100_000_000  # of frames between two steps

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
    source = open_film(path, rate_of(settings))
    scaled_hints(colorizer, source, settings)
    settings = with_reference(colorizer, settings)
    return (
        replace(colored.frame, pixels=colored.pixels, picture=None)
        for colored in color_frames(colorizer, source, settings, 0, None)
    )


def color_frames(
    colorizer: "Colorizer", source: FilmSource, settings: FilmSettings, first: int = 0, trail: Trail | None = None
) -> Generator[ColoredFrame]:
    """Colorize the frames of an open film from a number on.

    Three threads decode, ask the network, and finish, while the caller does something with the frames.

    Args:
        first: a multiple of `BATCH`.
        trail: of the frame before the first.
    """
    settings = with_reference(colorizer, settings)
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


def with_reference(colorizer: "Colorizer", settings: FilmSettings) -> FilmSettings:
    """Return the settings with the reference as the colorizer sees it, which is made once.

    Raises:
        ColorizeError: it is grey or no photo, or the network takes no reference.
    """
    given: Any = settings.reference
    if given is None or hasattr(given, "place_colors"):
        return settings
    return replace(settings, reference=colorizer.reference(given))


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
        if settings.reference is None:
            predicted = colorizer.predict([framed[number] for number in asked], settings.vividness)
        else:
            reference: Any = settings.reference
            predicted = [colorizer.predict_like(framed[number], reference, settings.vividness) for number in asked]
        chroma = dict(zip(asked, predicted, strict=True))
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


def _until(frames: Iterable[FilmFrame], seconds: float | None) -> Iterator[FilmFrame]:
    for frame in frames:
        if seconds is not None and frame.time >= seconds:
            return
        yield frame


def rate_of(settings: FilmSettings) -> Fraction | None:
    """Return the frames per second that the settings ask for."""
    return None if settings.fps is None else Fraction(settings.fps).limit_denominator(1001)


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
