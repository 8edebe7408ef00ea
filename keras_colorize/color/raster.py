"""The conversion of a photo's pixels in NumPy: lightness of a photo, and CIELAB back to the photo's own type.

Pixels are converted in planes of at most `STRIP` pixels, in place: the planes stay in the processor's cache, and
nothing is allocated. NumPy lets other threads run meanwhile, so strips are converted on all cores. The results are
those of `color.lab` and `color.gamut`, to the rounding of float32 (`tests/test_raster.py`). TensorFlow is not needed.

CIELAB is written as f(X), f(Y) and f(Z) here, the cube roots of light. f(Y) is (L + 16) / 116, f(X) − f(Y) is a / 500,
and f(Y) − f(Z) is b / 200.
"""

import functools
import threading

import numpy as np

from keras_colorize.color.largest_chroma import light_in_gamut
from keras_colorize.color.standards import (
    BRIGHT_TOLERANCE,
    DARK_TOLERANCE,
    DELTA,
    ENCODED_KNEE,
    LINEAR_KNEE,
    RGB_FROM_UNIT_XYZ,
    SLOPE,
    UNIT_XYZ_FROM_RGB,
)

# Pixels that are converted at a time: a plane of floats has a quarter of a megabyte.
STRIP = 1 << 16

WHITE = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}

# The largest coefficient of each channel is made 1, which saves a product for each pixel: linear R, G, B are these
# factors times what is computed, and the other coefficients follow.
_LARGEST = (0, 1, 2)
_FACTORS = [row[largest] for row, largest in zip(RGB_FROM_UNIT_XYZ, _LARGEST, strict=True)]

# Levels of 8 bits are looked up at the square root of linear light, where they lie evenly: within 0.003 of a level.
_ROOT_STEPS = 60_000


class _Scratch(threading.local):
    """Planes that a thread uses again for each strip.

    planes: (12, STRIP) float32.
    outside, failed: (STRIP,) bool.
    steps: (STRIP,) uint16.
    levels: (STRIP,) uint8.
    """

    def __init__(self) -> None:
        self.planes = np.empty((12, STRIP), np.float32)
        self.outside, self.failed = np.empty((2, STRIP), bool)
        self.steps = np.empty(STRIP, np.uint16)
        self.levels = np.empty(STRIP, np.uint8)


_scratch = _Scratch()
# Comparing with an array is three times as fast as comparing with a number.
_ZEROS = np.zeros(STRIP, np.float32)
_DELTAS = np.full(STRIP, DELTA, np.float32)


def planes(count: int, pixels: int) -> np.ndarray:
    """Return `count` planes (count, pixels) of this thread, at most 6, which the functions here do not use."""
    return _scratch.planes[:count, :pixels]


def read_light(pixels: np.ndarray, fy: np.ndarray, Y: np.ndarray) -> None:
    """Compute f(Y) and Y of a strip.

    Args:
        pixels: `(r, c)` or `(r, c, 3)` with r·c = n; uint8, uint16, or float32 in [0, 1].
        fy, Y: (n,) float32, filled.
    """
    kind = pixels.dtype.name
    if pixels.ndim == 2 and kind != "float32":
        root, light = _grey_tables(kind)
        index = pixels.ravel().astype(np.intp)
        root.take(index, out=fy, mode="clip")
        light.take(index, out=Y, mode="clip")
        return
    if pixels.ndim == 2:
        Y[:] = decode(pixels.ravel())
    else:
        part = _scratch.planes[6, : len(Y)]
        for channel, weight in enumerate(UNIT_XYZ_FROM_RGB[1]):
            to = part if channel else Y
            if kind == "float32":
                to[:] = decode(pixels[..., channel].ravel())
            else:
                _linear_table(kind).take(pixels[..., channel].ravel(), out=to, mode="clip")
            to *= np.float32(weight)
            if channel:
                Y += part
    take_root(Y, fy)


