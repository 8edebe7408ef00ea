"""Plain borders of scanned photos: white, black or paper."""

import numpy as np

# Grey levels of 255, and shares of a side.
_PLAIN = 20.0  # the darkest and the lightest pixels of a line of the border lie at most so far apart
_SAME_TONE = 10.0  # the tones of a border's lines lie at most so far apart
_STEP = 14.0  # the photo differs at least so much from the border beside it,
_STEP_SHARE = 0.5  # along at least this share of the edge
_BLACK = 40.0  # a border is darker than this,
_PAPER = 165.0  # or lighter than this
_WIDEST = 0.25
_SAMPLES = 512  # pixels of a line that are looked at
_SMALLEST_SIDE = 24  # a smaller photo has no border


def find_border(pixels: np.ndarray) -> tuple[slice, slice]:
    """Find the picture inside a plain border.

    A border counts if it lies on two opposite edges, is nearly of one tone, which is white, black or that of paper, and
    ends in a step along at least half of each of them. So a plain sky, a wall or the background of a thing is none.

    Args:
        pixels: (H, W) or (H, W, 3); uint8, uint16, or float32 in [0, 1].

    Returns:
        Rows and columns of the picture; those of the whole photo where there is no border.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < _SMALLEST_SIDE:
        return slice(0, height), slice(0, width)
    top, bottom = _pair(pixels)
    rows = slice(top, height - bottom)
    left, right = _pair(pixels[rows].swapaxes(0, 1))
    return rows, slice(left, width - right)


def _pair(pixels: np.ndarray) -> tuple[int, int]:
    """Return the widths in rows of the borders at the top and at the bottom, or 0 and 0."""
    widths = [_width_of_border(pixels[::direction]) for direction in (1, -1)]
    return (widths[0], widths[1]) if min(widths) > 0 else (0, 0)


def _width_of_border(pixels: np.ndarray) -> int:
    """Return how many rows at the top are a border."""
    limit = int(len(pixels) * _WIDEST)
    step = max(1, pixels.shape[1] // _SAMPLES)
    count = 1  # of the lines that are looked at: most photos have no border, which the first line tells
    while True:
        lines = _grey_levels(pixels[:count, ::step])
        low, tone, high = np.percentile(lines, (2, 50, 98), axis=1)
        if not (tone[0] < _BLACK or tone[0] > _PAPER):
            return 0
        plain = (high - low <= _PLAIN) & (np.abs(tone - tone[0]) <= _SAME_TONE)
        width = int(np.argmin(plain)) if not plain.all() else len(plain)
        if width == 0:
            return 0
        if width + 1 < count or count == limit + 3:
            break
        count = min(4 * count, limit + 3)
    if width > limit:
        return 0
    # The line between may be a mixture of both, and sharpening or JPEG may have left a halo.
    after = lines[min(width + 1, len(lines) - 1)]
    if np.mean(np.abs(after - tone[0]) > _STEP) < _STEP_SHARE:
        return 0
    return width + 1


def _grey_levels(pixels: np.ndarray) -> np.ndarray:
    """Convert pixels to grey levels from 0 to 255, float32."""
    scale = {"uint8": 1.0, "uint16": 1.0 / 257.0}.get(pixels.dtype.name, 255.0)
    levels = pixels.astype(np.float32) * np.float32(scale)
    return levels.mean(axis=2) if levels.ndim == 3 else levels
