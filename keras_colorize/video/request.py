"""The settings of a film, applied to an open film: its frames, its picture, and the hints and the reference for it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import numpy as np

from keras_colorize.errors import ColorizeError
from keras_colorize.video.frames import FilmFrame
from keras_colorize.video.hints import CarriedHints, carry_hints
from keras_colorize.video.scenes import Picture
from keras_colorize.video.settings import FilmSettings
from keras_colorize.video.source import FilmSource

if TYPE_CHECKING:
    from keras_colorize.inference.colorizer import Colorizer
    from keras_colorize.inference.hint_files import HintSet
    from keras_colorize.inference.hints import Hint

_SAMPLES = 12  # frames of a film in which a plain border is looked for


def with_reference(colorizer: "Colorizer", settings: FilmSettings) -> FilmSettings:
    """Return the settings with the reference as the colorizer sees it, which is made once.

    Raises:
        ColorizeError: it is grey or no photo, or the network takes no reference.
    """
    given = settings.reference
    if given is None or hasattr(given, "place_colors"):
        return settings
    return replace(settings, reference=colorizer.reference(given))


def scaled_hints(colorizer: "Colorizer", source: FilmSource, settings: FilmSettings) -> tuple["Hint", ...]:
    """Return the hints of the settings in pixels of the film.

    Raises:
        ColorizeError: one lies outside the film, or the network takes none.
    """
    given = settings.hints
    if not getattr(given, "hints", given):
        return ()
    colorizer.check_takes_hints()
    height, width = source.format.height, source.format.width
    hints = cast("HintSet", given).scaled(height, width) if hasattr(given, "hints") else given
    for hint in hints:
        if not (-0.5 <= hint.x <= width - 0.5 and -0.5 <= hint.y <= height - 0.5):
            raise ColorizeError(f"the hint at {hint.place} lies outside the film of {width}×{height} pixels")
    return tuple(hints)


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


def carried_hints(colorizer: "Colorizer", source: FilmSource, settings: FilmSettings, picture: Picture) -> CarriedHints:
    """Return the hints of each frame by its number: those of the settings, carried through their shots.

    Raises:
        ColorizeError: one lies outside the film or after its end, or the network takes none.
    """
    hints = scaled_hints(colorizer, source, settings)
    return carry_hints(colorizer, source, hints, picture) if hints else {}


def frames_in(source: FilmSource, settings: FilmSettings) -> int:
    """Return about how many frames a film has, or those of its preview; 0 where nobody knows."""
    frames = source.format.frames or 0
    if settings.preview is None:
        return frames
    shown = int(np.ceil(settings.preview * float(source.format.rate)))
    return min(frames, shown) if frames else shown


def until_preview(frames: Iterable[FilmFrame], settings: FilmSettings) -> Iterator[FilmFrame]:
    """Yield frames up to the end of the preview that the settings ask for, else all."""
    for frame in frames:
        if settings.preview is not None and frame.time >= settings.preview:
            return
        yield frame


def rate_of(settings: FilmSettings) -> Fraction | None:
    """Return the frames per second that the settings ask for."""
    return None if settings.fps is None else Fraction(settings.fps).limit_denominator(1001)
