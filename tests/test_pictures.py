"""Photo files of every kind, made here: what is read, what is written, and that nothing is lost on the way."""

import importlib.util
import io
import os
import struct
import sys
import threading
import time
import zlib
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from keras_colorize.color.lab import lab_to_rgb
from keras_colorize.errors import ColorizeError
from keras_colorize.images import (
    FORMATS,
    Metadata,
    Picture,
    color_suffix,
    format_of,
    read_photo,
    read_pictures,
    remove_abandoned,
    replacing,
    suffix_for,
    write_pictures,
)
from keras_colorize.images.icc import _encode, deep_transform, grey_table, srgb_profile, transform_to_srgb
from keras_colorize.images.tags import EXIF, Tag, block, long, parse_block, rational, short, undefined
from tests.test_photos import ADOBE_RGB, DISPLAYED, gamma, icc_profile, quadrants, to_srgb, xyz

LOSSLESS = ("PNG", "TIFF", "BMP", "PPM", "TGA", "JPEG2000")


def noise(*shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def read_one(file, **options):
    (picture,) = read_pictures(file, **options)
    return picture


def same(read, pixels, alpha=None):
    assert read.pixels.dtype == pixels.dtype and read.pixels.flags.writeable
    np.testing.assert_array_equal(read.pixels, pixels)
    assert (read.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_array_equal(read.alpha, alpha)


def png(samples, kind, depth=16, filters=(0,), extra=()):
    """A PNG of raw samples; the filters take turns, row by row (each computed byte by byte, as the standard says)."""
    height, width = samples.shape[:2]
    rows = np.ascontiguousarray(samples, ">u2" if depth == 16 else "u1").view(np.uint8).reshape(height, -1).astype(int)
    step, above, packed = rows.shape[1] // width, np.zeros(rows.shape[1], int), b""
    for number, row in enumerate(rows):
        left, corner = (np.concatenate([np.zeros(step, int), line[:-step]]) for line in (row, above))
        guess = left + above - corner
        near = [abs(guess - line) for line in (left, above, corner)]
        paeth = np.where((near[0] <= near[1]) & (near[0] <= near[2]), left, np.where(near[1] <= near[2], above, corner))
        kind_of = filters[number % len(filters)]
        packed += bytes([kind_of]) + bytes(
            ((row - (0, left, above, (left + above) // 2, paeth)[kind_of]) % 256).astype(np.uint8)
        )
        above = row
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)), *extra]
    chunks += [(b"IDAT", zlib.compress(packed)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


# Reading: 16 bits


@pytest.mark.parametrize(("kind", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
@pytest.mark.parametrize("filters", [(0,), (1, 2, 3, 4)])
def test_16_bit_png_is_exact(kind, channels, filters):
    samples = noise(9, 14, channels, dtype=np.uint16)
    read = read_one(io.BytesIO(png(samples, kind, filters=filters)))
    colors = samples[..., 0] if channels < 3 else samples[..., :3]
    same(read, colors, samples[..., -1] if channels in (2, 4) else None)
    assert read.depth == 16 and (read.height, read.width) == (9, 14) and read.is_grey == (channels < 3)


@pytest.mark.parametrize("byteorder", "<>")
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("tiled", [False, True])
def test_16_bit_tiff_is_exact(tmp_path, byteorder, compression, planar, channels, tiled):
    samples = noise(37, 45, channels, dtype=np.uint16)
    stored = samples[..., 0] if channels == 1 else samples if planar == "contig" else samples.transpose(2, 0, 1)
    options = {
        "photometric": "minisblack" if channels < 3 else "rgb",
        "byteorder": byteorder,
        "compression": compression,
    }
    options |= {"planarconfig": planar} if channels > 1 else {}
    options |= {"extrasamples": ["unassalpha"]} if channels in (2, 4) else {}
    options |= {"tile": (16, 32)} if tiled else {"rowsperstrip": 8}
    tifffile.imwrite(tmp_path / "a.tif", stored, **options)
    read = read_one(tmp_path / "a.tif")
    same(
        read,
        samples[..., 0] if channels < 3 else samples[..., :3],
        samples[..., -1] if channels in (2, 4) else None,
    )


def test_16_bit_tiff_with_differencing_and_big_tiff(tmp_path):
    samples = noise(20, 31, 3, dtype=np.uint16)
    write_pictures(tmp_path / "a.tif", Picture(samples))
    assert tifffile.TiffFile(tmp_path / "a.tif").pages[0].tags[317].value == 2
    same(read_one(tmp_path / "a.tif"), samples)
    np.testing.assert_array_equal(tifffile.TiffFile(tmp_path / "a.tif").pages[0].tags[258].value, (16, 16, 16))
    tifffile.imwrite(tmp_path / "b.tif", samples, photometric="rgb", bigtiff=True)
    same(read_one(tmp_path / "b.tif"), samples)


def test_premultiplied_tiff_is_divided(tmp_path):
    colors, alpha = noise(8, 8, 3, dtype=np.uint16) // 4, np.full((8, 8, 1), 32768, np.uint16)
    samples = np.concatenate([colors, alpha], axis=-1)
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", extrasamples=["assocalpha"])
    expected = (colors.astype(np.uint64) * 65535 + 16384) // 32768
    same(read_one(tmp_path / "a.tif"), expected.astype(np.uint16), alpha[..., 0])


def test_white_may_be_zero(tmp_path):
    for dtype in (np.uint8, np.uint16):
        levels = noise(8, 8, dtype=dtype)
        for byteorder in "<>":
            tifffile.imwrite(tmp_path / "a.tif", levels, photometric="miniswhite", byteorder=byteorder)
            same(read_one(tmp_path / "a.tif"), np.iinfo(dtype).max - levels)


def test_grey_of_12_bits_is_scaled(tmp_path):
    levels = np.array([[0, 1, 2048, 4095]])
    packed = bytes([0x00, 0x00, 0x01, 0x80, 0x0F, 0xFF])
    directory = {256: long(4), 257: long(1), 258: short(12), 259: short(1), 262: short(1), 273: long(0), 277: short(1)}
    directory |= {278: long(1), 279: long(6)}
    directory[273] = long(len(block(directory)))
    (tmp_path / "a.tif").write_bytes(block(directory) + packed)
    same(read_one(tmp_path / "a.tif"), np.rint(levels / 4095 * 65535).astype(np.uint16))


@pytest.mark.parametrize("dtype", [np.float32, np.uint32])
def test_more_than_16_bits_become_16(tmp_path, dtype):
    samples = noise(8, 8, 3, dtype=np.uint16)
    stored = samples / np.float32(65535) if dtype == np.float32 else samples.astype(dtype) << 16
    tifffile.imwrite(tmp_path / "a.tif", stored.astype(dtype), photometric="rgb")
    same(read_one(tmp_path / "a.tif"), samples)
    grey = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    Image.fromarray(grey).save(tmp_path / "b.tif")
    same(read_one(tmp_path / "b.tif"), np.rint(grey.astype(float) * 65535).astype(np.uint16))


def test_16_bit_pgm_and_ppm(tmp_path):
    for channels in ((), (3,)):
        samples = noise(6, 9, *channels, dtype=np.uint16)
        write_pictures(tmp_path / "a.ppm", Picture(samples), overwrite=True)
        same(read_one(tmp_path / "a.ppm"), samples)
    (tmp_path / "b.ppm").write_bytes(b"P6\n# 10 bits\n1 1\n1023\n" + struct.pack(">3H", 0, 511, 1023))
    same(read_one(tmp_path / "b.ppm"), np.array([[[0, 32735, 65535]]], np.uint16))


# Reading: modes and formats


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".gif", ".pgm", ".jpg", ".tga", ".jp2"])
def test_grey_stays_one_channel(tmp_path, suffix):
    levels = np.repeat(np.arange(0, 256, 4, dtype=np.uint8)[None], 16, axis=0)
    Image.fromarray(levels).save(tmp_path / f"a{suffix}", format="PPM" if suffix == ".pgm" else None)
    read = read_one(tmp_path / f"a{suffix}")
    assert read.is_grey and read.depth == 8
    np.testing.assert_allclose(read.pixels, levels, atol=3 if suffix == ".jpg" else 0)


def test_black_and_white_in_png_and_fax(tmp_path):
    bits = Image.fromarray(np.eye(24, dtype=bool))
    bits.save(tmp_path / "a.png")
    bits.save(tmp_path / "a.tif", compression="group4")
    for name in ("a.png", "a.tif"):
        same(read_one(tmp_path / name), np.eye(24, dtype=np.uint8) * 255)


@pytest.mark.parametrize("bits", [2, 4])
def test_the_transparent_level_of_few_bits(bits):
    packed = bytes([0x1B, 0]) if bits == 2 else bytes([0x01, 0x23])
    packed = packed[: (4 * bits + 7) // 8]
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 4, 1, bits, 0, 0, 0, 0)), (b"tRNS", b"\0\2")]
    chunks += [(b"IDAT", zlib.compress(b"\0" + packed)), (b"IEND", b"")]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part)) for name, part in chunks
    )
    step = 255 // (2**bits - 1)
    same(read_one(io.BytesIO(content)), np.uint8([[0, step, 2 * step, 3 * step]]), np.uint8([[255, 255, 0, 255]]))


