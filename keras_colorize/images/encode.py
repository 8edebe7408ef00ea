"""`Picture` → photo files, which appear complete or not at all."""

import contextlib
import errno
import os
import re
import secrets
import struct
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Literal, TypedDict

from PIL import Image, PngImagePlugin, features

from keras_colorize.errors import ColorizeError
from keras_colorize.files import written_whole
from keras_colorize.images.formats import FORMATS, format_of, written_format
from keras_colorize.images.metadata import Metadata, iptc_segment
from keras_colorize.images.picture import Picture
from keras_colorize.images.pixels import over_white, to_8_bits
from keras_colorize.images.writers import COMPRESSION_LEVEL, TiffWriter, write_deep_png, write_ppm

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

DEFAULT_QUALITY = 95
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.part")
_LOCKED_AFTER_SECONDS = 2.0
_LONGEST_SEGMENT = 65533  # bytes of a JPEG marker's content
_XMP_PREFIX = 29  # of which XMP's own name takes so many
_CALLED = {"exif": "EXIF", "xmp": "XMP", "icc": "colour profile", "dpi": "resolution", "iptc": "IPTC", "texts": "texts"}


def write_pictures(
    file: str | os.PathLike[str],
    pictures: Picture | Iterable[Picture],
    *,
    format: str | None = None,
    quality: int = DEFAULT_QUALITY,
    overwrite: bool = False,
) -> list[str]:
    """Write a photo file: one picture, or the pages of a TIFF as they come.

    The file appears under its name when it is complete. If anything goes wrong, there is none.

    JPEG keeps colour at full resolution (4:4:4), and is never progressive. WebP is lossless where the photo came from
    a lossless WebP. PNG, TIFF, BMP, JPEG 2000, PPM and TGA are lossless. A TIFF that was uncompressed stays so; others
    are deflated. Transparency is laid over white where the format has none, and 16 bits are rounded to 8.

    Where Pillow writes, memory beside the picture's own is 4 bytes a pixel for RGB and 1 for grey, and what the encoder
    needs; for TIFF, PPM and PNG of 16 bits it is only a few megabytes.

    Args:
        file: the path to write; its folder must exist.
        pictures: one or more. Several become the pages of a TIFF.
        format: such as "png"; the suffix of `file` decides unless given, and for an unknown one the first picture's own
            format. GIF, which holds 256 colours, is written as PNG, and HEIF as JPEG.
        quality: of JPEG, WebP and AVIF, 1 to 100.
        overwrite: replace a file of that name.

    Returns:
        remarks, a sentence each: those of `Metadata.remarks`, and one for everything that the format could not keep.

    Raises:
        ColorizeError: the name is taken, the folder is missing or may not be written, the format cannot hold these
            pictures, or there is no picture. Errors that `pictures` raises pass unchanged.
    """
    path = Path(file)
    if not 1 <= quality <= 100:
        raise ColorizeError(f"quality is {quality}; expected 1 to 100")
    pages = iter([pictures] if isinstance(pictures, Picture) else pictures)
    remarks: dict[str, None] = {}  # in order, each once
    # Before the first page is made, which may take long; `replacing` looks again at the end.
    if not overwrite and os.path.lexists(path):
        raise ColorizeError(f"{path}: exists already; `overwrite` replaces it")
    first = next(pages, None)
    if first is None:
        raise ColorizeError(f"{path}: there is no picture to write")
    name = _format_for(path, format, first)
    with replacing(path, overwrite) as stream:
        if name == "TIFF":
            writer = TiffWriter(stream)
            page: Picture | None = first
            del first
            while page is not None:
                with _reported(path):
                    writer.page(_fitting(page, name, remarks))
                page = None  # before the next is made: one in memory is enough
                page = next(pages, None)
        else:
            with _reported(path):
                _write_one(stream, _fitting(first, name, remarks), name, quality, remarks)
            if next(pages, None) is not None:
                raise ColorizeError(f"{path}: {name} holds one picture, and there are several pages; write TIFF")
    return list(remarks)


