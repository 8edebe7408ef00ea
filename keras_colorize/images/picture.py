"""A photo in memory with all that its file held, and the formats that photos are written in."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.images.metadata import Metadata


@dataclass(eq=False)
class Picture:
    """One photo.

    pixels: sRGB (H, W, 3), or (H, W) grey with sRGB's tone curve; uint8 or uint16 over the full range; upright.
    alpha: (H, W) of the same type, 0 where the photo is transparent, or `None`. The pixels under it are as they were.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    metadata: Metadata = field(default_factory=Metadata)

    def __post_init__(self) -> None:
        shape, dtype = self.pixels.shape, self.pixels.dtype
        grey_or_rgb = len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)
        if dtype not in (np.uint8, np.uint16) or not grey_or_rgb or 0 in shape:
            raise ColorizeError(f"pixels are {dtype} {shape}: expected uint8 or uint16, (H, W) or (H, W, 3)")
        if self.alpha is not None and (self.alpha.shape != shape[:2] or self.alpha.dtype != dtype):
            raise ColorizeError(f"alpha is {self.alpha.dtype} {self.alpha.shape}: expected {dtype} {shape[:2]}")

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return self.pixels.shape[1]

    @property
    def depth(self) -> int:
        """Bits per sample: 8 or 16."""
        return 8 * self.pixels.itemsize

    @property
    def is_grey(self) -> bool:
        """Whether the pixels have one channel."""
        return self.pixels.ndim == 2


class FileFormat(NamedTuple):
    """What a format holds.

    suffixes: the first is the usual one.
    longest: pixels that a side may have.
    keeps: which fields of `Metadata`.
    """

    suffixes: tuple[str, ...]
    longest: int
    alpha: bool = False
    deep: bool = False
    keeps: frozenset[str] = frozenset()


_WEB = frozenset({"exif", "xmp", "icc"})
FORMATS = {
    "JPEG": FileFormat((".jpg", ".jpeg", ".jfif", ".jpe"), 65500, keeps=_WEB | {"dpi", "iptc", "texts"}),
    "PNG": FileFormat((".png",), (1 << 31) - 1, alpha=True, deep=True, keeps=_WEB | {"dpi", "texts"}),
    "TIFF": FileFormat((".tif", ".tiff"), (1 << 31) - 1, alpha=True, deep=True, keeps=_WEB | {"dpi", "iptc"}),
    "WEBP": FileFormat((".webp",), 16383, alpha=True, keeps=_WEB),
    "AVIF": FileFormat((".avif", ".avifs"), 65536, alpha=True, keeps=_WEB),
    "BMP": FileFormat((".bmp", ".dib"), (1 << 31) - 1, keeps=frozenset({"dpi"})),
    "JPEG2000": FileFormat((".jp2", ".j2k", ".jpx", ".jpf", ".jpc", ".j2c"), (1 << 31) - 1, alpha=True),
    "PPM": FileFormat((".ppm", ".pnm"), (1 << 31) - 1, deep=True),
    "TGA": FileFormat((".tga",), 65535, alpha=True),
}
# Formats of photos that are read and written as another: GIF has too few colours, a PGM none; an MPO is a JPEG with
# further pictures behind it.
_READ_ONLY = {".gif": "GIF", ".pgm": "PPM", ".pbm": "PPM", ".mpo": "JPEG", ".apng": "PNG"}
_WRITTEN_AS = {"GIF": "PNG", "MPO": "JPEG", "DIB": "BMP"}
_BY_SUFFIX = {suffix: name for name, form in FORMATS.items() for suffix in form.suffixes} | _READ_ONLY


def format_of(file: str | os.PathLike[str]) -> str:
    """The format's name for a path, a suffix such as `.tif`, or a word such as `jpeg`: a key of `FORMATS`, or "GIF".

    Raises:
        ColorizeError: unknown suffix or word.
    """
    text = os.fspath(file)
    suffix = (Path(text).suffix or text).lower()
    found = _BY_SUFFIX.get(suffix if suffix.startswith(".") else f".{suffix}") or suffix.removeprefix(".").upper()
    if found not in FORMATS and found != "GIF":
        words = [form.suffixes[0][1:] for form in FORMATS.values()]
        near = did_you_mean(suffix.removeprefix("."), words)
        raise ColorizeError(f"unknown photo format '{suffix}'{near} (known: {', '.join(words)})")
    return found


def written_format(name: str) -> str:
    """The format in which a colour photo that came as `name` is written: PNG for GIF and for any that is unknown."""
    name = _WRITTEN_AS.get(name, name)
    return name if name in FORMATS else "PNG"


def suffix_for(format: str) -> str:
    """The usual suffix of the files in which colour photos of a format are written: ".jpg" for jpeg, ".png" for gif.

    Raises:
        ColorizeError: unknown format.
    """
    return FORMATS[written_format(format_of(format))].suffixes[0]


def color_suffix(file: str | os.PathLike[str]) -> str:
    """The suffix for a colour version of a file: its own, in its own case, wherever that can be written under it.

    ".gif" becomes ".png", ".pgm" ".ppm", ".mpo" ".jpg", and anything unknown ".png".
    """
    suffix = Path(file).suffix
    lower = suffix.lower()
    if lower in _BY_SUFFIX and lower not in _READ_ONLY:
        return suffix
    return FORMATS[written_format(_BY_SUFFIX.get(lower, "PNG"))].suffixes[0]