def test_the_transparent_color_of_16_bits():
    samples = np.array([[[1, 2, 3], [1, 2, 4]]], np.uint16)
    read = read_one(io.BytesIO(png(samples, 2, extra=[(b"tRNS", struct.pack(">3H", 1, 2, 3))])))
    same(read, samples, np.array([[0, 65535]], np.uint16))
    grey = read_one(io.BytesIO(png(samples[..., :1] + [[[0], [6]]], 0, extra=[(b"tRNS", struct.pack(">H", 7))])))
    same(grey, np.array([[1, 7]], np.uint16), np.array([[65535, 0]], np.uint16))


def test_palettes(tmp_path):
    for colors in ([10, 20, 30, 200, 100, 50], [10, 10, 10, 200, 200, 200]):
        image = Image.new("P", (4, 2))
        image.putpalette(colors)
        image.putdata([0, 1, 0, 1, 1, 1, 0, 0])
        image.save(tmp_path / "a.png", transparency=1)
        index = np.uint8([[0, 1, 0, 1], [1, 1, 0, 0]])
        palette = np.uint8(colors).reshape(2, 3)
        grey = colors[0] == colors[1]
        same(read_one(tmp_path / "a.png"), (palette[:, 0] if grey else palette)[index], 255 - 255 * index)


def test_alpha_is_kept_apart(tmp_path):
    rgba, la = noise(12, 10, 4), noise(12, 10, 2)
    for suffix, options in {".png": {}, ".tif": {}, ".webp": {"lossless": True, "exact": True}, ".tga": {}}.items():
        Image.fromarray(rgba).save(tmp_path / f"a{suffix}", **options)
        same(read_one(tmp_path / f"a{suffix}"), rgba[..., :3], rgba[..., 3])
    for suffix in (".png", ".tif", ".tga"):
        Image.merge("LA", [Image.fromarray(la[..., band].copy()) for band in (0, 1)]).save(tmp_path / f"b{suffix}")
        same(read_one(tmp_path / f"b{suffix}"), la[..., 0], la[..., 1])


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg(tmp_path, mode, progressive):
    image = Image.fromarray(quadrants()).convert(mode)
    image.save(tmp_path / "a.jpg", quality=95, progressive=progressive, subsampling="4:4:4")
    read = read_one(tmp_path / "a.jpg")
    expected = read_photo(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read.pixels, expected[..., 0] if mode == "L" else expected)
    assert read.metadata.format == "JPEG"


def test_8_bit_pictures_are_those_of_read_photo(tmp_path):
    rgb_u8 = noise(33, 21, 3)
    for suffix in (".png", ".tif", ".bmp", ".webp", ".jpg", ".jp2", ".ppm", ".tga", ".avif"):
        Image.fromarray(rgb_u8).save(tmp_path / f"a{suffix}")
        read = read_one(tmp_path / f"a{suffix}")
        np.testing.assert_array_equal(read.pixels, read_photo(tmp_path / f"a{suffix}"))
        assert read.metadata.format == format_of(suffix)


