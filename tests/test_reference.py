"""References: a photo takes on the palette of another one."""

import numpy as np
import pytest
from PIL import Image

from keras_colorize.batch.folder import colorize_folder
from keras_colorize.batch.plan import FolderSettings, plan_jobs
from keras_colorize.color.bins import packaged_bins
from keras_colorize.color.lab import lab_to_rgb, rgb_from_u8, rgb_to_lab, rgb_to_u8
from keras_colorize.errors import ColorizeError
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.frame import frame_photo
from keras_colorize.inference.hints import Hint
from keras_colorize.inference.reference import (
    Places,
    ReferencePhoto,
    colors_like,
    make_reference,
    match_places,
    palette_of,
    palette_weights,
)
from keras_colorize.models.networks import build_generator
from keras_colorize.recipes import Recipe
from tests.colorizing import fails, grey_photo, hint_colorizer, save_grey
from tests.conftest import colorful_photo
from tests.test_versions import BLUE, GREEN, RED, TwoFields, class_of, two_fields_frame


@pytest.fixture(scope="module")
def colorizer():
    return hint_colorizer()


def places_of(vectors):
    count = len(vectors)
    features = np.asarray(vectors, "float32")
    return Places(np.arange(count) * 5, np.zeros(count, int), 8, np.full(count, 50.0), (features,))


def two_colors(left, right):
    """A photo of the dark and the light half of `TwoFields`, in two colours: rgb_u8 (32, 64, 3)."""
    lab = np.empty((32, 64, 3), "float32")
    lab[:, :32], lab[:, 32:] = (46, *left), (66, *right)
    return np.asarray(rgb_to_u8(lab_to_rgb(lab)))


def test_the_palette_is_the_share_of_colours_in_each_class():
    bins = packaged_bins()
    palette = palette_of(np.array([[0.0, 0.0], [0.0, 0.0], [5.0, 0.0], [40.0, 40.0]]), bins)
    assert palette.sum() == pytest.approx(1)
    assert palette[class_of((0, 0))] == pytest.approx(0.625) and palette[class_of((10, 0))] == pytest.approx(0.125)
    assert palette[class_of((40, 40))] == pytest.approx(0.25)


def test_weights_give_a_distribution_the_palette_within_what_is_likely():
    bins = packaged_bins()
    red, blue, green = class_of(RED), class_of(BLUE), class_of((-60, 60))
    shares = np.full((50, len(bins)), 1e-9)
    shares[:, red], shares[:, blue] = 0.8, 0.2
    palette = np.zeros(len(bins))
    palette[[red, blue, green]] = 0.3, 0.5, 0.2
    logits = np.log(shares)
    weighted = np.exp(logits + palette_weights(logits, palette, bins))
    weighted /= weighted.sum(axis=1, keepdims=True)
    found = weighted.mean(axis=0)
    assert found[blue] / found[red] == pytest.approx(0.5 / 0.3, rel=0.1)
    assert found[green] < 1e-6, "green is likely nowhere"


def test_places_that_look_alike_get_the_colour_of_their_counterpart():
    reference = ReferencePhoto(np.zeros((3, 2)), places_of(np.eye(3)), np.array([RED, BLUE, GREEN]))
    colors, sureness = match_places(places_of(np.eye(3)[[2, 0, 1]]), reference)
    np.testing.assert_allclose(colors, [GREEN, RED, BLUE], atol=0.1)
    assert (sureness > 0.9).all()


def test_places_that_look_like_nothing_get_no_colour():
    reference = ReferencePhoto(np.zeros((2, 2)), places_of(np.eye(4)[:2]), np.array([RED, BLUE]))
    _, sureness = match_places(places_of(np.eye(4)), reference)
    assert (sureness > 0).tolist() == [True, True, False, False]


def test_places_whose_counterparts_have_many_colours_get_none():
    reference = ReferencePhoto(
        np.zeros((4, 2)), places_of(np.eye(2)[[0, 0, 1, 1]]), np.array([RED, BLUE, GREEN, GREEN])
    )
    colors, sureness = match_places(places_of(np.eye(2)), reference)
    assert sureness[0] == 0 and sureness[1] > 0
    np.testing.assert_allclose(colors[1], GREEN, atol=0.1)


@pytest.mark.parametrize(("left", "right"), [(RED, BLUE), (BLUE, RED)])
def test_what_looks_alike_gets_the_same_colours(left, right):
    network = TwoFields(red=0.5)
    pixels = two_colors(left, right)
    reference = make_reference(network, pixels, frame_photo(pixels, 32, 16))
    ab = colors_like(network, two_fields_frame(), reference)
    assert ab.shape == (32, 64, 2)
    assert np.abs(ab[8:24, 8:24] - left).max() < 8 and np.abs(ab[8:24, 40:56] - right).max() < 8


