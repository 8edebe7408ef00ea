"""Motion between frames, and chroma that moves with it."""

import numpy as np
import pytest

pytest.importorskip("cv2", reason="films need the extra `video`")

import cv2

from keras_colorize.video.motion import find_motion, follow
from keras_colorize.video.propagation import Opinion, Trail, propagate

HEIGHT, WIDTH = 72, 96


def texture(seed):
    """A smooth random picture, L (200, 260) in [10, 90]."""
    noise = np.random.default_rng(seed).uniform(0, 1, (40, 52)).astype(np.float32)
    return 10 + 80 * np.clip(cv2.resize(noise, (260, 200), interpolation=cv2.INTER_CUBIC), 0, 1)


def window(wide, x, y=40):
    return wide[y : y + HEIGHT, x : x + WIDTH]


def inner(field):
    return field[10:-10, 10:-10]


def test_the_flow_of_a_pan_is_its_motion():
    wide = texture(0)
    motion = find_motion(window(wide, 60), window(wide, 64, 42))
    assert np.abs(np.median(inner(motion.backward), axis=(0, 1)) - (4, 2)).max() < 0.1
    assert np.abs(np.median(inner(motion.forward), axis=(0, 1)) - (-4, -2)).max() < 0.1
    assert inner(motion.known).mean() > 0.8 and inner(motion.known_forward).mean() > 0.8
    assert motion.known[:, -3:].mean() < 0.35  # comes into view
    assert motion.exposure == pytest.approx(1, abs=0.02) and not motion.is_cut
    np.testing.assert_allclose(inner(follow(window(wide, 60), motion.backward)), inner(window(wide, 64, 42)), atol=12)


def test_a_change_of_exposure_is_no_motion():
    wide = texture(1)
    before, after = window(wide, 60), 0.8 * (window(wide, 62) + 16) - 16
    motion = find_motion(before, after)
    assert np.abs(np.median(inner(motion.backward), axis=(0, 1)) - (2, 0)).max() < 0.15
    assert motion.exposure == pytest.approx(0.8, abs=0.02)
    assert not motion.is_cut


def test_cuts_are_found_and_grain_is_none():
    shots = [window(texture(seed), 60) for seed in range(5)]
    for first in range(5):
        for second in range(5):
            assert find_motion(shots[first], shots[second]).is_cut == (first != second)
    grain = np.random.default_rng(0).normal(0, 4, (2, HEIGHT, WIDTH)).astype(np.float32)
    assert not find_motion(shots[0] + grain[0], shots[0] + grain[1]).is_cut
    dark = np.full((HEIGHT, WIDTH), 3, np.float32)
    assert not find_motion(dark, dark).is_cut


def opinions_on(lightness, noise=8.0, seed=0):
    """Opinions on a pan: chroma by lightness, with another error in each frame."""
    rng = np.random.default_rng(seed)
    before = None
    for L in lightness:
        ab = np.dstack([L - 50, 50 - L]) + rng.normal(0, noise, 2)
        motion = None if before is None else find_motion(before, L)
        yield Opinion(L, ab.astype(np.float32), None if motion is None or motion.is_cut else motion)
        before = L


def test_opinions_are_averaged_along_the_motion():
    lightness = [window(texture(2), 40 + 2 * number) for number in range(20)]
    opinions = list(opinions_on(lightness))
    shown = [trail.ab for _, trail in propagate(opinions)]
    truth = [np.dstack([L - 50, 50 - L]) for L in lightness]

    def steps(fields):
        """Mean change of a place from frame to frame, without that of the picture's motion."""
        apart = [inner(field - true).mean(axis=(0, 1)) for field, true in zip(fields, truth, strict=True)]
        return np.abs(np.diff(apart, axis=0)).mean()

    assert steps(shown) < 0.15 * steps([opinion.ab for opinion in opinions])
    assert np.abs(inner(shown[5] - truth[5])).mean() < 8


def test_no_colour_crosses_a_cut_and_a_frame_that_is_passed_over_changes_nothing():
    shots = [window(texture(seed), 40 + number) for seed in (3, 4) for number in range(6)]
    opinions = list(opinions_on(shots, noise=0.0))
    assert [number for number, opinion in enumerate(opinions) if opinion.motion is None] == [0, 6]
    whole = [trail.ab for _, trail in propagate(opinions)]
    second = [trail.ab for _, trail in propagate(opinions[6:])]
    for together, alone in zip(whole[6:], second, strict=True):
        np.testing.assert_array_equal(together, alone)
    passed_over = Opinion(shots[2], None, None, "damaged")
    shown = list(propagate([*opinions[:3], passed_over, *opinions[3:]]))
    assert shown[3][0].subject == "damaged" and shown[3][1] is shown[2][1]
    np.testing.assert_array_equal(shown[4][1].ab, whole[3])


def test_a_trail_goes_on_where_it_was_kept():
    opinions = list(opinions_on([window(texture(5), 40 + number) for number in range(24)]))
    whole = [trail for _, trail in propagate(opinions)]
    kept = Trail.of(whole[9].arrays())
    for trail, again in zip(whole[10:], (each for _, each in propagate(opinions[10:], kept)), strict=True):
        np.testing.assert_array_equal(trail.ab, again.ab)
    assert Trail.of({}) is None
    assert whole[-1].count.max() <= 24