@contextlib.contextmanager
def replacing(file: str | os.PathLike[str], overwrite: bool = False) -> Iterator[BinaryIO]:
    """Write a file whole or not at all: a temporary file in the same folder is renamed at the end.

    Args:
        file: the path to write.
        overwrite: replace a file of that name.

    Yields:
        the temporary file, open for binary writing.

    Raises:
        ColorizeError: the name is taken and `overwrite` is not set, or the folder is missing or may not be written.
            The name is checked together with renaming, so that of two programs only one succeeds.
    """
    path = Path(file)

    def rename(temporary: Path, path: Path) -> None:
        with _reported(path):
            if overwrite:
                os.replace(temporary, path)
            else:
                _rename_to_free_name(temporary, path)

    # Hidden, and of a name that nobody else has: another program may be writing the same photo.
    hidden = path.parent / f".{secrets.token_hex(8)}.part"
    with contextlib.ExitStack() as locked, written_whole(path, hidden, rename) as temporary:
        with _reported(path):
            stream = open(temporary, "xb")  # noqa: SIM115 - closed before it is renamed
        if (lock := _lock(stream)) is not None:
            locked.callback(os.close, lock)
        try:
            yield stream
        finally:
            with _reported(path):
                stream.close()  # here a full disk may show itself


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files that programs have left in a folder when they were killed.

    Files that another program is writing stay. All stay where the file system has no locks.
    """
    for file in folder.glob(".*.part"):
        with contextlib.suppress(OSError):  # Windows removes no file that is open
            # A younger file may not have its lock yet.
            if _TEMPORARY.fullmatch(file.name) and time.time() - file.stat().st_mtime > _LOCKED_AFTER_SECONDS:
                with file.open("r+b") as stream:
                    lock = _lock(stream)
                if lock is not None:
                    os.close(lock)
                if lock is not None or fcntl is None:
                    file.unlink()


def _lock(stream: BinaryIO) -> int | None:
    """Lock a file; return a descriptor that holds the lock until it is closed, whenever the stream is closed.

    The system frees the lock when the process ends, however it ends. Returns None where somebody else has the lock, and
    where there are none.
    """
    if fcntl is None:
        return None
    descriptor = os.dup(stream.fileno())
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _rename_to_free_name(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)  # unlike a renaming, this fails where the name is taken
        return
    except FileExistsError:
        raise
    except (OSError, NotImplementedError, AttributeError):
        pass  # no hard links here: USB sticks, network folders
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    try:
        os.replace(temporary, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Turn errors of the file system and of encoders into one line."""
    try:
        yield
    except ColorizeError as error:
        raise ColorizeError(f"{path}: {error}") from error.__cause__
    except (OSError, ValueError, struct.error, MemoryError, OverflowError) as error:
        raise ColorizeError(f"{path}: {_why_not(path, error)}") from error


def _why_not(path: Path, error: Exception) -> str:
    if isinstance(error, FileExistsError):
        return "exists already; `overwrite` replaces it"
    if isinstance(error, FileNotFoundError) or (isinstance(error, OSError) and error.errno == errno.ENOTDIR):
        return f"there is no folder '{path.parent}'"
    if isinstance(error, IsADirectoryError):
        return "is a folder"
    text = (error.strerror if isinstance(error, OSError) else None) or " ".join(str(error).split())
    return f"cannot be written ({text or type(error).__name__})"


def _format_for(path: Path, format: str | None, picture: Picture) -> str:
    if format is not None:
        return written_format(format_of(format))
    try:
        name = format_of(path.suffix)
    except ColorizeError:
        return written_format(picture.metadata.format)
    if name == "GIF":
        raise ColorizeError(f"{path}: GIF holds 256 colours, too few for a photo; write .png")
    if name == "HEIF":
        raise ColorizeError(f"{path}: HEIF is read and not written; write .jpg, or .png for 16 bits")
    return written_format(name)


def _fitting(picture: Picture, name: str, remarks: dict[str, None]) -> Picture:
    """Reduce a picture to what the format can hold, and add to `remarks` what was lost."""
    form, metadata = FORMATS[name], picture.metadata
    remarks.update(dict.fromkeys(metadata.remarks))
    if max(picture.height, picture.width) > form.longest:
        raise ColorizeError(
            f"{name} holds {form.longest:,} pixels a side, and there are {picture.width:,} × {picture.height:,};"
            " write PNG or TIFF"
        )
    if picture.depth == 16 and not form.deep:
        remarks[f"16 bits per colour became 8, as {name} holds no more"] = None
        alpha = None if picture.alpha is None else to_8_bits(picture.alpha)
        picture = Picture(to_8_bits(picture.pixels), alpha, metadata)
    if picture.alpha is not None and not form.alpha:
        remarks[f"transparency was laid over white, as {name} holds none"] = None
        picture = Picture(over_white(picture.pixels, picture.alpha), None, metadata)
    lost = [field for field in _CALLED if getattr(metadata, field) and field not in form.keeps]
    # A missing sRGB profile means sRGB, and a resolution in EXIF is kept with it.
    told = [_CALLED[field] for field in lost if field not in ("icc", "dpi")]
    if told:
        remarks[f"{' and '.join(told)} left out, as {name} holds none"] = None
    return picture


