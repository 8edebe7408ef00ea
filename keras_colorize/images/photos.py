"""One photo file → 8-bit sRGB pixels, and the test for photos that hold no colour.

Training, evaluation and inference all read photos here, so a rotated phone photo, a CMYK scan or a 16-bit TIFF
looks the same to each of them. Pillow and NumPy only; nothing here loads TensorFlow.
"""

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.images.icc import PROFILE_SPACES, lab_to_srgb, transform_to_srgb

Resize = Literal["crop", "squash"]
Box = tuple[float, float, float, float]  # top, left, bottom, right, each in [0, 1] of the upright photo

# What a folder is searched for. A list file may name anything else that Pillow reads.
PHOTO_SUFFIXES = (
    *(".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpeg", ".jpg", ".mpo"),
    *(".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)

# A photo is grey when this share of its pixels has a channel spread (max − min over R, G, B) of at most so many
# levels. Over 8,741 scene photos of the web the count has a plateau there: 396 are exactly grey (spread 0) and 410
# are at 4 levels, since JPEG stores colour differences with rounding noise; beyond it pale colour photos begin.
GREY_SPREAD = 4
GREY_SHARE = 0.99

# JPEG can decode itself at 1/2, 1/4 or 1/8. Down to this multiple of the wanted size that is quicker and the bicubic
# filter, which does the rest, leaves no visible difference.
_DRAFT_GAP = 2

STRIP = 1 << 18  # pixels that are converted at a time: their floats stay in the processor's cache
_LARGE = 1 << 24  # pixels; what has more is converted in strips, as its copies would not fit beside it

_ORIENTATION_TAG, _BITS_TAG, _PLANAR_TAG = 0x0112, 258, 284
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_photo(
    file: str | Path | BinaryIO,
    size: int | None = None,
    resize: Resize = "crop",
    *,
    box: Box | None = None,
    name: str | None = None,
) -> np.ndarray:
    """Decode a photo to sRGB, upright.

    EXIF orientation is applied, an embedded ICC profile is converted to sRGB, CMYK, palette, grey and 16-bit files
    become 8-bit RGB over their full range, transparency is laid over white, and the first frame of several is taken.

    Args:
        file: a path, or a binary file object.
        size: side of the square that comes back, resampled by antialiased bicubic; `None` leaves the photo's size.
        resize: with a `size`, "crop" cuts the centre square of the short side first and "squash" scales both axes.
        box: a part of the upright photo, relative (top, left, bottom, right), which is cut out first.
        name: what error messages call the photo; the path unless given.

    Returns:
        rgb_u8 `(H, W, 3)` uint8, or `(size, size, 3)`.

    Raises:
        ColorizeError: the file is missing, empty, truncated, too large, or no image that Pillow reads.
    """
    if resize not in get_args(Resize):
        raise ColorizeError(
            f"unknown resize '{resize}'{did_you_mean(resize, get_args(Resize))} (known: {', '.join(get_args(Resize))})"
        )
    shown = name or str(getattr(file, "name", file))
    try:
        height, width = (box[2] - box[0], box[3] - box[1]) if box else (1.0, 1.0)
        wanted = None if size is None else int(_DRAFT_GAP * size / max(min(height, width), 1e-3))
        whole = _decode(file, wanted) if box is None or not isinstance(file, (str, Path)) else _recent(file, wanted)
        region = _region(whole.size, box, square=size is not None and resize == "crop")
        # Cut first: `resize(box=…)` would let the pixels around the region into its edges.
        part = whole if region == (0, 0, *whole.size) else whole.crop(region)
        return np.array(part if size is None else part.resize((size, size), Image.Resampling.BICUBIC))
    except Exception as error:  # a damaged file can raise anything: struct.error, SyntaxError, KeyError, EOFError, …
        raise ColorizeError(f"{shown}: {why(file, error)}") from error


def is_grey(rgb_u8: np.ndarray) -> bool:
    """Whether a photo `(H, W, 3)` uint8 holds no colour: 99 % of its pixels within 4 levels of neutral."""
    r, g, b = rgb_u8[..., 0], rgb_u8[..., 1], rgb_u8[..., 2]
    spread = np.maximum(np.maximum(r, g), b) - np.minimum(np.minimum(r, g), b)
    return np.count_nonzero(spread <= GREY_SPREAD) >= GREY_SHARE * spread.size


def _decode(file: str | Path | BinaryIO, wanted: int | None) -> Image.Image:
    """The whole photo, upright, "RGB" in sRGB; of a JPEG the smallest version whose sides are at least `wanted`."""
    with Image.open(file) as image:
        if wanted is not None:
            image.draft(None, (wanted, wanted))
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            check_strips(image)
            _take_deep_planes(image)
        image.load()
        return _to_srgb(_upright(image))


def check_strips(image: TiffImagePlugin.TiffImageFile) -> None:
    """Refuse an uncompressed TIFF, not yet loaded, that lacks strips or tiles: Pillow would leave those parts black.

    Raises:
        ColorizeError: parts are missing.
    """
    if image.use_load_libtiff or any(tile.codec_name != "raw" for tile in image.tile):
        return  # libtiff and the other decoders say so themselves
    width, height = image._tile_size
    covered = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (tile.extents for tile in image.tile if tile.extents))
    if covered < width * height * (len(image.getbands()) if _in_planes(image) else 1):
        raise ColorizeError("does not decode (parts of the picture are missing)")


def _take_deep_planes(image: TiffImagePlugin.TiffImageFile) -> None:
    """Let the high bytes be taken of 16-bit colour in separate planes, where Pillow would take bytes for samples."""
    if _in_planes(image) and not image.use_load_libtiff and max(image.tag_v2.get(_BITS_TAG, (8,))) == 16:
        order = ";16L" if image.tag_v2.prefix == b"II" else ";16B"
        image.tile = [
            tile._replace(args=(tile.args[0] + order, *tile.args[1:])) if isinstance(tile.args, tuple) else tile
            for tile in image.tile
        ]


def _in_planes(image: TiffImagePlugin.TiffImageFile) -> bool:
    return len(image.getbands()) > 1 and image.tag_v2.get(_PLANAR_TAG) == 2


# The parts of a photo are asked for one after another: decode it for the first of them.
_recent = functools.lru_cache(maxsize=4)(_decode)


def _upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation. Pillow has done so, and dropped the tag, where the file is a TIFF."""
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # EXIF that cannot be parsed: the pixels are still good
        orientation = 1
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _region(size: tuple[int, int], box: Box | None, square: bool) -> tuple[int, int, int, int]:
    """Pixels `(left, top, right, bottom)` of a relative box, cut to its centre square on demand.

    Whole pixels, so that a photo which has the wanted size already is cropped and not interpolated.
    """
    width, height = size
    top, left, bottom, right = box or (0.0, 0.0, 1.0, 1.0)
    x0, y0 = min(round(left * width), width - 1), min(round(top * height), height - 1)
    w, h = max(round(right * width) - x0, 1), max(round(bottom * height) - y0, 1)
    if square:
        side = min(w, h)
        x0, y0, w, h = x0 + (w - side) // 2, y0 + (h - side) // 2, side, side
    return x0, y0, x0 + w, y0 + h


def strips(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """A loaded image in bands of rows, of about `STRIP` pixels: converted one by one, their copies stay small."""
    rows = max(1, STRIP // image.width)
    if rows >= image.height:
        yield slice(0, image.height), image
        return
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))


def white_of(image: Image.Image) -> float:
    """The value that stands for white in a loaded image of more than 8 bits."""
    peak = max(float(np.nanmax(np.asarray(strip), initial=0.0)) for _, strip in strips(image))
    return white_level(image.mode, peak)


def _to_srgb(image: Image.Image) -> Image.Image:
    """Any mode → "RGB" in sRGB, opaque."""
    white = white_of(image) if is_scaled(image.mode) else 255.0
    if image.width * image.height <= _LARGE:
        return _strip_to_srgb(image, white)
    rgb = Image.new("RGB", image.size)
    for rows, strip in strips(image):
        rgb.paste(_strip_to_srgb(strip, white), (0, rows.start))
    return rgb


def _strip_to_srgb(image: Image.Image, white: float) -> Image.Image:
    profile = image.info.get("icc_profile") if image.mode != "LAB" else None
    image, alpha = separate_alpha(_to_8_bits(image, white) if is_scaled(image.mode) else image)
    transform = transform_to_srgb(profile, image.mode) if profile else None
    rgb = transform.apply(image) if transform is not None else image.convert("RGB")
    if alpha is None:
        return rgb
    # [choice] Transparency over white: the paper of most logos, drawings and cut-outs. A grey ground would tint the
    # edges of a light one, and black those of a dark one as much as white does.
    return Image.composite(rgb, Image.new("RGB", rgb.size, "white"), alpha)


def separate_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Any mode of 8 bits or fewer → "L", "RGB" or "CMYK" in the file's own colours, and its transparency as "L"."""
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return rgba.convert("L" if image.mode in ("L", "LA", "La") else "RGB"), rgba.getchannel("A")
    if image.mode == "LAB":
        return lab_to_srgb().apply(image), None
    if image.mode == "1":
        return image.convert("L"), None
    return image if image.mode in PROFILE_SPACES.values() else image.convert("RGB"), None


def is_scaled(mode: str) -> bool:
    """Whether a mode holds grey levels of more than 8 bits, which `white_level` relates to white."""
    return mode == "F" or mode.startswith("I")


def white_level(mode: str, peak: float) -> float:
    """The value that stands for white in an image of more than 8 bits whose largest value is `peak`."""
    if mode != "F":
        return 65535.0  # 32-bit "I" too: Pillow scales PGM to it, and stores 16 bits in it
    # [choice] A float TIFF says nowhere what its white is: 1 where no pixel exceeds 1, else 255, else 65,535.
    return 1.0 if peak <= 1.0 else 255.0 if peak <= 255.0 else 65535.0


def _to_8_bits(image: Image.Image, white: float) -> Image.Image:
    """Integer and float grey images → "L", scaled over their full range where Pillow's own `convert` clips at 255."""
    pixels = np.asarray(image).astype(np.float32)
    return Image.fromarray(np.rint(np.clip(np.nan_to_num(pixels) / white, 0.0, 1.0) * 255.0).astype(np.uint8))


def why(file: Any, error: Exception) -> str:
    """One line for the user: what is wrong with the file."""
    if isinstance(error, ColorizeError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "is a folder; a photo was expected"
    if isinstance(error, PermissionError):
        return "may not be read (permission denied)"
    if isinstance(error, UnidentifiedImageError):
        empty = isinstance(file, (str, Path)) and os.path.getsize(file) == 0
        return "is empty (0 bytes)" if empty else "is not an image that Pillow reads"
    if isinstance(error, Image.DecompressionBombError):
        return f"has more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels; scale it down first"
    text = " ".join(str(getattr(error, "strerror", None) or error).split())  # without the path that Python adds
    return f"does not decode ({text or type(error).__name__})"
