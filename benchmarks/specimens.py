"""A small valid photo file of every kind that is read here."""

import importlib.util
import io
import struct
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import tifffile
from PIL import Image, ImageCms, TiffImagePlugin

from keras_colorize.images import Metadata, Picture, write_pictures
from keras_colorize.images.tags import block, long, short

HEIGHT, WIDTH = 37, 45  # odd, so that padding and cropping are met
PAGES = 3


@dataclass(frozen=True)
class Specimen:
    """A valid photo file: its kind, its suffix, and its bytes."""

    name: str
    suffix: str
    content: bytes


def make_photos() -> list[Specimen]:
    """Make one of each kind, all of the same scene with grain."""
    rgb_u8 = _scene()
    rgb = Image.fromarray(rgb_u8)
    grey = rgb.convert("L")
    alpha = Image.linear_gradient("L").resize(rgb.size)
    rgba = rgb.copy()
    rgba.putalpha(alpha)
    la = grey.copy()
    la.putalpha(alpha)
    palette = rgb.quantize(64)
    deep = np.minimum(rgb_u8 * np.uint16(257), 65532) + np.uint16(3)
    deep_alpha = np.asarray(alpha).astype(np.uint16) * 257
    turned = Image.Exif()
    turned[0x0112], turned[0x010F] = 6, "maker"
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # By another name it is no longer passed over, but converted from.
    profile = srgb.replace("sRGB".encode("utf-16-be"), "RGB!".encode("utf-16-be"))
    assert profile != srgb
    opaque_last = {"photometric": "minisblack", "extrasamples": ["unassalpha"]}
    frames = [Image.fromarray(np.roll(rgb_u8, 7 * n, axis=1)) for n in range(PAGES)]
    photos: list[Specimen] = []

    def pillow(name: str, suffix: str, image: Image.Image, format: str = "", **options: Any) -> None:
        stream = io.BytesIO()
        image.save(stream, format or Image.registered_extensions()[suffix], **options)
        photos.append(Specimen(name, suffix, stream.getvalue()))

    def ours(name: str, suffix: str, *pages: Picture) -> None:
        photos.append(Specimen(name, suffix, _written(suffix, pages)))

    def tiff(name: str, *pages: np.ndarray, **options: Any) -> None:
        stream = io.BytesIO()
        kind = {"bigtiff": options.pop("bigtiff", False), "byteorder": options.pop("byteorder", "<")}
        with tifffile.TiffWriter(stream, **kind) as writer:
            for page in pages:
                writer.write(page, **{"photometric": "rgb" if page.ndim == 3 else "minisblack", **options})
        photos.append(Specimen(name, ".tif", stream.getvalue()))

    pillow("JPEG", ".jpg", rgb)
    pillow("JPEG progressive", ".jpg", rgb, progressive=True, subsampling="4:4:4")
    pillow("JPEG grey", ".jpg", grey)
    pillow("JPEG CMYK", ".jpg", rgb.convert("CMYK"))
    pillow("JPEG turned, tagged", ".jpg", rgb, exif=turned, icc_profile=srgb, comment="c", xmp=b"<x/>", dpi=(300, 300))
    pillow("JPEG with restarts, profile", ".jpg", rgb, restart_marker_blocks=2, icc_profile=profile)
    pillow("MPO", ".mpo", frames[0], save_all=True, append_images=frames[1:])
    pillow("PNG", ".png", rgb)
    pillow("PNG with transparency", ".png", rgba)
    pillow("PNG grey", ".png", grey)
    pillow("PNG grey with transparency", ".png", la)
    pillow("PNG palette", ".png", palette)
    pillow("PNG palette, transparent", ".png", palette, transparency=bytes(range(64)))
    pillow("PNG 4 bits", ".png", rgb.quantize(16), bits=4)
    pillow("PNG 1 bit", ".png", rgb.convert("1"))
    photos.append(Specimen("PNG 2 bits grey", ".png", _png(np.asarray(grey) >> 6, 2)))
    pillow("PNG turned, tagged", ".png", rgb, exif=turned, icc_profile=srgb, dpi=(300, 300))
    pillow("PNG animated", ".png", frames[0], save_all=True, append_images=frames[1:])
    photos.append(Specimen("PNG interlaced", ".png", _interlaced_png(rgb_u8)))
    ours("PNG 16 bits", ".png", Picture(deep))
    ours("PNG 16 bits with transparency", ".png", Picture(deep, deep_alpha))
    ours("PNG 16 bits grey", ".png", Picture(deep[..., 1].copy()))
    ours("PNG 16 bits grey with transparency", ".png", Picture(deep[..., 1].copy(), deep_alpha))
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        pillow(f"TIFF {compression}", ".tif", rgb, compression=compression)
    pillow("TIFF group4", ".tif", rgb.convert("1"), compression="group4")
    pillow("TIFF palette", ".tif", palette)
    pillow("TIFF CMYK", ".tif", rgb.convert("CMYK"), compression="tiff_lzw")
    pillow("TIFF Lab", ".tif", _lab(rgb))
    pillow("TIFF float", ".tif", Image.fromarray(rgb_u8[..., 1].astype(np.float32) / 255))
    pillow("TIFF turned", ".tif", rgb, tiffinfo=_orientation(6))
    pillow("TIFF profile", ".tif", rgb, icc_profile=profile)
    tiff("TIFF tiled", rgb_u8, tile=(16, 16))
    tiff("TIFF planes", np.moveaxis(rgb_u8, 2, 0), planarconfig="separate", photometric="rgb")
    tiff("TIFF 16 bits planes", np.moveaxis(deep, 2, 0), planarconfig="separate", photometric="rgb")
    tiff("TIFF big-endian 16 bits", deep, byteorder=">")
    tiff("TIFF 32 bits grey", rgb_u8[..., 1].astype(np.uint32) << 24)
    tiff("TIFF float RGB", (rgb_u8 / 255).astype(np.float32))
    tiff("TIFF 16 bits CMYK", 65535 - np.dstack([deep, deep[..., :1]]), photometric="separated")
    tiff("TIFF 16 bits grey, transparent", np.dstack([deep[..., 1], deep_alpha]), **opaque_last)
    tiff("TIFF white is zero", 255 - rgb_u8[..., 1], photometric="miniswhite")
    tiff("TIFF 16 bits, white is zero", 65535 - deep[..., 1], photometric="miniswhite")
    photos.append(Specimen("TIFF 12 bits", ".tif", _tiff_of_12_bits(rgb_u8[..., 1])))
    tiff("BigTIFF", rgb_u8, bigtiff=True)
    tiff("TIFF pages", *(np.asarray(frame) for frame in frames), compression="zlib")
    tagged = Metadata(exif=turned.tobytes()[6:], dpi=(300.0, 300.0), xmp=b"<x/>", icc=profile)
    ours("TIFF 16 bits", ".tif", Picture(deep, None, tagged))
    ours("TIFF 16 bits with transparency", ".tif", Picture(deep, deep_alpha))
    ours("TIFF 16 bits grey pages", ".tif", *(Picture(np.roll(deep[..., 1], n, axis=0)) for n in range(PAGES)))
    pillow("WebP", ".webp", rgb)
    pillow("WebP lossless, turned", ".webp", rgb, lossless=True, exif=turned, icc_profile=srgb)
    pillow("WebP with transparency", ".webp", rgba)
    pillow("WebP animated", ".webp", frames[0], save_all=True, append_images=frames[1:])
    if importlib.util.find_spec("pillow_heif") is not None:
        photos.append(Specimen("HEIC", ".heic", _heif("RGB", rgb.tobytes())))
        photos.append(Specimen("HEIC turned, tagged", ".heic", _heif("RGB", rgb.tobytes(), exif=turned.tobytes())))
        photos.append(Specimen("HEIC with transparency", ".heic", _heif("RGBA", rgba.tobytes())))
        photos.append(Specimen("HEIC 10 bits", ".heic", _heif("RGB;16", deep.tobytes())))
    pillow("GIF", ".gif", palette)
    pillow("GIF animated", ".gif", frames[0].quantize(32), save_all=True, append_images=frames[1:], transparency=3)
    pillow("BMP", ".bmp", rgb)
    pillow("BMP palette", ".bmp", palette)
    pillow("BMP 1 bit", ".bmp", rgb.convert("1"))
    pillow("AVIF", ".avif", rgb, speed=10)
    pillow("AVIF with transparency", ".avif", rgba, speed=10, exif=turned)
    pillow("JPEG 2000", ".jp2", rgb)
    pillow("JPEG 2000 codestream", ".jp2", rgba, no_jp2=True)
    pillow("PPM", ".ppm", rgb)
    pillow("PGM", ".pgm", grey)
    pillow("PBM", ".pnm", rgb.convert("1"))
    ours("PPM 16 bits", ".ppm", Picture(deep))
    ours("PGM 16 bits", ".pgm", Picture(deep[..., 1].copy()))
    # Numbers of one digit: of others nobody can tell when their end is cut off.
    photos.append(Specimen("PPM in text", ".ppm", b"P3\n3 2\n9\n" + b"1 4 9 " * 6))
    pillow("TGA", ".tga", rgb)
    pillow("TGA runs", ".tga", rgba, compression="tga_rle")
    pillow("TGA palette", ".tga", palette)
    # What nobody calls by these suffixes, but Pillow reads.
    for format in ("PCX", "SGI", "ICO", "DDS", "QOI"):
        pillow(f"{format} as PNG", ".png", rgba if format == "ICO" else rgb, format)
    return photos


