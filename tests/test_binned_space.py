"""The space of quantized chroma: decoding, its loss, and the trainer that uses both."""

import numpy as np
import pytest
import tensorflow as tf

from keras_colorize.color.bins import packaged_bins
from keras_colorize.color.inputs import Inputs
from keras_colorize.color.spaces import BinnedLabSpace, get_space, space_of
from keras_colorize.errors import ColorizeError
from keras_colorize.recipes import Decoding, Recipe
from keras_colorize.training import build_stages
from keras_colorize.training.losses import rebalanced_cross_entropy
from tests.conftest import colorful_photo

RGB = colorful_photo(3, 32, 32)[None].astype("float32") / 255


def logits_of(ab: np.ndarray) -> np.ndarray:
    """Logits whose softmax is the soft target of each colour."""
    bins = packaged_bins()
    classes, weights = (np.asarray(part) for part in bins.corners(ab))
    shares = np.zeros((*ab.shape[:-1], len(bins)), "float32")
    np.put_along_axis(shares, classes, weights, axis=-1)
    return np.log(shares + 1e-12)


def test_a_perfect_prediction_gives_the_photo_back():
    space = BinnedLabSpace(Decoding(temperature=1.0))
    inputs, target = space.split(RGB)
    prediction = logits_of(np.asarray(target))
    np.testing.assert_allclose(space.chroma(inputs, prediction), target, atol=0.02)
    np.testing.assert_allclose(space.colorize(inputs, prediction), RGB, atol=5e-3)
    np.testing.assert_allclose(space.merge(inputs, prediction), RGB, atol=5e-3)
    np.testing.assert_array_equal(space.target_chroma(target), target)


def test_vividness_anneals_and_multiplies():
    space = BinnedLabSpace(Decoding(temperature=0.4, gain=1.5))
    bins = space.bins
    logits = np.full((1, 1, 1, len(bins)), -1e4, "float32")
    red = int(np.where((bins.centers == (60, 40)).all(axis=-1))[0][0])
    green = int(np.where((bins.centers == (-60, 40)).all(axis=-1))[0][0])
    logits[..., red], logits[..., green] = np.log(0.6), np.log(0.4)

    def a_at(vividness):
        return float(np.asarray(space.annealed_mean(logits, vividness))[0, 0, 0, 0])

    def expected(temperature):
        shares = np.array([0.6, 0.4]) ** (1 / temperature)
        return float(shares @ [60, -60] / shares.sum())

    assert a_at(0) == 0
    assert a_at(1) == pytest.approx(1.5 * expected(0.4), rel=1e-4)
    assert a_at(2) == pytest.approx(3.0 * expected(0.16), rel=1e-4)


def test_rebalancing_can_be_undone():
    bins = packaged_bins()
    logits = np.random.default_rng(2).normal(size=(1, 2, 2, len(bins))).astype("float32")
    plain = BinnedLabSpace(Decoding(temperature=1.0))
    undone = BinnedLabSpace(Decoding(temperature=1.0, undo_rebalancing=1.0), rebalancing=0.5)
    # What a network learns under weights w is p·w, up to a factor.
    weighted = logits + np.log(bins.class_weights(0.5))
    np.testing.assert_allclose(undone.annealed_mean(weighted), plain.annealed_mean(logits), atol=1e-3)
    assert np.abs(np.asarray(plain.annealed_mean(weighted)) - np.asarray(plain.annealed_mean(logits))).max() > 1


def test_a_cast_below_one_keeps_that_share_of_each_photos_mean_chroma():
    logits = np.random.default_rng(3).normal(size=(2, 4, 6, len(packaged_bins()))).astype("float32") * 4
    whole = np.asarray(BinnedLabSpace(Decoding(gain=2.0)).annealed_mean(logits))
    less = np.asarray(BinnedLabSpace(Decoding(gain=2.0, cast=0.25)).annealed_mean(logits))
    means = whole.mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(less.mean(axis=(1, 2), keepdims=True), 0.25 * means, atol=1e-4)
    np.testing.assert_allclose(less - 0.25 * means, whole - means, atol=1e-4)
    assert np.abs(means[0] - means[1]).max() > 0.5


def test_expected_chroma_gives_an_unsure_photo_more_gain_than_a_sure_one():
    bins = packaged_bins()
    red = int(np.where((bins.centers == (60, 40)).all(axis=-1))[0][0])
    green = int(np.where((bins.centers == (-60, 40)).all(axis=-1))[0][0])
    logits = np.full((2, 3, 3, len(bins)), -1e4, "float32")
    logits[0, ..., red] = 0.0  # sure
    logits[1, ..., red], logits[1, ..., green] = np.log(0.75), np.log(0.25)  # a mean of (30, 40), half as far as either
    plain = np.asarray(BinnedLabSpace(Decoding(temperature=1.0)).annealed_mean(logits))
    np.testing.assert_allclose(plain[1, 0, 0], (30, 40), atol=1e-3)
    for power in (0.5, 1.0):
        ab = np.asarray(BinnedLabSpace(Decoding(temperature=1.0, expected_chroma=power)).annealed_mean(logits))
        np.testing.assert_allclose(ab[0], plain[0], rtol=1e-4)
        np.testing.assert_allclose(ab[1], plain[1] * (np.hypot(60, 40) / 50) ** power, rtol=1e-4)


