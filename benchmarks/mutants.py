"""Damaged copies of photos: a pure function of (seed, number)."""

import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.specimens import Specimen

SUFFIXES = (".jpg", ".png", ".tif", ".webp", ".gif", ".bmp", ".avif", ".jp2", ".ppm", ".tga")
SOUND, TRUNCATED = "none", "truncated"
# What else stands in a file's name, now and then: an accent in two signs, a byte that is no UTF-8, line feeds, quotes.
NAMES = (" two words", "e\u0301t\u00e9", "\udce9", "a\nb", "'\"", ";,", "%d{}", ".tar", "-", "\u202e", "x" * 200)


@dataclass(frozen=True)
class Mutant:
    """A damaged copy.

    name: of the file, unique by number.
    photo: the photo that it was made from.
    mutation: the kind of damage.
    """

    name: str
    photo: str
    mutation: str
    content: bytes


def mutant(number: int, seed: int, photos: list[Specimen]) -> Mutant:
    """Make the damaged copy of a number: any photo, any mutation."""
    rng = np.random.default_rng([seed, number])
    photo, other = (photos[n] for n in rng.integers(len(photos), size=2))
    mutation = list(MUTATIONS)[rng.integers(len(MUTATIONS))]
    content, suffix = bytes(MUTATIONS[mutation](rng, photo.content, other.content)), photo.suffix
    if mutation == "wrong suffix":
        suffix = SUFFIXES[rng.integers(len(SUFFIXES))]
    if content.startswith(b"\x89PNG") and mutation not in WHOLE and rng.random() < 0.5:
        content = _with_checksums(content)  # else most damage ends at the first of them
    name = NAMES[rng.integers(len(NAMES))] if rng.random() < 0.1 else ""
    return Mutant(f"{number:06d}{name}{suffix}", photo.name, mutation, content)


