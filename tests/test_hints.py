"""Hints: drawn in training, drawn into frames, seen by networks that take them and refused by the others."""

import keras
import numpy as np
import pytest

from keras_colorize.color.hints import spread_hints
from keras_colorize.color.inputs import Inputs
from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab
from keras_colorize.color.spaces import get_space
from keras_colorize.data.hints import HintPlaces, paint_hints, random_places, recolor_things
from keras_colorize.errors import ColorizeError
from keras_colorize.images import Picture
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.frame import frame_photo
from keras_colorize.inference.hint_files import HintSet
from keras_colorize.inference.hints import Hint
from keras_colorize.models.networks import build_generator
from keras_colorize.recipes import Recipe
from keras_colorize.training import build_stages
from tests.colorizing import hint_colorizer
from tests.conftest import colorful_photo

SIZE = 32


def small_recipe(**more):
    recipe = Recipe.from_dict(
        {
            "name": "small",
            "space": "lab",
            "generator": {"name": "unet_maxpool", "args": {"filters": [4, 8, 8, 8]}},
            "data": {"image_size": SIZE, "batch_size": 4},
            "hints": True,
        }
    )
    return recipe.with_values(**more)


def seed():
    return keras.random.SeedGenerator(5)


def places(rows, columns, radius, active, recolored=0.0):
    """Return the places of one photo's hints."""
    return HintPlaces(*np.float32([[rows], [columns], [radius], [active]]), np.float32([[recolored]]))


def random_hints(ab, **options):
    return np.asarray(paint_hints(ab, random_places(np.shape(ab)[:3], seed(), **options)))


def test_a_painted_hint_is_the_mean_colour_of_its_square():
    ab = np.random.default_rng(0).uniform(-60, 60, (1, 12, 10, 2)).astype("float32")
    hints = np.asarray(paint_hints(ab, places([4], [9], [1], [1])))[0]
    covered = np.zeros((12, 10), bool)
    covered[3:6, 8:10] = True  # cut off by the photo's edge
    np.testing.assert_array_equal(hints[..., 2], covered)
    np.testing.assert_allclose(hints[covered][:, :2], np.tile(ab[0][covered].mean(axis=0), (6, 1)), rtol=1e-5)
    assert not hints[~covered].any()


def test_hints_that_overlap_are_averaged_and_inactive_ones_leave_nothing():
    ab = np.random.default_rng(0).uniform(-60, 60, (1, 8, 8, 2)).astype("float32")
    hints = np.asarray(paint_hints(ab, places([2, 2, 6], [2, 3, 6], [0, 1, 0], [1, 1, 0])))[0]
    square = ab[0, 1:4, 2:5].mean(axis=(0, 1))
    np.testing.assert_allclose(hints[2, 2, :2], (ab[0, 2, 2] + square) / 2, rtol=1e-5)
    np.testing.assert_allclose(hints[3, 4, :2], square, rtol=1e-5)
    assert hints[..., 2].sum() == 9


def test_random_hints_follow_their_distribution():
    ab = np.ones((400, 16, 16, 2), "float32") * (30, -20)
    hints = random_hints(ab, share=0.5, mean=8.0, patch=1, most=256)
    counts = hints[..., 2].sum(axis=(1, 2))  # single pixels; a few coincide
    assert 0.42 < (counts > 0).mean() < 0.58
    given = counts[counts > 0]
    assert 4 <= np.median(given) <= 9
    assert given.max() > 60  # some photos have very many
    np.testing.assert_allclose(hints[hints[..., 2] > 0], np.tile((30, -20, 1), (int(counts.sum()), 1)), rtol=1e-5)
    again = random_hints(ab, share=0.5, mean=8.0, patch=1, most=256)
    np.testing.assert_array_equal(hints, again)


def test_patches_have_odd_sides_up_to_the_largest():
    ab = np.zeros((300, 31, 31, 2), "float32")
    hints = random_hints(ab, share=1.0, mean=1.0, patch=9, most=1)[..., 2]
    middle = hints[(hints[:, 0].sum(axis=1) == 0) & (hints[:, -1].sum(axis=1) == 0)]
    sides = set(np.sqrt(middle[:, :, 4:-4].sum(axis=(1, 2))).round(3).tolist())
    assert {1.0, 3.0, 5.0, 7.0, 9.0} <= sides


def test_no_share_means_no_hints():
    assert not random_hints(np.ones((8, 8, 8, 2)), share=0.0, mean=8.0, patch=9, most=16).any()


