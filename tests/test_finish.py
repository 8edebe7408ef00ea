"""From chroma at the network's size to the coloured photo: lightness kept, edges followed, the gamut respected."""

import os
import subprocess
import sys

import numpy as np
import pytest
import skimage.data
import tensorflow as tf
from PIL import Image

from keras_colorize.color.gamut import clip_chroma
from keras_colorize.color.lab import lab_to_rgb, rgb_to_lab
from keras_colorize.color.raster import STRIP, grey_lightness
from keras_colorize.images import to_8_bits
from keras_colorize.inference.finish import (
    color_photo,
    color_photos,
    constant_coefficients,
    frame_coefficients,
    guided_coefficients,
)
from keras_colorize.inference.frame import frame_photo, scaled_size
from tests.gamut import in_gamut

WHITE = {"uint8": 255, "uint16": 65535, "float32": 1}
# Of L, by the rounding of each channel to half a level: neighbouring levels of grey are up to 0.49 apart.
L_ROUNDING = {"uint8": 0.3, "uint16": 1.5e-3, "float32": 1e-3}


def lightness(pixels):
    """L (H, W) of pixels, by `rgb_to_lab` in one piece."""
    rgb = pixels.astype("float32") / WHITE[pixels.dtype.name]
    return np.asarray(rgb_to_lab(rgb if rgb.ndim == 3 else np.repeat(rgb[..., None], 3, axis=2)))[..., 0]


def random_photo(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.random(shape, dtype="float32") * WHITE[dtype]
    return values if dtype == "float32" else np.rint(values).astype(dtype)


def random_ab(shape, seed=1, spread=40.0):
    return np.random.default_rng(seed).normal(0, spread, (*shape, 2)).astype("float32")


def plain(ab):
    """The coefficients of chroma (h, w, 2) that ignores lightness."""
    return np.asarray(constant_coefficients(ab))


def guided(L, ab, **options):
    """The coefficients of one photo: L (h, w), ab (h, w, 2) → (h, w, 4)."""
    return np.asarray(guided_coefficients(L[None, ..., None], ab[None], **options))[0]


def enlarged(coefficients, L):
    """ab at the size of L, straight from the formula."""
    planes = tf.image.resize(coefficients[None], L.shape).numpy()[0]
    return planes[..., :2] * L[..., None] + planes[..., 2:]


@pytest.mark.parametrize("shape", [(37, 53), (37, 53, 3)])
@pytest.mark.parametrize("dtype", WHITE)
def test_lightness_is_the_photos_own(shape, dtype):
    photo = random_photo(shape, dtype)
    colored = color_photo(photo, plain(random_ab((6, 9))))
    assert colored.shape == (37, 53, 3)
    assert colored.dtype == dtype
    assert np.abs(lightness(colored) - lightness(photo)).max() < L_ROUNDING[dtype]
    assert np.ptp(colored.astype("float32"), axis=-1).mean() > 0.1 * WHITE[dtype], "and it has colour"


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_without_chroma_every_grey_level_comes_back(dtype):
    levels = np.arange(WHITE[dtype] + 1, dtype=dtype).reshape(256, -1)
    colored = color_photo(levels, np.zeros((2, 3, 4), "float32"))
    # Lab's white is not exactly neutral (docs/numerics.md): a few of 65,535 levels.
    assert np.abs(colored.astype(int) - levels[..., None]).max() <= (0 if dtype == "uint8" else 6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (200, 1), (31, 64), (300, 1001)])
@pytest.mark.parametrize("edges", [True, False])
def test_strips_are_the_formula(shape, edges):
    photo = random_photo(shape, "uint8")
    ab, L = random_ab((5, 7)), lightness(random_photo((5, 7), "uint8"))
    coefficients = guided(L, ab) if edges else plain(ab)
    L_full = lightness(photo)
    lab = np.concatenate([L_full[..., None], enlarged(coefficients, L_full)], axis=-1)
    expected = np.asarray(lab_to_rgb(clip_chroma(lab))) * 255
    difference = np.abs(color_photo(photo, coefficients) - expected)
    # Where a step of the gamut's bisection is decided by rounding, 1/1024 of the chroma asked for.
    assert np.quantile(difference, 0.999) < 0.51
    assert difference.max() < 5


@pytest.mark.parametrize("shape", [(3, STRIP + 5), (STRIP + 5, 1)])
def test_a_row_or_column_longer_than_a_strip(shape):
    photo = random_photo(shape, "uint8")
    colored = color_photo(photo, plain(np.full((2, 2, 2), 20.0, "float32")))
    expected = np.asarray(lab_to_rgb(clip_chroma(np.dstack([lightness(photo), *np.full((2, *shape), 20.0)]))))
    assert np.abs(colored - expected * 255).max() < 0.51


