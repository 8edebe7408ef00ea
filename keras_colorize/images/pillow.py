"""Pillow's readers without its limit on pixels, which is one for the whole process: photos may be larger than that.

`Image.open` compares a file's size with `Image.MAX_IMAGE_PIXELS`. Changing that variable would change it for every
thread of the program that imports this library, so the readers are called directly, and `read` has its own limit.
"""

import struct
import sys
from typing import Any, BinaryIO

from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from keras_colorize.errors import ColorizeError

# Drawings, and data for other programs: EPS would start Ghostscript, WMF exists on Windows alone, and the others Pillow
# can name but not read.
_NO_PHOTOS = frozenset({"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG"})
_FOREIGN = "B" if sys.byteorder == "little" else "L"  # the byte order that this machine has not

_HEIF = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
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
    """What `Image.open` makes of a file, whatever its size: header read, pixels not yet decoded.

    Raises:
        UnidentifiedImageError: no reader wants the file.
        ColorizeError: a format that is known but cannot be read.
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
    what = _foreign(prefix)
    if what:
        raise ColorizeError(f"is {what}, which is not read; export it as TIFF, PNG or JPEG")
    raise UnidentifiedImageError("cannot identify image file")


def _foreign(prefix: bytes) -> str | None:
    if prefix[4:8] == b"ftyp" and prefix[8:12] in _HEIF:
        return "a HEIF (HEIC) photo"
    return next((what for start, what in _FOREIGN_STARTS.items() if prefix.startswith(start)), None)


class StoredTiff(TiffImagePlugin.TiffImageFile):
    """Pillow's TIFF reader: pixels as they are stored, not turned upright, and whatever their number."""

    def load_prepare(self) -> None:
        """Make room for the pixels, without asking Pillow's limit."""
        self._size = self._tile_size
        if self._im is None or self.im.size != self.size or self.im.mode != self.mode:
            self.im = Image.new(self.mode, self.size).im
        super().load_prepare()

    def load_end(self) -> None:
        """Leave the pixels as they are stored."""

    def again(self, file: BinaryIO, tiles: list[Any], mode: str) -> None:
        """Let the page be decoded once more from its file, its samples taken as `mode`."""
        self.fp = file
        set_raw_mode(self, tiles, mode)

    def forget(self) -> None:
        """Give the pixels' memory back; `seek` brings the next page."""
        self._im = None


def tiles_of(image: Image.Image) -> list[Any]:
    """Where and how the parts of an image that is not yet loaded are stored."""
    return list(getattr(image, "tile", ()))


def raw_mode(image: Image.Image) -> str:
    """How the samples of an image that is not yet loaded are stored, such as "RGB;16B"; empty where it has no tiles."""
    arguments = next((tile.args for tile in tiles_of(image)), "")
    if isinstance(arguments, tuple):
        arguments = arguments[0] if arguments else ""
    return arguments if isinstance(arguments, str) else ""


def set_raw_mode(image: Image.Image, tiles: list[Any], mode: str) -> None:
    """Let an image be loaded (again) from `tiles` with its samples taken as `mode`."""

    def arguments(old: Any) -> Any:
        return (mode, *old[1:]) if isinstance(old, tuple) else mode

    image.tile = [tile._replace(args=arguments(tile.args)) for tile in tiles]  # type: ignore[attr-defined]


def low_bytes(mode: str) -> str:
    """The raw mode that takes the low bytes of 16-bit samples where `mode` takes the high: the other byte order."""
    return mode[:-1] + {"B": "L", "L": "B", "N": _FOREIGN}[mode[-1]]
