"""read_photo against files whose pixels are known, in every format, mode and orientation; is_grey at its limits."""

import importlib.util
import io
import itertools
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from benchmarks.specimens import Specimen, make_photos
from keras_colorize.errors import ColorizeError
from keras_colorize.images import is_grey, read_photo, read_pictures, readable_suffixes, to_8_bits
from keras_colorize.images.decode import read_flat
from keras_colorize.images.view import GREY_SHARE, GREY_SPREAD

LOSSLESS = {
    ".bmp": {},
    ".gif": {},
    ".jp2": {},
    ".png": {},
    ".pnm": {},
    ".ppm": {},
    ".tga": {},
    ".tif": {"compression": "tiff_lzw"},
    ".tiff": {},
    ".webp": {"lossless": True, "exact": True},
}
LOSSLESS |= {suffix: {} for suffix in (".apng", ".dib", ".j2c", ".j2k", ".jpc", ".jpf", ".jpx")}
HEIF = (".heic", ".heif", ".hif")
LOSSY = (".avif", ".avifs", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", *HEIF)
GREY = (".pbm", ".pgm")
PILLOW_NAMES = {".pnm": "PPM", ".tif": "TIFF", ".mpo": "MPO"}


def quadrants(height=24, width=36):
    """Four flat colours and a dark corner: no symmetry, few colours, kind to JPEG."""
    rgb_u8 = np.empty((height, width, 3), np.uint8)
    half_h, half_w = height // 2, width // 2
    rgb_u8[:half_h, :half_w] = 200, 60, 40
    rgb_u8[:half_h, half_w:] = 40, 160, 70
    rgb_u8[half_h:, :half_w] = 50, 80, 190
    rgb_u8[half_h:, half_w:] = 220, 200, 90
    rgb_u8[: half_h // 2, : half_w // 2] = 20, 20, 30
    return rgb_u8


def saved(tmp_path, image, suffix=".png", **options):
    path = tmp_path / f"photo{suffix}"
    if suffix in HEIF:
        pillow_heif = pytest.importorskip("pillow_heif")
        pillow_heif.from_pillow(image).save(path, quality=options.get("quality"), chroma=444)
    else:
        image.save(path, format=PILLOW_NAMES.get(suffix), **options)
    return path


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_lossless_formats_come_back_exactly(tmp_path, suffix):
    rgb_u8 = quadrants()
    read = read_photo(saved(tmp_path, Image.fromarray(rgb_u8), suffix, **LOSSLESS[suffix]))
    assert read.dtype == np.uint8 and read.flags.writeable
    np.testing.assert_array_equal(read, rgb_u8)


@pytest.mark.parametrize("suffix", LOSSY)
def test_lossy_formats_come_back_nearly(tmp_path, suffix):
    path = saved(tmp_path, Image.fromarray(quadrants()), suffix, quality=95, subsampling="4:4:4")
    read = read_photo(path)
    assert np.abs(read.astype(int) - quadrants()).mean() < 3


def test_every_suffix_is_covered():
    covered = {*LOSSLESS, *LOSSY, *GREY}
    assert set(readable_suffixes()) == (covered if importlib.util.find_spec("pillow_heif") else covered - {*HEIF})


def test_grey_is_repeated_over_the_channels(tmp_path):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = np.repeat(levels[..., None], 3, axis=-1)
    for suffix in (".png", ".pgm", ".pbm", ".jpg"):
        read = read_photo(
            saved(tmp_path, Image.fromarray(levels), suffix, **({"quality": 100} if "j" in suffix else {}))
        )
        np.testing.assert_allclose(read, expected, atol=1 if "j" in suffix else 0)


def test_black_and_white(tmp_path):
    bits = np.eye(8, dtype=bool)
    read = read_photo(saved(tmp_path, Image.fromarray(bits)))
    np.testing.assert_array_equal(read[..., 1], bits * 255)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_16_bits_are_scaled_and_not_clipped(tmp_path, suffix):
    levels = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    read = read_photo(saved(tmp_path, Image.fromarray(levels), suffix))
    np.testing.assert_array_equal(read[..., 0], np.rint(levels / 257.0))
    assert read.max() == 255 and (read[..., 0] == read[..., 2]).all()


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_float_tiff(tmp_path, white):
    levels = np.linspace(0, white, 64, dtype=np.float32).reshape(8, 8)
    read = read_photo(saved(tmp_path, Image.fromarray(levels), ".tif"))
    np.testing.assert_array_equal(read[..., 0], np.rint(np.linspace(0, 255, 64)).reshape(8, 8))


def test_palette(tmp_path):
    image = Image.new("P", (4, 2))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putdata([0, 1, 0, 1, 1, 1, 0, 0])
    read = read_photo(saved(tmp_path, image))
    np.testing.assert_array_equal(read[0], [[10, 20, 30], [200, 100, 50], [10, 20, 30], [200, 100, 50]])


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
def test_transparency_lies_over_white(tmp_path, mode):
    if mode == "RGBA":
        image, options, opaque = Image.new("RGBA", (2, 1), (200, 100, 0, 255)), {}, (200, 100, 0)
        image.putpixel((1, 0), (200, 100, 0, 51))  # a fifth of it shows
        other = (244, 224, 204)
    elif mode == "LA":
        image, options, opaque = Image.new("LA", (2, 1), (100, 255)), {}, (100, 100, 100)
        image.putpixel((1, 0), (100, 0))
        other = (255, 255, 255)
    elif mode == "P":
        image = Image.new("P", (2, 1))
        image.putpalette([9, 8, 7, 1, 2, 3])
        image.putdata([0, 1])
        options, opaque, other = {"transparency": 1}, (9, 8, 7), (255, 255, 255)
    else:
        image = Image.new("RGB", (2, 1), (9, 8, 7))
        image.putpixel((1, 0), (1, 2, 3))
        options, opaque, other = {"transparency": (1, 2, 3)}, (9, 8, 7), (255, 255, 255)
    np.testing.assert_array_equal(read_photo(saved(tmp_path, image, **options)), [[opaque, other]])


@pytest.mark.parametrize("suffix", [".tif", ".jpg"])
def test_cmyk(tmp_path, suffix):
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    options = {"quality": 100} if suffix == ".jpg" else {}
    np.testing.assert_allclose(read_photo(saved(tmp_path, image, suffix, **options))[3, 3], (255, 0, 0), atol=3)


def test_cielab_tiff(tmp_path):
    rgb_u8 = quadrants()
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = to_lab.apply(Image.fromarray(rgb_u8))
    assert lab.mode == "LAB"
    np.testing.assert_allclose(read_photo(saved(tmp_path, lab, ".tif")).astype(int), rgb_u8.astype(int), atol=4)


def test_first_frame(tmp_path):
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue", "green")]
    for suffix in (".gif", ".tif", ".png", ".webp"):
        path = saved(tmp_path, frames[0], suffix, save_all=True, append_images=frames[1:])
        np.testing.assert_allclose(read_photo(path)[0, 0], (255, 0, 0), atol=3)


# Orientation

DISPLAYED = {  # EXIF orientation → how the stored rows and columns are to be shown
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: np.rot90(stored, 1),
}


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg"])
@pytest.mark.parametrize("orientation", DISPLAYED)
def test_exif_orientation(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {".jpg": {"quality": 95, "subsampling": 0}, ".webp": {"lossless": True}}.get(suffix, {})
    path = saved(tmp_path, Image.fromarray(quadrants()), suffix, exif=exif, **options)
    expected = DISPLAYED[orientation](quadrants())
    read = read_photo(path)
    assert read.shape == expected.shape
    error = np.abs(read.astype(int) - expected)
    assert error.mean() < 3 if suffix == ".jpg" else error.max() == 0


def test_orientation_comes_before_the_box_and_the_crop(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path, Image.fromarray(quadrants(24, 48)), exif=exif)  # upright: 48 high, 24 wide
    upright = np.rot90(quadrants(24, 48), -1)
    np.testing.assert_array_equal(read_photo(path, 24), upright[12:36])
    np.testing.assert_array_equal(read_photo(path, box=(0.5, 0.0, 1.0, 0.5)), upright[24:, :12])


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about the damage
def test_unreadable_exif_does_not_cost_the_photo(tmp_path):
    path = saved(tmp_path, Image.fromarray(quadrants()), exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xffnonsense")
    np.testing.assert_array_equal(read_photo(path), quadrants())


# Colour profiles

D50 = (0.9642, 1.0, 0.8249)
ADOBE_RGB = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])  # → XYZ D50


def icc_profile(space, tags):
    """A version 2 ICC profile of the given tags."""
    title = b"Test\x00"
    tags = {
        **tags,
        "desc": b"desc" + bytes(4) + struct.pack(">I", len(title)) + title + bytes(78),
        "cprt": b"text" + bytes(4) + b"none\x00",
        "wtpt": xyz(D50),
    }
    table, body = struct.pack(">I", len(tags)), b""
    for signature, content in tags.items():
        table += struct.pack(">4sII", signature.encode(), 132 + 12 * len(tags) + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(">I4xI4s4s4s12x4s28x", 128 + len(table + body), 0x02100000, b"mntr", space, b"XYZ ", b"acsp")
    return (header + struct.pack(">3i", *(round(v * 65536) for v in D50))).ljust(128, b"\0") + table + body


def xyz(values):
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in values))


def gamma(value):
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(value * 256))


