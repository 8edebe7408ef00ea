"""Writers of files that Pillow cannot write: PNG and PPM of 16 bits per sample in colour, and TIFF page by page."""

import struct
import zlib
from typing import BinaryIO

import numpy as np

from keras_colorize.errors import ColorizeError
from keras_colorize.images import tags as ifd
from keras_colorize.images.metadata import tags_of_exif
from keras_colorize.images.picture import Picture

# Level 3 is three times quicker than zlib's 6 on photos and at most 3 % larger; on 16 bits, whose low bytes are noise,
# there is nothing to gain above.
COMPRESSION_LEVEL = 3
_BLOCK = 1 << 20  # bytes of samples that are filtered and compressed at a time


def _blocks(picture: Picture, dtype: str) -> list[slice]:
    each = max(1, _BLOCK // (picture.width * _channels(picture) * np.dtype(dtype).itemsize))
    return [slice(top, min(top + each, picture.height)) for top in range(0, picture.height, each)]


def _channels(picture: Picture) -> int:
    return (1 if picture.is_grey else 3) + (picture.alpha is not None)


def _samples(picture: Picture, rows: slice, dtype: str) -> np.ndarray:
    """(rows, W, channels), transparency last."""
    colors = picture.pixels[rows].reshape(-1, picture.width, 1 if picture.is_grey else 3)
    if picture.alpha is not None:
        colors = np.concatenate([colors, picture.alpha[rows, :, None]], axis=-1)
    return np.ascontiguousarray(colors, dtype)


# PNG


def write_deep_png(file: BinaryIO, picture: Picture, chunks: list[tuple[bytes, bytes]]) -> None:
    """Write a PNG of 16 bits per sample, grey or RGB, with or without transparency.

    Args:
        file: open for binary writing.
        picture: of 16 bits.
        chunks: names and contents of the chunks before the pixels, such as EXIF.
    """
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[_channels(picture)]
    file.write(b"\x89PNG\r\n\x1a\n")
    _chunk(file, b"IHDR", struct.pack(">IIBBBBB", picture.width, picture.height, 16, kind, 0, 0, 0))
    for name, content in chunks:
        _chunk(file, name, content)
    packer = zlib.compressobj(COMPRESSION_LEVEL)
    step = 2 * _channels(picture)
    above = np.zeros((1, picture.width * step), np.uint8)
    for rows in _blocks(picture, ">u2"):
        stored = _samples(picture, rows, ">u2").view(np.uint8).reshape(rows.stop - rows.start, -1)
        packed = packer.compress(_filtered(stored, above, step).tobytes())
        above = stored[-1:]
        if packed:
            _chunk(file, b"IDAT", packed)
    _chunk(file, b"IDAT", packer.flush())
    _chunk(file, b"IEND", b"")


def _filtered(rows: np.ndarray, above: np.ndarray, step: int) -> np.ndarray:
    """Subtract from each row its left or its upper neighbour, whichever leaves less (PNG specification, 9.2, 12.8)."""
    left = rows.copy()
    left[:, step:] -= rows[:, :-step]
    up = rows - np.concatenate([above, rows[:-1]])
    effort = [np.minimum(residue, -residue).sum(axis=1, dtype=np.int64) for residue in (left, up)]
    by_row = (effort[1] < effort[0])[:, None]
    return np.concatenate([np.where(by_row, 2, 1).astype(np.uint8), np.where(by_row, up, left)], axis=1)


def _chunk(file: BinaryIO, name: bytes, content: bytes) -> None:
    file.write(struct.pack(">I", len(content)) + name + content)
    file.write(struct.pack(">I", zlib.crc32(content, zlib.crc32(name))))


# PPM


def write_ppm(file: BinaryIO, picture: Picture) -> None:
    """Write a PPM of RGB or a PGM of grey, of 8 or 16 bits per sample."""
    largest, dtype = (255, "u1") if picture.depth == 8 else (65535, ">u2")
    file.write(b"P%d\n%d %d\n%d\n" % (5 if picture.is_grey else 6, picture.width, picture.height, largest))
    for rows in _blocks(picture, dtype):
        file.write(_samples(picture, rows, dtype).data)


# TIFF


class TiffWriter:
    """A TIFF file to which pages are appended one by one, so that only one has to be in memory.

    Pages are stored in strips, uncompressed or deflated with horizontal differencing (TIFF 6.0, section 14, and its
    Technical Note 2), with unassociated alpha.

    Args:
        file: open for binary writing, and empty.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        file.write(b"II*\0" + bytes(4))
        self._link = 4  # where the place of the next page goes
        self.pages = 0

    def page(self, picture: Picture) -> None:
        """Append a page.

        Raises:
            ColorizeError: the file would pass 4 GiB.
        """
        metadata = picture.metadata
        dtype = "u1" if picture.depth == 8 else "<u2"
        blocks = _blocks(picture, dtype)
        offsets, sizes = [], []
        for rows in blocks:
            samples = _samples(picture, rows, dtype)
            if metadata.compressed:
                steps = samples.copy()
                steps[:, 1:] -= samples[:, :-1]
                content = zlib.compress(steps.data, COMPRESSION_LEVEL)
            else:
                content = samples.tobytes()
            offsets.append(self._file.tell())
            sizes.append(len(content))
            self._file.write(content + bytes(len(content) % 2))  # places are even
            self._check()
        count = _channels(picture)
        directory = tags_of_exif(metadata.exif)
        directory |= {
            256: ifd.long(picture.width),
            257: ifd.long(picture.height),
            258: ifd.short(*[picture.depth] * count),
            259: ifd.short(8 if metadata.compressed else 1),
            262: ifd.short(1 if picture.is_grey else 2),
            273: ifd.long(*offsets),
            277: ifd.short(count),
            278: ifd.long(blocks[0].stop),
            279: ifd.long(*sizes),
            284: ifd.short(1),
        }
        if metadata.compressed:
            directory[317] = ifd.short(2)
        if picture.alpha is not None:
            directory[338] = ifd.short(2)
        if metadata.dpi is not None:
            directory |= {282: ifd.rational(metadata.dpi[0]), 283: ifd.rational(metadata.dpi[1]), 296: ifd.short(2)}
        if metadata.xmp:
            directory[700] = ifd.Tag(1, len(metadata.xmp), metadata.xmp)
        if metadata.iptc:
            directory[33723] = ifd.undefined(metadata.iptc)
        if metadata.icc and not picture.is_grey:
            directory[34675] = ifd.undefined(metadata.icc)
        place = self._file.tell()
        self._file.write(ifd.directory_bytes(directory, place))
        if self._file.tell() % 2:
            self._file.write(b"\0")
        self._check()
        self._file.seek(self._link)
        self._file.write(struct.pack("<I", place))
        self._file.seek(0, 2)
        self._link = ifd.next_place(directory, place)
        self.pages += 1

    def _check(self) -> None:
        if self._file.tell() >= 1 << 32:
            raise ColorizeError("would be larger than 4 GiB, which TIFF cannot hold; write PNG, or fewer pages")
