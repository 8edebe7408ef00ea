"""Headers of encoded photos: kind, size and EXIF orientation, read with TensorFlow's own operators.

TensorFlow's decoders ignore the orientation, which phones rely on, and allocate whatever size a header claims. The
graph therefore reads these few bytes itself. Nothing here can raise: every offset is clipped to the bytes.

Sources: the EXIF 2.32 standard (CIPA DC-008), sections 4.5 and 4.6.2; the PNG specification, third edition, section
11.3.3.5 (eXIf); the WebP container specification (RIFF).
"""

import tensorflow as tf

from keras_colorize.tensor import Tensor

# `kind` returns positions in this list.
KINDS = ("unknown", "JPEG", "PNG", "GIF", "BMP", "WebP")
UNKNOWN, JPEG, PNG, GIF, BMP, WEBP = range(len(KINDS))

# [choice] Enough for any camera's EXIF (64 KiB in a JPEG), and the most segments or chunks to search before it.
_EXIF_BYTES = 1 << 16
_MOST_STEPS = 20_000
_ENTRIES = 512
_ORIENTATION_TAG = 0x0112


def kind(contents: Tensor) -> Tensor:
    """Tell the format of encoded bytes (scalar string) from their first bytes: scalar int32, a position in `KINDS`."""
    head = _bytes(contents, 0, 16)
    signatures = (
        (JPEG, b"\xff\xd8\xff", 0),
        (PNG, b"\x89PNG\r\n\x1a\n", 0),
        (GIF, b"GIF8", 0),
        (BMP, b"BM", 0),
    )
    found = tf.constant(UNKNOWN)
    for number, signature, at in signatures:
        found = tf.where(_starts(head, signature, at), number, found)
    return tf.where(tf.logical_and(_starts(head, b"RIFF"), _starts(head, b"WEBP", 8)), WEBP, found)


