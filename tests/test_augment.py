"""Augmentation: every photo on its own, nothing lost, seeded."""

import keras
import numpy as np

from keras_colorize.data.augment import (
    augment_photos,
    random_crops,
    random_flips,
    random_quarter_turns,
    random_zooms,
    uniform_noise,
)
from keras_colorize.recipes import Augment

PHOTO = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
BATCH = np.repeat(PHOTO[None], 400, axis=0)


def share_of(batch, image):
    return np.mean([np.array_equal(photo, image) for photo in np.asarray(batch)])


def test_flips_mirror_half_of_the_photos_along_each_axis():
    flipped = random_flips(BATCH, keras.random.SeedGenerator(1), horizontal=True, vertical=False)
    assert 0.4 < share_of(flipped, PHOTO[:, ::-1]) < 0.6
    assert share_of(flipped, PHOTO) + share_of(flipped, PHOTO[:, ::-1]) == 1
    both = random_flips(BATCH, keras.random.SeedGenerator(1), horizontal=True, vertical=True)
    for image in (PHOTO, PHOTO[::-1], PHOTO[:, ::-1], PHOTO[::-1, ::-1]):
        assert 0.17 < share_of(both, image) < 0.33


def test_a_quarter_turns_each_way_and_half_stay_upright():
    turned = random_quarter_turns(BATCH, keras.random.SeedGenerator(2))
    shares = [share_of(turned, np.rot90(PHOTO, turns)) for turns in (-1, 0, 1, 2)]
    np.testing.assert_allclose(shares, [0.25, 0.5, 0.25, 0], atol=0.08)
    assert shares[3] == 0


def test_noise_is_uniform_in_its_range_and_centred():
    noise = np.asarray(uniform_noise(np.zeros((8, 64, 64, 1), "float32"), keras.random.SeedGenerator(3), 0.05))
    assert noise.min() < -0.0499
    assert noise.max() > 0.0499
    assert np.abs(noise).max() <= 0.05
    assert abs(noise.mean()) < 1e-3
    np.testing.assert_allclose(noise.std(), 0.05 / np.sqrt(3), rtol=0.02)


def test_dtype_is_kept_and_the_seed_decides():
    augment = Augment(flip_horizontal=True, flip_vertical=True, quarter_turns=True)
    first = np.asarray(augment_photos(BATCH, keras.random.SeedGenerator(5), augment))
    again = np.asarray(augment_photos(BATCH, keras.random.SeedGenerator(5), augment))
    other = np.asarray(augment_photos(BATCH, keras.random.SeedGenerator(6), augment))
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_nothing_asked_for_changes_nothing():
    none = Augment(flip_horizontal=False)
    assert np.array_equal(augment_photos(BATCH, keras.random.SeedGenerator(7), none), BATCH)


def test_crops_lie_anywhere_and_each_photo_has_its_own():
    cut = np.asarray(random_crops(BATCH, keras.random.SeedGenerator(3), 2))
    assert cut.shape == (400, 2, 2, 3) and cut.dtype == np.uint8
    windows = [PHOTO[i : i + 2, j : j + 2] for i in range(3) for j in range(3)]
    shares = [share_of(cut, window) for window in windows]
    assert sum(shares) == 1
    assert min(shares) > 0.05


def test_a_crop_margin_is_cut_off():
    assert augment_photos(BATCH, keras.random.SeedGenerator(0), Augment(crop_margin=1)).shape == (400, 3, 3, 3)


def test_a_zoom_of_one_is_the_photo_scaled_and_a_larger_one_shows_a_part_of_it():
    side, size = 24, 12
    ramp = np.broadcast_to(np.linspace(0, 230, side)[None, :, None], (side, side, 3)).round().astype("uint8")
    photos = np.repeat(ramp[None], 200, axis=0)
    whole = np.asarray(random_zooms(photos, keras.random.SeedGenerator(4), size, 1.0))
    assert whole.shape == (200, size, size, 3) and whole.dtype == np.uint8
    halves = ramp.reshape(side, size, 2, 3).mean(axis=2).reshape(size, 2, size, 3).mean(axis=1)
    np.testing.assert_allclose(whole[0].astype(int)[:, 1:-1], halves[:, 1:-1], atol=1)

    parts = np.asarray(random_zooms(photos, keras.random.SeedGenerator(4), size, 2.0)).astype(int)
    # The ramp's slope tells how wide the window is, its first value where it begins.
    widths = (parts[:, 0, -2, 0] - parts[:, 0, 1, 0]) / (whole[0, 0, -2, 0] - whole[0, 0, 1, 0])
    assert 0.45 < widths.min() < 0.55 and 0.95 < widths.max() < 1.05
    assert parts[:, 0, 0, 0].max() > 100
    assert parts[:, 0, -1, 0].min() < 140
    assert np.all(np.diff(parts[:, 0, :, 0], axis=1) > 0)


def test_zooms_of_a_flat_photo_keep_its_colour_up_to_the_edge():
    flat = np.full((50, 10, 10, 3), (255, 0, 77), np.uint8)
    zoomed = np.asarray(augment_photos(flat, keras.random.SeedGenerator(1), Augment(crop_margin=2, zoom=3.0)))
    assert zoomed.shape == (50, 8, 8, 3)
    assert np.array_equal(zoomed, np.broadcast_to(flat[:, :1, :1], zoomed.shape))


def test_each_photo_has_a_window_of_its_own_along_both_axes():
    rng = np.random.default_rng(0)
    photos = np.repeat(rng.integers(0, 256, (1, 16, 16, 3), np.uint8), 8, axis=0)
    zoomed = np.asarray(random_zooms(photos, keras.random.SeedGenerator(2), 8, 2.0))
    assert len({photo.tobytes() for photo in zoomed}) == 8
