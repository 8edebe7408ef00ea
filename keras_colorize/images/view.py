"""The 8-bit RGB view of a photo, which training reads, and the test for photos without colour.

The pixels come from the reader of users' photos, so a rotated phone photo, a CMYK scan or a 16-bit TIFF looks the same
to training as to the Colorizer. This module only cuts and scales. Nothing here loads TensorFlow.
"""

import functools
from pathlib import Path
from typing import BinaryIO, Literal, get_args

import numpy as np
from PIL import Image

from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.images.decode import read_flat

Resize = Literal["crop", "squash"]
Box = tuple[float, float, float, float]  # top, left, bottom, right, each in [0, 1] of the upright photo

# A photo is grey when this share of its pixels has a channel spread (max − min over R, G, B) of at most so many
# levels. Over 8,741 scene photos of the web the count has a plateau there: 396 are exactly grey (spread 0) and 410
# are at 4 levels, since JPEG stores colour differences with rounding noise; beyond it pale colour photos begin.
GREY_SPREAD = 4
GREY_SHARE = 0.99

# A JPEG may decode at 1/2, 1/4 or 1/8 while its sides stay at least this multiple of the wanted size. That is faster,
# and the bicubic filter, which does the rest, leaves no visible difference.
_DRAFT_GAP = 2


def read_photo(
    file: str | Path | BinaryIO,
    size: int | None = None,
    resize: Resize = "crop",
    *,
    box: Box | None = None,
    name: str | None = None,
    remarks: list[str] | None = None,
) -> np.ndarray:
    """Read a photo as 8-bit sRGB: the first picture of `read_pictures`, with its transparency laid over white.

    Args:
        file: a path, or a binary file object.
        size: side of the square that comes back, resampled by antialiased bicubic; `None` leaves the photo's size.
        resize: with a `size`, "crop" cuts the centre square of the short side first and "squash" scales both axes.
        box: a part of the upright photo, relative (top, left, bottom, right), which is cut out first.
        name: the photo's name in error messages; the path unless given.
        remarks: receives sentences about colours that could not be read as they are, such as a profile that is cut off.

    Returns:
        rgb_u8 `(H, W, 3)` uint8, or `(size, size, 3)`.

    Raises:
        ColorizeError: the file is missing, empty, damaged, too large, or in no format that is read.
    """
    if resize not in get_args(Resize):
        raise ColorizeError(
            f"unknown resize '{resize}'{did_you_mean(resize, get_args(Resize))} (known: {', '.join(get_args(Resize))})"
        )
    height, width = (box[2] - box[0], box[3] - box[1]) if box else (1.0, 1.0)
    least_side = None if size is None else int(_DRAFT_GAP * size / max(min(height, width), 1e-3))
    read = _read_recent if box is not None and isinstance(file, (str, Path)) else read_flat
    whole, told = read(file, least_side=least_side, name=name)
    if remarks is not None:
        remarks += told
    region = _region(whole.size, box, square=size is not None and resize == "crop")
    # Cut first: `resize(box=…)` would let the pixels around the region into its edges.
    part = whole if region == (0, 0, *whole.size) else whole.crop(region)
    if size is not None:
        part = part.resize((size, size), Image.Resampling.BICUBIC)
    return np.array(part if part.mode == "RGB" else part.convert("RGB"))


def is_grey(rgb_u8: np.ndarray) -> bool:
    """Tell whether a photo `(H, W, 3)` uint8 has no colour: 99 % of its pixels lie within 4 levels of neutral."""
    r, g, b = rgb_u8[..., 0], rgb_u8[..., 1], rgb_u8[..., 2]
    spread = np.maximum(np.maximum(r, g), b) - np.minimum(np.minimum(r, g), b)
    return np.count_nonzero(spread <= GREY_SPREAD) >= GREY_SHARE * spread.size


# The parts of a photo are asked for one after another, and the first of them decodes it for all.
_read_recent = functools.lru_cache(maxsize=4)(read_flat)


def _region(size: tuple[int, int], box: Box | None, square: bool) -> tuple[int, int, int, int]:
    """Pixels `(left, top, right, bottom)` of a relative box, or of its centre square.

    They are whole pixels, so that a photo which has the wanted size already is cropped and not interpolated.
    """
    width, height = size
    top, left, bottom, right = box or (0.0, 0.0, 1.0, 1.0)
    x0, y0 = min(round(left * width), width - 1), min(round(top * height), height - 1)
    w, h = max(round(right * width) - x0, 1), max(round(bottom * height) - y0, 1)
    if square:
        side = min(w, h)
        x0, y0, w, h = x0 + (w - side) // 2, y0 + (h - side) // 2, side, side
    return x0, y0, x0 + w, y0 + h
