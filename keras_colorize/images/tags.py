"""Image file directories: the tags of a TIFF file, and of EXIF, which is a TIFF file without a picture.

Pillow and tifffile read them too, but decode their values: text that is not ASCII changes when Pillow writes it again,
and tifffile keeps neither types nor bytes of the tags within EXIF. Here a tag keeps its type and its bytes, so that a
camera's private notes stay whole.
"""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

EXIF, GPS, INTEROPERABILITY = 34665, 34853, 40965  # tags whose value is the place of another directory
_NESTED = (EXIF, GPS, INTEROPERABILITY)
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_WORDS = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}  # what byte order applies to
_INTEGERS = {1: "u1", 3: "<u2", 4: "<u4", 13: "<u4", 16: "<u8", 18: "<u8"}
_LARGEST = 1 << 26  # bytes of one value; ICC profiles and scanners' private notes stay far below


class Tag(NamedTuple):
    """A tag's value: type (TIFF 6.0, page 15), number of values, and little-endian bytes or a directory."""

    type: int
    number: int
    value: "bytes | Directory"

    @property
    def integers(self) -> tuple[int, ...]:
        """The values of an integer tag; empty for any other."""
        if self.type not in _INTEGERS or not isinstance(self.value, bytes):
            return ()
        return tuple(np.frombuffer(self.value, _INTEGERS[self.type]).tolist())

    @property
    def raw(self) -> bytes:
        """The bytes of a value that is no directory."""
        return self.value if isinstance(self.value, bytes) else b""


Directory = dict[int, Tag]


class StoredDirectory(Directory):
    """A directory read from a file. lost: the tags whose values would lie beyond the file's end."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: set[int] = set()


class Header(NamedTuple):
    """Byte order, whether it is a BigTIFF, and where the first directory lies."""

    order: str
    big: bool
    first: int


def read_header(file: BinaryIO) -> Header | None:
    """Read the start of a TIFF file or EXIF block; `None` where a file is neither."""
    file.seek(0)
    start = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None or len(start) < 8:
        return None
    version, first = struct.unpack_from(f"{order}HI", start, 2)
    if version == 43 and len(start) == 16:
        return Header(order, True, struct.unpack_from(f"{order}Q", start, 8)[0])
    return Header(order, False, first) if version == 42 else None


def read_directories(file: BinaryIO, header: Header) -> Iterator[StoredDirectory]:
    """Read the directories of a file one by one: pages, previews, masks. A repeated one ends the chain."""
    seen: set[int] = set()
    offset = header.first
    while offset and offset not in seen:
        seen.add(offset)
        directory, offset = _read(file, header, offset, seen)
        yield directory


def _read(file: BinaryIO, header: Header, offset: int, seen: set[int]) -> tuple[StoredDirectory, int]:
    order, big, _ = header
    file.seek(offset)
    (count,) = struct.unpack(f"{order}Q" if big else f"{order}H", _exactly(file, 8 if big else 2))
    size, inline = (20, 8) if big else (12, 4)
    if count > 65535:
        raise ValueError("damaged directory")
    rows = _exactly(file, count * size)
    (following,) = struct.unpack(f"{order}Q" if big else f"{order}I", _exactly(file, inline))
    directory = StoredDirectory()
    for row in range(0, len(rows), size):
        tag, kind, number = struct.unpack_from(f"{order}HHQ" if big else f"{order}HHI", rows, row)
        length = _SIZES.get(kind, 0) * number
        if not 0 < length <= _LARGEST:
            continue
        value = rows[row + size - inline : row + size]
        if length > inline:
            file.seek(struct.unpack(f"{order}Q" if big else f"{order}I", value)[0])
            value = file.read(length)
            if len(value) < length:  # the picture need not be lost with it
                directory.lost.add(tag)
                continue
        value = _little_endian(value[:length], kind, order)
        if tag in _NESTED and number == 1 and kind in (4, 13, 18):
            place = int.from_bytes(value, "little")
            if place in seen:
                continue
            seen.add(place)
            try:
                directory[tag] = Tag(4, 1, _read(file, header, place, seen)[0])
            except (struct.error, ValueError, OSError, EOFError):
                continue
        elif tag not in directory:
            directory[tag] = Tag(kind, number, value)
    return directory, following


def _exactly(file: BinaryIO, count: int) -> bytes:
    content = file.read(count)
    if len(content) < count:
        raise EOFError("the file ends within its directory of tags")
    return content


def _little_endian(value: bytes, kind: int, order: str) -> bytes:
    if order == "<" or kind not in _WORDS:
        return value
    return np.frombuffer(value, f"u{_WORDS[kind]}").byteswap().tobytes()


def directory_bytes(directory: Directory, offset: int) -> bytes:
    """Lay out a directory for `offset` of a little-endian file, with its values and the directories in it.

    The offset of the next directory, which follows the entries, is 0; `next_place` returns where it stands.
    """
    entries = sorted(directory.items())
    body = bytearray()
    rows = bytearray(struct.pack("<H", len(entries)))
    after = offset + 2 + 12 * len(entries) + 4
    for tag, (kind, count, value) in entries:
        body += bytes(-(after + len(body)) % 2)
        place = after + len(body)
        if isinstance(value, dict):
            body += directory_bytes(value, place)
            field = struct.pack("<I", place)
        elif len(value) > 4:
            body += value
            field = struct.pack("<I", place)
        else:
            field = value.ljust(4, b"\0")
        rows += struct.pack("<HHI", tag, kind, count) + field
    return bytes(rows + bytes(4) + body)


def next_place(directory: Directory, offset: int) -> int:
    """Return where a directory written at `offset` keeps the offset of the next one."""
    return offset + 2 + 12 * len(directory)


def block(directory: Directory) -> bytes:
    """Lay out a directory alone, as EXIF holds it."""
    return b"II*\0" + struct.pack("<I", 8) + directory_bytes(directory, 8)


def parse_block(content: bytes) -> Directory | None:
    """Read the first directory of an EXIF block; `None` where it is damaged."""
    file = io.BytesIO(content)
    header = read_header(file)
    if header is None:
        return None
    try:
        return next(read_directories(file, header), None)
    except (struct.error, ValueError, OSError, EOFError, OverflowError):
        return None


def short(*values: int) -> Tag:
    """Make a tag of 16-bit integers."""
    return Tag(3, len(values), struct.pack(f"<{len(values)}H", *values))


def long(*values: int) -> Tag:
    """Make a tag of 32-bit integers."""
    return Tag(4, len(values), struct.pack(f"<{len(values)}I", *values))


def rational(value: float) -> Tag:
    """Make a tag of a fraction of two 32-bit integers."""
    numerator, denominator = float(value).as_integer_ratio()
    if max(numerator, denominator) >= 1 << 32:
        numerator, denominator = round(value * 10_000), 10_000
    return Tag(5, 1, struct.pack("<II", min(numerator, (1 << 32) - 1), denominator))


def undefined(value: bytes) -> Tag:
    """Make a tag of bytes."""
    return Tag(7, len(value), value)
