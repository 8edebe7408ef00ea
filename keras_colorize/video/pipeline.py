"""The steps from a film's frames to frames in colour, side by side in threads."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from keras_colorize.progress import Advance
from keras_colorize.video.frames import FilmFrame
from keras_colorize.video.motion import Motion, find_motion, follow
from keras_colorize.video.propagation import Opinion, Trail, propagate
from keras_colorize.video.request import (
    carried_hints,
    find_picture,
    frames_in,
    rate_of,
    scaled_hints,
    until_preview,
    with_reference,
)
from keras_colorize.video.scenes import Picture, Scene, ScenePlan, begins_scene, plan_scenes, scene_frames
from keras_colorize.video.settings import FilmSettings
from keras_colorize.video.source import FilmSource, open_film
from keras_colorize.video.threads import in_thread

if TYPE_CHECKING:
    from keras_colorize.inference.colorizer import Colorizer
    from keras_colorize.inference.frame import Frame
    from keras_colorize.inference.hints import Hint
    from keras_colorize.inference.reference import ReferencePhoto

EVERY = 2  # [choice] The network is asked about every second frame: more cost time and bring nothing (docs/film.md).
BATCH = 8  # frames in one call of the network; segments of a scene are a multiple of it
_BYTES_WAITING = 100_000_000  # of frames between two steps


@dataclass(frozen=True, eq=False)
class SeenFrame:
    """A frame as the network sees it, and the motion that leads to it.

    frame: as it was read.
    framed: the same at the network's size.
    motion: from the last frame that was not damaged; None where a shot begins, and for a damaged frame.
    place: its number in its scene, from 0.
    """

    frame: FilmFrame
    framed: "Frame"
    motion: Motion | None
    place: int


@dataclass(frozen=True, eq=False)
class ColoredFrame:
    """A frame in colour.

    frame: as it was read.
    pixels: rgb (H, W, 3) of the type of the frame's.
    trail: from which the next frame goes on; None where there is nothing yet.
    place: its number in its scene, from 0.
    """

    frame: FilmFrame
    pixels: np.ndarray
    trail: Trail | None
    place: int


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
        for colored in color_frames(colorizer, source, settings)
    )


def color_frames(
    colorizer: "Colorizer",
    source: FilmSource,
    settings: FilmSettings,
    first: int = 0,
    place: int = 0,
    trail: Trail | None = None,
) -> Generator[ColoredFrame]:
    """Colorize the frames of an open film from a number on.

    Three threads decode, ask the network, and finish, while the caller does something with the frames.

    Args:
        first: the number of the first frame.
        place: its number in its scene, a multiple of `BATCH`.
        trail: of the frame before the first.
    """
    settings = with_reference(colorizer, settings)
    picture = find_picture(colorizer, source)
    hints = carried_hints(colorizer, source, settings, picture)
    frames = until_preview(source.frames(first), settings)

    def see(decoded: Iterable[FilmFrame]) -> Iterator[SeenFrame]:
        return see_frames(colorizer, decoded, settings, picture, place, trail)

    return _color(colorizer, frames, source, settings, see, hints, trail)


def color_scene(
    colorizer: "Colorizer",
    source: FilmSource,
    scene: Scene,
    picture: Picture,
    settings: FilmSettings,
    place: int = 0,
    trail: Trail | None = None,
) -> Generator[ColoredFrame]:
    """Colorize the frames of one scene, from a place in it on; they are those that `color_frames` makes.

    Args:
        scene: with its hints; those of the settings are not used.
        picture: of the scene's plan.
        place: the number of the first frame in the scene, a multiple of `BATCH`.
        trail: of the frame before it; None at the scene's beginning.
    """
    settings = with_reference(colorizer, settings)
    frames = scene_frames(source, scene, place)

    def see(decoded: Iterable[FilmFrame]) -> Iterator[SeenFrame]:
        seen = see_frames(colorizer, decoded, settings, picture, place, trail)
        # Another machine may find a cut where the one that planned found none; the plan holds.
        return (replace(each, place=each.frame.number - scene.first) for each in seen)

    return _color(colorizer, frames, source, settings, see, scene.hints, trail)


def find_scenes(
    colorizer: "Colorizer", source: FilmSource, settings: FilmSettings, advance: Advance = lambda done, total: None
) -> ScenePlan:
    """Read a whole film, find its shots, and plan the scenes that can be coloured on different machines.

    Args:
        settings: with the reference as `with_reference` returns it.
        advance: called after each frame with the frames read and about how many there are, 0 where that is unknown.
    """
    picture = find_picture(colorizer, source)
    hints = carried_hints(colorizer, source, settings, picture)
    total = frames_in(source, settings)

    def placed() -> Iterator[tuple[FilmFrame, int]]:
        decoded = in_thread(until_preview(source.frames(), settings), _waiting(source), "decode")
        with closing(decoded):
            for done, seen in enumerate(see_frames(colorizer, decoded, settings, picture), 1):
                yield seen.frame, seen.place
                advance(done, max(total, done) if total else 0)

    return plan_scenes(placed(), source, picture, hints)


def _color(
    colorizer: "Colorizer",
    frames: Iterable[FilmFrame],
    source: FilmSource,
    settings: FilmSettings,
    see: Callable[[Iterable[FilmFrame]], Iterator[SeenFrame]],
    hints: Mapping[int, Sequence["Hint"]],
    trail: Trail | None,
) -> Generator[ColoredFrame]:
    waiting = _waiting(source)

    def finish(item: tuple[Opinion, Trail | None]) -> ColoredFrame:
        opinion, trail = item
        seen = cast(SeenFrame, opinion.subject)
        ab = trail.ab if trail is not None and opinion.ab is not None else None
        if ab is None:
            ab = np.zeros((*seen.framed.shape, 2), np.float32)
        pixels = colorizer.finish(seen.frame.pixels, seen.framed, ab, settings.edges)
        return ColoredFrame(seen.frame, pixels, trail, seen.place)

    with closing(in_thread(frames, waiting, "decode")) as decoded:
        opinions = _opinions(colorizer, see(decoded), settings, hints)
        if settings.steady:
            shown: Iterator[tuple[Opinion, Trail | None]] = propagate(opinions, trail)
        else:
            shown = ((each, _alone(each)) for each in opinions)
        with closing(in_thread(shown, waiting, "network")) as steady:  # noqa: SIM117
            with closing(in_thread(map(finish, steady), waiting, "finish")) as finished:
                yield from finished


def _waiting(source: FilmSource) -> int:
    """Return how many frames may wait between two steps."""
    film = source.format
    return max(2, min(2 * BATCH, _BYTES_WAITING // (film.width * film.height * (3 if film.bits == 8 else 6))))


def see_frames(
    colorizer: "Colorizer",
    frames: Iterable[FilmFrame],
    settings: FilmSettings,
    picture: Picture,
    place: int = 0,
    trail: Trail | None = None,
) -> Iterator[SeenFrame]:
    """Frame a film's frames for the network, and find the motion between them, the shots and the scenes.

    Args:
        picture: rows and columns of the picture in the film's bars.
        place: the number of the first frame in its scene.
        trail: of the frame before the first.
    """
    before = trail.lightness if trail is not None else None
    for frame in frames:
        framed = colorizer.frame(frame.pixels, picture=picture)
        motion, is_cut = None, False
        if not frame.damaged:
            lightness = framed.inputs.lightness[..., 0]
            if settings.steady and before is not None:
                motion = find_motion(before, lightness)
                is_cut = motion.is_cut
            before = lightness
        if begins_scene(place, is_cut, settings.steady):
            place = 0
        yield SeenFrame(frame, framed, None if is_cut else motion, place)
        place += 1


def _opinions(
    colorizer: "Colorizer",
    frames: Iterable[SeenFrame],
    settings: FilmSettings,
    hints: Mapping[int, Sequence["Hint"]],
) -> Iterator[Opinion]:
    """Ask the network for its opinion on frames.

    The network is asked about every `EVERY`th frame and those that begin a shot; its opinion moves along to the frames
    between. Damaged frames are not shown to it, and have no opinion.
    """
    for batch in _batches(frames):
        framed = [
            seen.framed.with_hints(hints[seen.frame.number]) if seen.frame.number in hints else seen.framed
            for seen in batch
        ]
        sound = [number for number, seen in enumerate(batch) if not seen.frame.damaged]
        asked = [
            number
            for number in sound
            if batch[number].motion is None or number == sound[0] or batch[number].place % EVERY == 0
        ]
        if settings.reference is None:
            predicted = colorizer.predict([framed[number] for number in asked], settings.vividness)
        else:
            reference = cast("ReferencePhoto", settings.reference)
            predicted = [colorizer.predict_like(framed[number], reference, settings.vividness) for number in asked]
        chroma = dict(zip(asked, predicted, strict=True))
        last: np.ndarray | None = None
        for number, seen in enumerate(batch):
            if number in chroma:
                last = chroma[number]
            elif not seen.frame.damaged:
                assert last is not None and seen.motion is not None  # the network is asked about the first
                last = follow(last, seen.motion.backward) * np.float32(seen.motion.exposure)
            shown = None if seen.frame.damaged else last
            yield Opinion(seen.framed.inputs.lightness[..., 0], shown, seen.motion, seen)


def _batches(frames: Iterable[SeenFrame]) -> Iterator[list[SeenFrame]]:
    """Cut frames into batches that begin with their scene and at multiples of `BATCH` in it.

    So a run that goes on, and one that colours a scene alone, have the batches of a run that colours the whole film.
    """
    batch: list[SeenFrame] = []
    for seen in frames:
        if batch and seen.place % BATCH == 0:
            yield batch
            batch = []
        batch.append(seen)
    if batch:
        yield batch


def _alone(opinion: Opinion) -> Trail | None:
    if opinion.ab is None:
        return None
    return Trail(opinion.ab, np.ones(opinion.ab.shape[:2], np.float32), opinion.lightness)