def size(contents: Tensor, kind: Tensor) -> Tensor:
    """Read the height and width that the header claims: int64 (2,); -1 where it claims none.

    Raises:
        InvalidArgumentError: in the graph, where a JPEG has no header.
    """
    head = _bytes(contents, 0, 32)

    def jpeg() -> Tensor:
        return tf.cast(tf.io.extract_jpeg_shape(contents, output_type=tf.int32)[:2], tf.int64)

    def png() -> Tensor:
        return tf.stack([_big(head, 20, 4), _big(head, 16, 4)])

    def gif() -> Tensor:
        return tf.stack([_little(head, 8, 2), _little(head, 6, 2)])

    def bmp() -> Tensor:
        height, width = _little(head, 22, 4), _little(head, 18, 4)
        return tf.stack([tf.where(height >= 1 << 31, (1 << 32) - height, height), width])  # negative: from the top

    def webp() -> Tensor:
        lossless = _little(head, 21, 4)
        extended = tf.stack([_little(head, 27, 3) + 1, _little(head, 24, 3) + 1])
        simple = tf.stack([_little(head, 28, 2) % (1 << 14), _little(head, 26, 2) % (1 << 14)])
        packed = tf.stack([lossless // (1 << 14) % (1 << 14) + 1, lossless % (1 << 14) + 1])
        return tf.where(_starts(head, b"VP8X", 12), extended, tf.where(_starts(head, b"VP8L", 12), packed, simple))

    none = tf.constant([-1, -1], tf.int64)
    return tf.switch_case(kind, [lambda: none, jpeg, png, gif, bmp, webp])


def orientation(contents: Tensor, kind: Tensor) -> Tensor:
    """Read the EXIF orientation of encoded bytes, 1 to 8: scalar int32. It is 1 where there is none or a wrong one."""
    start = tf.switch_case(
        kind,
        [
            lambda: tf.constant(-1),
            lambda: _find(contents, 2, _jpeg_segment),
            lambda: _find(contents, 8, _png_chunk),
            lambda: tf.constant(-1),
            lambda: tf.constant(-1),
            lambda: _find(contents, 12, _webp_chunk),
        ],
    )
    return tf.cond(start >= 0, lambda: _tag(_bytes(contents, start, _EXIF_BYTES)), lambda: tf.constant(1))


def upright(photo: Tensor, orientation: Tensor) -> Tensor:
    """Turn stored pixels (H, W, C) upright."""

    def transposed(x: Tensor) -> Tensor:
        return tf.transpose(x, (1, 0, 2))

    turns = [
        lambda: photo,
        lambda: photo[:, ::-1],
        lambda: photo[::-1, ::-1],
        lambda: photo[::-1],
        lambda: transposed(photo),
        lambda: transposed(photo)[:, ::-1],
        lambda: transposed(photo)[::-1, ::-1],
        lambda: transposed(photo)[::-1],
    ]
    return tf.switch_case(orientation - 1, turns)


def _find(contents: Tensor, start: int, step: Tensor) -> Tensor:
    """Walk segments or chunks until one holds EXIF; return the place of its TIFF header, or -1."""
    length = tf.strings.length(contents)

    def look(at: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        return step(_bytes(contents, at, 16), at)

    _, found = tf.while_loop(
        lambda at, found: tf.logical_and(found < 0, tf.logical_and(at >= 0, at < length)),
        look,
        (tf.constant(start), tf.constant(-1)),
        maximum_iterations=_MOST_STEPS,
        parallel_iterations=1,
    )
    return found


# Each step takes 16 bytes and their position. It returns the next position (-1 at the end) and the position of the EXIF
# block (-1 where this is none).


def _jpeg_segment(head: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
    marker, length = _big(head, 1, 1), _next(_big(head, 2, 2))
    exif = tf.logical_and(marker == 0xE1, _starts(head, b"Exif\x00\x00", 4))
    # Pixels follow SOS (DA), EOI (D9) is the end, another FF is padding.
    ends = tf.logical_or(_big(head, 0, 1) != 0xFF, tf.logical_or(marker == 0xDA, marker == 0xD9))
    following = tf.where(marker == 0xFF, at + 1, at + 2 + tf.maximum(length, 2))
    return tf.where(ends, -1, following), tf.where(exif, at + 10, -1)


def _png_chunk(head: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
    following = at + 12 + _next(_big(head, 0, 4))
    return tf.where(_starts(head, b"IEND", 4), -1, following), tf.where(_starts(head, b"eXIf", 4), at + 8, -1)


def _webp_chunk(head: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
    length = _next(_little(head, 4, 4))
    start = at + 8 + tf.where(_starts(head, b"Exif\x00\x00", 8), 6, 0)  # some writers keep JPEG's prefix
    return at + 8 + length + length % 2, tf.where(_starts(head, b"EXIF"), start, -1)


def _next(length: Tensor) -> Tensor:
    """Cut a claimed length to an int32 that cannot overflow when it is added to a position."""
    return tf.cast(tf.clip_by_value(length, 0, 1 << 30), tf.int32)


def _tag(block: Tensor) -> Tensor:
    """Read the orientation from a TIFF header and its first directory, bytes (n,) int64."""
    little = block[0] == 0x49  # "II", else "MM"

    def number(at: Tensor, count: int) -> Tensor:
        return tf.where(little, _little(block, at, count), _big(block, at, count))

    directory = number(4, 4)
    entries = tf.minimum(number(directory, 2), _ENTRIES)
    places = directory + 2 + 12 * tf.range(entries, dtype=tf.int64)
    is_tag = tf.logical_and(number(places, 2) == _ORIENTATION_TAG, number(places + 2, 2) == 3)  # a SHORT
    value = tf.reduce_max(tf.concat([[0], tf.where(is_tag, number(places + 8, 2), 0)], axis=0))
    fits = tf.logical_and(tf.logical_or(block[0] == 0x49, block[0] == 0x4D), tf.logical_and(value >= 1, value <= 8))
    return tf.where(fits, tf.cast(value, tf.int32), 1)


def _bytes(contents: Tensor, at: Tensor, count: int) -> Tensor:
    """Return `count` bytes from a position on as int64, with zeros beyond the end."""
    at = tf.minimum(at, tf.strings.length(contents))
    found = tf.io.decode_raw(tf.strings.substr(contents, at, count), tf.uint8)
    return tf.cast(tf.concat([found, tf.zeros([count - tf.size(found)], tf.uint8)], axis=0), tf.int64)


def _starts(data: Tensor, expected: bytes, at: int = 0) -> Tensor:
    return tf.reduce_all(data[at : at + len(expected)] == tf.constant(list(expected), tf.int64))


def _gathered(data: Tensor, at: Tensor) -> Tensor:
    """Return the bytes at positions, 0 beyond the end."""
    at = tf.cast(at, tf.int64)
    last = tf.size(data, out_type=tf.int64) - 1
    return tf.where(tf.logical_and(at >= 0, at <= last), tf.gather(data, tf.clip_by_value(at, 0, last)), 0)


def _big(data: Tensor, at: Tensor, count: int) -> Tensor:
    """Read an unsigned number of `count` bytes, most significant first."""
    return sum(_gathered(data, at + i) * 256 ** (count - 1 - i) for i in range(count))


def _little(data: Tensor, at: Tensor, count: int) -> Tensor:
    """Read an unsigned number of `count` bytes, least significant first."""
    return sum(_gathered(data, at + i) * 256**i for i in range(count))
