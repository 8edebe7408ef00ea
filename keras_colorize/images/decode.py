"""Photo files → `Picture`: every page of a TIFF, one picture of anything else.

Pillow reduces colour of 16 bits to 8 by leaving the low bytes out. It takes them, and leaves the high ones out, when
told that the samples have the other byte order: such files are decoded twice. What it does not know in TIFF (grey of
16 bits with transparency, its colour in separate planes, 32 bits per sample) tifffile reads.

Memory at the peak, for each pixel: 2 bytes for grey of 8 bits, 4 of 16; 7 for RGB of 8 bits, 8 with transparency; 10
for RGB of 16 bits, 16 with transparency (a 16-bit TIFF that tifffile reads: twice its own size). What is not the
picture's own (1, 2, 3, 4, 6 or 8 bytes) is given back before it is handed out. libtiff maps a compressed file besides.
"""

import contextlib
import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from keras_colorize.errors import ColorizeError
from keras_colorize.images import tiff as ifd
from keras_colorize.images.icc import embeddable
from keras_colorize.images.metadata import first_integer, metadata_of_directory, metadata_of_image
from keras_colorize.images.photos import check_strips, white_level, why
from keras_colorize.images.picture import Picture
from keras_colorize.images.pillow import StoredTiff, low_bytes, open_image, raw_mode, set_raw_mode, tiles_of
from keras_colorize.images.pixels import add_low_bytes, filled, from_bands, from_image, to_16_bits, two_bytes

DEFAULT_MAX_PIXELS = 250_000_000

_DEEP_RAW_MODES = ("RGB;16", "RGBA;16", "RGBa;16", "RGBX;16")
# What Pillow multiplies grey levels of 2 and 4 bits by, but not the one that PNG declares transparent.
_LOW_BIT_STEPS = {"L;2": 85, "L;4": 17}
_NO_LOG = logging.NullHandler()
# Without them a page would be read otherwise than it was written: bits, compression, kind, strips, tiles, samples,
# order, predictor, palette, extra samples, formats, JPEG's tables.
_PIXEL_TAGS = {*range(256, 260), 262, 266, 273, *range(277, 280), 284, 317, 320, *range(322, 326), 338, 339, 347}


def read_pictures(
    file: str | os.PathLike[str] | BinaryIO, *, max_pixels: int = DEFAULT_MAX_PIXELS, name: str | None = None
) -> Iterator[Picture]:
    """Read a photo file, page by page; nothing is read before the first picture is asked for.

    EXIF orientation is applied, an embedded ICC profile converted to sRGB, and CMYK and palettes become RGB. Grey
    stays one channel, 16 bits stay 16 (TIFF and PNG; grey of other formats; float and 32 bits become 16), and
    transparency comes apart from the pixels. Of animations and of Apple's and Samsung's multi-picture JPEGs the first
    picture is taken, with a remark in its metadata; previews and masks among a TIFF's pages are no pictures.

    Args:
        file: a path, or a binary file object.
        max_pixels: of one picture; compared with the header before anything is decoded.
        name: what error messages call the photo; the path unless given.

    Yields:
        one picture, or one for each page of a TIFF.

    Raises:
        ColorizeError: the file is missing, empty, damaged, too large, or in no format that is read.
    """
    shown = name or str(getattr(file, "name", file))
    try:
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(_open_file(file)) if isinstance(file, (str, os.PathLike)) else file
            header = ifd.read_header(stream)
            yield from [_only_picture(stream, max_pixels)] if header is None else _pages(stream, header, max_pixels)
    except ColorizeError as error:
        raise ColorizeError(f"{shown}: {error}") from error.__cause__
    except Exception as error:  # a damaged file can raise anything: struct.error, SyntaxError, KeyError, EOFError, …
        path = Path(file) if isinstance(file, (str, os.PathLike)) else file
        raise ColorizeError(f"{shown}: {why(path, error)}") from error


def _open_file(path: str | os.PathLike[str]) -> BinaryIO:
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # reading from a pipe might wait for ever
        raise ColorizeError("is no ordinary file; a photo was expected")
    return open(path, "rb")


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise ColorizeError("has no pixels")
    if width * height > max_pixels:
        raise ColorizeError(
            f"has {width * height:,} pixels ({width:,} × {height:,}), and the limit is {max_pixels:,};"
            " --max-megapixels raises it"
        )


