"""Photo files → `Picture`: every page of a TIFF, one picture of anything else. Users' photos and training's come here.

Memory at the peak, for each pixel: 2 bytes for grey of 8 bits, 4 of 16; 7 for RGB of 8 bits, 8 with transparency; 10
for RGB of 16 bits, 16 with transparency (a 16-bit TIFF that tifffile reads: twice its own size). What is not the
picture's own (1, 2, 3, 4, 6 or 8 bytes) is given back before it is handed out. libtiff maps a compressed file besides.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from keras_colorize.errors import ColorizeError
from keras_colorize.images.icc import embeddable
from keras_colorize.images.metadata import metadata_of_image, orientation_of
from keras_colorize.images.picture import Picture
from keras_colorize.images.pixels import flat_8_bits, from_bands, from_image, is_plain, srgb_image, to_16_bits
from keras_colorize.images.readers import (
    DEEP_RAW_MODES,
    deep_heif_samples,
    deep_samples,
    open_image,
    raw_mode,
    samples_of,
    set_raw_mode,
    tiles_of,
)
from keras_colorize.images.tags import read_header
from keras_colorize.images.tiff import read_pages

DEFAULT_MAX_PIXELS = 250_000_000

# Pillow multiplies grey levels of 2 and 4 bits by these, but not the one that PNG declares transparent.
_LOW_BIT_STEPS = {"L;2": 85, "L;4": 17}


def read_pictures(
    file: str | os.PathLike[str] | BinaryIO, *, max_pixels: int = DEFAULT_MAX_PIXELS, name: str | None = None
) -> Iterator[Picture]:
    """Read a photo file, page by page; nothing is read before the first picture is asked for.

    EXIF orientation is applied, an embedded ICC profile is converted to sRGB, and CMYK and palettes become RGB. Grey
    stays one channel, 16 bits stay 16 (TIFF and PNG; grey of other formats; 10, 12, 32 bits and float become 16), and
    transparency comes apart from the pixels. Of animations and of Apple's and Samsung's multi-picture JPEGs the first
    picture is taken, with a remark in its metadata; previews and masks among a TIFF's pages are skipped.

    Args:
        file: a path, or a binary file object.
        max_pixels: the most that a picture may have; compared with the header before anything is decoded.
        name: the photo's name in error messages; the path unless given.

    Yields:
        one picture, or one for each page of a TIFF.

    Raises:
        ColorizeError: the file is missing, empty, damaged, too large, or in no format that is read.
    """
    with _open(file, name) as stream:
        yield from _pictures(stream, max_pixels)


class FlatPhoto(NamedTuple):
    """A photo of 8 bits without transparency.

    image: Pillow's "L" or "RGB", sRGB, upright.
    remarks: sentences about colours that could not be read as they are; only TIFF has such.
    """

    image: Image.Image
    remarks: tuple[str, ...] = ()


def read_flat(
    file: str | os.PathLike[str] | BinaryIO,
    *,
    least_side: int | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    name: str | None = None,
) -> FlatPhoto:
    """Read the first picture of `read_pictures`, rounded to 8 bits, its transparency laid over white.

    Most photos are opaque, upright and of 8 bits: their pixels never leave Pillow, which saves two copies.

    Args:
        file, max_pixels, name: as of `read_pictures`.
        least_side: a JPEG may come at 1/2, 1/4 or 1/8 of its size, which decodes faster, as long as both sides have
            at least so many pixels. `None` leaves its size. Other formats come whole.

    Raises:
        ColorizeError: as `read_pictures`.
    """
    with _open(file, name) as stream:
        if read_header(stream) is not None:
            page = next(_pictures(stream, max_pixels))
            return FlatPhoto(Image.fromarray(flat_8_bits(page)), page.metadata.remarks)
        loaded = _load(stream, max_pixels, least_side)
        image = loaded.image
        if loaded.bands is None and is_plain(image) and orientation_of(image) == 1:
            return FlatPhoto(srgb_image(image, image.info.get("icc_profile")))
        return FlatPhoto(Image.fromarray(flat_8_bits(_picture(stream, loaded))))


def count_pixels(file: Path) -> int:
    """Count the pixels of a photo's largest page, as the header has them; 0 where reading it will fail."""
    if not file.is_file():  # a pipe would wait for ever
        return 0
    try:
        with file.open("rb") as stream:
            image = open_image(stream)
            pixels = image.width * image.height
            # Of other formats only the first frame is read, and counting the frames of an animation decodes it.
            for page in range(1, getattr(image, "n_frames", 1) if image.format == "TIFF" else 1):
                image.seek(page)
                pixels = max(pixels, image.width * image.height)
            return pixels
    except Exception:
        return 0


@contextlib.contextmanager
def _open(file: str | os.PathLike[str] | BinaryIO, name: str | None) -> Iterator[BinaryIO]:
    """Open a photo; whatever goes wrong in the block becomes one line that names it."""
    try:
        if not isinstance(file, (str, os.PathLike)):
            yield file
            return
        mode = os.stat(file).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # reading from a pipe might wait for ever
            raise ColorizeError("is no ordinary file; a photo was expected")
        with open(file, "rb") as stream:
            yield stream
    except Exception as error:  # a damaged file can raise anything: struct.error, SyntaxError, KeyError, EOFError, …
        shown = name or str(getattr(file, "name", file))
        ours = isinstance(error, ColorizeError)
        raise ColorizeError(f"{shown}: {error if ours else _reason(file, error)}") from (
            error.__cause__ if ours else error
        )


