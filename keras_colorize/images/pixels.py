"""Decoded images and stored samples → upright sRGB arrays, strip by strip."""

import math
from typing import Any

import numpy as np
from PIL import Image

from keras_colorize.images.icc import deep_transform, grey_table, transform_to_srgb
from keras_colorize.images.photos import STRIP, is_scaled, separate_alpha, strips, white_of
from keras_colorize.images.picture import Picture
from keras_colorize.images.pillow import set_raw_mode, tiles_of


def filled(image: Image.Image, channels: int, dtype: Any, samples: Any) -> np.ndarray:
    """(H, W, channels) of what `samples` makes of each strip of a loaded image."""
    filled = np.empty((image.height, image.width, channels), dtype)
    for rows, strip in strips(image):
        filled[rows] = samples(strip)
    return filled


def two_bytes(image: Image.Image, stored: str) -> np.ndarray:
    """(H, W, 3 or 4) uint16 with the high bytes of an image that is not yet loaded."""
    set_raw_mode(image, tiles_of(image), stored)
    image.load()
    count = len(image.getbands())
    return filled(image, count, np.uint16, lambda strip: np.asarray(strip).astype(np.uint16) << 8)


def add_low_bytes(bands: np.ndarray, image: Image.Image) -> None:
    for rows, strip in strips(image):
        bands[rows] |= np.asarray(strip)


def _stored_view(upright: np.ndarray, orientation: int) -> np.ndarray:
    """An upright array as the file's rows and columns (EXIF 2.3, table 6): what is written there lands upright."""
    if orientation == 5:
        return upright.swapaxes(0, 1)
    if orientation == 7:
        return upright[::-1, ::-1].swapaxes(0, 1)
    if orientation in (6, 8):
        return np.rot90(upright, 1 if orientation == 6 else -1)
    return upright[:: -1 if orientation in (3, 4) else 1, :: -1 if orientation in (2, 3) else 1]


def _empty(width: int, height: int, orientation: int, dtype: Any, *channels: int) -> tuple[np.ndarray, np.ndarray]:
    """An upright array for a stored width and height, and its view as the file stores it."""
    upright = np.empty((width, height, *channels) if orientation >= 5 else (height, width, *channels), dtype)
    return upright, _stored_view(upright, orientation)


def from_image(
    image: Image.Image, profile: bytes | None, orientation: int, largest: int = 65535, white_is_zero: bool = False
) -> Picture:
    """A loaded Pillow image of up to 8 bits, or of grey with more."""
    if is_scaled(image.mode):
        return _from_scaled(image, profile, orientation, largest, white_is_zero)
    grey_palette = image.mode == "P" and _is_grey_palette(image)
    grey_palette = grey_palette and not (profile and transform_to_srgb(profile, "RGB"))
    pixels = alpha = stored = stored_alpha = None
    for rows, strip in strips(image):
        plain, transparency = separate_alpha(strip)
        if grey_palette:
            plain = plain.convert("L")
        if pixels is None:
            channels = () if plain.mode == "L" else (3,)
            pixels, stored = _empty(*image.size, orientation, np.uint8, *channels)
            if transparency is not None:
                alpha, stored_alpha = _empty(*image.size, orientation, np.uint8)
        assert stored is not None
        stored[rows] = _strip_to_srgb(plain, profile)
        if stored_alpha is not None:
            stored_alpha[rows] = np.asarray(transparency)
    assert pixels is not None
    return Picture(pixels, alpha)


def _strip_to_srgb(plain: Image.Image, profile: bytes | None) -> np.ndarray:
    if plain.mode == "L":
        table = grey_table(profile, 8) if profile else None
        return np.asarray(plain) if table is None else table[np.asarray(plain)]
    transform = transform_to_srgb(profile, plain.mode) if profile else None
    return np.asarray(plain.convert("RGB") if transform is None else transform.apply(plain))


def _is_grey_palette(image: Image.Image) -> bool:
    palette = np.array(image.getpalette("RGB") or (), np.uint8).reshape(-1, 3)
    return len(palette) > 0 and bool((palette == palette[:, :1]).all())


