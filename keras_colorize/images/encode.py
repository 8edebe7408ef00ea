"""`Picture` → photo files, which appear complete or not at all."""

import os
import struct
import zlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Literal, TypedDict

from PIL import Image, PngImagePlugin, features

from keras_colorize.errors import ColorizeError
from keras_colorize.images.formats import FORMATS, format_of, written_format
from keras_colorize.images.metadata import Metadata, iptc_segment
from keras_colorize.images.picture import Picture
from keras_colorize.images.pixels import over_white, to_8_bits
from keras_colorize.images.replacement import replacing, reported
from keras_colorize.images.writers import COMPRESSION_LEVEL, TiffWriter, write_deep_png, write_ppm

DEFAULT_QUALITY = 95
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
                with reported(path):
                    writer.page(_fitting(page, name, remarks))
                page = None  # before the next is made: one in memory is enough
                page = next(pages, None)
        else:
            with reported(path):
                _write_one(stream, _fitting(first, name, remarks), name, quality, remarks)
            if next(pages, None) is not None:
                raise ColorizeError(f"{path}: {name} holds one picture, and there are several pages; write TIFF")
    return list(remarks)


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
