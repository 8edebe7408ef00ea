"""The exported graph computes what the Colorizer computes."""

import numpy as np
import pytest
import tensorflow as tf

from keras_colorize.color import lab as color
from keras_colorize.color.gamut import clip_chroma
from keras_colorize.color.inputs import Inputs
from keras_colorize.inference import planes
from keras_colorize.inference.frame import frame_photo, scaled_size
from keras_colorize.inference.geometry import FrameGeometry, resampling
from keras_colorize.inference.graph import ColorGraph
from keras_colorize.inference.hint_table import COLUMNS, draw_table, hint_table
from keras_colorize.inference.hints import Hint
from tests.exports import apart, photos, small_colorizer, some_hints
from tests.gamut import bisected


def test_lightness_is_that_of_the_color_module():
    rgb_u8 = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    expected = color.rgb_to_lab(color.rgb_from_u8(rgb_u8))[..., 0]
    np.testing.assert_allclose(planes.lightness(rgb_u8), expected, atol=1e-4)
    np.testing.assert_allclose(planes.lightness(rgb_u8, lookup=False), expected, atol=1e-4)


def test_every_grey_level_comes_back():
    levels = np.repeat(np.arange(256, dtype=np.uint8)[None, None, :, None], 3, axis=-1)
    L = planes.lightness(levels)
    np.testing.assert_array_equal(planes.colorized(L, *tf.zeros((2, 1, 1, 256))), levels)


def test_colours_in_gamut_come_back():
    rgb_u8 = np.random.default_rng(1).integers(0, 256, (1, 100, 100, 3), np.uint8)
    lab = color.rgb_to_lab(color.rgb_from_u8(rgb_u8))
    found = np.asarray(planes.colorized(*tf.unstack(lab, axis=-1)))
    assert np.abs(found.astype(int) - rgb_u8).max() <= 1


def test_colours_out_of_gamut_keep_their_hue_and_lose_at_most_a_64th_too_much():
    rng = np.random.default_rng(2)
    lab = np.concatenate([rng.uniform(5, 95, (5000, 1)), rng.uniform(-150, 150, (5000, 2))], axis=1).astype("float32")
    share = np.asarray(planes.gamut_share((lab[:, 0] + 16) / 116, lab[:, 1], lab[:, 2]))
    chroma = np.linalg.norm(lab[:, 1:], axis=1)
    expected = bisected(*lab.T) * chroma
    assert np.all(share * chroma <= expected + 1e-3)
    assert np.all(share * chroma >= expected - chroma / 2**planes.BISECTIONS - 1e-3)


def test_colours_out_of_gamut_are_the_colorizers():
    rng = np.random.default_rng(2)
    # Below L 80: above it, towards yellow, the edge of the gamut jumps, and only the Colorizer searches for it.
    lab = np.concatenate([rng.uniform(2, 80, (5000, 1)), rng.uniform(-150, 150, (5000, 2))], axis=1).astype("float32")
    found = np.asarray(planes.colorized(*tf.unstack(lab, axis=-1))).astype(float)
    expected = np.asarray(color.lab_to_rgb(clip_chroma(lab))) * 255
    assert np.abs(found - expected).mean() < 0.3
    assert np.quantile(np.abs(found - expected), 0.999) < 2.5


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


@pytest.mark.parametrize("size", [(3, 5, 40, 61), (12, 9, 12, 9), (8, 8, 5, 3), (1, 1, 4, 7)])
def test_maps_are_enlarged_bilinearly(size):
    rows, columns, height, width = size
    maps = np.random.default_rng(0).normal(size=(2, rows, columns, 4)).astype("float32")
    geometry = FrameGeometry(height, width, rows, columns, rows + 8, columns)
    found = np.stack(geometry.enlarged(maps), axis=-1)
    np.testing.assert_allclose(found, tf.image.resize(maps, (height, width)), atol=1e-5)


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
    monkeypatch.setattr("keras_colorize.inference.graph.STRIP_PIXELS", 500)
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


