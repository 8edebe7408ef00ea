"""Bootstrap intervals against scipy's, against closed forms, and against how often they hold the truth."""

import math

import numpy as np
import pytest
import scipy.stats

from keras_colorize.metrics import PairedBootstrap


def skewed(seed: int, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Two systems on the same photos: values vary far more from photo to photo than from system to system."""
    rng = np.random.default_rng(seed)
    first = rng.gamma(1.5, 4.0, count)
    return first, first + rng.normal(0.4, 1.0, count)


def test_intervals_are_scipys():
    a, b = skewed(0)
    bootstrap = PairedBootstrap({"a": a, "b": b}, resamples=20_000)
    options = {"n_resamples": 20_000, "method": "BCa", "rng": np.random.default_rng(1)}
    expected = scipy.stats.bootstrap((a,), np.mean, **options).confidence_interval
    value, low, high = bootstrap.mean("a")
    assert value == pytest.approx(a.mean(), rel=1e-12)
    assert (low, high) == pytest.approx(expected, abs=0.03 * (high - low))
    expected = scipy.stats.bootstrap(
        (a, b), lambda x, y, axis: np.mean(x, axis) - np.mean(y, axis), paired=True, **options
    ).confidence_interval
    value, low, high = bootstrap.difference("a", "b")
    assert value == pytest.approx(a.mean() - b.mean(), rel=1e-12)
    assert (low, high) == pytest.approx(expected, abs=0.03 * (high - low))
    expected = scipy.stats.bootstrap(
        (a, b),
        lambda x, y, axis: np.abs(np.mean(x, axis) - 5) - np.abs(np.mean(y, axis) - 5),
        paired=True,
        **options,
    ).confidence_interval
    _, low, high = bootstrap.function(lambda x, y: np.abs(x - 5) - np.abs(y - 5), "a", "b")
    assert (low, high) == pytest.approx(expected, abs=0.05 * (high - low))


def test_pairing_finds_what_separate_intervals_hide():
    a, b = skewed(3)
    bootstrap = PairedBootstrap({"a": a, "b": b})
    _, low_a, high_a = bootstrap.mean("a")
    _, low_b, high_b = bootstrap.mean("b")
    assert low_b < high_a and low_a < high_b  # they overlap
    _, low, high = bootstrap.difference("b", "a")
    assert 0 < low < 0.4 < high < 1
    _, swapped_low, swapped_high = bootstrap.difference("a", "b")
    assert (swapped_low, swapped_high) == pytest.approx((-high, -low), rel=1e-6)


def test_intervals_hold_the_truth_as_often_as_they_say():
    held = {"mean": 0, "difference": 0}
    trials = 300
    for trial in range(trials):
        a, b = skewed(trial, count=60)
        bootstrap = PairedBootstrap({"a": a, "b": b}, resamples=800, seed=trial)
        _, low, high = bootstrap.mean("a")
        held["mean"] += low < 1.5 * 4.0 < high
        _, low, high = bootstrap.difference("b", "a")
        held["difference"] += low < 0.4 < high
    assert all(0.90 < count / trials < 0.985 for count in held.values()), held


def test_no_difference_is_significant_as_rarely_as_it_says():
    rng = np.random.default_rng(0)
    found = 0
    for trial in range(300):
        photos = rng.gamma(1.5, 4.0, 50)
        columns = {name: photos + rng.normal(0, 1, 50) for name in "ab"}
        _, low, high = PairedBootstrap(columns, resamples=600, seed=trial).difference("a", "b")
        found += low > 0 or high < 0
    assert found / 300 < 0.10


def test_a_seed_gives_the_same_numbers_and_chunks_do_not_matter(monkeypatch):
    a, b = skewed(0)
    first = PairedBootstrap({"a": a, "b": b}, seed=3, resamples=1000).difference("a", "b")
    assert PairedBootstrap({"a": a, "b": b}, seed=3, resamples=1000).difference("a", "b") == first
    assert PairedBootstrap({"a": a, "b": b}, seed=4, resamples=1000).difference("a", "b") != first
    monkeypatch.setattr("keras_colorize.metrics.bootstrap._CHUNK", 40 * 7)
    assert PairedBootstrap({"a": a, "b": b}, seed=3, resamples=1000).difference("a", "b") == pytest.approx(first)


def test_edge_cases():
    constant = PairedBootstrap({"a": np.full(30, 0.1), "b": np.full(30, 0.3)})
    assert constant.mean("a") == pytest.approx((0.1, 0.1, 0.1))
    assert constant.difference("a", "b") == pytest.approx((-0.2, -0.2, -0.2))
    a, _ = skewed(0)
    assert PairedBootstrap({"a": a, "b": a}).difference("a", "b") == (0, 0, 0)
    single = PairedBootstrap({"a": [3.0]}).mean("a")
    assert single[0] == 3 and all(map(math.isnan, single[1:]))
    broken = PairedBootstrap({"a": [1.0, np.nan, 2.0], "b": [1.0, 2.0, 4.0]})
    assert all(map(math.isnan, broken.mean("a")))
    assert broken.mean("b")[1] < 7 / 3 < broken.mean("b")[2]
    for wrong in ({}, {"a": []}, {"a": [1.0], "b": [1.0, 2.0]}, {"a": [[1.0]]}):
        with pytest.raises(ValueError, match="one N > 0"):
            PairedBootstrap(wrong)