def test_heic(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera"
    options = {"quality": 95, "chroma": 444, "exif": exif.tobytes(), "icc_profile": matrix_profile()}
    pillow_heif.from_pillow(Image.fromarray(quadrants(64, 96))).save(tmp_path / "a.heic", **options)
    read = read_one(tmp_path / "a.heic")
    converted = transform_to_srgb(matrix_profile(), "RGB").apply(Image.fromarray(quadrants(64, 96)))
    assert np.abs(read.pixels.astype(int) - np.rot90(np.asarray(converted), -1)).mean() < 3
    assert read.metadata.format == "HEIF" and read.metadata.icc == srgb_profile()
    assert [color_suffix("a.HEIC"), suffix_for("heic")] == [".jpg", ".jpg"]
    with pytest.raises(ColorizeError, match=r"HEIF is read and not written; write \.jpg, or \.png for 16 bits$"):
        write_pictures(tmp_path / "b.heic", read)
    for name in ("b.jpg", "b.png"):
        assert write_pictures(tmp_path / name, read) == []
        with Image.open(tmp_path / name) as image:
            assert image.format == ("PNG" if name == "b.png" else "JPEG") and image.size == (64, 96)
            assert image.getexif().get(0x0112, 1) == 1 and image.getexif()[0x010F].strip("\0") == "Camera"


@pytest.mark.parametrize("channels", [3, 4])
def test_heic_of_10_bits_keeps_them(tmp_path, channels):
    pillow_heif = pytest.importorskip("pillow_heif")
    ramp = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    samples = np.stack([ramp, ramp.T, ramp[::-1], np.full_like(ramp, 65535)][:channels], axis=-1)
    heif = pillow_heif.from_bytes("RGB;16" if channels == 3 else "RGBA;16", (64, 64), samples.tobytes())
    heif.save(tmp_path / "a.heic", quality=-1, chroma=444)
    read = read_one(tmp_path / "a.heic")
    assert read.depth == 16 and (read.alpha is None) == (channels == 3)
    assert len(np.unique(read.pixels)) > 700, "8 bits have 256"
    assert np.abs(read.pixels.astype(int) - samples[..., :3]).max() < 65535 * 3 / 1023


def test_first_frame_with_a_remark(tmp_path):
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue", "green")]
    for suffix in (".gif", ".webp", ".png"):
        frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:], lossless=True)
        read = read_one(tmp_path / f"a{suffix}")
        assert (read.pixels == (255, 0, 0)).all()
        assert read.metadata.remarks == ("only the first of its pictures was read",)
    frames[0].save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=frames[1:])
    read = read_one(tmp_path / "a.jpg")
    assert read.metadata.format == "JPEG" and read.metadata.remarks


def test_every_page_of_a_tiff(tmp_path):
    deep, grey = noise(9, 7, 3, dtype=np.uint16), noise(5, 6, seed=1)
    two, rgba = noise(4, 4, 2, dtype=np.uint16, seed=2), noise(8, 6, 4, seed=3)
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(deep, photometric="rgb")
        tiff.write(grey[:2, :2], photometric="minisblack", subfiletype=1)  # a preview
        tiff.write(grey, photometric="minisblack", compression="zlib")
        tiff.write(two, photometric="minisblack", extrasamples=["unassalpha"])  # unknown to Pillow
        tiff.write(rgba, photometric="rgb", extrasamples=["unassalpha"], compression="zlib")
    pages = list(read_pictures(tmp_path / "a.tif"))
    assert len(pages) == 4
    same(pages[0], deep)
    same(pages[1], grey)
    same(pages[2], two[..., 0], two[..., 1])
    same(pages[3], rgba[..., :3], rgba[..., 3])
    assert write_pictures(tmp_path / "b.tif", read_pictures(tmp_path / "a.tif")) == []
    for page, again in zip(pages, read_pictures(tmp_path / "b.tif"), strict=True):
        same(again, page.pixels, page.alpha)
    with pytest.raises(ColorizeError, match=r"c\.png: PNG holds one picture, and there are several pages; write TIFF$"):
        write_pictures(tmp_path / "c.png", read_pictures(tmp_path / "a.tif"))
    assert sorted(os.listdir(tmp_path)) == ["a.tif", "b.tif"]


def test_pages_are_made_one_by_one(tmp_path):
    alive = []

    def pages():
        for number in range(3):
            alive.append(number)
            yield Picture(noise(4, 4, seed=number))

    write_pictures(tmp_path / "a.tif", pages())
    reading = read_pictures(tmp_path / "a.tif")
    next(reading)
    reading.close()
    assert [len(list(read_pictures(tmp_path / "a.tif"))), alive] == [3, [0, 1, 2]]


