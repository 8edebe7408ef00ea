"""Losses against their formulas in NumPy."""

import numpy as np
import pytest

from keras_colorize.training.losses import ADVERSARIAL, l1, l2

LOGITS = np.random.default_rng(0).normal(0, 3, (4, 5, 5, 1)).astype("float32")


def sigmoid(z):
    return 1 / (1 + np.exp(-z.astype("float64")))


@pytest.mark.parametrize("real", [True, False])
def test_vanilla_is_binary_cross_entropy(real):
    probability = sigmoid(LOGITS) if real else 1 - sigmoid(LOGITS)
    expected = -np.log(probability).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(ADVERSARIAL["vanilla"](LOGITS, real=real), expected, rtol=1e-5)


@pytest.mark.parametrize(("real", "goal"), [(True, 1), (False, 0)])
def test_lsgan_is_the_squared_distance(real, goal):
    expected = np.square(LOGITS - goal).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(ADVERSARIAL["lsgan"](LOGITS, real=real), expected, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(ADVERSARIAL))
def test_wild_logits_stay_finite(name):
    wild = np.float32([[[[1e4]]], [[[-1e4]]]])
    for real in (True, False):
        assert np.isfinite(ADVERSARIAL[name](wild, real=real)).all()


def test_reconstruction_losses_are_per_photo():
    target = np.zeros((3, 2, 2, 2), "float32")
    prediction = target + np.float32([0, 0.5, -2])[:, None, None, None]
    np.testing.assert_allclose(l1(target, prediction), [0, 0.5, 2])
    np.testing.assert_allclose(l2(target, prediction), [0, 0.25, 4])
