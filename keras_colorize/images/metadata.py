"""All that a photo file says besides its pixels: EXIF, IPTC, XMP, comments, resolution."""

import io
import math
import re
import struct
from dataclasses import dataclass, replace

from PIL import Image

from keras_colorize.images import tags as ifd

_ORIENTATION = 0x0112
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA002, 0xA003  # of EXIF's own directory: they describe the upright picture
_XMP, _IPTC, _PHOTOSHOP, _ICC = 700, 33723, 34377, 34675
_IPTC_RESOURCE = 0x0404  # of Photoshop's block of resources

# Tags that describe how a TIFF file stores its pixels, or what is kept elsewhere; the rest describes the photo. Among
# them what would show the grey picture beside the coloured one: other resolutions (330), Photoshop's layers (37724).
_STORAGE = {
    *(*range(254, 260), 262, 263, 264, 265, 266, _ORIENTATION, 273, *range(277, 285), *range(288, 292), 296, 301),
    *(*range(317, 326), 330, *range(332, 348), *range(512, 522), *range(529, 533), _XMP, _IPTC, _PHOTOSHOP, _ICC),
    *(37724, 37439, 32996, 32997, 32998),
}
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|>)\s*)([1-8])")
_PNG_XMP = "XML:com.adobe.xmp"
_PNG_RAW_EXIF = "Raw profile type exif"  # ImageMagick's way of old


@dataclass(frozen=True)
class Metadata:
    """All that a photo file says besides its pixels, ready to be written into another.

    format: Pillow's name of the file's format (`format_of`); "JPEG" for MPO.
    exif: TIFF-structured, without "Exif\\0\\0"; its orientation is 1 and its thumbnail, which was grey, is unlinked.
    dpi: horizontal and vertical pixels per inch of the upright picture.
    xmp: a packet of XML, its orientation 1.
    iptc: IIM records.
    texts: (keyword, text); of JPEG the comment, of PNG its texts.
    icc: the profile to embed in a colour picture, always one of sRGB; `None` where the file had none.
    lossless: the file had lost nothing (WebP tells; others keep the default).
    compressed: of TIFF.
    remarks: what could not be kept on reading, a sentence each.
    """

    format: str = "PNG"
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    texts: tuple[tuple[str, str], ...] = ()
    icc: bytes | None = None
    lossless: bool = False
    compressed: bool = True
    remarks: tuple[str, ...] = ()