def to_srgb(linear):
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
    return np.clip(encoded, 0, 1) * 255


def test_icc_profile_is_converted_to_srgb(tmp_path):
    tags = {f"{c}XYZ": xyz(ADOBE_RGB[:, n]) for n, c in enumerate("rgb")} | {f"{c}TRC": gamma(2.2) for c in "rgb"}
    profile = icc_profile(b"RGB ", tags)
    rgb_u8 = np.array([[[128, 128, 128], [180, 120, 100], [90, 140, 110]], [[60, 70, 160], [255, 255, 255], [0, 0, 0]]])
    linear = (rgb_u8 / 255) ** (round(2.2 * 256) / 256) @ (np.linalg.inv(SRGB) @ ADOBE_RGB).T
    path = saved(tmp_path, Image.fromarray(rgb_u8.astype(np.uint8)), icc_profile=profile)
    read = read_photo(path)
    np.testing.assert_allclose(read, to_srgb(linear), atol=2)
    assert np.abs(read[0, 1].astype(int) - rgb_u8[0, 1]).max() > 10  # the conversion is not a small matter


def test_grey_profile(tmp_path):
    levels = np.arange(16, 256, 16, dtype=np.uint8).reshape(3, 5)
    profile = icc_profile(b"GRAY", {"kTRC": gamma(1.0)})
    read = read_photo(saved(tmp_path, Image.fromarray(levels), icc_profile=profile))
    np.testing.assert_allclose(read[..., 0], to_srgb(levels / 255), atol=2)
    assert (np.ptp(read.astype(int), axis=-1) <= 1).all()