def test_a_persons_hints_win():
    network = TwoFields(red=0.5)
    pixels = two_colors(RED, BLUE)
    reference = make_reference(network, pixels, frame_photo(pixels, 32, 16))
    ab = colors_like(network, two_fields_frame([Hint(10, 10, GREEN, 4)]), reference)
    assert np.abs(ab[10, 10] - GREEN).max() < 1
    assert np.abs(ab[8:24, 40:56] - BLUE).max() < 8


def test_the_colours_come_nearer_to_the_references(colorizer):
    fresh = Colorizer(build_generator(colorizer.recipe, image_size=32), colorizer.recipe)  # is sure of nothing
    for number in range(2):
        photo, reference = grey_photo(number, 48, 48), colorful_photo(number + 10, 40, 48) // np.uint8([1, 1, 4])
        plain, like = (fresh(photo[..., None].repeat(3, -1), **more) for more in ({}, {"reference": reference}))
        before, after = (sliced_distance(chroma_of(rgb), chroma_of(reference)) for rgb in (plain, like))
        assert after < 0.9 * before


def sliced_distance(colors, others):
    """The sliced Wasserstein distance of two clouds of ab (n, 2), CIE units."""
    angles = np.arange(16) * np.pi / 16
    axes, shares = np.stack([np.cos(angles), np.sin(angles)]), np.linspace(0.005, 0.995, 100)
    lines = [np.quantile(cloud @ axes, shares, axis=0) for cloud in (colors, others)]
    return np.abs(lines[0] - lines[1]).mean()


def chroma_of(rgb_u8):
    return np.asarray(rgb_to_lab(rgb_from_u8(rgb_u8)))[..., 1:].reshape(-1, 2)


def test_a_reference_is_made_once_and_serves_photos_of_every_kind(colorizer):
    reference = colorizer.reference(Image.fromarray(colorful_photo(3)))
    photos = np.stack([grey_photo(number) for number in (1, 2)])
    together = colorizer(photos, reference=reference)
    np.testing.assert_array_equal(together[1], colorizer(photos[1], reference=colorful_photo(3)))
    assert not np.array_equal(together[1], colorizer(photos[1]))
    assert not colorizer(photos[1], reference=reference, vividness=0).std(axis=-1).any()


def test_networks_without_hints_take_references_too():
    recipe = hint_colorizer().recipe.with_values(hints=False)
    plain = Colorizer(build_generator(recipe, image_size=32), recipe)
    assert not np.array_equal(plain(grey_photo(), reference=colorful_photo(3)), plain(grey_photo()))


@pytest.mark.parametrize("reference", [grey_photo(), np.dstack([grey_photo()] * 3)])
def test_a_grey_reference_is_refused(colorizer, reference):
    with pytest.raises(ColorizeError, match="the reference is grey: expected a photo in colour"):
        colorizer(grey_photo(), reference=reference)


def test_a_network_without_a_distribution_takes_no_reference():
    recipe = Recipe.load("unet_skip", ["data.image_size=32", "generator.args={filters=[4,8,8,8,8]}"])
    colorizer = Colorizer(build_generator(recipe, image_size=32), recipe)
    with pytest.raises(ColorizeError, match="predicts no distribution of colours, so it takes no reference"):
        colorizer(grey_photo(), reference=colorful_photo(3))


def test_one_reference_serves_a_folder(colorizer, tmp_path, monkeypatch):
    save_grey(*(tmp_path / "in" / name for name in ("a.png", "b.png")))
    Image.fromarray(colorful_photo(3)).save(tmp_path / "reference.png")
    made = []
    reference = Colorizer.reference
    monkeypatch.setattr(Colorizer, "reference", lambda *arguments: made.append(arguments) or reference(*arguments))
    settings = FolderSettings(reference=tmp_path / "reference.png")
    results = list(colorize_folder(colorizer, tmp_path / "in", tmp_path / "out", settings))
    assert len(made) == 1 and all(result.error is None for result in results)
    for name in ("a.png", "b.png"):
        expected = colorizer(tmp_path / "in" / name, reference=colorful_photo(3))
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / name)), expected)


def test_samples_and_a_reference_exclude_each_other():
    with pytest.raises(ColorizeError, match="give one of the two"):
        FolderSettings(samples=2, reference="a.jpg")


def test_a_reference_that_does_not_exist_is_refused_before_the_work(tmp_path):
    save_grey(tmp_path / "a.png")
    with pytest.raises(ColorizeError, match=r"`reference` 'nowhere\.jpg' is no file"):
        plan_jobs([tmp_path / "a.png"], tmp_path / "out", FolderSettings(reference="nowhere.jpg"))


def test_the_command_refuses_a_reference_on_a_runner(tmp_path, capsys):
    save_grey(tmp_path / "a.png")
    said = fails(
        capsys, tmp_path / "a.png", "--out", tmp_path / "out", "--runner", "DirectRunner", "--reference", "b.jpg"
    )
    assert "--reference does not go with --runner" in said
