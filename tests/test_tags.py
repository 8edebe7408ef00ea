"""Tags of TIFF and EXIF, resolutions, IPTC and tone curves: what is there is read, and damage loses the least part."""

import io
import struct

import numpy as np
import pytest

from keras_colorize.images import icc, metadata, tags
from keras_colorize.images.tags import Tag, block, long, parse_block, rational, read_directories, read_header, short

EXIF = 34665  # of the directory with a photo's own tags


def test_a_directory_comes_back_with_those_inside_it():
    inside = {36867: Tag(2, 20, b"1950:01:02 03:04:05\0"), 37500: tags.undefined(b"private notes")}
    directory = {256: short(640), 274: short(6), 282: rational(300.5), 700: Tag(1, 3, b"xmp"), EXIF: Tag(4, 1, inside)}
    found = parse_block(block(directory))
    assert found == directory
    assert found[256].integers == (640,) and found[282].integers == () and found[EXIF].raw == b""


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True], ids=["TIFF", "BigTIFF"])
def test_files_of_both_orders_and_sizes(order, big):
    mark = b"II" if order == "<" else b"MM"
    if big:
        start = mark + struct.pack(f"{order}HHHQ", 43, 8, 0, 16)
        rows = struct.pack(f"{order}QHHQH6x", 1, 256, 3, 1, 640) + bytes(8)
    else:
        start = mark + struct.pack(f"{order}HI", 42, 8)
        rows = struct.pack(f"{order}HHHIH2x", 1, 256, 3, 1, 640) + bytes(4)
    file = io.BytesIO(start + rows)
    (directory,) = read_directories(file, read_header(file))
    assert directory == {256: short(640)} and directory.lost == set()


@pytest.mark.parametrize("content", [b"", b"II*\0", b"XX*\0" + bytes(20), b"II\7\0" + bytes(20), b"MM\0+" + bytes(3)])
def test_what_is_no_tiff_has_no_tags(content):
    assert read_header(io.BytesIO(content)) is None and parse_block(content) is None


def test_a_block_that_is_cut_off_or_has_impossible_counts_is_none():
    whole = block({256: short(640), EXIF: Tag(4, 1, {36867: Tag(2, 20, bytes(20))})})
    for end in range(8, 8 + 2 + 2 * 12 + 4):
        assert parse_block(whole[:end]) is None
    assert parse_block(b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 70_000) + bytes(100)) is None


def test_a_value_beyond_the_end_is_lost_alone():
    whole = block({256: short(640), 270: Tag(2, 40, b"a description".ljust(40, b"\0"))})
    file = io.BytesIO(whole[:-1])
    (directory,) = read_directories(file, read_header(file))
    assert directory == {256: short(640)} and directory.lost == {270}


def test_directories_that_lead_in_a_circle_or_nowhere_are_left_out():
    at_start = block({256: short(640), EXIF: long(8)})  # its own place
    assert parse_block(at_start) == {256: short(640)}
    nowhere = block({256: short(640), EXIF: long(10_000)})
    assert parse_block(nowhere) == {256: short(640)}
    file = io.BytesIO(block({256: short(640)}))
    chained = bytearray(file.getvalue())
    struct.pack_into("<I", chained, tags.next_place({256: short(640)}, 8), 8)
    file = io.BytesIO(bytes(chained))
    assert len(list(read_directories(file, read_header(file)))) == 1


@pytest.mark.parametrize(("value", "numbers"), [(300.0, (300, 1)), (72.5, (145, 2)), (300.1, (3_001_000, 10_000))])
def test_fractions_are_exact_or_to_four_places(value, numbers):
    assert struct.unpack("<II", rational(value).raw) == numbers
    assert metadata._fraction(rational(value)) == pytest.approx(value, abs=1e-9)


def test_resolutions_that_make_sense():
    assert metadata._fraction(short(300)) == 300.0
    assert metadata._fraction(Tag(5, 1, struct.pack("<II", 300, 0))) == metadata._fraction(Tag(2, 2, b"a\0")) == 0.0
    assert metadata._dpi((300, "72")) == (300.0, 72.0)
    for nonsense in (None, 300, (300,), (300, 300, 300), ("a", 300), (0, 300), (300, float("nan")), (300, 1e9)):
        assert metadata._dpi(nonsense) is None


def test_iptc_is_found_among_photoshops_resources():
    records = b"\x1c\x02\x05\0\x05title"

    def resource(code, content, name=b"\0\0"):
        return b"8BIM" + struct.pack(">H", code) + name + struct.pack(">I", len(content)) + content

    other = resource(1005, b"odd" + b"\0", b"\x03abc")
    assert metadata._iptc_in(other + resource(1028, records)) == records
    for damaged in (b"", b"8BIM", other, other[:-9], b"8BPS" + bytes(40), resource(1028, b"")):
        assert metadata._iptc_in(damaged) is None
    assert metadata._from_hex("\niptc\n 3\n616263\n") == b"abc"
    assert metadata._from_hex("\niptc\n 3\nno hexadecimal") is None


def parametric(kind, *values):
    """A parametric curve of ICC, values as fixed-point numbers."""
    return (
        b"para\0\0\0\0"
        + struct.pack(">HH", kind, 0)
        + struct.pack(f">{len(values)}i", *(round(v * 65536) for v in values))
    )


def test_tone_curves_are_those_of_the_specification():
    level = np.linspace(0, 1, 11)
    sampled = b"curv\0\0\0\0" + struct.pack(">I3H", 3, 0, 16384, 65535)
    g, a, b, c, d, e, f = 2.25, 0.875, 0.125, 0.25, 0.25, 0.0625, 0.03125
    power = (a * level + b) ** g
    expected = {
        b"curv\0\0\0\0" + struct.pack(">I", 0): level,
        b"curv\0\0\0\0" + struct.pack(">IH", 1, 0x0240): level**2.25,
        sampled: np.interp(level, [0, 0.5, 1], [0, 16384 / 65535, 1]),
        parametric(0, g): level**g,
        parametric(1, g, a, b): power,  # b is positive: nothing lies below -b/a
        parametric(2, g, a, b, c): power + c,
        parametric(3, g, a, b, c, d): np.where(level >= d, power, c * level),
        parametric(4, g, a, b, c, d, e, f): np.where(level >= d, power + e, c * level + f),
    }
    for tag, values in expected.items():
        np.testing.assert_allclose(icc._curve(tag)(level), values, atol=1e-6)
    for damaged in (b"", b"mft2" + bytes(20), sampled[:-1], parametric(0, g)[:-1], parametric(9, g)):
        assert icc._curve(damaged) is None
    assert icc._tags(b"") == icc._tags(bytes(128) + struct.pack(">I", 3)) == {}