def metadata_of_image(image: Image.Image) -> tuple[Metadata, int]:
    """Return what a loaded Pillow image, which is no TIFF, says, and the EXIF orientation, 1 to 8, of its pixels."""
    info = image.info
    texts = _texts(image)
    exif, orientation, remarks = info.get("exif"), None, []
    if exif is None and _PNG_RAW_EXIF in info:
        exif = _from_hex(info[_PNG_RAW_EXIF])
    if isinstance(exif, bytes) and exif:
        exif, orientation = upright_exif(exif.removeprefix(b"Exif\0\0"))
        if exif is None:
            remarks.append("its EXIF is damaged and was left out")
    else:
        exif = None
    xmp, xmp_orientation = _upright_xmp(info.get("xmp"))
    orientation = orientation or xmp_orientation or 1
    resources = info.get("photoshop")
    iptc = resources.get(_IPTC_RESOURCE) if isinstance(resources, dict) else None
    metadata = Metadata(exif=exif, dpi=_dpi(info.get("dpi")), xmp=xmp, texts=texts, remarks=tuple(remarks))
    metadata = replace(metadata, iptc=iptc if isinstance(iptc, bytes) and iptc else None)
    return turned(metadata, orientation), orientation


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8, of a loaded Pillow image that is no TIFF."""
    return metadata_of_image(image)[1] if image.info.keys() & {"exif", "xmp", _PNG_RAW_EXIF} else 1


def metadata_of_directory(directory: ifd.Directory) -> tuple[Metadata, int]:
    """Return what a page of a TIFF says, and its orientation, 1 to 8."""
    kept = {tag: entry for tag, entry in directory.items() if tag not in _STORAGE and entry.type <= 12}
    exif = ifd.block(kept) if kept else None
    xmp, xmp_orientation = _upright_xmp(_raw(directory, _XMP))
    iptc = _raw(directory, _IPTC) or _iptc_in(_raw(directory, _PHOTOSHOP) or b"")
    orientation = first_integer(directory, _ORIENTATION, xmp_orientation or 1)
    orientation = orientation if 1 <= orientation <= 8 else 1
    inch = {2: 1.0, 3: 2.54}.get(first_integer(directory, 296, 2))
    dpi = None
    if inch is not None and 282 in directory and 283 in directory:
        dpi = _dpi([inch * _fraction(directory[tag]) for tag in (282, 283)])
    compressed = first_integer(directory, 259, 1) != 1
    metadata = Metadata(format="TIFF", exif=exif, dpi=dpi, xmp=xmp, iptc=iptc, compressed=compressed)
    return turned(metadata, orientation), orientation


def turned(metadata: Metadata, orientation: int) -> Metadata:
    """Return the metadata of the upright picture, given those of the stored one."""
    if orientation < 5 or metadata.dpi is None:
        return metadata
    return replace(metadata, dpi=metadata.dpi[::-1])


def tags_of_exif(exif: bytes | None) -> ifd.Directory:
    """Return EXIF as tags for a TIFF file, without those that describe how pixels are stored."""
    directory = ifd.parse_block(exif) if exif else None
    return {tag: entry for tag, entry in (directory or {}).items() if tag not in _STORAGE}


def upright_exif(exif: bytes) -> tuple[bytes | None, int | None]:
    """Return the EXIF of the upright picture, or `None` where it is damaged, and the orientation that it had.

    Bytes are changed in place, so that a camera's private notes, which point into the block, stay whole. The
    orientation is `None` where the EXIF has none.
    """
    header = ifd.read_header(io.BytesIO(exif))
    if header is None or header.big:
        return None, None
    content, order = bytearray(exif), header.order
    try:
        rows = _rows(content, order, header.first)
        orientation = None
        place = rows.get(_ORIENTATION)
        if place is not None:
            (kind,) = struct.unpack_from(f"{order}H", content, place + 2)
            form = order + {1: "B", 3: "H", 4: "I"}.get(kind, "H")
            (value,) = struct.unpack_from(form, content, place + 8)
            orientation = value if 1 <= value <= 8 else None
            struct.pack_into(form, content, place + 8, 1)
        struct.pack_into(f"{order}I", content, header.first + 2 + 12 * len(rows), 0)  # the thumbnail's directory
        if (orientation or 1) >= 5 and ifd.EXIF in rows:
            (nested,) = struct.unpack_from(f"{order}I", content, rows[ifd.EXIF] + 8)
            sizes = _rows(content, order, nested)
            if _PIXEL_WIDTH in sizes and _PIXEL_HEIGHT in sizes:
                wide, high = (slice(sizes[tag] + 2, sizes[tag] + 12) for tag in (_PIXEL_WIDTH, _PIXEL_HEIGHT))
                content[wide], content[high] = content[high], content[wide]
    except struct.error:
        return None, None
    return bytes(content), orientation


def _rows(content: bytearray, order: str, offset: int) -> dict[int, int]:
    """Tag → the place of its entry of 12 bytes. A doubled tag is an error, as nothing can be patched safely then."""
    (count,) = struct.unpack_from(f"{order}H", content, offset)
    places = [offset + 2 + 12 * row for row in range(count)]
    rows = {struct.unpack_from(f"{order}HHII", content, place)[0]: place for place in places}
    if len(rows) < count:
        raise struct.error("doubled tag")
    return rows


def _upright_xmp(xmp: object) -> tuple[bytes | None, int | None]:
    """XMP whose orientation is 1, and the one that it had."""
    if isinstance(xmp, str):
        xmp = xmp.encode()
    if not isinstance(xmp, bytes) or not xmp:
        return None, None
    found = _XMP_ORIENTATION.search(xmp)
    return _XMP_ORIENTATION.sub(rb"\g<1>1", xmp), int(found[2]) if found else None


def _texts(image: Image.Image) -> tuple[tuple[str, str], ...]:
    comment = image.info.get("comment")
    if image.format in ("JPEG", "MPO", "GIF") and isinstance(comment, bytes) and comment:
        return (("Comment", comment.decode("utf-8", "surrogateescape")),)
    if image.format != "PNG":
        return ()
    texts = getattr(image, "text", {})
    return tuple(
        (key, str(text)) for key, text in texts.items() if key != _PNG_XMP and not key.startswith("Raw profile type")
    )


def _from_hex(text: object) -> bytes | None:
    """ImageMagick's raw profile: a blank line, its kind, its length, then hexadecimal."""
    try:
        return bytes.fromhex("".join(str(text).split("\n")[3:]))
    except ValueError:
        return None


def _iptc_in(resources: bytes) -> bytes | None:
    """The IPTC records within Photoshop's block of resources."""
    place = 0
    while resources[place : place + 4] == b"8BIM" and place + 12 <= len(resources):
        code, name = struct.unpack_from(">HB", resources, place + 4)
        place += 7 + name + (name + 1) % 2
        if place + 4 > len(resources):
            break
        (size,) = struct.unpack_from(">I", resources, place)
        if code == _IPTC_RESOURCE:
            return resources[place + 4 : place + 4 + size] or None
        place += 4 + size + size % 2
    return None


def iptc_segment(iptc: bytes) -> bytes:
    """Return IPTC as the APP13 segment of a JPEG file; empty where it is too long for one."""
    records = iptc + bytes(len(iptc) % 2)
    resource = b"8BIM" + struct.pack(">HHI", _IPTC_RESOURCE, 0, len(iptc)) + records
    content = b"Photoshop 3.0\0" + resource
    return b"\xff\xed" + struct.pack(">H", len(content) + 2) + content if len(content) <= 65533 else b""


def _raw(directory: ifd.Directory, tag: int) -> bytes | None:
    return directory[tag].raw or None if tag in directory else None


def first_integer(directory: ifd.Directory, tag: int, default: int) -> int:
    """Return the first value of an integer tag, or `default` where there is none."""
    values = directory[tag].integers if tag in directory else ()
    return values[0] if values else default


def _fraction(entry: ifd.Tag) -> float:
    if entry.type == 5 and len(entry.raw) >= 8:
        numerator, denominator = struct.unpack_from("<II", entry.raw)
        return numerator / denominator if denominator else 0.0
    return float(entry.integers[0]) if entry.integers else 0.0


def _dpi(dpi: object) -> tuple[float, float] | None:
    """Two sensible numbers, or `None`."""
    if not isinstance(dpi, (tuple, list)):
        return None
    try:
        x, y = (float(value) for value in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if all(math.isfinite(value) and 1 <= value <= 65535 for value in (x, y)) else None
