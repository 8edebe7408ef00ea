"""The tables of the largest chroma: against the exact edge of the gamut, everywhere."""

import numpy as np
import pytest

from keras_colorize.color.gamut import clip_chroma
from keras_colorize.color.largest_chroma import (
    is_yellow,
    largest_chroma,
    light_in_gamut,
    linear_light,
    numpy_ops,
    shows,
    table_share,
)
from keras_colorize.inference import planes
from tests.gamut import bisected, in_gamut

CLOSE = 0.5  # CIE units of ab
# What grey itself passes 1 by, since the rows of the matrix do not sum to it exactly.
WHITE = 1e-4


def exact_edge(L, a, b):
    """Chroma at which rays of (a, b), of length 1, leave the gamut for the first time, in float64."""
    y = (L + 16.0) / 116.0

    def outside(chroma):
        light = linear_light(numpy_ops, y, y + chroma * a / 500.0, y - chroma * b / 200.0)
        return (np.min(light, axis=0) < 0.0) | (np.max(light, axis=0) > 1.0)

    low, high, left = np.zeros(L.shape), np.full(L.shape, 140.0), np.zeros(L.shape, bool)
    for chroma in np.arange(1.0, 140.0, 1.0):
        now = outside(chroma) & ~left
        high[now], low[~left & ~now] = chroma, chroma
        left |= now
    for _ in range(25):
        middle = (low + high) / 2.0
        beyond = outside(middle)
        high, low = np.where(beyond, middle, high), np.where(beyond, low, middle)
    return low


def grid():
    """L and unit vectors of hue: a dense grid, with more of dark and light colours, and as many random places."""
    rng = np.random.default_rng(0)
    L = np.concatenate([np.arange(0.05, 12, 0.23), np.arange(12, 90, 1.7), np.arange(90, 100, 0.31)])
    L, hue = np.meshgrid(L, np.radians(np.arange(0, 360, 0.7)))
    L = np.concatenate([L.ravel(), rng.uniform(0, 100, 30_000), rng.uniform(0, 12, 10_000)])
    # The corners of blue, red, green and magenta, where the edge is sharpest, more often than the rest.
    corners = np.radians(rng.choice([306, 300, 295, 40, 31, 25, 136, 141, 328], 15_000) + rng.normal(0, 1.5, 15_000))
    hue = np.concatenate([hue.ravel(), rng.uniform(0, 2 * np.pi, 25_000), corners])
    return L, np.cos(hue), np.sin(hue)


@pytest.fixture(scope="module")
def edge():
    L, a, b = grid()
    return L, a, b, exact_edge(L, a, b)


def asked(edge, times):
    """Colours beyond the edge, float32."""
    L, a, b, chroma = edge
    return [np.asarray(x, np.float32) for x in (L, times * (chroma + 1.0) * a, times * (chroma + 1.0) * b)]


@pytest.mark.parametrize("times", [1.0, 1.7, 6.0])
def test_colours_end_within_half_a_unit_of_the_edge_and_never_beyond_it(edge, times):
    L, a, b = asked(edge, times)
    fy = (L + np.float32(16.0)) / np.float32(116.0)
    light = np.stack(light_in_gamut(fy, a / np.float32(500.0), b / np.float32(-200.0)))
    assert light.min() >= -1.1e-6 and light.max() <= 1.0 + WHITE
    clipped = np.asarray(clip_chroma(np.stack([L, a, b], axis=-1)))
    assert np.all(in_gamut(clipped))
    np.testing.assert_array_equal(clipped[:, 0], L)
    found = np.hypot(clipped[:, 1], clipped[:, 2])
    # Where the edge jumps, towards bright yellow, a search may end at another part of it.
    smooth = ~is_yellow(numpy_ops, L, a, b)
    assert np.abs(found - edge[3])[smooth].max() < CLOSE
    turned = (clipped[:, 1] * b - clipped[:, 2] * a)[found > 1] / (found * np.hypot(a, b))[found > 1]
    assert np.abs(turned).max() < 1e-5, "the hue is kept"


def test_the_tables_are_the_bisection_to_half_a_unit():
    rng = np.random.default_rng(1)
    L = rng.uniform(0, 100, 40_000).astype(np.float32)
    a, b = rng.uniform(-128, 128, (2, 40_000)).astype(np.float32)
    clipped = np.asarray(clip_chroma(np.stack([L, a, b], axis=-1)))
    share = bisected(L, a, b)
    apart = np.hypot(clipped[:, 1] - share * a, clipped[:, 2] - share * b)
    # The bisection itself ends up to 1/1024 of the chroma below the edge.
    assert np.all(apart <= CLOSE + np.hypot(a, b) / 1024)
    np.testing.assert_array_equal(clipped[share == 1.0, 1], a[share == 1.0])


def test_few_colours_need_the_search(edge):
    L, a, b = asked(edge, 2.0)
    share = table_share(numpy_ops, largest_chroma(), L, a, b)
    y = (L + 16) / 116
    shown = shows(numpy_ops, linear_light(numpy_ops, y, y + share * a / 500, y - share * b / 200))
    assert np.mean(shown[(L < 80) & (L > 0.5)]) > 0.98


def test_exported_graphs_lose_little_more():
    rng = np.random.default_rng(2)
    L = rng.uniform(1, 99, 20_000).astype(np.float32)
    a, b = rng.uniform(-150, 150, (2, 20_000)).astype(np.float32)
    smooth = ~is_yellow(numpy_ops, L, a, b)
    coarse, fine = (table_share(numpy_ops, largest_chroma(number), L, a, b) for number in (planes.COARSENESS, 1))
    lost = (fine - coarse) * np.hypot(a, b)
    assert np.abs(lost[smooth]).max() < 3 and np.abs(lost[smooth]).mean() < 0.02
    light = np.stack([np.asarray(channel) for channel in planes.light_in_gamut(L, a, b)])
    assert light[:, smooth].min() > -2e-3 and light[:, smooth].max() < 1 + 2e-3


def test_what_is_no_colour_has_no_chroma_and_nan_stays_nan():
    values = np.array([[0, 50, 50], [100, 50, 50], [120, 1, 1], [-5, 1, 1], [50, np.nan, 0]], np.float32)
    clipped = np.asarray(clip_chroma(values))
    assert np.all(clipped[:4, 1:] == 0)
    assert np.isnan(clipped[4, 1])