# One picture


def _only_picture(file: BinaryIO, max_pixels: int) -> Picture:
    image = open_image(file)
    _check_size(*image.size, max_pixels)
    format, stored = image.format or "PNG", raw_mode(image)
    image, bands = _load(file, image, stored)
    metadata, orientation = metadata_of_image(image)
    remarks, profile = metadata.remarks, image.info.get("icc_profile") or None
    if _is_animated(image):
        remarks = (*remarks, "only the first of its pictures was read")
    transparent = image.info.get("transparency")
    if bands is not None:
        del image  # its memory is needed
        picture = from_bands(bands, profile, orientation, transparent)
    else:
        if isinstance(transparent, int) and stored in _LOW_BIT_STEPS:
            image.info["transparency"] = transparent * _LOW_BIT_STEPS[stored]
        picture = from_image(image, profile, orientation)
    picture.metadata = replace(
        metadata,
        format="JPEG" if format == "MPO" else format,
        icc=embeddable(profile),
        lossless=format == "WEBP" and _is_lossless_webp(file),
        remarks=remarks,
    )
    return picture


def _load(file: BinaryIO, image: Image.Image, stored: str) -> tuple[Image.Image, np.ndarray | None]:
    """Decode an image; where Pillow has no mode for its 16-bit samples, these too, as (H, W, 2 to 4) uint16."""
    bands = None
    if image.format == "PNG" and stored.startswith(_DEEP_RAW_MODES):
        bands = two_bytes(image, stored)
        image.im = Image.new("L", (1, 1)).im  # gives back its pixels, while the caller holds on to the image
        image = open_image(file, ("PNG",))
        set_raw_mode(image, tiles_of(image), low_bytes(stored))
        image.load()
        add_low_bytes(bands, image)
    elif image.format == "PNG" and stored == "LA;16B":
        # Four bytes a pixel, like RGBA of 8 bits, whose decoder hands them over as they are.
        set_raw_mode(image, tiles_of(image), "RGBA")
        image.load()
        bands = filled(image, 4, np.uint8, np.asarray).view(">u2").astype(np.uint16)
    elif image.format == "PPM" and image.mode == "RGB" and (largest := _ppm_white(file, image)):
        bands = _ppm_bands(file, image, largest)
    else:
        image.load()
        if image.mode in ("P", "PA") and image.palette is None:
            raise ColorizeError("does not decode (its palette is missing)")
    return image, bands


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
            row[:] = np.minimum((row.astype(np.uint32) * 65535 + largest // 2) // largest, 65535)
    return bands


def _is_animated(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # what comes after the first picture may be damaged
        return False


# Pages of a TIFF


def _pages(file: BinaryIO, header: ifd.Header, max_pixels: int) -> Iterator[Picture]:
    image: StoredTiff | None = None
    count, previews = 0, 0
    for index, directory in enumerate(ifd.read_directories(file, header)):
        if 50706 in directory:  # DNGVersion
            raise ColorizeError("is a camera's raw file (DNG), which is not read; export it as TIFF, PNG or JPEG")
        if first_integer(directory, 254, 0) & 5:  # reduced resolution, or a mask
            previews += 1
            continue
        _check_size(first_integer(directory, 256, 0), first_integer(directory, 257, 0), max_pixels)
        where = file.tell()
        try:
            if image is None:
                file.seek(0)
                image = StoredTiff(file)
            image.seek(index)
        except (SyntaxError, IndexError, TypeError):  # a kind of page that Pillow does not know
            image = None
        yield _page(file, image, index, directory)
        if image is not None:
            image.forget()
        file.seek(where)
        count += 1
    if not count:
        kind = "a camera's raw file, or holds no more than a preview" if previews else "has no page"
        raise ColorizeError(f"is {kind}: export it as TIFF, PNG or JPEG" if previews else kind)


def _page(file: BinaryIO, image: StoredTiff | None, index: int, directory: ifd.StoredDirectory) -> Picture:
    if directory.lost & _PIXEL_TAGS:
        raise ColorizeError("does not decode (the file ends before the places of its pixels)")
    metadata, orientation = metadata_of_directory(directory)
    remarks = list(metadata.remarks)
    if 34675 in directory.lost:
        remarks.append("its colour profile is cut off and was not applied")
    profile = directory[34675].raw or None if 34675 in directory else None
    separate = first_integer(directory, 284, 1) == 2
    stored = raw_mode(image) if image is not None else ""
    if image is not None:
        check_strips(image)
    deep = 258 in directory and max(directory[258].integers, default=1) > 8
    # Of 16 bits in planes Pillow takes the high bytes alone, or uncompressed mistakes bytes for samples.
    if image is None or (separate and deep and len(image.getbands()) > 1):
        picture = _from_tifffile(file, index, directory, profile, orientation)
    elif stored.startswith(_DEEP_RAW_MODES):
        picture = from_bands(_deep_page(file, image, stored), profile, orientation, premultiplied=stored[3] == "a")
    else:
        image.load()
        if stored.startswith("CMYK;16"):
            remarks.append("its CMYK of 16 bits was read with 8")
        largest = 4095 if stored == "I;12" else 65535
        white_is_zero = first_integer(directory, 262, 1) == 0
        picture = from_image(image, profile, orientation, largest, white_is_zero)
    picture.metadata = replace(metadata, icc=embeddable(profile), remarks=tuple(remarks))
    return picture


def _deep_page(file: BinaryIO, image: StoredTiff, stored: str) -> np.ndarray:
    tiles = tiles_of(image)
    stored = stored.replace("RGBa", "RGBA")  # Pillow would divide by the transparency in 8 bits
    bands = two_bytes(image, stored)
    image.again(file, tiles, low_bytes(stored))
    image.load()
    add_low_bytes(bands, image)
    image.forget()
    return bands


def _from_tifffile(
    file: BinaryIO, index: int, directory: ifd.Directory, profile: bytes | None, orientation: int
) -> Picture:
    """A page that Pillow does not know: grey or RGB of any number of bits, with or without transparency."""
    import tifffile  # here: few photos need it

    # It tells of each tag that is damaged; what matters of that is in the error.
    logging.getLogger("tifffile").addHandler(_NO_LOG)
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages[index]
        try:
            samples = page.asarray(maxworkers=1)
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            codec = str(getattr(page.compression, "name", page.compression))
            raise ColorizeError(
                f"is compressed ({codec}) as only imagecodecs reads it: pip install imagecodecs"
            ) from error
    width, height = first_integer(directory, 256, 0), first_integer(directory, 257, 0)
    count = first_integer(directory, 277, 1)
    if first_integer(directory, 284, 1) == 2 and count > 1:
        samples = samples.reshape(count, height, width).transpose(1, 2, 0)
    samples = samples.reshape(height, width, count)
    photometric = first_integer(directory, 262, 1)
    colors = {0: 1, 1: 1, 2: 3}.get(photometric)
    if colors is None or count < colors or samples.dtype.kind not in "uf":
        raise ColorizeError("is a kind of TIFF that is not read; save it as grey or RGB of 8 or 16 bits")
    extra = directory[338].integers if 338 in directory else ()
    kept = colors + 1 if extra[:1] in ((1,), (2,)) and count > colors else colors
    samples = samples[..., :kept]
    if samples.dtype.kind == "f":
        white = white_level("F", float(np.nanmax(samples[..., :colors], initial=0.0)))
        samples = np.stack([to_16_bits(np.asarray(samples[..., band]), white) for band in range(kept)], axis=-1)
    elif samples.itemsize > 2:
        samples = (samples >> (8 * samples.itemsize - 16)).astype(np.uint16)
    samples = np.array(samples, dtype=np.uint8 if samples.itemsize == 1 else np.uint16)  # native order, our own
    if photometric == 0:
        np.subtract(np.iinfo(samples.dtype).max, samples[..., :1], out=samples[..., :1])
    return from_bands(samples, profile, orientation, premultiplied=extra[:1] == (1,))


def _is_lossless_webp(file: BinaryIO) -> bool:
    """Whether the picture lies in a chunk of the lossless kind (RIFF: name, length, content, padded to even)."""
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