def _from_scaled(
    image: Image.Image, profile: bytes | None, orientation: int, largest: int, white_is_zero: bool
) -> Picture:
    """Grey of more than 8 bits → uint16; exactly, where it has 16."""
    pixels, stored = _empty(*image.size, orientation, np.uint16)
    table = grey_table(profile, 16) if profile else None
    white = white_of(image)
    transparent = image.info.get("transparency")
    alpha = stored_alpha = None
    if isinstance(transparent, int):
        alpha, stored_alpha = _empty(*image.size, orientation, np.uint16)
    for rows, strip in strips(image):
        levels = np.asarray(strip)
        if levels.dtype.itemsize == 2:
            levels = levels.astype(np.uint16)
            if largest < 65535:
                levels = ((levels.astype(np.uint32) * 65535 + largest // 2) // largest).astype(np.uint16)
            if white_is_zero:
                levels = 65535 - levels
        else:
            levels = to_16_bits(levels, white)
        if stored_alpha is not None:
            stored_alpha[rows] = np.where(levels == transparent, 0, 65535)
        stored[rows] = levels if table is None else table[levels]
    return Picture(pixels, alpha)


def to_8_bits(pixels: np.ndarray) -> np.ndarray:
    """Pixels of uint8, uint16, or float32 in [0, 1] → the nearest of uint8, strip by strip. uint8 comes back itself."""
    if pixels.dtype == np.uint8:
        return pixels
    shallow = np.empty(pixels.shape, np.uint8)
    rows = max(1, STRIP // max(math.prod(pixels.shape[1:]), 1))
    for top in range(0, len(pixels), rows):
        strip = pixels[top : top + rows]
        deep = strip.dtype == np.uint16
        shallow[top : top + rows] = (strip.astype(np.uint32) + 128) // 257 if deep else np.rint(strip * np.float32(255))
    return shallow


def to_16_bits(levels: np.ndarray, white: float) -> np.ndarray:
    share = np.clip(np.nan_to_num(levels.astype(np.float64)) / white, 0.0, 1.0)
    return np.rint(share * 65535).astype(np.uint16)


def from_bands(
    bands: np.ndarray,
    profile: bytes | None,
    orientation: int,
    transparent: Any = None,
    premultiplied: bool = False,
) -> Picture:
    """Stored samples (H, W, 1 to 4), grey or RGB with or without transparency, mostly of 16 bits.

    Args:
        bands: overwritten where the picture can lie in the same memory.
        transparent: the one colour that is transparent, as PNG has it.
        premultiplied: colours were multiplied by the transparency, as TIFF has it.
    """
    height, width, count = bands.shape
    grey, full = count < 3, np.iinfo(bands.dtype).max
    with_alpha = count in (2, 4)
    keyed = isinstance(transparent, tuple) and count == 3
    if orientation == 1 and not with_alpha:
        pixels = stored = bands[..., 0] if grey else bands
    else:
        pixels, stored = _empty(width, height, orientation, bands.dtype, *(() if grey else (3,)))
    alpha, stored_alpha = _empty(width, height, orientation, bands.dtype) if with_alpha or keyed else (None, None)
    convert = _converter(profile, grey, 8 * bands.itemsize)
    rows_each = max(1, STRIP // width)
    for top in range(0, height, rows_each):
        rows = slice(top, top + rows_each)
        colors = bands[rows, :, 0] if grey else bands[rows, :, :3]
        if stored_alpha is not None:
            share = bands[rows, :, -1] if with_alpha else (colors != np.array(transparent)).any(axis=-1) * full
            if premultiplied:
                by = np.maximum(share, 1).astype(np.uint64)
                by = by if grey else by[..., None]
                colors = np.minimum((colors.astype(np.uint64) * full + by // 2) // by, full).astype(bands.dtype)
            stored_alpha[rows] = share
        stored[rows] = colors if convert is None else convert(colors)
    return Picture(pixels, alpha)


def _converter(profile: bytes | None, grey: bool, depth: int) -> Any:
    """What turns strips of samples into sRGB, or `None`."""
    if not profile:
        return None
    if grey:
        table = grey_table(profile, depth)
        return None if table is None else lambda levels: table[levels]
    if depth == 8:
        if transform_to_srgb(profile, "RGB") is None:
            return None
        return lambda colors: _strip_to_srgb(Image.fromarray(np.ascontiguousarray(colors)), profile)
    transform = deep_transform(profile)
    return None if transform is None else lambda colors: transform(colors.reshape(-1, 3)).reshape(colors.shape)
