"""Pillow's readers, called directly, and the tricks that get 16 bits out of them.

`Image.open` compares a file's size with `Image.MAX_IMAGE_PIXELS`. Changing that variable would change it for every
thread of the program that imports this library, and photos may be larger. So the readers are called directly, and
`read_pictures` has a limit of its own.

Pillow reduces colour of 16 bits to 8 by leaving the low bytes out. It takes them, and leaves the high ones out, when
told that the samples have the other byte order: such files are decoded twice.
"""

import contextlib
import ctypes
import functools
import struct
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from keras_colorize.errors import ColorizeError
from keras_colorize.images.pixels import strips, to_16_bits

if TYPE_CHECKING:
    from numpy.typing import DTypeLike
    from PIL.ImageFile import _Tile as Tile

DEEP_RAW_MODES = ("RGB;16", "RGBA;16", "RGBa;16", "RGBX;16")

# Drawings, and data for other programs: EPS would start Ghostscript, WMF exists on Windows alone, and the others Pillow
# can name but not read.
_NO_PHOTOS = frozenset({"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG"})
_FOREIGN = "B" if sys.byteorder == "little" else "L"  # the byte order that this machine has not

_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_FOREIGN_STARTS = {
    b"\xff\x0a": "a JPEG XL photo",
    b"\0\0\0\x0cJXL ": "a JPEG XL photo",
    b"%PDF": "a PDF document",
    b"%!PS": "a PostScript drawing",
    b"\xc5\xd0\xd3\xc6": "a PostScript drawing",
    b"FUJIFILMCCD-RAW": "a camera's raw file",
    b"IIRO": "a camera's raw file",
    b"IIU\0": "a camera's raw file",
    b"8BPB": "a large Photoshop document",
}


def open_image(file: BinaryIO, formats: tuple[str, ...] | None = None) -> Image.Image:
    """Open a file as `Image.open` does, whatever its size: the header is read, the pixels are not yet decoded.

    Args:
        file: read from its start.
        formats: Pillow's names of those that are tried; all unless given.

    Raises:
        UnidentifiedImageError: no reader wants the file.
        ColorizeError: the format is known but cannot be read.
    """
    file.seek(0)
    prefix = file.read(16)
    said, tried = [], set(_NO_PHOTOS)
    for load_readers in (Image.preinit, Image.init):  # the common ones, then all of them
        load_readers()
        for name in formats or tuple(Image.ID):
            if name in tried or name not in Image.OPEN:
                continue
            tried.add(name)
            reader, accepts = Image.OPEN[name]
            try:
                accepted = not accepts or accepts(prefix)
                if isinstance(accepted, str):  # "image file could not be identified because AVIF support not installed"
                    said.append(accepted)
                elif accepted:
                    file.seek(0)
                    return reader(file, "")
            except (SyntaxError, IndexError, TypeError, struct.error):
                continue
    if said:
        raise ColorizeError(f"needs a codec that this Pillow was built without ({said[0]})")
    if prefix[4:8] == b"ftyp" and prefix[8:12] in _HEIF_BRANDS:
        return _open_heif(file)
    what = next((what for start, what in _FOREIGN_STARTS.items() if prefix.startswith(start)), None)
    if what:
        raise ColorizeError(f"is {what}, which is not read; export it as TIFF, PNG or JPEG")
    raise UnidentifiedImageError("cannot identify image file")


def _open_heif(file: BinaryIO) -> Image.Image:
    try:
        from pillow_heif.as_plugin import HeifImageFile  # an extra, which is not registered with Pillow for all
    except ImportError:
        raise ColorizeError(
            "is a HEIF (HEIC) photo, which pillow-heif reads: pip install 'keras-colorize[heif]'"
        ) from None
    file.seek(0)
    return HeifImageFile(file, "")


