"""The largest chroma that sRGB shows at each lightness and hue: two tables, and how they are read.

A ray of constant lightness and hue leaves the gamut where the first of R, G, B falls below 0 or rises above 1. Each of
the two is tabulated on its own, because it is smooth, and the smaller one counts. The tables are read bilinearly. All
that must agree on them, NumPy, Keras and exported graphs, call `table_share` with their own operations, and the
studio's page repeats it.

Hue is a place on the diamond |a| + |b| = 1, from 0 to 4: this needs no trigonometry. Chroma is |a| + |b| here.
`docs/numerics.md` has the errors.
"""

import functools
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from keras_colorize.color.operations import numpy_ops
from keras_colorize.color.standards import BRIGHT_TOLERANCE, DARK_TOLERANCE, DELTA, RGB_FROM_UNIT_XYZ, SLOPE
from keras_colorize.tensor import Tensor

# Hues of each table. The corner of blue is the sharpest, and the dark table has it.
DARK_HUES = 3072
BRIGHT_HUES = 1536
# Rows of the dark table: twelve for each unit of L up to 12, where the straight piece of CIELAB's curve turns the hues
# of the corners, then one for each. Above 42 the curve is a cube root everywhere, so that the limit is a multiple of
# f(Y) and the last row serves all.
_FINE_ROWS, _KNEE, _COARSE_ROWS, _DARK_TOP = 12.0, 12.0, 1.0, 42.0
_DARK_ROWS = int(_FINE_ROWS * _KNEE + _COARSE_ROWS * (_DARK_TOP - _KNEE))
_BRIGHT_ROWS = 100

# A bilinear value may lie above the edge by a little. So much is taken off, which suits all but a few colours.
_MARGIN = 1.0 / 1024.0
# More than any chroma of sRGB, of which a table would hold where no ray ends at this side.
_BEYOND = 256.0
_LARGEST_RATIO = 25.0
_STEPS = 18
_ROWS_AT_ONCE = 8  # their planes stay in the processor's cache
BISECTIONS = 12

# Towards bright yellow red stays close to 1 for a long way, passes it by up to 1 %, and comes back. The edge jumps
# there, and no table holds it: the exact search does. L, and a / b.
_YELLOW_L = 80.0
# Above, no colour has half a unit of chroma, and grey itself passes 1 by a rounding: no chroma is left.
_WHITE_L = 99.99
_YELLOW_RATIO = (-0.54, 0.18)


class LargestChroma(NamedTuple):
    """Tables of the largest |a| + |b|.

    dark: (rows, DARK_HUES + 1) float32, until a channel is 0: in units of f(Y) = (L + 16) / 116.
    bright: (101, BRIGHT_HUES + 1) float32, until a channel is 1: in units of 100 − L, for each whole L.
    """

    dark: np.ndarray
    bright: np.ndarray


_BUILDING = threading.Lock()


def largest_chroma(coarseness: int = 1) -> LargestChroma:
    """Return the tables. They are computed at the first call, in some tenths of a second.

    coarseness: take every so many hues only, for files that should stay small. A divisor of 512.
    """
    with _BUILDING:
        dark, bright = _tables()
    return LargestChroma(dark[:, ::coarseness], bright[:, ::coarseness])


@functools.cache
def _tables() -> LargestChroma:
    row = np.arange(_DARK_ROWS + 1)
    L = np.where(row < _FINE_ROWS * _KNEE, row / _FINE_ROWS, _KNEE + (row - _FINE_ROWS * _KNEE) / _COARSE_ROWS)
    y = _y(L)
    dark = _edge(y, DARK_HUES, lambda least, most: least >= 0.0) / y
    L = np.minimum(np.arange(_BRIGHT_ROWS + 1), 99.99)
    bright = _edge(_y(L), BRIGHT_HUES, lambda least, most: most <= 1.0) / (100.0 - L[:, None].astype(np.float32))
    return LargestChroma(dark, np.minimum(bright, np.float32(_LARGEST_RATIO)))


def _y(L: np.ndarray) -> np.ndarray:
    return ((L[:, None] + 16.0) / 116.0).astype(np.float32)