# Orientation


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg"])
@pytest.mark.parametrize("orientation", DISPLAYED)
def test_exif_orientation(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "Camera"
    options = {".jpg": {"quality": 95, "subsampling": 0}, ".webp": {"lossless": True}}.get(suffix, {})
    Image.fromarray(quadrants()).save(tmp_path / f"a{suffix}", exif=exif, dpi=(100, 200), **options)
    read = read_one(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read.pixels, read_photo(tmp_path / f"a{suffix}"))
    expected = DISPLAYED[orientation](quadrants())
    assert read.pixels.shape == expected.shape and np.abs(read.pixels.astype(int) - expected).mean() < 3
    if suffix != ".webp":
        np.testing.assert_allclose(read.metadata.dpi, (200, 100) if orientation >= 5 else (100, 200), atol=0.01)
    write_pictures(tmp_path / f"b{suffix}", read)
    with Image.open(tmp_path / f"b{suffix}") as again:
        assert again.getexif().get(0x0112, 1) == 1 and again.getexif()[0x010F].strip("\0") == "Camera"
        assert again.size == expected.shape[1::-1]


@pytest.mark.parametrize("orientation", DISPLAYED)
def test_orientation_of_deep_and_transparent_pictures(tmp_path, orientation):
    samples = noise(6, 11, 4, dtype=np.uint16)
    exif = block({0x0112: short(orientation)})
    (tmp_path / "a.png").write_bytes(png(samples, 6, extra=[(b"eXIf", exif)]))
    tags = [(0x0112, 3, 1, orientation, True)]
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", extrasamples=["unassalpha"], extratags=tags)
    tifffile.imwrite(tmp_path / "b.tif", samples[..., 0], photometric="minisblack", extratags=tags)
    turn = DISPLAYED[orientation]
    for name in ("a.png", "a.tif"):
        same(read_one(tmp_path / name), turn(samples[..., :3]), turn(samples[..., 3]))
    same(read_one(tmp_path / "b.tif"), turn(samples[..., 0]))


def test_exif_keeps_private_notes_and_loses_the_thumbnail(tmp_path):
    notes = bytes(range(200))
    inner = {0x9003: undefined(b"1931:05:04 10:00:00\0"), 0x927C: undefined(notes), 0xA002: long(36), 0xA003: short(24)}
    exif = bytearray(block({0x0112: short(6), 0x010F: undefined(b"Camera\0"), EXIF: Tag(4, 1, inner)}))
    exif[8 + 2 + 12 * 3 : 8 + 2 + 12 * 3 + 4] = struct.pack("<I", len(exif))  # a second directory: the thumbnail's
    exif += struct.pack("<HHHIII", 1, 0x0201, 4, 1, 0, 0)
    Image.fromarray(quadrants()).save(tmp_path / "a.jpg", exif=b"Exif\0\0" + bytes(exif))
    read = read_one(tmp_path / "a.jpg")
    kept = read.metadata.exif
    changed = [place for place, (a, b) in enumerate(zip(exif, kept, strict=True)) if a != b]
    assert len(changed) < 16  # in place: whatever points into the block still does
    for name in ("b.jpg", "b.png", "b.tif", "b.webp"):
        write_pictures(tmp_path / name, read)
        again = parse_block(read_one(tmp_path / name).metadata.exif)
        assert again[EXIF].value[0x927C].value == notes, name
        assert again[EXIF].value[0xA002].integers == (24,) and again[EXIF].value[0xA003].integers == (36,)
    with Image.open(tmp_path / "b.jpg") as image:
        assert not image.getexif().get_ifd(1)  # thumbnail


# Metadata

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:title="Haus"/></x:xmpmeta>'


def test_metadata_survives_every_format_that_holds_it(tmp_path):
    exif = block({0x010E: undefined("Großmutter\0".encode()), 0x0112: short(1)})
    metadata = Metadata(
        exif=exif,
        dpi=(300.0, 600.0),
        xmp=XMP.replace(b'"6"', b'"1"'),
        iptc=b"\x1c\x02\x78\x00\x05House",
        texts=(("Comment", "größer"),),
        icc=srgb_profile(),
    )
    for depth in (8, 16):
        pixels = noise(8, 8, 3, dtype=np.uint8 if depth == 8 else np.uint16)
        for name, form in FORMATS.items():
            file = tmp_path / f"a{depth}{form.suffixes[0]}"
            remarks = write_pictures(file, Picture(pixels, metadata=metadata))
            read = read_one(file).metadata
            assert read.format == name
            for field in ("xmp", "iptc", "icc", "texts"):
                expected = getattr(metadata, field) if field in form.keeps else type(getattr(metadata, field))()
                assert (getattr(read, field) or type(expected)()) == expected, (name, field)
            assert ("exif" in form.keeps) == (read.exif is not None)
            if read.exif:
                assert parse_block(read.exif)[0x010E].value.strip(b"\0") == "Großmutter".encode()
            if "dpi" in form.keeps:
                np.testing.assert_allclose(read.dpi, metadata.dpi, atol=0.02)
            assert any("EXIF" in remark for remark in remarks) == ("exif" not in form.keeps)


def test_orientation_in_xmp_alone(tmp_path):
    Image.fromarray(quadrants()).save(tmp_path / "a.jpg", quality=95, xmp=XMP)
    read = read_one(tmp_path / "a.jpg")
    assert read.pixels.shape == (36, 24, 3)
    np.testing.assert_array_equal(read.pixels, read_photo(tmp_path / "a.jpg"))
    assert b'tiff:Orientation="1"' in read.metadata.xmp


def test_texts_and_raw_profiles_of_png(tmp_path):
    exif = b"Exif\0\0" + block({0x0112: short(3)})
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "Haus am See")
    info.add_text("Author", "Łukasz")
    info.add_text("Raw profile type exif", f"\nexif\n{len(exif):8d}\n{exif.hex()}\n", zip=True)
    Image.fromarray(quadrants()).save(tmp_path / "a.png", pnginfo=info)
    read = read_one(tmp_path / "a.png")
    same(read, quadrants()[::-1, ::-1])
    assert read.metadata.texts == (("Title", "Haus am See"), ("Author", "Łukasz"))
    for pixels in (read.pixels, read.pixels.astype(np.uint16)):
        write_pictures(tmp_path / "b.png", Picture(pixels, metadata=read.metadata), overwrite=True)
        assert read_one(tmp_path / "b.png").metadata.texts == read.metadata.texts