def _write_one(stream: BinaryIO, picture: Picture, name: str, quality: int, remarks: dict[str, None]) -> None:
    if name == "PPM":
        write_ppm(stream, picture)
        return
    metadata = picture.metadata
    options = _options(metadata if not picture.is_grey else replace(metadata, icc=None), name, quality, remarks)
    if name == "PNG" and picture.depth == 16:
        write_deep_png(stream, picture, _png_chunks(options))
        return
    if name in ("WEBP", "AVIF") and not features.check(name.lower()):
        raise ColorizeError(f"{name} cannot be written, as Pillow was built without it; write PNG")
    image = Image.fromarray(picture.pixels)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    image.save(stream, format=name, **options)


class _Options(TypedDict, total=False):
    """Options of Pillow's writers, each of which takes some of them."""

    icc_profile: bytes
    exif: bytes
    xmp: bytes
    dpi: tuple[float, float]
    quality: int
    subsampling: str
    comment: bytes
    extra: bytes
    pnginfo: PngImagePlugin.PngInfo
    compress_level: int
    lossless: bool
    exact: bool


def _options(metadata: Metadata, name: str, quality: int, remarks: dict[str, None]) -> _Options:
    """Return the options for Pillow's writer of a format."""
    keeps = FORMATS[name].keeps
    options: _Options = {}
    if metadata.icc and "icc" in keeps:
        options["icc_profile"] = metadata.icc
    if metadata.exif and "exif" in keeps:
        options["exif"] = b"Exif\0\0" + metadata.exif
    if metadata.xmp and "xmp" in keeps:
        options["xmp"] = metadata.xmp
    if metadata.dpi and "dpi" in keeps:
        options["dpi"] = metadata.dpi
    if name == "JPEG":
        # [choice] 4:4:4: with colour at half the resolution lightness would change along coloured edges too, and the
        # photo's own lightness is what must stay. It costs a tenth of the file and a third of the encoder's time.
        options |= {"quality": quality, "subsampling": "4:4:4"}
        rooms: dict[Literal["exif", "xmp"], int] = {"exif": _LONGEST_SEGMENT, "xmp": _LONGEST_SEGMENT - _XMP_PREFIX}
        for key, room in rooms.items():
            if len(options.get(key, b"")) > room:
                remarks[f"{_CALLED[key]} of {len(options.pop(key)):,} bytes left out, as JPEG holds {room:,}"] = None
        for keyword, text in metadata.texts:
            comment = text.encode("utf-8", "surrogateescape")
            if keyword == "Comment" and len(comment) <= _LONGEST_SEGMENT:
                options["comment"] = comment
        if metadata.iptc:
            options["extra"] = iptc_segment(metadata.iptc)
    elif name == "PNG":
        options["pnginfo"] = _png_texts(metadata, options.pop("xmp", None))
        options["compress_level"] = COMPRESSION_LEVEL
    elif name == "WEBP":
        # `exact` keeps the colours under transparent pixels.
        options |= {"lossless": True, "exact": True} if metadata.lossless else {"quality": quality, "exact": True}
    elif name == "AVIF":
        options |= {"quality": quality, "subsampling": "4:4:4"}
    return options


def _png_texts(metadata: Metadata, xmp: bytes | None) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    if xmp:
        info.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
    for keyword, text in metadata.texts:
        key = keyword.encode("latin-1", "replace")[:79]
        text = text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
        if key.strip():
            info.add_text(key, text)
    return info


def _png_chunks(options: _Options) -> list[tuple[bytes, bytes]]:
    """The options of Pillow's writer as chunks of a PNG."""
    chunks = []
    if "icc_profile" in options:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(options["icc_profile"])))
    if "dpi" in options:
        x, y = (round(value / 0.0254) for value in options["dpi"])
        chunks.append((b"pHYs", struct.pack(">IIB", x, y, 1)))
    chunks += [(chunk[0], chunk[1]) for chunk in options["pnginfo"].chunks]
    if "exif" in options:
        chunks.append((b"eXIf", options["exif"].removeprefix(b"Exif\0\0")))
    return chunks