def striped(colors, size=64):
    """Return L (1, S, S, 1) and ab (1, S, S, 2) of upright stripes of the same width."""
    stripes = np.repeat(np.float32(colors), size // len(colors), axis=0)
    lab = np.tile(stripes, (size, 1, 1))[None]
    return lab[..., :1], lab[..., 1:]


def test_recoloring_changes_the_thing_under_the_hint_and_no_other():
    # The third stripe is like the first, but does not hang together with it.
    L, ab = striped([(60, 30, 10), (30, -10, 20), (60, 30, 10), (60, -40, 0)])
    new = np.asarray(recolor_things(L, ab, places([20], [8], [0], [1], recolored=1.0), seed()))
    change = (new - ab)[0]
    assert np.hypot(*change[20, 8]) > 5
    np.testing.assert_allclose(change[:, :14], np.broadcast_to(change[20, 8], (64, 14, 2)), atol=1e-3)
    np.testing.assert_allclose(change[:, 18:], 0, atol=1e-3)


def test_recolored_textures_keep_their_differences():
    L, ab = striped([(60, 30, 10), (60, 33, 8)])
    new = np.asarray(recolor_things(L, ab, places([20], [8], [0], [1], recolored=1.0), seed()))
    np.testing.assert_allclose(new[0, 5, 5] - new[0, 5, 60], ab[0, 5, 5] - ab[0, 5, 60], atol=1e-3)


def test_other_photos_keep_their_colours():
    L, ab = striped([(60, 30, 10), (30, -10, 20)])
    np.testing.assert_array_equal(recolor_things(L, ab, places([20], [8], [0], [1]), seed()), ab)


def test_the_share_of_recolored_photos_is_of_those_with_hints():
    drawn = random_places((1000, 64, 64), seed(), share=0.6, mean=8.0, patch=1, most=64, recolored=0.5)
    recolored, count = np.asarray(drawn.recolored)[:, 0], np.asarray(drawn.active).sum(axis=1)
    assert set(recolored) == {0.0, 1.0} and not recolored[count == 0].any()
    assert 0.25 < recolored.mean() < 0.35
    assert np.median(count[recolored == 1]) <= 2 < np.median(count[(recolored == 0) & (count > 0)])


def test_a_trainer_learns_the_new_colour_that_the_hint_shows():
    recipe = small_recipe(**{"augment.hints": 1.0, "augment.hint_recolor": 1.0, "augment.hint_patch": 1})
    trainer = build_stages(recipe)[0].trainer
    photos = np.stack([colorful_photo(n, SIZE, SIZE) for n in range(4)])
    inputs, target = trainer.space.split(rgb_from_u8(photos))
    seen, changed = trainer.disturb(inputs, target)
    assert np.abs(changed - target).max(axis=(1, 2, 3)).min() > 0.01
    hints, ab = np.asarray(seen.hints), np.asarray(trainer.space.target_chroma(changed))
    at = hints[..., 2] == 1
    np.testing.assert_allclose(hints[at][:, :2], ab[at], atol=1e-3)


@pytest.mark.parametrize("name", ["lab", "rgb", "rgb01", "binned_lab"])
def test_a_target_of_given_chroma_is_that_of_the_photo(name):
    space = get_space(name)
    inputs, target = space.split(colorful_photo(3, 8, 8)[None] / np.float32(255))
    np.testing.assert_allclose(space.target(inputs, space.target_chroma(target)), target, atol=2e-4)


@pytest.mark.parametrize("name", ["lab", "rgb", "rgb01", "binned_lab"])
def test_a_space_with_hints_has_three_more_channels(name):
    plain, space = get_space(name), get_space(name, hints=True)
    inputs, _ = space.split(colorful_photo(3, 8, 8)[None] / np.float32(255))
    assert space.condition_channels == plain.condition_channels + 3
    hints = np.zeros((1, 8, 8, 3), "float32")
    hints[0, 2, 3] = 55.0, -22.0, 1.0
    condition = np.asarray(space.condition(inputs._replace(hints=hints)))
    np.testing.assert_array_equal(condition[..., :-3], plain.condition(inputs))
    np.testing.assert_allclose(condition[0, 2, 3, -3:], (0.5, -0.2, 1.0), rtol=1e-6)
    nothing = np.asarray(space.condition(inputs))
    np.testing.assert_array_equal(nothing[..., :-3], plain.condition(inputs))
    assert not nothing[..., -3:].any()
    with pytest.raises(ColorizeError, match="takes no hints"):
        plain.condition(inputs._replace(hints=hints))


def test_inputs_without_hints_are_mapped_and_stacked():
    one = Inputs(np.ones((4, 4, 1)))
    assert one.map(lambda field: field * 2).hints is None
    assert Inputs.stack([one, one]).hints is None
    hinted = Inputs.stack([one._replace(hints=np.ones((4, 4, 3)))] * 2)
    assert hinted.lightness.shape == (2, 4, 4, 1) and hinted.hints.shape == (2, 4, 4, 3)


def ab_of(rgb_u8):
    return np.asarray(rgb_to_lab(rgb_from_u8(np.array(rgb_u8, np.uint8))))[1:]


@pytest.mark.parametrize(
    ("color", "rgb_u8"),
    [
        ("#b22222", (178, 34, 34)),
        ("#B22", (187, 34, 34)),
        (" FireBrick", (178, 34, 34)),
        ("rebeccapurple", (102, 51, 153)),
    ],
)
def test_a_color_stands_for_its_a_and_b(color, rgb_u8):
    hint = Hint(1, 2, color)
    np.testing.assert_allclose(hint.ab, ab_of(rgb_u8), atol=1e-4)
    assert hint == Hint(1.0, np.int64(2), color.strip().lower())


def test_neutral_and_greys_are_no_color_and_a_pair_is_itself():
    assert Hint(0, 0, "neutral").ab == (0, 0)
    np.testing.assert_allclose([Hint(0, 0, name).ab for name in ("white", "grey", "#000")], 0, atol=0.05)
    assert Hint(0, 0, np.float32([3.5, -22])).ab == (3.5, -22.0) == Hint(0, 0, [3.5, -22]).color
    assert hash(Hint(0, 0, [3.5, -22])) == hash(Hint(0, 0, (3.5, -22.0)))


def test_a_radius_is_by_default_a_share_of_the_shorter_side():
    assert Hint(0, 0, "red").radius_in(3000, 4000) == pytest.approx(45)
    assert Hint(0, 0, "red", 7).radius_in(3000, 4000) == 7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((1, 1, "firebrik"), "the hint at x 1, y 1 has the `color` 'firebrik'; did you mean 'firebrick'? (expected"),
        ((1, 1, "#12345"), "the hint at x 1, y 1 has the `color` '#12345' (expected '#b22222', '#b22', a CSS name"),
        ((1, 1, "rgb(1,2,3)"), "has the `color` 'rgb(1,2,3)'"),
        ((1, 1, 7), "has the `color` 7: expected '#b22222'"),
        ((1, 1, (1, 2, 3)), "has the `color` (1, 2, 3): expected"),
        ((1, 1, (np.nan, 2)), "has the `color` (nan, 2): expected"),
        ((1, 1, (300, 2)), "has the `color` (300, 2): expected a and b in CIE units, from -128 to 128"),
        ((1, 1, "red", -1), "the hint at x 1, y 1 has the `radius` -1: expected 0 or more"),
        ((1, 1, "red", np.inf), "`radius` of a hint is inf: expected a finite number"),
        ((np.nan, 1, "red"), "`x` of a hint is nan: expected a finite number"),
        ((1, "1", "red"), "`y` of a hint is '1': expected a finite number"),
        ((1, True, "red"), "`y` of a hint is True: expected a finite number"),
    ],
)
def test_a_hint_that_cannot_be_is_refused_in_one_line(arguments, said):
    with pytest.raises(ColorizeError) as refused:
        Hint(*arguments)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_hint_is_drawn_where_its_place_lies_in_the_frame():
    photo = np.zeros((100, 200, 3), np.uint8)
    photo[20:30, 20:30] = 90
    frame = frame_photo(photo, 50, 16, [Hint(150, 40, (30, -10), 6)])
    rows, columns = np.nonzero(frame.inputs.hints[..., 2])
    # Half the size, in the middle of the padding.
    assert abs(rows.mean() - frame.rows.start - 20) < 0.6 and abs(columns.mean() - frame.columns.start - 75) < 0.6
    assert 20 <= len(rows) <= 36  # a disc of a radius of 3
    assert (frame.inputs.hints[rows, columns] == (30, -10, 1)).all()
    assert frame_photo(photo, 50, 16).inputs.hints is None