def _pictures(file: BinaryIO, max_pixels: int) -> Iterator[Picture]:
    header = read_header(file)
    if header is None:
        yield _picture(file, _load(file, max_pixels))
    else:
        yield from read_pages(file, header, lambda width, height: _check_size(width, height, max_pixels))


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise ColorizeError("has no pixels")
    if width * height > max_pixels:
        raise ColorizeError(
            f"has {width * height:,} pixels ({width:,} × {height:,}), and the limit is {max_pixels:,}:"
            " scale it down, or raise the limit (`max_pixels`)"
        )


def _reason(file: object, error: Exception) -> str:
    """One line for the user: what is wrong with the file."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "is a folder; a photo was expected"
    if isinstance(error, PermissionError):
        return "may not be read (permission denied)"
    if isinstance(error, UnidentifiedImageError):
        empty = isinstance(file, (str, os.PathLike)) and os.path.getsize(file) == 0
        return "is empty (0 bytes)" if empty else "is not an image that Pillow reads"
    if isinstance(error, Image.DecompressionBombError):  # a few of Pillow's readers ask its own limit
        return f"has more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels; scale it down first"
    text = " ".join(str(getattr(error, "strerror", None) or error).split())  # without the path that Python adds
    return f"does not decode ({text or type(error).__name__})"


class _Loaded(NamedTuple):
    """A decoded file. bands: samples (H, W, 1 to 4) uint16, where Pillow has no mode for them. stored: its raw mode."""

    image: Image.Image
    bands: np.ndarray | None
    stored: str


def _picture(file: BinaryIO, loaded: _Loaded) -> Picture:
    image, bands, stored = loaded
    metadata, orientation = metadata_of_image(image)
    remarks, profile = metadata.remarks, image.info.get("icc_profile") or None
    if _is_animated(image):
        remarks = (*remarks, "only the first of its pictures was read")
    transparent = image.info.get("transparency")
    if bands is not None:
        picture = from_bands(bands, profile, orientation, transparent)
    else:
        if isinstance(transparent, int) and stored in _LOW_BIT_STEPS:
            image.info["transparency"] = transparent * _LOW_BIT_STEPS[stored]
        picture = from_image(image, profile, orientation)
    picture.metadata = replace(
        metadata,
        format="JPEG" if image.format == "MPO" else image.format or "PNG",
        icc=embeddable(profile),
        lossless=image.format == "WEBP" and _is_lossless_webp(file),
        remarks=remarks,
    )
    return picture


def _load(file: BinaryIO, max_pixels: int, least_side: int | None = None) -> _Loaded:
    """Decode a file that is no TIFF."""
    image = open_image(file)
    _check_size(*image.size, max_pixels)
    if least_side is not None and image.format in ("JPEG", "MPO"):  # of others it would be the thumbnail
        image.draft(None, (least_side, least_side))
    stored, bands = raw_mode(image), None
    if image.format == "PNG" and stored.startswith(DEEP_RAW_MODES):
        first = image

        def reopen() -> Image.Image:
            first.im = Image.new("L", (1, 1)).im  # gives back its pixels, while others hold on to the image
            return open_image(file, ("PNG",))

        image, bands = deep_samples(image, stored, reopen)
    elif image.format == "PNG" and stored == "LA;16B":
        # Four bytes a pixel, like RGBA of 8 bits, whose decoder hands them over as they are.
        set_raw_mode(image, "RGBA")
        image.load()
        bands = samples_of(image, 4, np.uint8, np.asarray).view(">u2").astype(np.uint16)
    elif image.format == "PPM" and image.mode == "RGB" and (largest := _ppm_white(file, image)):
        bands = _ppm_bands(file, image, largest)
    elif image.format == "HEIF" and image.info.get("bit_depth", 8) > 8:
        bands = deep_heif_samples(file)
    else:
        image.load()
        if image.mode in ("P", "PA") and image.palette is None:
            raise ColorizeError("does not decode (its palette is missing)")
    if bands is not None:
        image.im = Image.new("L", (1, 1)).im  # its memory is needed
    return _Loaded(image, bands, stored)


def _ppm_white(file: BinaryIO, image: Image.Image) -> int:
    """The value of white of a binary PPM with 16 bits per sample; 0 for any other."""
    file.seek(0)
    if file.read(2) != b"P6":
        return 0
    arguments = tiles_of(image)[0].args
    largest = arguments[1] if isinstance(arguments, tuple) and len(arguments) > 1 else 0
    return largest if 255 < largest < 65536 else 0


def _ppm_bands(file: BinaryIO, image: Image.Image, largest: int) -> np.ndarray:
    width, height = image.size
    file.seek(tiles_of(image)[0].offset)
    content = file.read(6 * width * height)
    if len(content) < 6 * width * height:
        raise ColorizeError("does not decode (image file is truncated)")
    bands = np.frombuffer(content, ">u2").astype(np.uint16).reshape(height, width, 3)
    if largest < 65535:
        for row in bands:
            row[:] = to_16_bits(row, largest)
    return bands


def _is_animated(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # what comes after the first picture may be damaged
        return False


def _is_lossless_webp(file: BinaryIO) -> bool:
    """Tell whether the picture lies in a chunk of the lossless kind (RIFF: name, length, content, padded to even)."""
    place = 12
    while True:
        file.seek(place)
        head = file.read(8)
        if len(head) < 8 or head[:4] in (b"VP8 ", b"ANMF"):
            return False
        if head[:4] == b"VP8L":
            return True
        size = int.from_bytes(head[4:], "little")
        place += 8 + size + size % 2
