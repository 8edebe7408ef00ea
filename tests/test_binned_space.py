"""The space of quantized chroma: decoding, its loss, and the trainer that uses both."""

import numpy as np
import pytest
import tensorflow as tf

from keras_colorize.color.bins import packaged_bins
from keras_colorize.color.inputs import Inputs
from keras_colorize.color.spaces import LEAST_DISTANCE, BinnedLabSpace, get_space, space_of
from keras_colorize.errors import ColorizeError
from keras_colorize.recipes import Decoding, Recipe
from keras_colorize.training import build_stages
from keras_colorize.training.callbacks import WeightAveraging
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
    space = BinnedLabSpace(Decoding(temperature=0.4))
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
    assert a_at(1) == pytest.approx(expected(0.4), rel=1e-4)
    assert a_at(2) == pytest.approx(2.0 * expected(0.16), rel=1e-4)


def test_rebalancing_can_be_undone():
    bins = packaged_bins()
    logits = np.random.default_rng(2).normal(size=(1, 2, 2, len(bins))).astype("float32")
    plain = BinnedLabSpace(Decoding(temperature=1.0))
    undone = BinnedLabSpace(Decoding(temperature=1.0, undo_rebalancing=1.0), rebalancing=0.5)
    # What a network learns under weights w is p·w, up to a factor.
    weighted = logits + np.log(bins.class_weights(0.5))
    np.testing.assert_allclose(undone.annealed_mean(weighted), plain.annealed_mean(logits), atol=1e-3)
    assert np.abs(np.asarray(plain.annealed_mean(weighted)) - np.asarray(plain.annealed_mean(logits))).max() > 1


def test_a_lift_moves_colours_from_their_mean_by_the_variance_of_the_distribution():
    bins = packaged_bins()
    red, green, blue = (
        int(np.where((bins.centers == ab).all(axis=-1))[0][0]) for ab in ((60, 40), (-60, 40), (20, -60))
    )
    logits = np.full((2, 1, 4, len(bins)), -1e4, "float32")
    logits[:, :, :2, red] = logits[:, :, 2:, blue] = 0.0
    logits[1, ..., green] = np.log(0.25)  # the second photo might be green everywhere; the first is sure
    plain = np.asarray(BinnedLabSpace(Decoding(temperature=1.0)).annealed_mean(logits))
    lifted = np.asarray(BinnedLabSpace(Decoding(temperature=1.0, lift=0.01)).annealed_mean(logits))
    np.testing.assert_allclose(lifted[0], plain[0], atol=1e-3)
    # Variance of a choice between two colours d apart, with shares 0.8 and 0.2: 0.16 d².
    variance = 0.16 * (120**2 + (80**2 + 100**2)) / 2
    away = plain[1] - plain[1].mean(axis=(0, 1))
    distance = np.sqrt(np.square(away).sum(axis=-1).mean() + LEAST_DISTANCE**2)
    np.testing.assert_allclose(lifted[1] - plain[1], 0.01 * variance / distance * away, rtol=1e-3, atol=1e-3)
    # The lift goes with what is left to guess.
    np.testing.assert_allclose(
        BinnedLabSpace(Decoding(temperature=1.0, lift=0.01)).annealed_mean(logits, 1.0, 0.0), plain, atol=1e-3
    )


@pytest.mark.parametrize("name", ["lab", "rgb", "binned_lab"])
def test_a_hint_comes_out_whatever_the_network_says(name):
    space = get_space(name, hints=True)
    hints = np.zeros((1, 32, 32, 3), "float32")
    hints[0, 4, 5] = (40, -25, 1)
    hints[0, 20:24, 20:24] = (-10, 30, 1)
    inputs = Inputs(np.full((1, 32, 32, 1), 50.0, "float32"), hints)
    inputs.lightness[:, :, 28:] = 90.0
    side = 8 if name == "binned_lab" else 32
    prediction = np.random.default_rng(0).normal(0, 0.3, (1, side, side, space.target_channels)).astype("float32")
    bare = np.asarray(space.chroma(Inputs(inputs.lightness), prediction))[0]
    ab = np.asarray(space.chroma(inputs, prediction))[0]
    np.testing.assert_allclose(ab[4, 5], (40, -25), atol=1e-3)
    np.testing.assert_allclose(ab[20:24, 20:24].mean(axis=(0, 1)), (-10, 30), atol=0.5)
    if name != "binned_lab":  # there the lift depends on the hints
        # What looks different is left alone.
        np.testing.assert_allclose(ab[:, 28:], bare[:, 28:], atol=1e-4)
    # Hints fade with the rest, and are never stronger than asked.
    assert np.abs(space.chroma(inputs, prediction, 0.0)).max() < 1e-4
    np.testing.assert_allclose(np.asarray(space.chroma(inputs, prediction, 0.5))[0, 4, 5], (20, -12.5), atol=1e-3)
    np.testing.assert_allclose(np.asarray(space.chroma(inputs, prediction, 2.0))[0, 4, 5], (40, -25), atol=1e-3)


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


@pytest.mark.slow
def test_training_learns_the_colors_of_one_photo():
    recipe = Recipe.load("vivid").with_values(
        **{
            "generator.args": {"filters": [8, 16, 16], "blocks": [1, 1, 1], "width": 8},
            "data.image_size": 32,
            "augment.crop_margin": 4,
            "augment.flip_horizontal": False,
            "augment.borders": 0.0,
            "augment.aging": 0.0,
            "augment.hints": 0.0,
            "optimizer.learning_rate": 6e-3,
            "encoder_weights": "",
            "encoder_sha256": "",
            "decoding.lift": 0.0,
            "optimizer.warmup_steps": 5,
            "optimizer.average": 0.9,
            "runtime.precision": "float32",
        }
    )
    (stage,) = build_stages(recipe)
    stage.set_steps_per_epoch(3)
    photos = tf.constant(np.stack([colorful_photo(5, 36, 36)] * 4))
    trainer = stage.trainer
    WeightAveraging(recipe.optimizer.average).set_model(trainer)
    step = tf.function(trainer.train_step, autograph=False)
    before = float(trainer.test_step(photos[:, :32, :32])["ab_mae"])
    for _ in range(120):
        step(photos)
    for metric in trainer.metrics:
        metric.reset_state()
    with trainer.averaged_generator():
        after = float(trainer.test_step(photos[:, :32, :32])["ab_mae"])
    assert after < 0.6 * before
