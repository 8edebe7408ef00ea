"""Pages of a TIFF → `Picture`: by Pillow's reader where it knows the kind of page, else by tifffile.

tifffile reads grey of 16 bits with transparency, colour of 16 bits in separate planes, and 32 bits per sample.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from PIL import Image

from keras_colorize.errors import ColorizeError
from keras_colorize.images.icc import embeddable
from keras_colorize.images.metadata import first_integer, metadata_of_directory
from keras_colorize.images.picture import Picture
from keras_colorize.images.pixels import from_bands, from_image, to_16_bits, white_level
from keras_colorize.images.readers import (
    DEEP_RAW_MODES,
    StoredTiff,
    deep_samples,
    raw_mode,
    silence_libtiff,
    tiles_of,
)
from keras_colorize.images.tags import Directory, Header, StoredDirectory, read_directories

_NO_LOG = logging.NullHandler()
# Without them a page would be read otherwise than it was written: bits, compression, kind, strips, tiles, samples,
# order, predictor, palette, extra samples, formats, JPEG's tables.
_PIXEL_TAGS = {*range(256, 260), 262, 266, 273, *range(277, 280), 284, 317, 320, *range(322, 326), 338, 339, 347}


def read_pages(file: BinaryIO, header: Header, check_size: Callable[[int, int], None]) -> Iterator[Picture]:
    """Read the pages of a TIFF one by one, without previews and masks.

    Args:
        file: the TIFF.
        header: its header.
        check_size: raises where a page's width and height are too much.

    Raises:
        ColorizeError: no page, a camera's raw file, a kind of page that is not read, or damage.
    """
    silence_libtiff()
    image: StoredTiff | None = None
    count, previews = 0, 0
    for index, directory in enumerate(read_directories(file, header)):
        if 50706 in directory:  # DNGVersion
            raise ColorizeError("is a camera's raw file (DNG), which is not read; export it as TIFF, PNG or JPEG")
        if first_integer(directory, 254, 0) & 5:  # reduced resolution, or a mask
            previews += 1
            continue
        check_size(first_integer(directory, 256, 0), first_integer(directory, 257, 0))
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


def _page(file: BinaryIO, image: StoredTiff | None, index: int, directory: StoredDirectory) -> Picture:
    if directory.lost & _PIXEL_TAGS:
        raise ColorizeError("does not decode (the file ends before the places of its pixels)")
    metadata, orientation = metadata_of_directory(directory)
    remarks = list(metadata.remarks)
    if 34675 in directory.lost:
        remarks.append("its colour profile is cut off and was not applied")
    profile = directory[34675].raw or None if 34675 in directory else None
    if image is not None:
        image.check_strips()
    if image is None or _is_beyond_pillow(image, directory):
        picture = _from_tifffile(file, index, directory, profile, orientation)
    elif (stored := raw_mode(image)).startswith(DEEP_RAW_MODES):
        bands = _deep_page(file, image, stored)
        picture = from_bands(bands, profile, orientation, premultiplied=stored[3] == "a")
    else:
        image.load()
        if stored.startswith("CMYK;16"):
            remarks.append("its CMYK of 16 bits was read with 8")
        largest = 4095 if stored == "I;12" else 65535
        white_is_zero = first_integer(directory, 262, 1) == 0
        picture = from_image(image, profile, orientation, largest, white_is_zero)
    picture.metadata = replace(metadata, icc=embeddable(profile), remarks=tuple(remarks))
    return picture


def _is_beyond_pillow(image: StoredTiff, directory: Directory) -> bool:
    """Tell whether Pillow would misread a page that it accepts."""
    deep = 258 in directory and max(directory[258].integers, default=1) > 8
    # Of 16 bits in planes Pillow takes the high bytes alone, or uncompressed mistakes bytes for samples.
    in_planes = deep and first_integer(directory, 284, 1) == 2 and len(image.getbands()) > 1
    # Unsigned numbers of 32 bits do not fit into its "I".
    return in_planes or raw_mode(image) in ("I;32N", "I;32", "I;32B")


def _deep_page(file: BinaryIO, image: StoredTiff, stored: str) -> np.ndarray:
    tiles = tiles_of(image)

    def reopen() -> Image.Image:
        image.again(file, tiles)
        return image

    _, bands = deep_samples(image, stored.replace("RGBa", "RGBA"), reopen)  # Pillow would divide by alpha in 8 bits
    image.forget()
    return bands


def _from_tifffile(
    file: BinaryIO, index: int, directory: Directory, profile: bytes | None, orientation: int
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
