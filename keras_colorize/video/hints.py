"""Hints in films: a colour that somebody gives at a place of one frame, carried through its shot both ways."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from keras_colorize.errors import ColorizeError
from keras_colorize.video.motion import find_motion
from keras_colorize.video.source import FilmSource

if TYPE_CHECKING:
    from keras_colorize.inference.colorizer import Colorizer
    from keras_colorize.inference.frame import Frame
    from keras_colorize.inference.hints import Hint

# [choice] Frames of a shot that are kept to carry hints backwards: two minutes, and some 60 MB.
_KEPT = 3000
# A place that is less sure than this to be found in the next frame is lost; `Motion.known`.
_SURE = 0.3

CarriedHints = dict[int, "list[Hint]"]
"""The hints of each frame by its number."""


@dataclass(frozen=True, eq=False)
class _Track:
    """A hint on its way: its place in the network's frame, right and down."""

    hint: "Hint"
    x: float
    y: float


def carry_hints(
    colorizer: "Colorizer", source: FilmSource, hints: Sequence["Hint"], picture: tuple[slice, slice]
) -> CarriedHints:
    """Follow each hint's place through its shot, forwards and backwards from the frame for which it is given.

    The film is read up to the end of the shot of the last hint. A hint without a frame or a time holds from the first
    frame. A place that goes out of sight takes its hint along.

    Args:
        hints: in pixels of the film.
        picture: rows and columns of the picture in the film's bars.

    Raises:
        ColorizeError: a hint is for a frame after the film's end.
    """
    waiting = sorted(hints, key=lambda hint: _moment(hint, source))
    carried: CarriedHints = {}
    shot: deque[tuple[int, np.ndarray]] = deque(maxlen=_KEPT)
    tracks: list[_Track] = []
    for frame in source.frames():
        if frame.damaged:
            continue
        framed = colorizer.frame(frame.pixels, picture=picture)
        lightness = _small(framed.inputs.lightness[..., 0])
        if shot:
            motion = find_motion(_large(shot[-1][1]), _large(lightness))
            if motion.is_cut:
                shot.clear()
                tracks = []
                if not waiting:
                    break
            else:
                tracks = list(_moved(tracks, motion.forward, motion.known_forward))
        shot.append((frame.number, lightness))
        new = []
        while waiting and _moment(waiting[0], source) < frame.number + 0.5:
            hint = waiting.pop(0)
            new.append(_Track(hint, *_to_frame(framed, hint.x, hint.y)))
        _carry_back(new, list(shot), framed, carried)
        tracks += new
        for track in tracks:
            carried.setdefault(frame.number, []).append(_hint_at(track, framed))
        if not waiting and not tracks:
            break
    if waiting:
        raise ColorizeError(f"the hint at {waiting[0].place} is for a frame after the end of '{source.path}'")
    return carried


def _carry_back(
    tracks: list[_Track], shot: list[tuple[int, np.ndarray]], framed: "Frame", carried: CarriedHints
) -> None:
    for (number, before), (_, after) in zip(shot[-2::-1], shot[:0:-1], strict=True):
        if not tracks:
            return
        motion = find_motion(_large(before), _large(after))
        tracks = list(_moved(tracks, motion.backward, motion.known))
        for track in tracks:
            carried.setdefault(number, []).append(_hint_at(track, framed))


def _moment(hint: "Hint", source: FilmSource) -> float:
    """Return the number of the frame from which a hint holds; about it where the hint has a time."""
    frame, time = getattr(hint, "frame", None), getattr(hint, "time", None)
    if frame is not None:
        return float(frame)
    return 0.0 if time is None else float(time * source.format.rate)


def _moved(tracks: list[_Track], flow: np.ndarray, known: np.ndarray) -> Iterator[_Track]:
    """Move places along the flow; those that cannot be followed are left out."""
    height, width = known.shape
    for track in tracks:
        row, column = round(track.y), round(track.x)
        if 0 <= row < height and 0 <= column < width and known[row, column] >= _SURE:
            right, down = flow[row, column]
            yield replace(track, x=track.x + float(right), y=track.y + float(down))


def _hint_at(track: _Track, framed: "Frame") -> "Hint":
    """Return a track's hint at its place in the film, which is moved to the edge of the picture if it is beyond it."""
    rows, columns = framed.picture
    x = (track.x + 0.5 - framed.columns.start) * _scale(columns, framed.columns) + columns.start - 0.5
    y = (track.y + 0.5 - framed.rows.start) * _scale(rows, framed.rows) + rows.start - 0.5
    return replace(
        track.hint,
        x=float(np.clip(x, columns.start, columns.stop - 1)),
        y=float(np.clip(y, rows.start, rows.stop - 1)),
    )


def _to_frame(framed: "Frame", x: float, y: float) -> tuple[float, float]:
    """Convert a place in the film to one in the network's frame."""
    rows, columns = framed.picture
    return (
        (x + 0.5 - columns.start) / _scale(columns, framed.columns) + framed.columns.start - 0.5,
        (y + 0.5 - rows.start) / _scale(rows, framed.rows) + framed.rows.start - 0.5,
    )


def _scale(picture: slice, frame: slice) -> float:
    return (picture.stop - picture.start) / (frame.stop - frame.start)


def _small(lightness: np.ndarray) -> np.ndarray:
    return np.rint(lightness * 2.55).clip(0, 255).astype(np.uint8)


def _large(lightness_u8: np.ndarray) -> np.ndarray:
    return lightness_u8.astype(np.float32) / np.float32(2.55)