def test_descriptions_of_a_tiff_reach_other_formats(tmp_path):
    tags = [(315, 2, None, "Anna Vogt", True), (34377, 7, None, b"8BIM\x04\x04\0\0\0\0\0\4abcd", True)]
    for byteorder in "<>":
        tifffile.imwrite(
            tmp_path / "a.tif", quadrants(), photometric="rgb", extratags=tags, resolution=(240, 240),
            resolutionunit="INCH", byteorder=byteorder, description="Haus",
        )  # fmt: skip
        read = read_one(tmp_path / "a.tif")
        assert read.metadata.dpi == (240, 240) and read.metadata.iptc == b"abcd" and not read.metadata.compressed
        for name in ("b.jpg", "b.tif"):
            write_pictures(tmp_path / name, read, overwrite=True)
            with Image.open(tmp_path / name) as image:
                exif = image.getexif()
                assert exif[315] == "Anna Vogt" and exif[270] == "Haus" and image.info["dpi"] == (240, 240)
            assert read_one(tmp_path / name).metadata.iptc == b"abcd"
        with Image.open(tmp_path / "b.tif") as image:
            assert image.info["compression"] == "raw"


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about the damage
def test_damaged_exif_is_left_out_with_a_remark(tmp_path):
    Image.fromarray(quadrants()).save(tmp_path / "a.png", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xffnonsense")
    read = read_one(tmp_path / "a.png")
    assert read.metadata.exif is None and read.metadata.remarks == ("its EXIF is damaged and was left out",)
    assert write_pictures(tmp_path / "b.png", read) == ["its EXIF is damaged and was left out"]


def test_what_a_jpeg_cannot_hold_is_left_out_with_a_remark(tmp_path):
    metadata = Metadata(exif=block({0x927C: undefined(bytes(70_000))}), xmp=b"x" * 70_000)
    exif, xmp = write_pictures(tmp_path / "a.jpg", Picture(noise(8, 8), metadata=metadata))
    assert exif == "EXIF of 70,032 bytes left out, as JPEG holds 65,533" and xmp.startswith("XMP of 70,000 bytes")
    assert read_one(tmp_path / "a.jpg").metadata.exif is None


# Colour profiles


GAMMA = gamma(2.2)


def matrix_profile(curve=GAMMA):
    tags = {f"{c}XYZ": xyz(ADOBE_RGB[:, n]) for n, c in enumerate("rgb")} | {f"{c}TRC": curve for c in "rgb"}
    return icc_profile(b"RGB ", tags)


def parametric(kind, *values):
    return b"para" + bytes(4) + struct.pack(f">HH{len(values)}i", kind, 0, *(round(value * 65536) for value in values))


CURVES = {
    "gamma": gamma(1.8),
    "identity": b"curv" + bytes(8),
    "table": b"curv" + bytes(4) + struct.pack(">I5H", 5, 0, 5000, 14000, 35000, 65535),
    "type 0": parametric(0, 2.2),
    "type 1": parametric(1, 2.2, 1.05, -0.05),
    "type 3": parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    "type 4": parametric(4, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.0, 0.0),
    "black that shines": parametric(2, 2.2, 0.95, 0.0, 0.03),
}


@pytest.mark.parametrize("curve", CURVES)
def test_deep_profiles_agree_with_littlecms(curve):
    profile = matrix_profile(CURVES[curve])
    transform = transform_to_srgb(profile, "RGB")
    rgb_u8 = noise(40, 50, 3)
    expected = np.asarray(transform.apply(Image.fromarray(rgb_u8))).astype(float)
    deep = deep_transform(profile)(rgb_u8.reshape(-1, 3).astype(np.uint16) * 257).reshape(rgb_u8.shape)
    difference = np.abs(deep / 257 - expected)
    # Where black is compensated, sRGB's curve starts infinitely steep, and no grid follows that.
    assert difference.mean() < 0.6 and np.quantile(difference, 0.98 if curve == "black that shines" else 1) < 2
    grey = icc_profile(b"GRAY", {"kTRC": CURVES[curve]})
    ramp = np.arange(256, dtype=np.uint8)[None]
    expected = np.asarray(transform_to_srgb(grey, "L").apply(Image.fromarray(ramp)))[..., 1].astype(float)
    # Of the darkest levels LittleCMS, which computes grey in 8 bits on a coarse grid, is up to 10 off.
    assert np.abs(grey_table(grey, 8) - expected[0])[16:].max() <= 1
    assert np.abs(grey_table(grey, 16)[::257] / 257 - expected[0])[16:].max() < 1.5
    assert grey_table(grey, 16).dtype == np.uint16 and (np.diff(grey_table(grey, 16).astype(int)) >= 0).all()


def test_the_transfer_curve_is_that_of_color():
    L = np.linspace(0, 100, 1001)
    light = np.where(L > 8, ((L + 16) / 116) ** 3, L / 24389 * 27)  # CIE 15
    grey = np.asarray(lab_to_rgb(np.stack([L, 0 * L, 0 * L], axis=-1).astype(np.float32)))
    np.testing.assert_allclose(_encode(light), grey.mean(axis=-1), atol=1e-4)


def test_a_profile_of_16_bits_keeps_more_than_8(tmp_path):
    """Against the closed form; every level of a dark ramp differs, where 8 bits would leave steps."""
    ramp = np.arange(2000, 3000, dtype=np.uint16)
    samples = np.stack([ramp, ramp + 40, ramp + 80], axis=-1)[None]
    profile = matrix_profile()
    chunk = (b"iCCP", b"x\0\0" + zlib.compress(profile))
    (tmp_path / "a.png").write_bytes(png(samples, 2, extra=[chunk]))
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", iccprofile=profile)
    matrix = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
    linear = (samples / 65535) ** (563 / 256) @ (np.linalg.inv(matrix) @ ADOBE_RGB).T
    for name in ("a.png", "a.tif"):
        read = read_one(tmp_path / name)
        np.testing.assert_allclose(read.pixels / 257, to_srgb(linear), atol=0.02)
        assert read.metadata.icc == srgb_profile()
    write_pictures(tmp_path / "b.png", read)
    same(read_one(tmp_path / "b.png"), read.pixels)  # not converted twice


def test_profiles_made_of_tables(monkeypatch):
    """Through a grid of 60³ nodes, as for any profile whose curves are not understood."""
    profile = matrix_profile(gamma(2.2))
    exact = deep_transform(profile)
    monkeypatch.setattr("keras_colorize.images.icc._curve", lambda tag: None)
    deep_transform.cache_clear()
    grid = deep_transform(profile)
    deep_transform.cache_clear()
    colors = noise(2000, 3, dtype=np.uint16)
    difference = np.abs(grid(colors).astype(float) - exact(colors)) / 257
    assert difference.mean() < 0.5 and np.quantile(difference, 0.99) < 2
    np.testing.assert_array_equal(grid(np.uint16([[0, 0, 0], [65535] * 3])), [[0] * 3, [65535] * 3])


@pytest.mark.parametrize("depth", [8, 16])
def test_grey_profile_keeps_one_channel(tmp_path, depth):
    levels = np.arange(256, dtype=np.uint8 if depth == 8 else np.uint16).reshape(16, 16) * (1 if depth == 8 else 257)
    profile = icc_profile(b"GRAY", {"kTRC": gamma(1.0)})
    for suffix in (".png", ".tif"):
        Image.fromarray(levels).save(tmp_path / f"a{suffix}", icc_profile=profile)
        read = read_one(tmp_path / f"a{suffix}")
        assert read.is_grey and read.depth == depth and read.metadata.icc == srgb_profile()
        np.testing.assert_allclose(
            read.pixels / (2**depth - 1) * 255, to_srgb(np.arange(256).reshape(16, 16) / 255), atol=0.6
        )
        write_pictures(tmp_path / f"b{suffix}", read)
        again = read_one(tmp_path / f"b{suffix}")
        same(again, read.pixels)  # written without a profile: one of RGB does not belong to grey


def test_8_bit_profile_is_converted_like_read_photo(tmp_path):
    rgba = noise(20, 20, 4)
    Image.fromarray(rgba).save(tmp_path / "a.png", icc_profile=matrix_profile())
    read = read_one(tmp_path / "a.png")
    expected = transform_to_srgb(matrix_profile(), "RGB").apply(Image.fromarray(rgba[..., :3].copy()))
    same(read, np.asarray(expected), rgba[..., 3])


def test_profiles_that_change_nothing(tmp_path):
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey = icc_profile(b"GRAY", {"kTRC": gamma(1.0)})
    for profile, embedded in {own: own, grey: srgb_profile(), b"nonsense": None}.items():
        Image.fromarray(quadrants()).save(tmp_path / "a.png", icc_profile=profile)
        read = read_one(tmp_path / "a.png")
        same(read, quadrants())
        assert read.metadata.icc == embedded


# Writing


@settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    height=st.integers(1, 24),
    width=st.integers(1, 24),
    deep=st.booleans(),
    color=st.booleans(),
    transparent=st.booleans(),
    compressed=st.booleans(),
    name=st.sampled_from(sorted(FORMATS)),
    seed=st.integers(0, 2**16),
)
def test_what_is_written_is_read(tmp_path, height, width, deep, color, transparent, compressed, name, seed):
    dtype = np.uint16 if deep else np.uint8
    pixels = noise(height, width, *((3,) if color else ()), dtype=dtype, seed=seed)
    alpha = noise(height, width, dtype=dtype, seed=seed + 1) if transparent else None
    before = pixels.copy(), None if alpha is None else alpha.copy()
    picture = Picture(pixels, alpha, Metadata(lossless=True, compressed=compressed))
    file = tmp_path / f"größe {seed}{suffix_for(name)}"
    remarks = write_pictures(file, picture, overwrite=True)
    same(picture, *before)  # nothing was changed in place
    read = read_one(file)
    form = FORMATS[name]
    assert any("16 bits" in remark for remark in remarks) == (deep and not form.deep)
    assert any("transparency" in remark for remark in remarks) == (transparent and not form.alpha)
    assert read.depth == (16 if deep and form.deep else 8)
    assert (read.alpha is not None) == (transparent and form.alpha)
    assert read.pixels.shape[:2] == (height, width)
    if name not in LOSSLESS and name != "WEBP":
        return
    full = 65535 if deep else 255
    expected = pixels.astype(np.int64)
    if transparent and not form.alpha:
        share = alpha.astype(np.int64)[..., None] if color else alpha.astype(np.int64)
        if deep and not form.deep:
            expected, share, full = (expected + 128) // 257, (share + 128) // 257, 255
        expected = (expected * share + full * (full - share) + full // 2) // full
    elif deep and not form.deep:
        expected = (expected + 128) // 257
    if name == "WEBP" and not color:
        expected = np.repeat(expected[..., None], 3, axis=-1)  # it has no grey
    np.testing.assert_array_equal(read.pixels, expected)
    if read.alpha is not None:
        np.testing.assert_array_equal(read.alpha, (alpha.astype(int) + 128) // 257 if deep and not form.deep else alpha)


def test_every_other_reader_agrees_about_deep_files(tmp_path):
    """Files of our own writers, read by tifffile and by Pillow."""
    samples = noise(50, 40, 4, dtype=np.uint16)
    picture = Picture(samples[..., :3], samples[..., 3])
    write_pictures(tmp_path / "a.tif", [picture, Picture(samples[..., 0])])
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert len(tiff.pages) == 2 and tiff.pages[0].extrasamples == (tifffile.EXTRASAMPLE.UNASSALPHA,)
    write_pictures(tmp_path / "a.png", picture)
    for name in ("a.tif", "a.png"):
        with Image.open(tmp_path / name) as image:
            np.testing.assert_array_equal(np.asarray(image), samples >> 8)
    write_pictures(tmp_path / "b.tif", Picture(samples[..., :3], metadata=Metadata(compressed=False)))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), samples[..., :3])


