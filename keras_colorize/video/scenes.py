"""Scenes: parts of a film that can be coloured each on its own, on different machines.

A scene begins with a shot. It has one shot, or several short ones. Its colours depend on no frame outside of it, so
whoever colours a scene alone makes the same frames as whoever colours the whole film.
"""

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_colorize.errors import ColorizeError
from keras_colorize.files import written_whole
from keras_colorize.video.frames import FilmFrame
from keras_colorize.video.source import FilmSource

if TYPE_CHECKING:
    from keras_colorize.inference.hints import Hint

# [choice] Ten seconds or so: as much work as a crash can cost. A multiple of the frames in one call of the network.
SEGMENT_FRAMES = 240
# [choice] Five seconds or so: to find its way to a scene, a decoder needs a second of a film or more.
SHORTEST_SCENE = 120
# Seconds before a scene at which decoding begins. Frames just after a key frame may refer to others before it.
_AHEAD = (0.5, 15.0)

Picture = tuple[slice, slice]
"""Rows and columns of the picture in a film's black bars."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A scene of a film.

    number: from 0.
    first: the number of its first frame in the film.
    segment: the number of its first segment. All but its last one have `SEGMENT_FRAMES` frames.
    pts: of its frames, in the film's time base.
    checks: checksums of the pixels of its frames.
    damaged: numbers of damaged frames, from 0 at the scene's beginning.
    hints: of its frames, by the frame's number in the film.
    ends_film: whether it is the last scene.
    """

    number: int
    first: int
    segment: int
    pts: Sequence[int]
    checks: Sequence[int]
    damaged: Sequence[int] = ()
    hints: Mapping[int, Sequence["Hint"]] = field(default_factory=dict)
    ends_film: bool = False

    @property
    def segments(self) -> range:
        """The numbers of its segments."""
        return range(self.segment, self.segment - (-len(self.pts) // SEGMENT_FRAMES))


@dataclass(frozen=True, eq=False)
class ScenePlan:
    """All scenes of a film.

    scenes: in order.
    picture: where the picture lies in the film's black bars.
    lost: times in seconds at which nothing could be decoded.
    """

    scenes: Sequence[Scene]
    picture: Picture
    lost: Sequence[float] = ()

    def write(self, file: Path) -> None:
        """Write the plan, whole or not at all: a line for the film, and one for each scene."""
        rows, columns = self.picture
        film = {"picture": [rows.start, rows.stop, columns.start, columns.stop], "lost": list(self.lost)}
        with written_whole(file) as temporary, temporary.open("w", encoding="ascii") as stream:
            for line in (film, *map(_scene_line, self.scenes)):
                stream.write(json.dumps(line) + "\n")

    @classmethod
    def read(cls, file: Path, make_hint: Callable[..., "Hint"]) -> "ScenePlan":
        """Read what `write` wrote.

        Args:
            make_hint: makes a hint of its x, y, colour and radius: the class `Hint`.
        """
        film, *lines = (json.loads(line) for line in file.read_text(encoding="ascii").splitlines())
        top, bottom, left, right = film["picture"]
        return cls(
            [_scene_of(line, make_hint) for line in lines], (slice(top, bottom), slice(left, right)), film["lost"]
        )


def _scene_line(scene: Scene) -> dict[str, object]:
    hints = {
        number: [(hint.x, hint.y, hint.color, hint.radius) for hint in hints] for number, hints in scene.hints.items()
    }
    return vars(scene) | {"hints": hints}


def _scene_of(line: dict[str, Any], make_hint: Callable[..., "Hint"]) -> Scene:
    hints = {int(number): [make_hint(*each) for each in given] for number, given in line.pop("hints").items()}
    return Scene(**line, hints=hints)


def begins_scene(place: int, is_cut: bool, steady: bool) -> bool:
    """Tell whether a frame begins a scene.

    Args:
        place: its number from 0 in the scene before, if it went on.
        is_cut: whether it begins a shot.
        steady: whether colours move along with the picture. Where they do not, any frame may begin a scene, and each
            segment is one.
    """
    return place >= SHORTEST_SCENE and is_cut if steady else place >= SEGMENT_FRAMES


def ends_segment(place: int) -> bool:
    """Tell whether a segment is full with a frame of this number in its scene."""
    return (place + 1) % SEGMENT_FRAMES == 0


def check_of(frame: FilmFrame) -> int:
    """Return the checksum of a frame's pixels."""
    return zlib.crc32(np.ascontiguousarray(frame.pixels).data.cast("B"))


def plan_scenes(
    placed: Iterable[tuple[FilmFrame, int]],
    source: FilmSource,
    picture: Picture,
    hints: Mapping[int, Sequence["Hint"]],
) -> ScenePlan:
    """Plan the scenes of a film.

    Args:
        placed: all its frames, each with its number in its scene.
        source: the film; what it could not decode is known when its frames have been read.
        hints: by the number of a frame.
    """
    scenes: list[Scene] = []
    frames: list[tuple[int, int, bool]] = []
    first = segment = 0

    def end_scene(ends_film: bool) -> None:
        nonlocal frames, first, segment
        pts, checks, damaged = zip(*frames, strict=True)
        numbers = range(first, first + len(frames))
        own = {number: hints[number] for number in numbers if number in hints}
        places = [place for place, is_damaged in enumerate(damaged) if is_damaged]
        scenes.append(Scene(len(scenes), first, segment, pts, checks, places, own, ends_film))
        first, segment, frames = numbers.stop, scenes[-1].segments.stop, []

    for frame, place in placed:
        if place == 0 and frames:
            end_scene(ends_film=False)
        frames.append((frame.pts, check_of(frame), frame.damaged))
    if frames:
        end_scene(ends_film=True)
    return ScenePlan(scenes, picture, sorted(set(source.lost)))


def scene_frames(source: FilmSource, scene: Scene, place: int = 0) -> Iterator[FilmFrame]:
    """Decode the frames of a scene, without the film before it where that is possible.

    A decoder that begins at a key frame within a film may make other frames than one that begins with the film. So each
    frame is compared with its checksum. Where it differs, decoding begins anew at an earlier key frame, and at last
    with the film.

    Args:
        place: the number in the scene of the first frame that is wanted.

    Raises:
        ColorizeError: the film is another than the one whose scenes were found.
    """
    damaged = set(scene.damaged)
    time_base = source.format.time_base
    for ahead in (*_AHEAD, None):
        begin = float(scene.pts[place] * time_base) - (ahead or 0.0)
        if ahead is not None and begin <= 0:
            continue
        frames = source.frames(scene.first + place) if ahead is None else source.frames_near(begin)
        for frame in frames:
            if frame.pts < scene.pts[place]:
                continue
            if frame.pts > scene.pts[place] or check_of(frame) != scene.checks[place]:
                break
            yield replace(frame, number=scene.first + place, damaged=place in damaged)
            place += 1
            if place == len(scene.pts):
                return
    raise ColorizeError(
        f"'{source.path}' has other frames than when its scenes were found: it was changed, or this machine decodes"
        " differently; begin anew with `overwrite`, and with one version of FFmpeg everywhere"
    )
