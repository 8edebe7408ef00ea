"""Strips: the parts of photos that are coloured at a time, on all cores, each in the processor's cache."""

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from keras_colorize.color import raster
from keras_colorize.color.operations import positions
from keras_colorize.hardware import processors

# Rows between two known rows of chroma: where there are fewer on average, they are enlarged all at once.
_ROWS_BETWEEN = 4


class _Chroma(NamedTuple):
    """The chroma of a photo, enlarged along its rows: f(X) and f(Z) as linear functions of f(Y).

    lines: (4, h, W) float32: slope and offset of f(X), then of f(Z).
    steps: (4, h, W): from each line to the next, 0 after the last.
    """

    lines: np.ndarray
    steps: np.ndarray

    @classmethod
    def of(cls, coefficients: np.ndarray, width: int) -> "_Chroma":
        """Take coefficients (h, w, 4) of ab as a function of L, for a photo of some width."""
        slope_a, slope_b, offset_a, offset_b = np.moveaxis(coefficients.astype(np.float64), -1, 0)
        # a = slope · L + offset with L = 116 f(Y) − 16, f(X) = f(Y) + a / 500, f(Z) = f(Y) − b / 200.
        known = np.stack(
            [
                1.0 + slope_a * (116.0 / 500.0),
                (offset_a - 16.0 * slope_a) / 500.0,
                1.0 - slope_b * (116.0 / 200.0),
                (16.0 * slope_b - offset_b) / 200.0,
            ]
        ).astype(np.float32)
        before, share = positions(width, known.shape[2])
        lines = known.take(before, axis=2)
        further = known.take(np.minimum(before + 1, known.shape[2] - 1), axis=2)
        further -= lines
        further *= share
        lines += further
        steps = np.zeros_like(lines)
        np.subtract(lines[:, 1:], lines[:, :-1], out=steps[:, :-1])
        return cls(lines, steps)

    def enlarge(self, before: np.ndarray, share: np.ndarray, columns: slice, out: np.ndarray) -> None:
        """Fill `out` (4, rows, columns) with lines between known rows."""
        lines, steps = self.lines[..., columns], self.steps[..., columns]
        share = share[None, :, None]
        if len(before) < _ROWS_BETWEEN * (before[-1] - before[0] + 1):
            np.multiply(steps[:, before], share, out=out)
            out += lines[:, before]
            return
        edges = np.flatnonzero(np.diff(before)) + 1
        for top, bottom in zip([0, *edges], [*edges, len(before)], strict=True):
            known = before[top]
            np.multiply(steps[:, known, None], share[:, top:bottom], out=out[:, top:bottom])
            out[:, top:bottom] += lines[:, known, None]


class _Strip(NamedTuple):
    """A part of a photo.

    rows, columns: where it lies.
    chroma: of the photo.
    before, share: for each row the known row before it, and its share of the way to the next.
    """

    rows: slice
    columns: slice
    chroma: _Chroma
    before: np.ndarray
    share: np.ndarray

    def color(self, read: Callable[..., None], known: np.ndarray, rgb: np.ndarray) -> None:
        """Colour the part.

        Args:
            read: fills f(Y) and Y from the part of `known`.
            known: the photo (H, W) or (H, W, 3), or its lightness (H, W).
            rgb: (H, W, 3) of which the part is filled.
        """
        out = rgb[self.rows, self.columns]
        count = out.shape[0] * out.shape[1]
        fy, Y, fx, offset_x, fz, offset_z = raster.planes(6, count)
        read(known[self.rows, self.columns], fy, Y)
        lines = raster.planes(6, count)[2:].reshape(4, *out.shape[:2])
        self.chroma.enlarge(self.before, self.share, self.columns, lines)
        for f, offset in ((fx, offset_x), (fz, offset_z)):
            f *= fy
            f += offset
        raster.write_colors(fy, Y, fx, fz, out)


def color_strips(known: np.ndarray, coefficients: np.ndarray, rgb: np.ndarray, lightness: bool = False) -> None:
    """Colour photos strip by strip, on all cores.

    Args:
        known: photos `(B, H, W)` or `(B, H, W, 3)`, uint8, uint16, or float32 in [0, 1]; or their lightness.
        coefficients: `(B, h, w, 4)` of ab as a function of L.
        rgb: `(B, H, W, 3)` of uint8, uint16 or float32, filled.
        lightness: `known` is L `(B, H, W)` in [0, 100].
    """
    read = _read_lightness if lightness else raster.read_light
    for photo, lines, colored in zip(known, coefficients, rgb, strict=True):
        strips = list(_strips(photo.shape[:2], lines))
        color = functools.partial(_Strip.color, read=read, known=photo, rgb=colored)
        if len(strips) == 1:
            color(strips[0])
        else:
            list(_pool().map(color, strips))


def _read_lightness(L: np.ndarray, fy: np.ndarray, Y: np.ndarray) -> None:
    raster.read_lightness(L.ravel(), fy, Y)


@functools.cache
def _pool() -> ThreadPoolExecutor:
    """Return the threads that colour strips, for all photos of this process."""
    return ThreadPoolExecutor(processors(), thread_name_prefix="strip")


def _strips(shape: tuple[int, ...], coefficients: np.ndarray) -> Iterator[_Strip]:
    """Cut a photo of a shape (H, W) into parts."""
    height, width = shape
    chroma = _Chroma.of(coefficients, width)
    before, share = positions(height, coefficients.shape[0])
    rows_each, columns_each = max(1, raster.STRIP // width), min(width, raster.STRIP)
    for top in range(0, height, rows_each):
        rows = slice(top, min(top + rows_each, height))
        for left in range(0, width, columns_each):
            yield _Strip(rows, slice(left, left + columns_each), chroma, before[rows], share[rows])