def random_hints(height, width, count=40, seed=0):
    """Hints at whole pixels, where edges of discs meet pixels, and at any places."""
    rng = np.random.default_rng(seed)
    whole = np.column_stack([rng.integers(0, (width, height), (count, 2)), rng.integers(0, 9, count)])
    any_place = rng.uniform(-0.5, (width - 0.5, height - 0.5, 0.3 * height), (count, 3))
    return [Hint(x, y, tuple(rng.uniform(-90, 90, 2)), abs(r)) for x, y, r in np.concatenate([whole, any_place])]


@pytest.mark.parametrize("multiple", [None, 8])
@pytest.mark.parametrize("size", [(64, 64), (90, 60), (96, 96), (33, 300), (1, 7), (21, 48), (512, 384)])
def test_a_table_is_drawn_as_the_colorizer_draws_hints(size, multiple):
    hints = random_hints(*size)
    expected = frame_photo(np.zeros((*size, 3), np.uint8), 32, multiple, hints).inputs.hints
    frame = FrameGeometry.of(*(tf.constant(side) for side in size), 32, multiple)
    draw = tf.function(lambda table: draw_table(table, frame), autograph=False)
    table = hint_table([hints, hints[:3]], *size)
    found = np.asarray(draw(table))
    np.testing.assert_allclose(found[0], expected, atol=2e-5)
    few = frame_photo(np.zeros((*size, 3), np.uint8), 32, multiple, hints[:3]).inputs.hints
    np.testing.assert_allclose(found[1], few, atol=2e-5)


def test_rows_that_are_not_used_and_hints_outside_the_photo_leave_nothing():
    frame = FrameGeometry.of(20, 30, 16, 8)
    rows = [[5, 5, 3, 40, 40, 0], [31, 5, 9, 40, 40, 1], [5, -2, 9, 40, 40, 1]]
    assert not np.asarray(draw_table(np.float32([rows]), frame)).any()
    assert not np.asarray(draw_table(np.zeros((1, 0, len(COLUMNS)), np.float32), frame)).any()


def test_a_hint_without_a_radius_has_the_default_one_in_a_table():
    assert hint_table([[Hint(3, 4, (5, 6))]], 200, 400).tolist() == [[[3, 4, 3, 5, 6, 1]]]


@pytest.mark.parametrize("name", ["vivid", "unet_gan"])
def test_the_graph_with_hints_is_the_colorizer(name):
    colorizer = small_colorizer(name, hints=True)
    graph = ColorGraph(colorizer)
    specs = [tf.TensorSpec((None, None, None, 3), tf.uint8), tf.TensorSpec((None, None, 6))]
    colorize = tf.function(
        lambda image, hints: graph.colorize(image, hints=hints), autograph=False, input_signature=specs
    )
    for photo in photos():
        hints = some_hints(*photo.shape[:2])
        table = hint_table([hints], *photo.shape[:2])
        found, expected = colorize(photo[None], table)[0].numpy(), colorizer(photo, hints=hints)
        assert apart(found, expected) < 1.5
        assert apart(expected, colorizer(photo)) > 2, "hints must matter"
        strips = graph.colorize_in_strips(photo[None], hints=table)[0].numpy()
        assert apart(strips, found) < 0.05
        assert apart(colorize(photo[None], 0 * table)[0].numpy(), colorizer(photo)) < 1.5


def test_a_core_has_the_distribution_of_its_ab():
    colorizer = small_colorizer("vivid", hints=True)
    space = colorizer.space
    rng = np.random.default_rng(0)
    L = rng.uniform(0, 100, (2, 32, 32, 1)).astype("float32")
    hints = frame_photo(np.zeros((32, 32), np.uint8), 32, None, some_hints(32, 32)).inputs.hints
    inputs = Inputs(L, np.stack([hints, 0 * hints]))
    found = ColorGraph(colorizer, square=True).core(*inputs, distribution=True)
    assert found["distribution"].shape == (2, *colorizer.generator.output_shape[1:])
    np.testing.assert_allclose(np.sum(found["distribution"], axis=-1), 1, atol=1e-5)
    logits = colorizer.generator(space.condition(inputs), training=False)
    again = space.annealed_mean(np.log(found["distribution"]) + space._excess, 1.0, space.unknown_share(inputs))
    np.testing.assert_allclose(again, space.annealed_mean(logits, 1.0, space.unknown_share(inputs)), atol=1e-2)
    np.testing.assert_allclose(found["ab"], colorizer.predict_ab(inputs), atol=1e-3)