def test_profiles_that_change_nothing(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey = icc_profile(b"GRAY", {"kTRC": gamma(1.0)})
    for profile in (srgb, grey, b"nonsense"):  # sRGB itself; one for other channels; a broken one
        path = saved(tmp_path, Image.fromarray(quadrants()), icc_profile=profile)
        np.testing.assert_array_equal(read_photo(path), quadrants())


# One reader


ADOBE = {f"{c}XYZ": xyz(ADOBE_RGB[:, n]) for n, c in enumerate("rgb")} | {f"{c}TRC": gamma(2.2) for c in "rgb"}


def with_profiles():
    """Files whose colours are converted: by matrix or curve, of 8 and of 16 bits, turned and transparent."""
    rgb = Image.fromarray(quadrants())
    profiles = {"RGB": icc_profile(b"RGB ", ADOBE), "L": icc_profile(b"GRAY", {"kTRC": gamma(1.8)})}
    turned = Image.Exif()
    turned[0x0112] = 5
    kinds = {"RGB": rgb, "L": rgb.convert("L"), "RGBA": rgb.convert("RGBA"), "P": rgb.quantize(32)}
    kinds["RGBA"].putalpha(rgb.convert("L"))
    for (mode, image), format in itertools.product(kinds.items(), ("JPEG", "PNG", "TIFF", "WEBP")):
        if format == "JPEG" and mode in ("RGBA", "P"):
            continue
        stream = io.BytesIO()
        image.save(stream, format, icc_profile=profiles.get(mode, profiles["RGB"]), exif=turned)
        yield Specimen(f"{format} {mode} with profile, turned", "", stream.getvalue())
    deep = quadrants().astype(np.uint16) * 257 + 100
    for pixels, mode in ((deep, "RGB"), (deep[..., 0], "L")):
        stream = io.BytesIO()
        tifffile.imwrite(stream, pixels, photometric="rgb" if mode == "RGB" else None, iccprofile=profiles[mode])
        yield Specimen(f"TIFF {mode} of 16 bits with profile", "", stream.getvalue())


EVERY_KIND = [*make_photos(), *with_profiles()]


@pytest.mark.parametrize("specimen", EVERY_KIND, ids=lambda specimen: specimen.name)
def test_training_sees_what_users_get(specimen):
    picture = next(read_pictures(io.BytesIO(specimen.content)))
    expected = to_8_bits(picture.pixels).astype(float)
    expected = np.repeat(expected[..., None], 3, axis=-1) if picture.is_grey else expected
    if picture.alpha is not None:
        share = to_8_bits(picture.alpha)[..., None] / 255
        expected = np.rint(expected * share + 255 * (1 - share))
    np.testing.assert_array_equal(read_photo(io.BytesIO(specimen.content)), expected)
    small = Image.fromarray(expected.astype(np.uint8)).resize((19, 19), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(read_photo(io.BytesIO(specimen.content), 19, "squash"), small)


ONCE_WRONG = (
    *("TIFF 12 bits", "TIFF white is zero", "TIFF 16 bits, white is zero", "TIFF float", "TIFF float RGB"),
    *("TIFF 32 bits grey", "TIFF 16 bits planes", "PNG 16 bits grey"),
)


@pytest.mark.parametrize("name", ONCE_WRONG)
def test_training_sees_the_scene(name):
    contents = {specimen.name: specimen.content for specimen in EVERY_KIND}
    scene = read_photo(io.BytesIO(contents["PNG"])).astype(int)
    expected = scene if "RGB" in name or "planes" in name else np.repeat(scene[..., 1:2], 3, axis=-1)
    assert np.abs(read_photo(io.BytesIO(contents[name])) - expected).max() <= 1


# Geometry


def test_crop_takes_the_centre_square(tmp_path):
    rgb_u8 = np.zeros((20, 50, 3), np.uint8)
    rgb_u8[:, 15:35] = np.arange(1, 21)[None, :, None]
    path = saved(tmp_path, Image.fromarray(rgb_u8))
    np.testing.assert_array_equal(read_photo(path, 20), rgb_u8[:, 15:35])  # whole pixels, no interpolation
    np.testing.assert_array_equal(read_photo(path, 20, box=(0.0, 0.0, 1.0, 0.4)), rgb_u8[:, :20])


def test_nothing_outside_the_box_enters(tmp_path):
    rgb_u8 = np.zeros((20, 40, 3), np.uint8)
    rgb_u8[:, :20], rgb_u8[:, 20:] = (200, 0, 0), (0, 0, 200)
    read = read_photo(saved(tmp_path, Image.fromarray(rgb_u8)), 7, box=(0.0, 0.5, 1.0, 1.0))
    assert (read == (0, 0, 200)).all()


def test_squash_scales_both_axes(tmp_path):
    path = saved(tmp_path, Image.fromarray(quadrants(40, 80)))
    read = read_photo(path, 16, "squash")
    np.testing.assert_array_equal(read[2, 12], (40, 160, 70))
    np.testing.assert_array_equal(read[12, 2], (50, 80, 190))


def test_resize_is_antialiased(tmp_path):
    checks = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    read = read_photo(saved(tmp_path, Image.fromarray(checks)), 8)
    np.testing.assert_allclose(read[2:-2, 2:-2], 127.5, atol=2)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_draft_saves_work_and_not_quality(tmp_path, mode):
    y, x = np.mgrid[0:1:640j, 0:1:640j]
    waves = np.stack([np.sin(90 * x) * np.cos(70 * y), np.cos(50 * y), x], axis=-1)
    image = Image.fromarray(np.uint8(127 + 100 * waves)).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path, image, ".jpg", quality=95, exif=exif)
    whole = Image.fromarray(read_photo(path)).resize((64, 64), Image.Resampling.BICUBIC)
    assert np.abs(read_photo(path, 64).astype(int) - np.asarray(whole)).mean() < 0.5
    assert read_flat(path, least_side=128).image.size == (160, 160)  # 80 would be too little


def test_file_objects_and_size_one(tmp_path):
    path = saved(tmp_path, Image.fromarray(quadrants()))
    np.testing.assert_array_equal(read_photo(io.BytesIO(path.read_bytes())), quadrants())
    assert read_photo(str(path), 1).shape == (1, 1, 3)


# Errors


def test_damaged_files_are_named(tmp_path):
    good = {
        suffix: saved(tmp_path, Image.effect_noise((64, 64), 80).convert("RGB"), suffix)
        for suffix in (".jpg", ".png", ".tif", ".webp", ".gif")
    }
    for suffix, path in good.items():
        broken = tmp_path / f"broken{suffix}"
        broken.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(ColorizeError, match=rf"broken\{suffix}: does not decode \(.+\)$"):
            read_photo(broken)
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not a photo")
    for name, why in {
        "empty.jpg": r"is empty \(0 bytes\)",
        "text.jpg": "is not an image that Pillow reads",
        "gone.jpg": "no such file",
        "": "is a folder; a photo was expected",
    }.items():
        with pytest.raises(ColorizeError, match=f"{name}: {why}$"):
            read_photo(tmp_path / name)
    with pytest.raises(ColorizeError, match=r"^upload 7: is not an image"):
        read_photo(io.BytesIO(b"junk"), name="upload 7")


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about the damage
def test_random_damage_raises_nothing_else(tmp_path):
    rng = np.random.default_rng(0)
    for suffix in (".jpg", ".png", ".tif", ".webp", ".gif", ".bmp", ".jp2"):
        content = np.frombuffer(saved(tmp_path, Image.fromarray(quadrants()), suffix).read_bytes(), np.uint8)
        for _ in range(30):
            damaged = content.copy()
            damaged[rng.integers(len(content), size=8)] = rng.integers(256, size=8)
            try:
                assert read_photo(io.BytesIO(damaged.tobytes()), 16).shape == (16, 16, 3)
            except ColorizeError as error:
                assert "\n" not in str(error)


def test_unknown_resize():
    with pytest.raises(ColorizeError, match="did you mean 'squash'"):
        read_photo("any.jpg", 8, "sqush")  # type: ignore[arg-type]


# Grey


def test_is_grey_at_its_limits():
    assert (GREY_SPREAD, GREY_SHARE) == (4, 0.99)
    rgb_u8 = np.full((10, 10, 3), 100, np.uint8)
    assert is_grey(rgb_u8)
    rgb_u8[..., 1] += 4
    assert is_grey(rgb_u8)
    rgb_u8[0, 0] = 0, 255, 0  # 99 of 100
    assert is_grey(rgb_u8)
    rgb_u8[0, 1] = 100, 105, 100  # 98 of 100
    assert not is_grey(rgb_u8)


def test_is_grey_on_a_stored_grey_jpeg(tmp_path):
    noise = Image.effect_noise((64, 64), 60).convert("RGB")
    assert is_grey(read_photo(saved(tmp_path, noise, ".jpg", quality=75)))
    assert not is_grey(read_photo(saved(tmp_path, Image.fromarray(quadrants()), ".jpg", quality=75)))