def _edge(y: np.ndarray, hues: int, shown: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Find the largest |a| + |b| of each f(Y) (rows, 1) and hue: (rows, hues + 1) float32."""
    turn = np.arange(hues + 1) * (4.0 / hues)
    b = np.where(turn <= 2.0, turn - 1.0, 3.0 - turn)
    a = np.where(turn <= 2.0, 1.0 - np.abs(b), np.abs(b) - 1.0)
    p, q = (a / 500.0).astype(np.float32), (b / -200.0).astype(np.float32)
    found = np.zeros((len(y), hues + 1), np.float32)
    for rows in np.array_split(np.arange(len(y)), -(-len(y) // _ROWS_AT_ONCE)):
        part, fy, step = found[rows[0] : rows[-1] + 1], y[rows], np.float32(_BEYOND / 2.0)
        for _ in range(_STEPS):
            tried = part + step
            part += step * shown(*_extremes(numpy_ops, linear_light(numpy_ops, fy, fy + tried * p, fy + tried * q)))
            step /= 2
    return found


# The same arithmetic in NumPy, on any Keras backend and in graphs: `ops` is `numpy_ops` or `keras.ops`.


def table_share(ops: Any, tables: LargestChroma, L: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return the share of the chroma (a, b) that the tables allow at L, in [0, 1], for finite arrays of one shape."""
    chroma = ops.maximum(ops.abs(a) + ops.abs(b), 1e-6)
    L = ops.where(L < _WHITE_L, ops.maximum(L, 0.0), 100.0)
    turn = b / chroma
    turn = ops.where(a < 0.0, 3.0 - turn, 1.0 + turn)
    row = ops.minimum(L * _FINE_ROWS, L * _COARSE_ROWS + (_FINE_ROWS - _COARSE_ROWS) * _KNEE)
    dark = _bilinear(ops, tables.dark, row, turn) * ((L + 16.0) / 116.0)
    bright = _bilinear(ops, tables.bright, L, turn) * (100.0 - L)
    return ops.minimum(ops.minimum(dark, bright) * (1.0 - _MARGIN) / chroma, 1.0)


def _bilinear(ops: Any, table: np.ndarray, row: Tensor, turn: Tensor) -> Tensor:
    """Read a table at rows, cut to those that it has, and at hues from 0 to 4."""
    rows, columns = table.shape[0] - 1, table.shape[1] - 1
    row = ops.minimum(row, float(rows))
    above = ops.minimum(ops.floor(row), rows - 1.0)
    column = turn * (columns / 4.0)
    left = ops.minimum(ops.floor(column), columns - 1.0)
    down, right = row - above, column - left
    # Cut again as a whole number: what NaN becomes is anything.
    first = ops.clip(ops.cast(above * (columns + 1.0) + left, "int32"), 0, table.size - columns - 3)
    flat = table.reshape(-1)
    upper = ops.take(flat, first)
    upper = upper + right * (ops.take(flat, first + 1) - upper)
    first = first + (columns + 1)
    lower = ops.take(flat, first)
    lower = lower + right * (ops.take(flat, first + 1) - lower)
    return upper + down * (lower - upper)


def is_yellow(ops: Any, L: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Tell where the edge jumps, so that only the exact search finds it."""
    least, most = _YELLOW_RATIO
    between = ops.logical_and(a > least * b, a < most * b)
    return ops.logical_and(between, L > _YELLOW_L)


def shows(ops: Any, light: list[Tensor]) -> Tensor:
    """Tell where linear R, G and B all lie in [0, 1], to a small tolerance."""
    least, most = _extremes(ops, light)
    return ops.logical_and(least >= -DARK_TOLERANCE, most <= 1.0 + BRIGHT_TOLERANCE)


def _extremes(ops: Any, light: list[Tensor]) -> tuple[Tensor, Tensor]:
    red, green, blue = light
    return ops.minimum(ops.minimum(red, green), blue), ops.maximum(ops.maximum(red, green), blue)


def linear_light(ops: Any, fy: Tensor, fx: Tensor, fz: Tensor) -> list[Tensor]:
    """Compute linear R, G and B, not clipped, from CIE's f(Y), f(X) and f(Z).

    f(Z) is cut off at 0, as in scikit-image. This changes only dark yellows far outside the gamut.
    """
    X, Y, Z = _cubed(ops, fx), _cubed(ops, fy), _cubed(ops, ops.maximum(fz, 0.0))
    return [row[0] * X + row[1] * Y + row[2] * Z for row in RGB_FROM_UNIT_XYZ]


def _cubed(ops: Any, f: Tensor) -> Tensor:
    """Undo CIE's f: a cube above δ, and its tangent below, added to the cube that is held there."""
    held = ops.maximum(f, DELTA)
    return held * held * held + (f - held) * (1.0 / SLOPE)


def share_in_gamut(fy: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return the share of the chroma of colours with which sRGB shows them, in NumPy: (n,) float32, 1 in the gamut.

    The arguments are those of `light_in_gamut`.
    """
    share = np.ones_like(fy)
    outside = np.flatnonzero(~shows(numpy_ops, linear_light(numpy_ops, fy, fy + p, fy + q)))
    if len(outside):
        share[outside] = _shortened(fy[outside], p[outside], q[outside])[0]
    return share


def light_in_gamut(fy: np.ndarray, p: np.ndarray, q: np.ndarray) -> list[np.ndarray]:
    """Bring colours that sRGB does not show into the gamut along their hue, in NumPy.

    Args:
        fy: f(Y) (n,) float32.
        p: f(X) − f(Y) = a / 500, (n,) float32.
        q: f(Z) − f(Y) = −b / 200, (n,) float32.

    Returns:
        linear R, G and B (n,) float32, in [0, 1] to the tolerance of the gamut.
    """
    return _shortened(fy, p, q)[1]


def _shortened(fy: np.ndarray, p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Find the share (n,) of the chroma of colours outside the gamut that is left in it, and their linear R, G, B."""
    L, a, b = fy * np.float32(116.0) - np.float32(16.0), p * np.float32(500.0), q * np.float32(-200.0)
    share = table_share(numpy_ops, largest_chroma(), L, a, b)
    light = linear_light(numpy_ops, fy, fy + share * p, fy + share * q)
    searched = np.flatnonzero((share > 0.0) & (is_yellow(numpy_ops, L, a, b) | ~shows(numpy_ops, light)))
    if len(searched):
        fy, p, q = fy[searched], p[searched], q[searched]
        found, step = np.zeros_like(fy), np.float32(0.5)
        for _ in range(BISECTIONS):
            tried = found + step
            found = np.where(
                shows(numpy_ops, linear_light(numpy_ops, fy, fy + tried * p, fy + tried * q)), tried, found
            )
            step /= 2
        share[searched] = found
        for channel, exact in zip(light, linear_light(numpy_ops, fy, fy + found * p, fy + found * q), strict=True):
            channel[searched] = exact
    return share, light
