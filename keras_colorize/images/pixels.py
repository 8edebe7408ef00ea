"""Decoded images and stored samples → upright sRGB arrays, strip by strip, and from there to 8 bits."""

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from keras_colorize.images.icc import PROFILE_SPACES, deep_transform, grey_table, lab_to_srgb, transform_to_srgb
from keras_colorize.images.picture import Picture

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

STRIP = 1 << 18  # pixels that are converted at a time: their floats stay in the processor's cache


def strips(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Cut a loaded image into bands of rows of about `STRIP` pixels: converted one by one, their copies stay small."""
    rows = max(1, STRIP // image.width)
    if rows >= image.height:
        yield slice(0, image.height), image
        return
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))


def _row_blocks(pixels: np.ndarray) -> Iterator[slice]:
    rows = max(1, STRIP // max(math.prod(pixels.shape[1:]), 1))
    for top in range(0, len(pixels), rows):
        yield slice(top, top + rows)


# Bits


def is_scaled(mode: str) -> bool:
    """Tell whether a Pillow mode holds grey levels of more than 8 bits, which `white_level` relates to white."""
    return mode == "F" or mode.startswith("I")


def white_level(mode: str, peak: float) -> float:
    """Return the value that stands for white in an image of more than 8 bits whose largest value is `peak`."""
    if mode != "F":
        return 65535.0  # 32-bit "I" too: Pillow scales PGM to it, and stores 16 bits in it
    # [choice] A float TIFF says nowhere what its white is: 1 where no pixel exceeds 1, else 255, else 65,535.
    return 1.0 if peak <= 1.0 else 255.0 if peak <= 255.0 else 65535.0


def to_16_bits(levels: np.ndarray, white: float) -> np.ndarray:
    """Scale levels of any type from [0, `white`] to uint16, rounded and clipped. NaN becomes 0."""
    share = np.clip(np.nan_to_num(levels.astype(np.float64)) / white, 0.0, 1.0)
    return np.rint(share * 65535).astype(np.uint16)


def to_8_bits(pixels: np.ndarray) -> np.ndarray:
    """Round pixels of uint8, uint16, or float32 in [0, 1] to the nearest of uint8. uint8 comes back itself."""
    if pixels.dtype == np.uint8:
        return pixels
    shallow = np.empty(pixels.shape, np.uint8)
    for rows in _row_blocks(pixels):
        block = pixels[rows]
        deep = block.dtype == np.uint16
        shallow[rows] = (block.astype(np.uint32) + 128) // 257 if deep else np.rint(block * np.float32(255))
    return shallow


# Transparency


def over_white(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Lay transparent pixels over white.

    Args:
        pixels: (H, W) or (H, W, 3), uint8 or uint16.
        alpha: opacity (H, W) of the same type.

    Returns:
        an array like `pixels`, rounded.
    """
    # [choice] White is the paper of most logos, drawings and cut-outs. A grey ground would tint the edges of a light
    # one, and black those of a dark one as much as white does.
    full = int(np.iinfo(pixels.dtype).max)
    wide = np.dtype(np.uint16 if full == 255 else np.uint32)  # holds full², and half of full for rounding
    flat = np.empty_like(pixels)
    for rows in _row_blocks(pixels):
        share = alpha[rows].astype(wide)
        share = share if pixels.ndim == 2 else share[..., None]
        flat[rows] = (pixels[rows] * share + full * (full - share) + full // 2) // full
    return flat


def flat_8_bits(picture: Picture) -> np.ndarray:
    """Reduce a photo to opaque 8-bit pixels: rounded first, then laid over white. uint8 (H, W) or (H, W, 3)."""
    pixels = to_8_bits(picture.pixels)
    return pixels if picture.alpha is None else over_white(pixels, to_8_bits(picture.alpha))


# Orientation


def _stored_view(upright: np.ndarray, orientation: int) -> np.ndarray:
    """View an upright array by the file's rows and columns (EXIF 2.3, table 6): what is written there lands upright."""
    if orientation == 5:
        return upright.swapaxes(0, 1)
    if orientation == 7:
        return upright[::-1, ::-1].swapaxes(0, 1)
    if orientation in (6, 8):
        return np.rot90(upright, 1 if orientation == 6 else -1)
    return upright[:: -1 if orientation in (3, 4) else 1, :: -1 if orientation in (2, 3) else 1]


def _empty(
    width: int, height: int, orientation: int, dtype: "DTypeLike", *channels: int
) -> tuple[np.ndarray, np.ndarray]:
    """An upright array for a stored width and height, and its view as the file stores it."""
    upright = np.empty((width, height, *channels) if orientation >= 5 else (height, width, *channels), dtype)
    return upright, _stored_view(upright, orientation)


# Pillow's images


def from_image(
    image: Image.Image, profile: bytes | None, orientation: int, largest: int = 65535, white_is_zero: bool = False
) -> Picture:
    """Convert a loaded Pillow image.

    Args:
        image: of any mode that Pillow has: 8 bits or fewer per sample, or grey with more.
        profile: the ICC profile to convert from, or `None`.
        orientation: EXIF's, 1 to 8.
        largest: white of 16-bit grey; 4095 where the file has 12 bits.
        white_is_zero: whether 16-bit grey runs from white to black.
    """
    if is_scaled(image.mode):
        return _from_scaled(image, profile, orientation, largest, white_is_zero)
    pixels = alpha = stored = stored_alpha = None
    grey_palette = _is_grey_palette(image, profile)
    for rows, strip in strips(image):
        opaque, transparency = _separate_alpha(strip)
        plain = srgb_image(opaque.convert("L") if grey_palette else opaque, profile)
        if pixels is None:
            channels = () if plain.mode == "L" else (3,)
            pixels, stored = _empty(*image.size, orientation, np.uint8, *channels)
            if transparency is not None:
                alpha, stored_alpha = _empty(*image.size, orientation, np.uint8)
        assert stored is not None
        stored[rows] = np.asarray(plain)
        if stored_alpha is not None:
            stored_alpha[rows] = np.asarray(transparency)
    assert pixels is not None
    return Picture(pixels, alpha)


def is_plain(image: Image.Image) -> bool:
    """Tell whether a loaded image is opaque "L", "RGB" or "CMYK" of 8 bits, which `srgb_image` converts."""
    return image.mode in _PLAIN_MODES and not image.has_transparency_data


_PLAIN_MODES = frozenset(PROFILE_SPACES.values())


def srgb_image(plain: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert an opaque image "L", "RGB" or "CMYK" to sRGB: "L" of "L", else "RGB"; itself where nothing changes."""
    if plain.mode == "L":
        table = grey_table(profile, 8) if profile else None
        return plain if table is None else plain.point(table.tolist())
    transform = transform_to_srgb(profile, plain.mode) if profile else None
    if transform is not None:
        return transform.apply(plain)
    return plain if plain.mode == "RGB" else plain.convert("RGB")


def _separate_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Any mode of 8 bits or fewer → "L", "RGB" or "CMYK" in the file's own colours, and its transparency as "L"."""
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return rgba.convert("L" if image.mode in ("L", "LA", "La") else "RGB"), rgba.getchannel("A")
    if image.mode == "LAB":
        return lab_to_srgb().apply(image), None
    if image.mode == "1":
        return image.convert("L"), None
    return image if image.mode in _PLAIN_MODES else image.convert("RGB"), None


def _is_grey_palette(image: Image.Image, profile: bytes | None) -> bool:
    """Tell whether a palette holds nothing but grey, which stays grey as no profile converts it."""
    if image.mode != "P" or (profile and transform_to_srgb(profile, "RGB")):
        return False
    palette = np.array(image.getpalette("RGB") or (), np.uint8).reshape(-1, 3)
    return len(palette) > 0 and bool((palette == palette[:, :1]).all())


def _from_scaled(
    image: Image.Image, profile: bytes | None, orientation: int, largest: int, white_is_zero: bool
) -> Picture:
    """Grey of more than 8 bits → uint16; exactly, where it has 16."""
    pixels, stored = _empty(*image.size, orientation, np.uint16)
    table = grey_table(profile, 16) if profile else None
    peak = max(float(np.nanmax(np.asarray(strip), initial=0.0)) for _, strip in strips(image))
    white = white_level(image.mode, peak)
    transparent = image.info.get("transparency")
    alpha = stored_alpha = None
    if isinstance(transparent, int):
        alpha, stored_alpha = _empty(*image.size, orientation, np.uint16)
    for rows, strip in strips(image):
        levels = np.asarray(strip)
        if levels.dtype.itemsize == 2:
            levels = levels.astype(np.uint16) if largest == 65535 else to_16_bits(levels, largest)
            if white_is_zero:
                levels = 65535 - levels
        else:
            levels = to_16_bits(levels, white)
        if stored_alpha is not None:
            stored_alpha[rows] = np.where(levels == transparent, 0, 65535)
        stored[rows] = levels if table is None else table[levels]
    return Picture(pixels, alpha)


# Samples as they are stored


def from_bands(
    bands: np.ndarray,
    profile: bytes | None,
    orientation: int,
    transparent: object = None,
    premultiplied: bool = False,
) -> Picture:
    """Convert stored samples, grey or RGB with or without transparency, mostly of 16 bits.

    Args:
        bands: (H, W, 1 to 4) uint8 or uint16; overwritten where the picture can lie in the same memory.
        profile: the ICC profile to convert from, or `None`.
        orientation: EXIF's, 1 to 8.
        transparent: the one colour that is transparent, as PNG has it.
        premultiplied: whether colours were multiplied by the transparency, as TIFF has it.
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


def _converter(profile: bytes | None, grey: bool, depth: int) -> Callable[[np.ndarray], np.ndarray] | None:
    """The conversion of strips of samples to sRGB, or `None` where nothing changes."""
    if not profile:
        return None
    if grey:
        table = grey_table(profile, depth)
        return None if table is None else lambda levels: table[levels]
    if depth == 8:
        if transform_to_srgb(profile, "RGB") is None:
            return None
        return lambda colors: np.asarray(srgb_image(Image.fromarray(np.ascontiguousarray(colors)), profile))
    transform = deep_transform(profile)
    return None if transform is None else lambda colors: transform(colors.reshape(-1, 3)).reshape(colors.shape)