def read_lightness(L: np.ndarray, fy: np.ndarray, Y: np.ndarray) -> None:
    """Compute f(Y) and Y (n,) of lightness (n,) in [0, 100]."""
    np.add(L, np.float32(16.0), out=fy)
    fy /= np.float32(116.0)
    _cube(fy, Y, _scratch.planes[6, : len(Y)])


def photo_lightness(pixels: np.ndarray) -> np.ndarray:
    """Return L `(H, W)` float32 in [0, 100] of a photo `(H, W)` or `(H, W, 3)`; uint8, uint16, or float32 in [0, 1]."""
    L = np.empty(pixels.shape[:2], np.float32)
    rows, columns = max(1, STRIP // pixels.shape[1]), min(pixels.shape[1], STRIP)
    for top in range(0, len(pixels), rows):
        for left in range(0, pixels.shape[1], columns):
            part = L[top : top + rows, left : left + columns]
            fy, Y = planes(2, part.size)
            read_light(pixels[top : top + rows, left : left + columns], fy, Y)
            fy *= np.float32(116.0)
            fy -= np.float32(16.0)
            # Black would be −2e-6, by a rounding.
            np.maximum(fy.reshape(part.shape), np.float32(0.0), out=part)
    return L


def color_chroma(rgb_u8: np.ndarray) -> tuple[float, float]:
    """Return the chroma (a, b) in CIE units of one colour (3,) uint8."""
    linear = decode(rgb_u8.astype(np.float32) / np.float32(255.0))
    light, f = np.array(UNIT_XYZ_FROM_RGB, np.float32) @ linear, np.empty(3, np.float32)
    take_root(light, f)
    return 500.0 * float(f[0] - f[1]), 200.0 * float(f[1] - f[2])


def write_colors(fy: np.ndarray, Y: np.ndarray, fx: np.ndarray, fz: np.ndarray, rgb: np.ndarray) -> None:
    """Convert a strip to RGB, with chroma in gamut along its hue.

    Args:
        fy, Y, fx, fz: (n,) float32; `fx` and `fz` are as the colour is asked for.
        rgb: (r, c, 3) of uint8, uint16 or float32 with r·c = n, filled.
    """
    count = len(fy)
    X, Z, part, *light = _scratch.planes[6:12, :count]
    _cube(fx, X, part)
    np.maximum(fz, _ZEROS[:count], out=light[0])
    _cube(light[0], Z, part)
    unit = (X, Y, Z)
    for channel, row, largest, factor in zip(light, RGB_FROM_UNIT_XYZ, _LARGEST, _FACTORS, strict=True):
        first, second = (i for i in range(3) if i != largest)
        np.multiply(unit[first], np.float32(row[first] / factor), out=channel)
        channel += unit[largest]
        np.multiply(unit[second], np.float32(row[second] / factor), out=part)
        channel += part
    _shorten(fy, fx, fz, light)
    shape = rgb.shape[:2]
    for number, (channel, factor) in enumerate(zip(light, _FACTORS, strict=True)):
        rgb[..., number] = _encoded(channel, factor, rgb.dtype.name, part).reshape(shape)


def _shorten(fy: np.ndarray, fx: np.ndarray, fz: np.ndarray, light: list[np.ndarray]) -> None:
    """Replace the light of colours that sRGB does not show by that of the same hue with less chroma."""
    count = len(fy)
    outside, failed = _scratch.outside[:count], _scratch.failed[:count]
    outside[:] = False
    for channel, factor in zip(light, _FACTORS, strict=True):
        np.less(channel, np.float32(-DARK_TOLERANCE / factor), out=failed)
        outside |= failed
        np.greater(channel, np.float32((1.0 + BRIGHT_TOLERANCE) / factor), out=failed)
        outside |= failed
    if not outside.any():
        return
    places = np.flatnonzero(outside)
    fy_outside = fy.take(places)
    shortened = light_in_gamut(fy_outside, fx.take(places) - fy_outside, fz.take(places) - fy_outside)
    for channel, values, factor in zip(light, shortened, _FACTORS, strict=True):
        channel[places] = values / np.float32(factor)


def _encoded(light: np.ndarray, factor: float, kind: str, part: np.ndarray) -> np.ndarray:
    """Return the levels (n,) of linear light · factor, in a type. `light` and `part` (n,) are overwritten."""
    count = len(light)
    np.maximum(light, _ZEROS[:count], out=light)
    if kind == "uint8":
        np.sqrt(light, out=light)
        light *= np.float32(_ROOT_STEPS * np.sqrt(factor))
        steps, levels = _scratch.steps[:count], _scratch.levels[:count]
        np.copyto(steps, light, casting="unsafe")
        return _level_table().take(steps, out=levels, mode="clip")
    light *= np.float32(factor)
    np.minimum(light, np.float32(1.0), out=light)
    encoded = encode(light)
    return np.rint(encoded * np.float32(65535.0)) if kind == "uint16" else encoded


def decode(encoded: np.ndarray) -> np.ndarray:
    """Undo the sRGB curve: encoded float32 in [0, 1] → linear light."""
    held = np.maximum(encoded, np.float32(ENCODED_KNEE))
    power = np.exp(np.log((held + np.float32(0.055)) * np.float32(1 / 1.055)) * np.float32(2.4))
    return np.where(encoded > ENCODED_KNEE, power, encoded * np.float32(1 / 12.92))


def encode(light: np.ndarray) -> np.ndarray:
    """Apply the sRGB curve: linear light, float32 in [0, 1] → encoded."""
    power = np.exp(np.log(np.maximum(light, np.float32(LINEAR_KNEE))) * np.float32(1 / 2.4))
    return np.where(light > LINEAR_KNEE, power * np.float32(1.055) - np.float32(0.055), light * np.float32(12.92))


def take_root(light: np.ndarray, root: np.ndarray) -> None:
    """Fill `root` (n,) with CIE's f of light (n,) float32."""
    held = _scratch.planes[6, : len(light)]
    np.maximum(light, np.float32(DELTA**3), out=held)
    np.log(held, out=root)
    root *= np.float32(1.0 / 3.0)
    np.exp(root, out=root)
    np.subtract(light, held, out=held)
    held *= np.float32(SLOPE)
    root += held


def _cube(f: np.ndarray, light: np.ndarray, part: np.ndarray) -> None:
    """Fill `light` (n,) with the light of f (n,): a cube above δ, and its tangent below. `part` (n,) is overwritten."""
    if f.min() > DELTA:
        np.multiply(f, f, out=light)
        light *= f
        return
    held = np.maximum(f, _DELTAS[: len(f)], out=part)
    np.multiply(held, held, out=light)
    light *= held
    np.subtract(f, held, out=part)
    part *= np.float32(1.0 / SLOPE)
    light += part


@functools.cache
def _linear_table(kind: str) -> np.ndarray:
    """Return the linear light of each level of uint8 or uint16."""
    return decode(np.arange(int(WHITE[kind]) + 1, dtype=np.float32) / np.float32(WHITE[kind]))


@functools.cache
def _grey_tables(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return f(Y) and Y of each grey level of uint8 or uint16."""
    light = _linear_table(kind)
    held = np.maximum(light, np.float32(DELTA**3))
    return np.cbrt(held) + (light - held) * np.float32(SLOPE), light


@functools.cache
def grey_lightness(kind: str) -> np.ndarray:
    """Return L of each grey level of uint8 or uint16: (256,) or (65536,) float32."""
    return _grey_tables(kind)[0] * np.float32(116.0) - np.float32(16.0)


@functools.cache
def _level_table() -> np.ndarray:
    """Return the level of 8 bits for each step of the square root of linear light."""
    light = np.square((np.arange(1 << 16) + 0.5) / _ROOT_STEPS)
    encoded = np.where(light > LINEAR_KNEE, 1.055 * light ** (1 / 2.4) - 0.055, light * 12.92)
    return np.rint(np.minimum(encoded, 1.0) * 255.0).astype(np.uint8)
