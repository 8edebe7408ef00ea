"""File formats of photos: their names, their suffixes, and what each of them can hold."""

import functools
import importlib.util
import os
from pathlib import Path
from typing import NamedTuple

from keras_colorize.errors import ColorizeError, did_you_mean


class FileFormat(NamedTuple):
    """A format that photos are written in.

    suffixes: the first is the usual one.
    longest: the most pixels that a side may have.
    alpha: whether it holds transparency.
    deep: whether it holds 16 bits per sample.
    keeps: the fields of `Metadata` that it holds.
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
# Formats that are read, and written as another: GIF has too few colours, and PGM has none; an MPO is a JPEG with
# further pictures behind it; few programs write HEIF.
_HEIF = "HEIF"
_READ_ONLY = {
    **{".gif": "GIF", ".pgm": "PPM", ".pbm": "PPM", ".mpo": "JPEG", ".apng": "PNG"},
    **dict.fromkeys((".heic", ".heif", ".hif"), _HEIF),
}
_WRITTEN_AS = {"GIF": "PNG", "MPO": "JPEG", "DIB": "BMP", _HEIF: "JPEG"}
_BY_SUFFIX = {suffix: name for name, form in FORMATS.items() for suffix in form.suffixes} | _READ_ONLY


@functools.cache
def readable_suffixes() -> tuple[str, ...]:
    """List the suffixes of photos that are read here, in lower case; HEIC's only where `pillow-heif` is installed."""
    with_heif = importlib.util.find_spec("pillow_heif") is not None
    return tuple(sorted(suffix for suffix, name in _BY_SUFFIX.items() if with_heif or name != _HEIF))


def format_of(file: str | os.PathLike[str]) -> str:
    """Name the format of a file.

    Args:
        file: a path, a suffix such as `.tif`, or a word such as `jpeg`.

    Returns:
        a key of `FORMATS`, or "GIF" or "HEIF", which are read and not written.

    Raises:
        ColorizeError: the suffix or word is unknown.
    """
    text = os.fspath(file)
    suffix = (Path(text).suffix or text).lower()
    found = _BY_SUFFIX.get(suffix if suffix.startswith(".") else f".{suffix}") or suffix.removeprefix(".").upper()
    if found not in FORMATS and found not in ("GIF", _HEIF):
        words = [form.suffixes[0][1:] for form in FORMATS.values()]
        near = did_you_mean(suffix.removeprefix("."), words)
        raise ColorizeError(f"unknown photo format '{suffix}'{near} (known: {', '.join(words)})")
    return found


def written_format(name: str) -> str:
    """Name the format in which a colour version of a photo is written, given the photo's own format.

    GIF and formats without a name here become PNG, HEIF becomes JPEG.
    """
    name = _WRITTEN_AS.get(name, name)
    return name if name in FORMATS else "PNG"


def suffix_for(format: str) -> str:
    """Return the usual suffix of colour photos of a format: ".jpg" for jpeg and heic, ".png" for gif.

    Raises:
        ColorizeError: the format is unknown.
    """
    return FORMATS[written_format(format_of(format))].suffixes[0]


def color_suffix(file: str | os.PathLike[str]) -> str:
    """Return the suffix for a colour version of a file.

    It is the file's own, in its own case, where its format is written. ".gif" becomes ".png", ".pgm" ".ppm", ".mpo"
    and ".heic" ".jpg", and anything unknown ".png".
    """
    suffix = Path(file).suffix
    lower = suffix.lower()
    if lower in _BY_SUFFIX and lower not in _READ_ONLY:
        return suffix
    return FORMATS[written_format(_BY_SUFFIX.get(lower, "PNG"))].suffixes[0]