def test_the_table_of_greys_is_the_formula():
    for dtype in ("uint8", "uint16"):
        levels = np.arange(WHITE[dtype] + 1, dtype=dtype)
        assert np.abs(grey_lightness(dtype) - lightness(levels[None])[0]).max() < 1e-4


def test_colours_out_of_gamut_keep_their_hue():
    photo = np.full((16, 16), 200, "uint8")
    for hue in np.radians(range(0, 360, 30)):
        ab = 150 * np.array([np.cos(hue), np.sin(hue)], "float32")
        colored = color_photo(photo, plain(np.broadcast_to(ab, (2, 2, 2))))
        lab = np.asarray(rgb_to_lab(colored / np.float32(255)))[0, 0]
        assert abs(np.angle(np.exp(1j * (np.arctan2(lab[2], lab[1]) - hue)))) < np.radians(1.5)
        assert abs(lab[0] - grey_lightness("uint8")[200]) < L_ROUNDING["uint8"]


def test_the_filter_gives_back_what_it_was_given_at_its_own_size():
    L, ab = lightness(random_photo((12, 15), "uint8")), random_ab((12, 15))
    coefficients = guided(L, ab)
    assert np.abs(coefficients[..., :2] * L[..., None] + coefficients[..., 2:] - ab).max() < 1e-4


def test_where_lightness_is_flat_chroma_ignores_it():
    coefficients = guided(np.full((8, 8), 70.0, "float32"), random_ab((8, 8)))
    assert np.abs(coefficients[..., :2]).max() < 1e-3


def test_the_filter_is_least_squares_in_each_window():
    L, ab = lightness(random_photo((9, 9), "uint8")), random_ab((9, 9))
    slopes = np.zeros((9, 9, 2))
    for row, column in np.ndindex(9, 9):
        window = np.s_[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        x, y = L[window].ravel().astype(float), ab[window].reshape(-1, 2).astype(float)
        x = x - x.mean()
        slopes[row, column] = x @ (y - y.mean(axis=0)) / len(x) / (x @ x / len(x) + 7.0)
    means = [slopes[max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2].mean(axis=(0, 1)) for r, c in np.ndindex(9, 9)]
    found = guided(L, ab, radius=1, epsilon=7.0)[..., :2]
    assert np.abs(found - np.reshape(means, (9, 9, 2))).max() < 1e-4


@pytest.mark.parametrize("shape", [(96, 128), (32, 48), (16, 16)])
@pytest.mark.parametrize("edges", [True, False])
def test_a_frames_coefficients_are_those_of_graphs(shape, edges):
    frame = frame_photo(random_photo((*shape, 3), "uint8"), 16, 16)
    ab = random_ab(frame.shape)
    L = frame.inputs.lightness[..., 0]
    expected = guided(L, ab) if edges else plain(ab)
    found = frame_coefficients(frame, ab, edges)
    np.testing.assert_allclose(found, expected[frame.rows, frame.columns], atol=1e-3)


def test_chroma_follows_a_step_of_lightness():
    """Two flat halves that meet within a pixel of the small size."""
    L = np.where(np.arange(256) < 133, 30.0, 75.0).astype("float32")[None].repeat(256, 0)
    ab = np.where(np.arange(256) < 133, -30.0, 40.0).astype("float32")[None, :, None].repeat(256, 0).repeat(2, 2)
    small_L, small_ab = (x.reshape(32, 8, 32, 8, -1).mean(axis=(1, 3)) for x in (L, ab))
    errors = [
        np.abs(enlarged(coefficients, L) - ab).mean()
        for coefficients in (guided(small_L[..., 0], small_ab), plain(small_ab))
    ]
    assert errors[0] < 0.5 * errors[1]


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
@pytest.mark.parametrize("size", [24, 64])
def test_on_photos_the_filter_is_nearer_to_the_truth_than_bilinear(name, size):
    photo = getattr(skimage.data, name)()
    lab = np.asarray(rgb_to_lab(photo / np.float32(255)))
    height, width = scaled_size(*photo.shape[:2], size, 1)
    small = np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.BICUBIC))
    averages = [Image.fromarray(lab[..., i]).resize((width, height), Image.Resampling.BOX) for i in (1, 2)]
    ab = np.dstack([np.asarray(plane) for plane in averages])
    errors = [
        np.abs(enlarged(coefficients, lab[..., 0]) - lab[..., 1:]).mean()
        for coefficients in (guided(lightness(small), ab), plain(ab))
    ]
    assert errors[0] < 0.95 * errors[1]