def test_strips_meet(tmp_path):
    """Taller than one strip in every loop, and as wide as no power of two."""
    samples = noise(700, 1001, 3, dtype=np.uint16)
    for name in ("a.png", "a.tif", "a.ppm"):
        write_pictures(tmp_path / name, Picture(samples))
        same(read_one(tmp_path / name), samples)
    write_pictures(tmp_path / "b.bmp", Picture(samples))
    same(read_one(tmp_path / "b.bmp"), ((samples.astype(int) + 128) // 257).astype(np.uint8))


def test_jpeg_keeps_full_color_resolution(tmp_path):
    write_pictures(tmp_path / "a.jpg", Picture(quadrants(64, 64)))
    with Image.open(tmp_path / "a.jpg") as image:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3
    sizes = [0, 0]
    for number, quality in enumerate((40, 95)):
        write_pictures(tmp_path / f"b{number}.jpg", Picture(noise(64, 64, 3)), quality=quality)
        sizes[number] = (tmp_path / f"b{number}.jpg").stat().st_size
    assert sizes[0] < sizes[1] / 2


def test_webp_stays_lossless_only_if_it_was(tmp_path):
    rgb_u8 = noise(16, 16, 3)
    for lossless in (True, False):
        for alpha in (False, True):
            image = Image.fromarray(np.dstack([rgb_u8, rgb_u8[..., :1]]) if alpha else rgb_u8)
            image.save(tmp_path / "a.webp", lossless=lossless, exif=block({0x010F: undefined(b"x\0")}))
            read = read_one(tmp_path / "a.webp")
            assert read.metadata.lossless == lossless
            write_pictures(tmp_path / "b.webp", read, overwrite=True)
            assert read_one(tmp_path / "b.webp").metadata.lossless == lossless
            assert (read_one(tmp_path / "b.webp").pixels == read.pixels).all() == lossless


def test_formats_and_suffixes(tmp_path):
    assert [format_of(word) for word in (".TIF", "jpeg", "a b.JPG", "x/y.webp", "gif", "pgm", "jp2", ".dib")] == [
        "TIFF", "JPEG", "JPEG", "WEBP", "GIF", "PPM", "JPEG2000", "BMP",
    ]  # fmt: skip
    assert [suffix_for(word) for word in ("jpeg", "TIFF", ".tiff", "gif")] == [".jpg", ".tif", ".tif", ".png"]
    names = ("a.JPEG", "a.gif", "a.pgm", "a.mpo", "a.TIF", "a.xyz", "a")
    assert [color_suffix(name) for name in names] == [".JPEG", ".png", ".ppm", ".jpg", ".TIF", ".png", ".png"]
    for name in FORMATS:
        assert format_of(suffix_for(name)) == name
    with pytest.raises(ColorizeError, match="unknown photo format 'jpgg'; did you mean 'jpg'"):
        format_of("jpgg")
    picture = Picture(noise(4, 4, 3), metadata=Metadata(format="TIFF"))
    write_pictures(tmp_path / "a.bin", picture)  # the photo's own format
    assert (tmp_path / "a.bin").read_bytes()[:4] == b"II*\0"
    write_pictures(tmp_path / "b.bin", picture, format="gif")
    assert (tmp_path / "b.bin").read_bytes()[1:4] == b"PNG"
    with pytest.raises(ColorizeError, match=r"GIF holds 256 colours, too few for a photo; write \.png$"):
        write_pictures(tmp_path / "c.gif", picture)


def test_formats_that_are_too_small(tmp_path):
    with pytest.raises(ColorizeError, match=r"WEBP holds 16,383 pixels a side, and there are 20,000 × 1; write PNG"):
        write_pictures(tmp_path / "a.webp", Picture(np.zeros((1, 20_000), np.uint8)))
    assert not os.listdir(tmp_path)


# Whole or not at all


def test_nothing_is_overwritten(tmp_path):
    file = tmp_path / "a b ü.png"
    file.write_text("precious")
    asked = []

    def pictures():
        asked.append(True)
        yield Picture(noise(4, 4))

    with pytest.raises(ColorizeError, match=r"a b ü\.png: exists already; `overwrite` replaces it$"):
        write_pictures(file, pictures())
    assert file.read_text() == "precious" and not asked  # refused before any work
    with pytest.raises(ColorizeError, match="exists already"), replacing(tmp_path / "late.png") as stream:
        stream.write(b"mine")
        (tmp_path / "late.png").write_text("theirs")  # while ours was being made
    assert (tmp_path / "late.png").read_text() == "theirs"
    write_pictures(file, Picture(noise(4, 4)), overwrite=True)
    same(read_one(file), noise(4, 4))
    assert sorted(os.listdir(tmp_path)) == ["a b ü.png", "late.png"]


def test_of_many_writers_one_wins(tmp_path):
    outcomes = []

    def write(number):
        try:
            write_pictures(tmp_path / "a.png", Picture(np.full((8, 8), number, np.uint8)))
            outcomes.append(number)
        except ColorizeError:
            outcomes.append(None)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [number for number in outcomes if number is not None]
    assert (read_one(tmp_path / "a.png").pixels == winner).all() and os.listdir(tmp_path) == ["a.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="knows no locks that end with their process")
def test_files_that_a_killed_program_left_are_removed_and_no_others(tmp_path):
    long_ago = time.time() - 60
    left, young = tmp_path / f".{1:016x}.part", tmp_path / f".{2:016x}.part"
    foreign = [tmp_path / name for name in (".mine.part", f"{3:016x}.part", "photo.png")]
    for file in (left, young, *foreign):
        file.write_bytes(b"half")
    for file in (left, *foreign):
        os.utime(file, (long_ago, long_ago))
    with replacing(tmp_path / "a.png") as stream:
        (written,) = {file for file in tmp_path.glob(".*.part")} - {left, young, *foreign}
        for close in (lambda: None, stream.close):  # the lock outlives the stream
            close()
            os.utime(written, (long_ago, long_ago))
            remove_abandoned(tmp_path)
            assert written.exists()
    assert {file for file in tmp_path.iterdir()} == {young, *foreign, tmp_path / "a.png"}
    remove_abandoned(tmp_path / "no folder")


def test_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    write_pictures(tmp_path / "a.png", Picture(noise(4, 4)))
    same(read_one(tmp_path / "a.png"), noise(4, 4))
    with pytest.raises(ColorizeError, match="exists already"), replacing(tmp_path / "b.png") as stream:
        stream.write(b"mine")
        (tmp_path / "b.png").write_text("theirs")
    assert (tmp_path / "b.png").read_text() == "theirs" and sorted(os.listdir(tmp_path)) == ["a.png", "b.png"]
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(ColorizeError, match=r"c\.png"):
        write_pictures(tmp_path / "c.png", Picture(noise(4, 4)))
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.png"], "the name that was kept free is given back"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ColorizeError("broken"), RuntimeError("bug")])
def test_no_leftovers(tmp_path, error, overwrite):
    if overwrite:
        (tmp_path / "a.tif").write_text("before")

    def pages():
        yield Picture(noise(4, 4))
        raise error

    with pytest.raises(type(error) if isinstance(error, Exception) else error):
        write_pictures(tmp_path / "a.tif", pages(), overwrite=overwrite)
    assert os.listdir(tmp_path) == (["a.tif"] if overwrite else [])
    assert not overwrite or (tmp_path / "a.tif").read_text() == "before"


def test_folders_that_cannot_be_written(tmp_path, monkeypatch):
    picture = Picture(noise(4, 4))
    with pytest.raises(ColorizeError, match=r"^[^ ]*gone/a\.png: there is no folder '[^ ]*gone'$"):
        write_pictures(tmp_path / "gone" / "a.png", picture)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ColorizeError, match=r"folder\.png: (is a folder|cannot be written)"):
        write_pictures(tmp_path / "folder.png", picture, overwrite=True)
    with pytest.raises(ColorizeError, match=r"a\.png: there is no picture to write$"):
        write_pictures(tmp_path / "a.png", [])
    with pytest.raises(ColorizeError, match="quality is 0; expected 1 to 100"):
        write_pictures(tmp_path / "a.png", picture, quality=0)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(ColorizeError, match=r"a\.png: cannot be written \(No space left on device\)$"):
        write_pictures(tmp_path / "a.png", picture)
    assert os.listdir(tmp_path) == ["folder.png"]


def test_files_get_the_usual_permissions(tmp_path):
    (tmp_path / "b").touch()
    write_pictures(tmp_path / "a.png", Picture(noise(4, 4)))
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_picture_checks_its_arrays():
    for pixels in (np.zeros((4, 4), np.float32), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8)):
        with pytest.raises(ColorizeError, match="expected uint8 or uint16"):
            Picture(pixels)
    with pytest.raises(ColorizeError, match=r"alpha is uint16 \(4, 4\): expected uint8 \(4, 4\)"):
        Picture(np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint16))


