"""Spaces and their inputs: what `split` gives goes back through `merge`; scales, and the photo's own lightness."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_colorize.color.inputs import Inputs
from keras_colorize.color.lab import rgb_to_lab
from keras_colorize.color.spaces import get_space
from keras_colorize.errors import ColorizeError
from tests.conftest import colorful_photo

RGB = np.stack([colorful_photo(seed) for seed in range(3)]).astype("float32") / 255


@pytest.mark.parametrize("name", ["lab", "rgb", "rgb01"])
def test_the_target_merges_back_into_the_photo(name):
    space = get_space(name)
    inputs, target = space.split(RGB)
    assert space.condition(inputs).shape == (*RGB.shape[:3], space.condition_channels)
    assert target.shape == (*RGB.shape[:3], space.target_channels)
    np.testing.assert_allclose(space.merge(inputs, target), RGB, atol=2e-4)
    np.testing.assert_allclose(space.colorize(inputs, target), RGB, atol=2e-4)
    lab = np.asarray(rgb_to_lab(RGB))
    np.testing.assert_allclose(inputs.lightness, lab[..., :1], atol=1e-3)
    np.testing.assert_allclose(space.chroma(inputs, target), lab[..., 1:], atol=2e-2)
    np.testing.assert_array_equal(space.target_chroma(target), space.chroma(inputs, target))


@pytest.mark.parametrize(("name", "black", "white"), [("lab", -1, 1), ("rgb", -1, 1), ("rgb01", 0, 1)])
def test_units_of_the_condition(name, black, white):
    ends = np.zeros((1, 1, 2, 3), "float32")
    ends[0, 0, 1] = 1
    space = get_space(name)
    condition = space.condition(space.split(ends)[0])
    np.testing.assert_allclose(np.asarray(condition)[0, 0, 0], black, atol=1e-5)
    np.testing.assert_allclose(np.asarray(condition)[0, 0, 1], white, atol=1e-5)


def test_lab_scale_is_110():
    red = np.float32([[[[1, 0, 0]]]])
    _, target = get_space("lab").split(red)
    np.testing.assert_allclose(np.asarray(target)[0, 0, 0], [80.0925 / 110, 67.2032 / 110], atol=1e-4)


def test_rgb_keeps_the_photos_lightness_whatever_the_network_paints():
    space = get_space("rgb")
    inputs, target = space.split(RGB)
    painted = ops.clip(target * 0.6 + 0.2, -1, 1)
    L = np.asarray(rgb_to_lab(space.colorize(inputs, painted)))[..., 0]
    in_gamut = np.abs(L - np.asarray(rgb_to_lab(RGB))[..., 0]) < 0.5
    assert in_gamut.mean() > 0.8  # the rest left the sRGB gamut
    assert np.abs(np.asarray(rgb_to_lab(space.merge(inputs, painted)))[..., 0] - L).mean() > 3


def test_unknown_space():
    with pytest.raises(ColorizeError, match="did you mean 'rgb'"):
        get_space("rbg")


def test_inputs_are_a_structure_that_keras_and_graphs_walk_through():
    photos = [Inputs(np.full((4, 6, 1), L, "float32")) for L in (20, 80)]
    stacked = Inputs.stack(photos)
    assert stacked.lightness.shape == (2, 4, 6, 1)
    np.testing.assert_array_equal(stacked.lightness[:, 0, 0, 0], [20, 80])
    shapes = keras.tree.map_structure(lambda field: None if field is None else np.shape(field), stacked)
    assert shapes == stacked.map(np.shape) == Inputs((2, 4, 6, 1))
    halved = tf.function(lambda inputs: inputs.map(lambda field: field / 2), autograph=False)(stacked)
    assert isinstance(halved, Inputs)
    np.testing.assert_array_equal(halved.lightness, stacked.lightness / 2)