def _bytes_changed(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """1 to 16 bytes, half of the time in the headers."""
    changed = bytearray(content)
    reach = min(len(changed), 256) if rng.random() < 0.5 else len(changed)
    for place in rng.integers(reach, size=rng.integers(1, 17)):
        changed[place] = rng.integers(256)
    return changed


def _bits_flipped(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """1 to 8 bits, half of the time in the headers."""
    changed = bytearray(content)
    reach = min(len(changed), 128) if rng.random() < 0.5 else len(changed)
    for place in rng.integers(reach, size=rng.integers(1, 9)):
        changed[place] ^= 1 << int(rng.integers(8))
    return changed


def _extremes(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """Up to three words of 2, 4 or 8 bytes become the least, the most, or one."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        size = int(rng.choice((2, 4, 8)))
        words = (bytes(size), b"\xff" * size, b"\x7f" + b"\xff" * (size - 1), b"\x80" + bytes(size - 1))
        words += ((1).to_bytes(size, "big"), (1).to_bytes(size, "little"))
        place = int(rng.integers(min(len(changed), 512)))
        changed[place : place + size] = words[rng.integers(len(words))]
    return changed


def _truncated(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """Anywhere, or close to the end."""
    return content[: rng.integers(len(content)) if rng.random() < 0.7 else -int(rng.integers(1, 16))]


def _header_swapped(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """The first bytes are those of another photo."""
    length = int(rng.choice((2, 4, 8, 12, 16, 32, 64, 128)))
    return other[:length] + content[length:]


def _spliced(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """Begins as one photo and goes on as another."""
    return content[: rng.integers(len(content))] + other[rng.integers(len(other)) :]


def _inserted(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """Up to 4,096 bytes of noise, of one value, or of the photo itself, anywhere."""
    length, place = int(rng.integers(1, 4097)), int(rng.integers(len(content) + 1))
    block = (rng.bytes(length), bytes([rng.integers(256)]) * length, content[:length])[rng.integers(3)]
    return content[:place] + block + content[place:]


def _removed(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """Up to 1,024 bytes, anywhere."""
    place = int(rng.integers(len(content)))
    return content[:place] + content[place + int(rng.integers(1, 1025)) :]


def _zeroed(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """A part is zeros, as after a power failure: sectors that were never written."""
    place, length = int(rng.integers(len(content))), int(rng.integers(16, 2049))
    return content[:place] + bytes(len(content[place : place + length])) + content[place + length :]


def _another_size(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """The header claims another width, height, or both."""
    claimed = [_CLAIMED[n] for n in rng.integers(len(_CLAIMED), size=2)]
    if content[:1] == b"P" and content[1:2].isdigit():
        return re.sub(rb"\d+ \d+", b"%d %d" % tuple(claimed), content, count=1)
    fields = size_fields(content)
    if not fields:
        return _extremes(rng, content, other)
    changed = bytearray(content)
    for (place, code), value in list(zip(fields, claimed, strict=True))[int(rng.integers(2)) :]:
        most = (1 << 8 * struct.calcsize(code)) - 1
        struct.pack_into(code, changed, place, min(value, most))
    return _with_checksums(bytes(changed)) if content.startswith(b"\x89PNG") else changed


_CLAIMED = (0, 1, 36, 46, 64, 1000, 5000, 16384, 30000, 65535, 100_000, (1 << 31) - 1, (1 << 32) - 1)


def size_fields(content: bytes) -> list[tuple[int, str]]:
    """Find the offsets and `struct` codes of width and height; empty for rare formats."""
    if content.startswith(b"\x89PNG"):
        return [(16, ">I"), (20, ">I")]
    if content.startswith(b"\xff\xd8"):
        frame = re.search(rb"\xff[\xc0-\xc2]", content)
        return [(frame.start() + 7, ">H"), (frame.start() + 5, ">H")] if frame else []
    if content.startswith(b"GIF8"):
        picture = content.find(b",\0\0\0\0")  # the frame's own size; before it the screen's
        return [(picture + 5, "<H"), (picture + 7, "<H")] if picture > 0 and content[12] % 2 else [(6, "<H"), (8, "<H")]
    if content.startswith(b"BM"):
        return [(18, "<I"), (22, "<I")]
    if content[8:16] == b"WEBPVP8X":
        return [(24, "<H"), (27, "<H")]
    if content[8:15] == b"WEBPVP8":
        return [(26, "<H"), (28, "<H")] if content[15:16] == b" " else [(21, "<H"), (22, "<H")]
    if (place := content.find(b"ihdr")) > 0:  # JPEG 2000
        return [(place + 8, ">I"), (place + 4, ">I")]
    if content.startswith(b"\xff\x4f\xff\x51"):  # its codestream alone
        return [(8, ">I"), (12, ">I")]
    if (place := content.find(b"ispe")) > 0:  # AVIF
        return [(place + 8, ">I"), (place + 12, ">I")]
    if content[:2] in (b"II", b"MM"):
        return _tiff_size_fields(content)
    return []


def _tiff_size_fields(content: bytes) -> list[tuple[int, str]]:
    order, big = "<" if content[:2] == b"II" else ">", content[2:4] in (b"+\0", b"\0+")
    place, count, row, value = ("Q", "Q", 20, 12) if big else ("I", "H", 12, 8)
    (directory,) = struct.unpack_from(order + place, content, 8 if big else 4)
    (entries,) = struct.unpack_from(order + count, content, directory)
    fields = {}
    for at in range(directory + struct.calcsize(count), directory + struct.calcsize(count) + entries * row, row):
        tag, kind = struct.unpack_from(f"{order}HH", content, at)
        fields[tag] = at + value, order + {3: "H", 4: "I", 16: "Q"}.get(kind, "I")
    return [fields[256], fields[257]]


def _with_checksums(png: bytes) -> bytes:
    """Correct the checksums of a PNG's chunks, as far as there are chunks."""
    mended, place = bytearray(png), 8
    while place + 12 <= len(png):
        (length,) = struct.unpack_from(">I", png, place)
        end = place + 8 + length
        if end + 4 > len(png):
            break
        struct.pack_into(">I", mended, end, zlib.crc32(png[place + 4 : end]))
        place = end + 4
    return bytes(mended)


Mutation = Callable[[np.random.Generator, bytes, bytes], bytes]
MUTATIONS: dict[str, Mutation] = {
    SOUND: lambda rng, content, other: content,
    "bytes changed": _bytes_changed,
    "bits flipped": _bits_flipped,
    "extreme numbers": _extremes,
    TRUNCATED: _truncated,
    "header swapped": _header_swapped,
    "two photos spliced": _spliced,
    "block inserted": _inserted,
    "block removed": _removed,
    "sectors of zeros": _zeroed,
    "another size claimed": _another_size,
    "wrong suffix": lambda rng, content, other: content,
    "no photo": lambda rng, content, other: _NO_PHOTOS[rng.integers(len(_NO_PHOTOS))] or rng.bytes(4096),
}
WHOLE = (SOUND, "wrong suffix")
"""Mutations after which the photo must still be read."""
_NO_PHOTOS = (
    b"",
    b"",
    b"\0" * 4096,
    b"<html><body>Not found</body></html>",
    b"\xff",
    b"II*\0",
    b"RIFF",
    b"GIF89a",
    b"P6\n",
)