def test_a_frame_takes_other_hints_without_being_made_anew():
    photo = colorful_photo(1, 100, 200)
    first, second = [Hint(150, 40, "red")], [Hint(20, 10, "blue", 9), Hint(60, 60, "neutral")]
    frame = frame_photo(photo, 50, 16, first)
    other = frame.with_hints(second)
    np.testing.assert_array_equal(other.inputs.hints, frame_photo(photo, 50, 16, second).inputs.hints)
    assert other.inputs.lightness is frame.inputs.lightness
    assert other.with_hints([]).inputs.hints is None
    with pytest.raises(ColorizeError, match="x 200, y 0 lies outside the photo of 200×100 pixels"):
        frame.with_hints([Hint(200, 0, "red")])


def test_a_hint_smaller_than_a_pixel_of_the_frame_covers_one():
    hints = [Hint(7, 9, (5, 5), 0), Hint(399, 399, (1, 1), 0)]
    frame = frame_photo(np.zeros((400, 400, 3), np.uint8), 32, 16, hints)
    assert frame.inputs.hints[..., 2].sum() == 2
    assert frame.inputs.hints[frame.rows.stop - 1, frame.columns.stop - 1, 2] == 1


def test_a_hint_in_a_plain_border_has_no_effect():
    scan = np.full((120, 120, 3), 255, np.uint8)
    scan[20:100, 20:100] = colorful_photo(1, 80, 80) // 2
    frame = frame_photo(scan, 40, 16, [Hint(4, 60, (50, 50), 2)])
    assert frame.picture != (slice(0, 120), slice(0, 120))
    assert not frame.inputs.hints.any()