# Limits and damage


def test_too_many_pixels_are_refused_from_the_header(tmp_path, monkeypatch):
    bomb = png(np.zeros((1, 1, 1), np.uint8), 0, 8)
    size = struct.pack(">II", 60_000, 60_000)
    bomb = bomb[:16] + size + bomb[24:29] + struct.pack(">I", zlib.crc32(b"IHDR" + size + bomb[24:29])) + bomb[33:]
    (tmp_path / "bomb.png").write_bytes(bomb)
    message = (
        r"bomb\.png: has 3,600,000,000 pixels \(60,000 × 60,000\), and the limit is 250,000,000:"
        r" scale it down, or raise the limit \(`max_pixels`\)$"
    )
    for read in (read_one, read_photo):
        with pytest.raises(ColorizeError, match=message):
            read(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # Pillow's own limit, for the whole process, is not asked
    for suffix in (".png", ".tif", ".jpg", ".bmp"):
        Image.fromarray(quadrants()).save(tmp_path / f"a{suffix}")
        assert read_one(tmp_path / f"a{suffix}", max_pixels=24 * 36).pixels.shape == (24, 36, 3)
        with pytest.raises(ColorizeError, match=r"has 864 pixels \(36 × 24\), and the limit is 863"):
            read_one(tmp_path / f"a{suffix}", max_pixels=863)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_files_that_are_no_photos(tmp_path):
    starts = {
        "jxl": (b"\xff\x0a\xfa\x1f\x01\x90", "is a JPEG XL photo, which is not read"),
        "pdf": (b"%PDF-1.7\n", "is a PDF document"),
        "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is a PostScript drawing"),
        "txt": (b"not a photo", "is not an image that Pillow reads$"),
        "jpg": (b"", r"is empty \(0 bytes\)$"),
        "dng": (
            block({50706: undefined(b"\1\4\0\0"), 254: long(1), 256: long(1), 257: long(1)}),
            r"is a camera's raw file \(DNG\), which is not read",
        ),
        "nef": (
            block({254: long(1), 256: long(1), 257: long(1)}),
            "is a camera's raw file, or holds no more than a preview",
        ),
    }
    for suffix, (content, why) in starts.items():
        (tmp_path / f"a.{suffix}").write_bytes(content)
        with pytest.raises(ColorizeError, match=rf"a\.{suffix}: {why}") as caught:
            read_one(tmp_path / f"a.{suffix}")
        assert str(caught.value).count("a.") == 1 and "\n" not in str(caught.value)
    for name, why in {"gone.jpg": "no such file", "": "is a folder; a photo was expected"}.items():
        with pytest.raises(ColorizeError, match=f"{name}: {why}$"):
            read_one(tmp_path / name)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        with pytest.raises(ColorizeError, match=r"pipe\.jpg: is no ordinary file"):
            read_one(tmp_path / "pipe.jpg")
    with pytest.raises(ColorizeError, match=r"^upload 7: is not an image"):
        read_one(io.BytesIO(b"junk"), name="upload 7")