def deep_heif_samples(file: BinaryIO) -> np.ndarray:
    """Decode a HEIF photo of more than 8 bits per sample: (H, W, 1 to 4), uint16 over the full range."""
    import pillow_heif

    file.seek(0)
    heif = pillow_heif.open_heif(file, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    samples = np.atleast_3d(np.asarray(heif))
    bands = np.empty(samples.shape, np.uint16)
    for row, stored in zip(bands, samples, strict=True):
        row[:] = to_16_bits(stored, 2.0 ** heif.info["bit_depth"] - 1)
    return bands


class StoredTiff(TiffImagePlugin.TiffImageFile):
    """Pillow's TIFF reader, without its limit on pixels, which leaves them as they are stored, not turned upright."""

    def load_prepare(self) -> None:
        """Make room for the pixels, without asking Pillow's limit."""
        self._size = self._tile_size
        if self._im is None or self.im.size != self.size or self.im.mode != self.mode:
            self.im = Image.new(self.mode, self.size).im
        super().load_prepare()

    def load_end(self) -> None:
        """Leave the pixels as they are stored."""

    def again(self, file: BinaryIO, tiles: "list[Tile]") -> None:
        """Let the page be decoded once more from its file."""
        self.fp = file
        self.tile = tiles

    def forget(self) -> None:
        """Give the pixels' memory back; `seek` brings the next page."""
        self._im = None

    def check_strips(self) -> None:
        """Refuse an uncompressed page that lacks strips or tiles: Pillow would leave those parts black.

        Raises:
            ColorizeError: parts are missing.
        """
        if self.use_load_libtiff or any(tile.codec_name != "raw" for tile in self.tile):
            return  # libtiff and the other decoders say so themselves
        width, height = self._tile_size
        covered = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (tile.extents for tile in self.tile if tile.extents))
        planes = len(self.getbands()) if self.tag_v2.get(TiffImagePlugin.PLANAR_CONFIGURATION) == 2 else 1
        if covered < width * height * planes:
            raise ColorizeError("does not decode (parts of the picture are missing)")


@functools.cache
def silence_libtiff() -> None:
    """Keep libtiff from writing a line of its own to stderr for each damaged file: Pillow raises what matters."""
    with contextlib.suppress(OSError, AttributeError):  # where libtiff is not a library of its own, it goes on
        set_handler = ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_handler(None)


def tiles_of(image: Image.Image) -> "list[Tile]":
    """List the parts of an image that is not yet loaded: where each is stored, and how."""
    return list(getattr(image, "tile", ()))


def raw_mode(image: Image.Image) -> str:
    """Return how the samples of an image that is not yet loaded are stored, such as "RGB;16B"; empty without tiles."""
    arguments = next((tile.args for tile in tiles_of(image)), "")
    if isinstance(arguments, tuple):
        arguments = arguments[0] if arguments else ""
    return arguments if isinstance(arguments, str) else ""


def set_raw_mode(image: Image.Image, mode: str) -> None:
    """Let an image be loaded with its samples taken as `mode`."""

    def arguments(old: object) -> str | tuple:
        return (mode, *old[1:]) if isinstance(old, tuple) else mode

    image.tile = [tile._replace(args=arguments(tile.args)) for tile in tiles_of(image)]  # type: ignore[attr-defined]


def samples_of(
    image: Image.Image, channels: int, dtype: "DTypeLike", samples: Callable[[Image.Image], np.ndarray]
) -> np.ndarray:
    """Fill (H, W, channels) with what `samples` makes of each strip of a loaded image."""
    filled = np.empty((image.height, image.width, channels), dtype)
    for rows, strip in strips(image):
        filled[rows] = samples(strip)
    return filled


def deep_samples(image: Image.Image, stored: str, reopen: Callable[[], Image.Image]) -> tuple[Image.Image, np.ndarray]:
    """Decode colour of 16 bits.

    Args:
        image: not yet loaded; its pixels are given back.
        stored: its raw mode, one of `DEEP_RAW_MODES` with a byte order.
        reopen: returns the image once more, not loaded.

    Returns:
        the image that was reopened, and (H, W, 3 or 4) uint16.
    """
    set_raw_mode(image, stored)
    image.load()
    bands = samples_of(image, len(image.getbands()), np.uint16, lambda strip: np.asarray(strip).astype(np.uint16) << 8)
    # The raw mode that takes the low bytes where `stored` takes the high ones has the other byte order.
    low = stored[:-1] + {"B": "L", "L": "B", "N": _FOREIGN}[stored[-1]]
    image = reopen()
    set_raw_mode(image, low)
    image.load()
    for rows, strip in strips(image):
        bands[rows] |= np.asarray(strip)
    return image, bands