@pytest.mark.parametrize("place", [(20, 5), (-1, 5), (3, 10), (3, -0.6)])
def test_a_hint_outside_the_photo_is_refused(place):
    frame_photo(np.zeros((10, 20), np.uint8), 32, 16, [Hint(19.5, -0.5, "red")])  # its corner
    said = f"the hint at x {place[0]}, y {place[1]} lies outside the photo of 20×10 pixels: expected x from 0 to 19"
    with pytest.raises(ColorizeError, match=said):
        frame_photo(np.zeros((10, 20), np.uint8), 32, 16, [Hint(*place, "red")])


def test_a_colorizer_gives_hints_to_a_network_that_takes_them():
    recipe = small_recipe()
    colorizer = Colorizer(build_generator(recipe, image_size=SIZE), recipe)
    photo = colorful_photo(2, 40, 60)
    plain, hinted = colorizer(photo), colorizer(photo, hints=[Hint(30, 20, (60, 40), 8)])
    assert plain.shape == hinted.shape == photo.shape
    assert np.abs(plain.astype(int) - hinted).max() > 0
    frames = [colorizer.frame(photo, [Hint(30, 20, (60, 40), 8)]), colorizer.frame(photo)]
    hinted_ab, plain_ab = colorizer.predict(frames)  # of one shape, with and without hints
    np.testing.assert_array_equal(plain_ab, colorizer.predict(frames[1:])[0])
    assert np.abs(hinted_ab - plain_ab).max() > 0


def test_photos_of_a_batch_and_pictures_have_hints_of_their_own():
    colorizer = hint_colorizer()
    photos = np.stack([colorful_photo(seed, 40, 60) for seed in range(3)])
    red, blue = [Hint(30, 20, "red", 8)], HintSet([Hint(0.5, 0.5, "blue", 0.2)], 1, 1)
    for hints, each in (([red, blue, []], [red, blue, []]), (red, [red] * 3), (blue, [blue] * 3)):
        expected = [colorizer(photo, hints=own) for photo, own in zip(photos, each, strict=True)]
        np.testing.assert_allclose(colorizer(photos, hints=hints), expected, atol=1)
        pictures = colorizer.colorize_pictures([Picture(photo) for photo in photos], hints=hints)
        np.testing.assert_allclose([picture.pixels for picture in pictures], expected, atol=1)
    assert np.abs(colorizer(photos[0], hints=red).astype(int) - colorizer(photos[0], hints=blue)).max() > 2
    for hints, said in (([red, blue], "hints came for 2 photos"), ([[], [], [Hint(60, 1, "red")]], "x 60, y 1 lies")):
        with pytest.raises(ColorizeError, match=said):
            colorizer(photos, hints=hints)


def test_a_network_that_takes_no_hints_refuses_them_in_one_line():
    recipe = small_recipe(hints=False)
    colorizer = Colorizer(build_generator(recipe, image_size=SIZE), recipe)
    with pytest.raises(ColorizeError, match="'small' takes no hints") as refused:
        colorizer(colorful_photo(2, 40, 60), hints=[Hint(1, 1, (5, 5))])
    assert "\n" not in str(refused.value)


def test_a_recipe_that_trains_with_hints_must_take_them():
    with pytest.raises(ColorizeError, match="takes none"):
        small_recipe(**{"hints": False, "augment.hints": 0.5})


