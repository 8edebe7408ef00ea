"""The conversion of pixels in NumPy is that of `color.lab` and `color.gamut`."""

import threading

import numpy as np
import pytest

from keras_colorize.color import raster
from keras_colorize.color.gamut import clip_chroma
from keras_colorize.color.lab import lab_to_rgb, rgb_to_lab, rgb_to_linear

KINDS = ("uint8", "uint16", "float32")


def random_pixels(kind, shape=(40, 50, 3)):
    values = np.random.default_rng(0).random(shape, np.float32)
    return values if kind == "float32" else np.rint(values * raster.WHITE[kind]).astype(kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3)])
def test_lightness_is_that_of_lab(kind, shape):
    pixels = random_pixels(kind, shape)
    rgb = pixels.astype(np.float32) / np.float32(raster.WHITE[kind])
    expected = np.asarray(rgb_to_lab(rgb if rgb.ndim == 3 else np.dstack([rgb] * 3)))[..., 0]
    np.testing.assert_allclose(raster.photo_lightness(pixels), expected, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 3)])
def test_lightness_begins_at_0(kind, shape):
    assert (raster.photo_lightness(np.zeros(shape, kind)) == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_colours_are_those_of_lab_in_gamut(kind):
    rng = np.random.default_rng(1)
    lab = rng.uniform([0, -110, -110], [100, 110, 110], (20_000, 3)).astype(np.float32)
    expected = np.asarray(lab_to_rgb(clip_chroma(lab))) * raster.WHITE[kind]
    fy, Y = np.empty((2, len(lab)), np.float32)
    raster.read_lightness(lab[:, 0], fy, Y)
    np.testing.assert_allclose(Y, rgb_to_linear(lab_to_rgb(lab * [1, 0, 0])[:, 1]), atol=1e-4)
    found = np.empty((100, 200, 3), kind)
    raster.write_colors(fy, Y, fy + lab[:, 1] / 500, fy - lab[:, 2] / 200, found)
    rounding = {"uint8": 0.51, "uint16": 2.0, "float32": 3e-5}[kind]
    apart = np.abs(found.reshape(-1, 3) - expected)
    assert np.quantile(apart, 0.999) < rounding  # a colour at the edge may be searched for in one and not the other
    assert apart.max() < 0.01 * raster.WHITE[kind]


def test_every_8_bit_colour_comes_back():
    levels = np.arange(0, 256, 5, dtype=np.uint8)
    pixels = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(52, -1, 3)
    lab = np.asarray(rgb_to_lab(pixels.astype(np.float32) / np.float32(255))).reshape(-1, 3)
    for start in range(0, len(lab), raster.STRIP):
        part = lab[start : start + raster.STRIP]
        fy, Y = np.empty((2, len(part)), np.float32)
        raster.read_lightness(part[:, 0], fy, Y)
        found = np.empty((1, len(part), 3), np.uint8)
        raster.write_colors(fy, Y, fy + part[:, 1] / 500, fy - part[:, 2] / 200, found)
        np.testing.assert_array_equal(found[0], pixels.reshape(-1, 3)[start : start + raster.STRIP])


def test_levels_are_rounded_to_the_nearest():
    light = np.linspace(0, 1, 500_001, dtype=np.float32)
    exact = raster.encode(light) * 255
    found = np.concatenate(
        [raster._encoded(part.copy(), 1.0, "uint8", part).copy() for part in np.array_split(light, 8)]
    )
    assert np.abs(found - exact).max() < 0.51


def test_threads_do_not_share_planes():
    others = []
    thread = threading.Thread(target=lambda: others.append(raster.planes(1, 4)))
    thread.start()
    thread.join()
    assert not np.shares_memory(raster.planes(1, 4), others[0])