def test_the_colour_that_a_hint_asks_for_comes_out_whatever_the_gain():
    space = BinnedLabSpace(Decoding(temperature=1.0, gain=1.6, cast=0.5, expected_chroma=1.0), hints=True)
    hints = np.zeros((2, 64, 64, 3), "float32")
    hints[0, 8:12, 20:24] = (40, -25, 1)
    hints[1, ::4, ::4] = (10, 30, 1)
    inputs = Inputs(np.full((2, 64, 64, 1), 50.0, "float32"), hints)
    shown = space.shown(inputs)
    np.testing.assert_array_equal(shown.hints[..., 2], hints[..., 2])
    assert np.hypot(*np.asarray(shown.hints)[0, 8, 20, :2]) < 0.85 * np.hypot(40, -25)
    np.testing.assert_allclose(np.asarray(shown.hints)[1, 0, 0, :2], (10, 30), rtol=1e-3)  # little is left to guess
    # A network that paints the hint where it is and grey elsewhere.
    ab = np.asarray(shown.hints)[0, 8:12, 20:24, :2].mean(axis=(0, 1))
    seen = np.zeros((1, 16, 16, 2), "float32")
    seen[0, 2, 5] = ab
    first = Inputs(inputs.lightness[:1], hints[:1])
    painted = np.asarray(space.annealed_mean(logits_of(seen), 1.0, space._unknown(first)))[0, 2, 5]
    np.testing.assert_allclose(painted, (40, -25), rtol=0.02)
    bare = Inputs(inputs.lightness)
    assert space.shown(bare) is bare


def test_chroma_comes_at_the_size_of_the_inputs():
    space = BinnedLabSpace()
    logits = np.random.default_rng(0).normal(size=(2, 4, 6, len(space.bins))).astype("float32")
    assert space.chroma(Inputs(tf.zeros((2, 16, 24, 1))), logits).shape == (2, 16, 24, 2)


def test_the_loss_is_the_dense_cross_entropy():
    bins = packaged_bins()
    rng = np.random.default_rng(1)
    target = rng.uniform(-40, 40, (2, 8, 8, 2)).astype("float32")
    logits = rng.normal(size=(2, 4, 4, len(bins))).astype("float32")
    small = target.reshape(2, 4, 2, 4, 2, 2).mean(axis=(2, 4))
    shares = np.exp(logits_of(small).astype("float64"))
    log_probability = logits - np.log(np.exp(logits.astype("float64")).sum(axis=-1, keepdims=True))
    for rebalancing in (0.0, 0.5):
        weights = (shares * bins.class_weights(rebalancing)).sum(axis=-1)
        expected = -(weights * (shares * log_probability).sum(axis=-1)).mean(axis=(1, 2))
        np.testing.assert_allclose(rebalanced_cross_entropy(bins, rebalancing)(target, logits), expected, rtol=1e-4)


def test_a_recipe_gives_its_space_its_decoding():
    space = space_of(Recipe.load("vivid", ["decoding.temperature=0.25"]))
    assert isinstance(space, BinnedLabSpace) and space.decoding.temperature == 0.25
    assert space.target_channels == 309
    assert type(space_of(Recipe.load("unet_skip"))) is type(get_space("rgb"))


@pytest.mark.parametrize("override", ["space=lab", "loss.reconstruction=l1"])
def test_space_and_loss_need_each_other(override):
    with pytest.raises(ColorizeError, match="need each other"):
        Recipe.load("vivid", [override])


def test_training_learns_the_colors_of_one_photo():
    recipe = Recipe.load("vivid").with_values(
        **{
            "generator.args": {"filters": [8, 8, 16, 16], "blocks": [0, 1, 1, 1]},
            "data.image_size": 32,
            "augment.crop_margin": 4,
            "augment.flip_horizontal": False,
            "augment.zoom": 1.0,
            "augment.noise": 0.0,
            "decoding.gain": 1.0,
            "decoding.cast": 1.0,
            "optimizer.warmup_steps": 5,
            "optimizer.average": 0.9,
            "runtime.precision": "float32",
        }
    )
    (stage,) = build_stages(recipe)
    stage.set_steps_per_epoch(3)
    photos = tf.constant(np.stack([colorful_photo(5, 36, 36)] * 4))
    trainer = stage.trainer
    step = tf.function(trainer.train_step, autograph=False)
    before = float(trainer.test_step(photos[:, :32, :32])["ab_mae"])
    for _ in range(120):
        step(photos)
    for metric in trainer.metrics:
        metric.reset_state()
    with trainer.averaged_generator():
        after = float(trainer.test_step(photos[:, :32, :32])["ab_mae"])
    assert after < 0.6 * before