def test_missing_codecs_are_named(tmp_path, monkeypatch):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    monkeypatch.setitem(sys.modules, "pillow_heif.as_plugin", None)
    with pytest.raises(ColorizeError, match=r"a\.heic: is a HEIF .* pip install 'keras-colorize\[heif\]'$"):
        read_one(tmp_path / "a.heic")
    Image.fromarray(quadrants()).save(tmp_path / "a.webp")
    reader, accepts = Image.OPEN["WEBP"]
    missing = "image file could not be identified because WEBP support not installed"
    monkeypatch.setitem(Image.OPEN, "WEBP", (reader, lambda prefix: accepts(prefix) and missing))
    with pytest.raises(ColorizeError, match=r"a\.webp: needs a codec that this Pillow was built without \(.*WEBP"):
        read_one(tmp_path / "a.webp")
    monkeypatch.setattr("PIL.features.check", lambda feature: False)
    with pytest.raises(ColorizeError, match=r"b\.webp: WEBP cannot be written, as Pillow was built without it"):
        write_pictures(tmp_path / "b.webp", Picture(noise(4, 4)))
    lzw = noise(4, 4, 2, dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", lzw, photometric="minisblack", extrasamples=["unassalpha"])
    content = bytearray((tmp_path / "a.tif").read_bytes())
    place = content.index(struct.pack("<HHI", 259, 3, 1))
    content[place + 8 : place + 10] = struct.pack("<H", 5)
    (tmp_path / "a.tif").write_bytes(content)
    if importlib.util.find_spec("imagecodecs") is None:
        with pytest.raises(ColorizeError, match=r"is compressed \(LZW\) as only imagecodecs reads it: pip install"):
            read_one(tmp_path / "a.tif")


def test_missing_strips_are_not_black(tmp_path):
    file = tmp_path / "a.tif"
    write_pictures(file, Picture(noise(64, 64), metadata=Metadata(compressed=False)))
    content = file.read_bytes()
    place = content.index(struct.pack("<HHII", 278, 4, 1, 64))
    file.write_bytes(
        content[:place] + struct.pack("<HHII", 278, 4, 1, 32) + content[place + 12 :]
    )  # two strips, one is there
    with pytest.raises(ColorizeError, match="parts of the picture are missing"):
        read_one(file)


def samples_of_all_kinds(tmp_path):
    rng = np.random.default_rng(3)
    rgb = np.asarray(Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8)).resize((48, 40)))
    exif = block({0x0112: short(6), 0x010E: undefined(b"house\0"), 282: rational(72)})
    metadata = Metadata(exif=exif, dpi=(72, 72), xmp=XMP, iptc=b"abcd", icc=srgb_profile(), texts=(("Comment", "x"),))
    picture = Picture(rgb, rgb[..., 0], metadata)
    deep = Picture(rgb.astype(np.uint16) * 257, None, metadata)
    kinds = {
        "a.jpg": picture, "a.png": picture, "a.webp": picture, "a.bmp": picture, "a.tga": picture, "a.ppm": picture,
        "a.jp2": picture, "a.avif": picture, "deep.png": deep, "deep.tif": deep, "a.tif": [picture, deep, picture],
        "raw.tif": Picture(rgb, None, replace(metadata, compressed=False)),
    }  # fmt: skip
    for name, pictures in kinds.items():
        write_pictures(tmp_path / name, pictures)
    Image.fromarray(rgb).save(tmp_path / "progressive.jpg", progressive=True)
    Image.fromarray(rgb).convert("P").save(tmp_path / "a.gif")
    Image.fromarray(rgb).save(tmp_path / "lzw.tif", compression="tiff_lzw", tiffinfo={278: 8})
    Image.fromarray(rgb).convert("1").save(tmp_path / "fax.tif", compression="group4")
    tifffile.imwrite(
        tmp_path / "planes.tif", deep.pixels.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"
    )
    return sorted(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore")  # Pillow's and tifffile's, about the damage
def test_damage_raises_nothing_else(tmp_path):
    """Bytes changed, ends cut off, headers exchanged: a whole picture or one line."""
    rng = np.random.default_rng(0)
    files = {file.name: file.read_bytes() for file in samples_of_all_kinds(tmp_path)}
    refused = 0
    for name, content in files.items():
        damaged = [content[: int(len(content) * share)] for share in (0.01, 0.1, 0.5, 0.9, 0.99)]
        for other in files.values():
            damaged.append(other[:24] + content[24:])
        for count in (1, 8, 64):
            for reach in (len(content), min(400, len(content))):  # anywhere, and where the headers are
                for _ in range(5):
                    copy = np.frombuffer(content, np.uint8).copy()
                    copy[rng.integers(reach, size=count)] = rng.integers(256, size=count)
                    damaged.append(copy.tobytes())
        for bytes_ in damaged:
            try:
                for picture in read_pictures(io.BytesIO(bytes_), max_pixels=10_000_000, name=name):
                    Picture(picture.pixels, picture.alpha)  # shapes and types are those promised
            except ColorizeError as error:
                refused += 1
                assert str(error).startswith(f"{name}: ") and "\n" not in str(error)
    assert refused > 200


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_no_half_picture(tmp_path, share):
    """Cut off within the pixels, every format complains."""
    for file in samples_of_all_kinds(tmp_path):
        content = file.read_bytes()
        if file.suffix in (".tif", ".tga", ".jp2"):  # their pixels come first, or may end anywhere
            continue
        with pytest.raises(ColorizeError):
            list(read_pictures(io.BytesIO(content[: int(len(content) * share)]), name="cut"))