def _scene() -> np.ndarray:
    """Part of a photo with grain, rgb_u8 (HEIGHT, WIDTH, 3): lossy formats must have something to lose."""
    whole = Image.fromarray(skimage.data.astronaut()[:400, 50:450])
    pixels = np.asarray(whole.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)).astype(np.int16)
    grain = np.random.default_rng(0).integers(-4, 5, pixels.shape, np.int16)
    return np.clip(pixels + grain, 0, 255).astype(np.uint8)


def _lab(rgb: Image.Image) -> Image.Image:
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return ImageCms.buildTransform(*profiles, "RGB", "LAB").apply(rgb)


def _orientation(value: int) -> TiffImagePlugin.ImageFileDirectory_v2:
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory[274] = value
    return directory


def _written(suffix: str, pages: tuple[Picture, ...]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"photo{suffix}")
        write_pictures(file, pages)
        return file.read_bytes()


def _heif(mode: str, samples: bytes, **options: Any) -> bytes:
    import pillow_heif  # an extra

    stream = io.BytesIO()
    pillow_heif.from_bytes(mode, (WIDTH, HEIGHT), samples).save(stream, chroma=444, **options)
    return stream.getvalue()


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _tiff_of_12_bits(levels_u8: np.ndarray) -> bytes:
    """Two samples in three bytes, rows padded to whole bytes, which tifffile does not write."""
    height, width = levels_u8.shape
    stored = (levels_u8 * np.uint16(16)).astype(">u2")
    bits = np.unpackbits(stored.view(np.uint8).reshape(height, width, 2), axis=-1)[..., 4:]
    packed = np.packbits(bits.reshape(height, -1), axis=-1).tobytes()
    tags = {256: long(width), 257: long(height), 258: short(12), 259: short(1), 262: short(1), 273: long(0)}
    tags |= {277: short(1), 278: long(height), 279: long(len(packed))}
    tags[273] = long(len(block(tags)))
    return block(tags) + packed


def _png(levels: np.ndarray, bits: int) -> bytes:
    """Grey of few bits, which Pillow does not write."""
    height, width = levels.shape
    rows = np.packbits(np.unpackbits(levels[..., None], axis=-1)[..., -bits:].reshape(height, -1), axis=-1)
    return _png_of(width, height, bits, 0, 0, b"".join(b"\0" + row.tobytes() for row in rows))


def _interlaced_png(rgb_u8: np.ndarray) -> bytes:
    """Adam7 (PNG specification, 8.2), which Pillow reads and does not write."""
    rows = bytearray()
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    for x, y, dx, dy in passes:
        for row in rgb_u8[y::dy, x::dx]:
            rows += b"\0" + row.tobytes()
    return _png_of(rgb_u8.shape[1], rgb_u8.shape[0], 8, 2, 1, bytes(rows))


def _png_of(width: int, height: int, bits: int, kind: int, interlaced: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)