def test_training_shows_hints_to_the_network_and_validation_does_not():
    recipe = small_recipe(**{"augment.hints": 1.0, "augment.noise": 0.1, "augment.flip_horizontal": False})
    trainer = build_stages(recipe)[-1].trainer
    photos = np.stack([colorful_photo(n, SIZE, SIZE) for n in range(4)])
    inputs, condition, _ = trainer.prepare(photos, training=True)
    mask = np.asarray(condition)[..., -1] > 0
    assert mask.any(axis=(1, 2)).all()
    assert inputs.hints is None
    # Where hints are single pixels they are the target itself; everywhere they are its mean.
    given = np.asarray(condition)[..., 1:3][mask] * 110
    assert np.abs(given - np.asarray(rgb_to_lab(rgb_from_u8(photos)))[..., 1:][mask]).mean() < 25
    assert not np.asarray(trainer.prepare(photos, training=False)[1])[..., 1:].any()
    before = [np.array(weight) for weight in trainer.generator.get_weights()]
    trainer.train_step(photos)
    assert any((a != b).any() for a, b in zip(before, trainer.generator.get_weights(), strict=True))


def one_hint(row, column, ab, size=64):
    hints = np.zeros((1, size, size, 3), "float32")
    hints[0, row - 1 : row + 2, column - 1 : column + 2] = *ab, 1.0
    return hints


def test_an_error_at_a_hint_is_taken_off_what_looks_like_it():
    L = np.full((1, 64, 64, 1), 40.0, "float32")
    L[:, :, 32:] = 70.0
    L[:, :8] = 70.0  # near as well, but lighter
    ab = np.full((1, 64, 64, 2), 10.0, "float32")
    change = np.asarray(spread_hints(ab, one_hint(20, 20, (40.0, -10.0)), L))[0] - 10.0
    assert 0.8 < change[20, 20, 0] / 30.0 < 1.0 and 0.8 < change[20, 20, 1] / -20.0 < 1.0
    assert change[20, 30, 0] / 30.0 > 0.5  # as light
    np.testing.assert_allclose(change[20, 33:], 0.0, atol=1e-4)  # across the edge
    np.testing.assert_allclose(change[:8, 20], 0.0, atol=1e-4)
    assert np.abs(change[62, 20]).max() < 1.0  # far


def test_hints_that_the_network_follows_change_nothing():
    L = np.random.default_rng(0).uniform(0, 100, (1, 64, 64, 1)).astype("float32")
    ab = np.full((1, 64, 64, 2), 10.0, "float32")
    np.testing.assert_allclose(spread_hints(ab, one_hint(20, 20, (10.0, 10.0)), L), ab, atol=1e-4)


def test_of_two_hints_each_counts_where_it_is_near():
    L = np.full((1, 64, 64, 1), 40.0, "float32")
    hints = one_hint(32, 12, (20.0, 0.0)) + one_hint(32, 52, (-20.0, 0.0))
    spread = np.asarray(spread_hints(np.zeros((1, 64, 64, 2), "float32"), hints, L))[0, 32, :, 0]
    assert spread[12] > 15 and spread[52] < -15 and abs(spread[32]) < 0.01


def test_the_grid_stands_for_a_sum_over_the_pixels_of_hints():
    random = np.random.default_rng(1)
    L = random.uniform(0, 100, (1, 40, 48, 1)).astype("float32")
    ab = random.uniform(-30, 30, (1, 40, 48, 2)).astype("float32")
    hints = np.zeros((1, 40, 48, 3), "float32")
    for _ in range(12):
        hints[0, random.integers(40), random.integers(48)] = *random.uniform(-60, 60, 2), 1.0
    at = np.argwhere(hints[0, ..., 2] > 0)
    errors = (hints[..., :2] - ab)[0][tuple(at.T)]
    nodes = [np.arange(3.5, length, 8.0) for length in (40, 48)]
    expected = ab[0].astype("float64")
    tents = np.maximum(0, 1 - np.abs(L[0] / 12.5 - np.arange(9)))
    for row in range(40):
        for column in range(48):
            weights = np.ones(len(at))
            for place, pixels, along in ((row, at[:, 0], nodes[0]), (column, at[:, 1], nodes[1])):
                gauss = [np.exp(-0.5 * ((np.asarray(p)[..., None] - along) / 8.0) ** 2) for p in (place, pixels)]
                weights = weights * (gauss[1] @ gauss[0]) / np.sqrt(np.pi)
            weights *= tents[tuple(at.T)] @ tents[row, column]
            expected[row, column] += weights @ errors / (weights.sum() + 1.0)
    np.testing.assert_allclose(np.asarray(spread_hints(ab, hints, L))[0], expected, atol=1e-3)
