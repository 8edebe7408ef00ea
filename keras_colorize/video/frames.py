"""The frames of a film and their format, and times in words."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from keras_colorize.images import Picture


@dataclass(frozen=True)
class FilmFormat:
    """The format of a film.

    width, height: in pixels, upright.
    rate: frames per second, on average where the rate varies.
    time_base: seconds of one unit of a frame's `pts`.
    aspect: width of a pixel by its height.
    bits: of a sample, 8 or more.
    frames: about how many there are; None where the file does not say.
    interlaced: whether frames are made of two fields, which are joined.
    hdr: "PQ" or "HLG" for HDR, whose light is mapped to BT.709; else empty.
    rotation: by how many degrees frames are turned to be upright.
    """

    width: int
    height: int
    rate: Fraction
    time_base: Fraction
    aspect: Fraction = Fraction(1)
    bits: int = 8
    frames: int | None = None
    interlaced: bool = False
    hdr: str = ""
    rotation: int = 0


@dataclass(frozen=True, eq=False)
class FilmFrame:
    """One frame of a film.

    number: from 0.
    pts: the time at which it is shown, in units of the film's time base.
    time: the same in seconds.
    pixels: upright; (H, W) grey or (H, W, 3); uint8, or uint16 where the film has more than 8 bits.
    damaged: whether the file is damaged here, so that the frame shows less than it should, or something else.
    picture: the file of the frame with its metadata, in a folder of frames.
    """

    number: int
    pts: int
    time: float
    pixels: np.ndarray
    damaged: bool = False
    picture: Picture | None = None


def clock(seconds: float) -> str:
    """Format a time in a film: `0:12:34.5`."""
    tenths = round(max(seconds, 0.0) * 10)
    return f"{tenths // 36000}:{tenths // 600 % 60:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"
