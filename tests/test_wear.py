"""Marks of age on training photos: only lightness changes, and borders are neutral."""

import keras
import numpy as np
import pytest

from keras_colorize.data.augment import augment_photos
from keras_colorize.data.wear import age_lightness, random_borders
from keras_colorize.recipes import Augment, Recipe
from keras_colorize.training import build_stages
from tests.conftest import colorful_photo


def seed(number=2):
    return keras.random.SeedGenerator(number)


def test_a_border_is_plain_and_neutral_and_leaves_the_rest_alone():
    photos = np.stack([colorful_photo(n, 50, 40) for n in range(64)])
    framed = np.asarray(random_borders(photos, seed(), share=1.0))
    assert framed.dtype == np.uint8
    tones = set()
    for before, after in zip(photos, framed, strict=True):
        changed = (before != after).any(axis=-1)
        assert (changed[15:35, 8:32] == 0).all()  # at most 12 % of a side
        if not changed.any():  # narrower than half a pixel
            continue
        (tone,) = np.unique(after[changed])  # one, and neutral
        tones.add(int(tone))
    assert len(tones) > 20
    assert any(tone < 10 for tone in tones) and any(tone > 245 for tone in tones)
    assert not any(10 < tone < 180 for tone in tones)


def test_shares_of_zero_change_nothing():
    photos = np.stack([colorful_photo(n, 32, 32) for n in range(4)])
    np.testing.assert_array_equal(random_borders(photos, seed(), share=0.0), photos)
    L = np.random.default_rng(0).uniform(0, 100, (4, 32, 24, 1)).astype("float32")
    np.testing.assert_allclose(age_lightness(L, seed(), share=0.0), L, atol=0.02)


def test_every_photo_ages_in_its_own_way_and_stays_lightness():
    y, x = np.mgrid[:36, :28]
    L = np.repeat((50 + 40 * np.sin(y / 5) * np.cos(x / 7))[None, ..., None], 32, axis=0).astype("float32")
    aged = np.asarray(age_lightness(L, seed(), share=0.7))
    assert aged.shape == L.shape and aged.dtype == np.float32
    assert aged.min() >= 0 and aged.max() <= 100
    assert len({photo.tobytes() for photo in aged}) == 32
    assert np.abs(aged - L).mean() > 2
    np.testing.assert_array_equal(aged, age_lightness(L, seed(), share=0.7))
    # What was lighter is lighter still, mostly: it is the same photo.
    assert all(np.corrcoef(one.ravel(), L[0].ravel())[0, 1] > 0.4 for one in aged)


def test_the_blocks_of_jpeg_show_in_a_slope():
    from keras_colorize.data.wear import _quantized_blocks

    slope = np.broadcast_to(np.linspace(20, 60, 40, dtype="float32")[None, None, :, None], (1, 20, 40, 1))
    blocky = np.asarray(_quantized_blocks(slope, np.full((1, 1, 1, 1), 60.0, "float32")))[0, 3, :, 0]
    steps = np.abs(np.diff(blocky))
    at_borders = np.arange(39) % 8 == 7
    assert steps[at_borders].mean() > 4 and steps[~at_borders].max() < 0.01
    assert np.abs(blocky - slope[0, 0, :, 0]).mean() < 6


def test_a_recipe_asks_for_borders():
    photos = np.stack([colorful_photo(n, 32, 32) for n in range(8)])
    framed = augment_photos(photos, seed(), Augment(flip_horizontal=False, borders=1.0))
    assert (np.asarray(framed) != photos).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("model", ["unet_skip", "vivid"])
def test_age_is_what_the_network_sees_and_not_what_it_learns(model):
    recipe = Recipe.load(model).with_values(
        **{
            "data.image_size": 64,
            "augment.aging": 1.0,
            "augment.noise": 0.0,
            "augment.zoom": 1.0,
            "augment.crop_margin": 0,
            "augment.flip_horizontal": False,
            "augment.quarter_turns": False,
        }
    )
    trainer = build_stages(recipe)[-1].trainer
    photos = np.stack([colorful_photo(n, 64, 64) for n in range(2)])
    inputs, condition, target = trainer.prepare(photos, training=True)
    plain_inputs, plain_condition, plain_target = trainer.prepare(photos, training=False)
    np.testing.assert_array_equal(inputs.lightness, plain_inputs.lightness)
    np.testing.assert_array_equal(target, plain_target)
    assert np.abs(np.asarray(condition) - np.asarray(plain_condition)).mean() > 0.02