@pytest.mark.parametrize(
    ("photo", "multiple", "expected"),
    [
        ((480, 640), 32, (96, 128)),
        ((640, 480), 32, (128, 96)),
        ((96, 96), 16, (96, 96)),
        ((10, 15), 16, (96, 144)),
        ((100, 10_000), 16, (4, 384)),  # longer than four short sides: smaller
        ((480, 640), None, (72, 96)),
        ((1, 1000), None, (1, 96)),
    ],
)
def test_photos_are_scaled_and_never_squashed(photo, multiple, expected):
    assert scaled_size(*photo, 96, multiple) == expected


@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (1, 3000), (40, 60), (60, 40, 3), (333, 200, 3), (2, 2, 3)])
@pytest.mark.parametrize("multiple", [16, None])
@pytest.mark.parametrize("dtype", WHITE)
def test_frames_have_the_sides_that_networks_take(shape, multiple, dtype):
    photo = random_photo(shape, dtype)
    frame = frame_photo(photo, 96, multiple)
    assert frame.inputs.lightness.dtype == np.float32
    assert frame.inputs.lightness.shape == (*frame.shape, 1)
    assert frame.shape == (96, 96) if multiple is None else all(side % 16 == 0 for side in frame.shape)
    inside = frame.inputs.lightness[frame.rows, frame.columns]
    assert inside.shape[:2] == scaled_size(*shape[:2], 96, multiple)
    assert (
        inside.min() - 1e-4 <= frame.inputs.lightness.min() and frame.inputs.lightness.max() <= inside.max() + 1e-4
    ), "mirrored, nothing new"


def test_a_frame_is_what_training_sees():
    photo = skimage.data.astronaut()
    seen = frame_photo(photo, 64, 16).inputs.lightness[..., 0]
    trained = lightness(np.asarray(Image.fromarray(photo).resize((64, 64), Image.Resampling.BICUBIC)))
    assert np.abs(seen - trained).mean() < 0.4
    assert np.abs(seen - trained).max() < 4


def test_depths_give_the_same_frame():
    eight = random_photo((150, 111), "uint8")
    frames = [
        frame_photo(photo, 48, 16).inputs.lightness
        for photo in (eight, eight.astype("uint16") * 257, eight / np.float32(255))
    ]
    assert np.array_equal(frames[0], frames[1])
    assert np.array_equal(frames[0], frames[2])
    grey_as_rgb = frame_photo(np.dstack([eight] * 3), 48, 16).inputs.lightness
    assert np.abs(grey_as_rgb - frames[0]).max() < 1e-3


def test_16_bits_to_the_nearest_of_8():
    levels = np.arange(65536, dtype="uint16")
    assert np.array_equal(to_8_bits(levels), np.rint(levels / 257))


def test_in_gamut_photos_are_left_as_they_are():
    photo = skimage.data.chelsea()
    lab = np.asarray(rgb_to_lab(photo / np.float32(255)))
    coefficients = plain(lab[..., 1:])
    assert np.array_equal(color_photo(photo, coefficients), photo)
    assert np.all(in_gamut(clip_chroma(lab)))


@pytest.mark.slow
@pytest.mark.parametrize("grey", [True, False])
def test_a_hundred_megapixels_stay_in_bounds(grey):
    code = (
        "import resource, numpy as np\n"
        "from keras_colorize.inference.frame import frame_photo\n"
        "from keras_colorize.inference.finish import guided_coefficients, color_photo\n"
        f"photo = np.full((10_000, 10_000) if {grey} else (10_000, 10_000, 3), 100, 'uint8')\n"
        "color_photo(photo[:10, :10], np.zeros((2, 2, 4), 'float32'))\n"
        "frame = frame_photo(photo, 256, 32)\n"
        "lines = guided_coefficients(frame.inputs.lightness[None], np.full((1, *frame.shape, 2), 20, 'float32'))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "colored = color_photo(photo, lines.numpy()[0])\n"
        "assert np.ptp(colored[::1000, ::1000], axis=-1).min() > 20\n"
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(before / 2**20, after / 2**20)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ}, timeout=300
    )
    before, after = map(float, run.stdout.split())
    assert after - before < 0.28 + 0.15, "the result (0.28 GiB), the columns and little else"
    assert after < 1.5


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_photos_of_one_size_are_coloured_as_each_alone(dtype, channels):
    shape = (270, 310)
    photos = np.stack([random_photo((*shape, *channels), dtype, seed) for seed in range(5)])
    coefficients = np.random.default_rng(2).normal(0, 5, (5, 8, 12, 4)).astype("float32")
    together = color_photos(photos, coefficients)
    assert together.shape == (5, *shape, 3) and together.dtype == photos.dtype
    for photo, lines, colored in zip(photos, coefficients, together, strict=True):
        np.testing.assert_array_equal(color_photo(photo, lines), colored)
