"""The exported graph computes what the Colorizer computes."""

import numpy as np
import pytest
import tensorflow as tf

from keras_colorize.color import lab as color
from keras_colorize.color.gamut import clip_chroma
from keras_colorize.color.inputs import Inputs
from keras_colorize.export import lab as export_lab
from keras_colorize.export.geometry import FrameGeometry, resampling
from keras_colorize.export.graph import ColorGraph
from keras_colorize.inference.frame import frame_photo, scaled_size
from tests.exports import apart, photos, small_colorizer


def test_lightness_is_that_of_the_color_module():
    rgb_u8 = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    expected = color.rgb_to_lab(color.rgb_from_u8(rgb_u8))[..., 0]
    np.testing.assert_allclose(export_lab.lightness(rgb_u8), expected, atol=1e-4)


def test_every_grey_level_comes_back():
    levels = np.repeat(np.arange(256, dtype=np.uint8)[None, None, :, None], 3, axis=-1)
    L = export_lab.lightness(levels)
    np.testing.assert_array_equal(export_lab.colorized(L, *tf.zeros((2, 1, 1, 256))), levels)


def test_colours_in_gamut_come_back():
    rgb_u8 = np.random.default_rng(1).integers(0, 256, (1, 100, 100, 3), np.uint8)
    lab = color.rgb_to_lab(color.rgb_from_u8(rgb_u8))
    found = np.asarray(export_lab.colorized(*tf.unstack(lab, axis=-1)))
    assert np.abs(found.astype(int) - rgb_u8).max() <= 1


def test_colours_out_of_gamut_keep_their_hue_and_lose_at_most_a_64th_too_much():
    rng = np.random.default_rng(2)
    lab = np.concatenate([rng.uniform(5, 95, (5000, 1)), rng.uniform(-150, 150, (5000, 2))], axis=1).astype("float32")
    share = np.asarray(export_lab.gamut_share((lab[:, 0] + 16) / 116, lab[:, 1], lab[:, 2]))
    chroma = np.linalg.norm(lab[:, 1:], axis=1)
    expected = np.linalg.norm(np.asarray(clip_chroma(lab))[:, 1:], axis=1)
    assert np.all(share * chroma <= expected + 1e-3)
    assert np.all(share * chroma >= expected - chroma / 2**export_lab.BISECTIONS - 1e-3)


@pytest.mark.parametrize("multiple", [None, 8])
@pytest.mark.parametrize("size", [(64, 64), (90, 60), (33, 300), (500, 31), (1, 7), (5, 1), (1, 1), (48, 33)])
def test_frames_are_those_of_the_colorizer(size, multiple):
    whole = FrameGeometry.of(*size, 32, multiple)
    late = FrameGeometry.of(tf.constant(size[0]), tf.constant(size[1]), 32, multiple)
    expected = frame_photo(np.zeros((*size, 3), np.uint8), 32, multiple)
    assert (whole.rows, whole.columns) == scaled_size(*size, 32, multiple)
    assert (whole.padded_rows, whole.padded_columns) == expected.shape
    for name, value in vars(late).items():
        assert int(value) == getattr(whole, name), name


@pytest.mark.parametrize("lengths", [(100, 20, 20), (7, 20, 32), (50, 3, 16), (9, 1, 4), (1, 1, 1)])
def test_rows_of_the_resampling_matrix_are_means(lengths):
    matrix = np.asarray(resampling(*lengths))
    assert matrix.shape == (lengths[2], lengths[0])
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)


def test_the_border_mirrors_the_content():
    length, content, padded = 24, 6, 12
    framed = np.asarray(resampling(length, content, padded))
    plain = np.asarray(resampling(length, content, content))
    np.testing.assert_allclose(framed, np.pad(plain, ((3, 3), (0, 0)), mode="reflect"), atol=1e-6)


@pytest.mark.parametrize("name", ["unet_gan", "vivid", "gan_rgb"])
def test_the_graph_is_the_colorizer(name):
    colorizer = small_colorizer(name)
    graph = ColorGraph(colorizer)
    assert graph.multiple == colorizer.multiple
    colorize = tf.function(
        lambda image: graph.colorize(image),
        autograph=False,
        input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)],
    )
    for photo in photos():
        assert apart(colorize(photo[None])[0].numpy(), colorizer(photo)) < 1.5


def test_the_network_in_any_size_has_the_colorizers_numbers():
    colorizer = small_colorizer("vivid")
    graph = ColorGraph(colorizer)
    L = np.random.default_rng(0).uniform(0, 100, (2, 32, 48, 1)).astype("float32")
    any_size = tf.TensorSpec((None, None, None, 1))
    chroma = tf.function(lambda L: graph.chroma(Inputs(L)), autograph=False, input_signature=[any_size])
    np.testing.assert_allclose(chroma(L), colorizer.predict_ab(Inputs(L)), atol=1e-3)


def test_strips_join_without_a_seam(monkeypatch):
    monkeypatch.setattr("keras_colorize.export.graph.STRIP_PIXELS", 500)
    graph = ColorGraph(small_colorizer("vivid"))
    batch = np.stack([photos()[1], photos()[1][::-1]])
    whole, strips = np.asarray(graph.colorize(batch)), np.asarray(graph.colorize_in_strips(batch))
    assert strips.shape == whole.shape
    assert np.count_nonzero(strips != whole) < 0.002 * whole.size  # sums in another order tip a rounding here and there


def test_vividness_is_an_input():
    graph = ColorGraph(small_colorizer("vivid"))
    photo = photos()[0][None]
    pale, own, strong = (np.ptp(graph.colorize(photo, tf.constant(v)), axis=-1).mean() for v in (0.0, 1.0, 2.0))
    assert pale < own < strong
