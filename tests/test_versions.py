"""Versions of a photo, drawn from the distribution of a network that takes hints."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from keras_colorize.batch import workers
from keras_colorize.batch.folder import colorize_folder
from keras_colorize.batch.plan import FolderSettings
from keras_colorize.color.bins import packaged_bins
from keras_colorize.color.spaces import BinnedLabSpace
from keras_colorize.errors import ColorizeError
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.distribution import Prediction, feature_maps, unit_vectors
from keras_colorize.inference.frame import frame_photo
from keras_colorize.inference.hints import Hint
from keras_colorize.inference.versions import draw_versions
from keras_colorize.models.networks import build_generator
from keras_colorize.recipes import Recipe
from tests.colorizing import grey_photo, hint_colorizer

RED, BLUE, GREEN = (30.0, 20.0), (0.0, -30.0), (-20.0, 20.0)  # shown at both lightnesses
STEP = 4


class TwoFields:
    """A network that knows a photo's dark left and its light right half, each of which is red, or else blue.

    A hint in a half tells it the colour of all of it.
    """

    def __init__(self, red: float) -> None:
        self.space = BinnedLabSpace(hints=True)
        self._red = red

    def predict(self, given, hints=None):
        hints = given.hints if hints is None else hints
        count, height, width, _ = given.lightness.shape
        shares = np.zeros((count, height // STEP, width // STEP, len(self.space.bins)), "float32")
        shares[..., class_of(RED)], shares[..., class_of(BLUE)] = self._red, 1 - self._red
        middle = width // STEP // 2
        for photo in range(count):
            for half in (slice(None, middle), slice(middle, None)):
                seen = np.zeros((0, 3)) if hints is None else hints[photo][:, scaled(half)].reshape(-1, 3)
                seen = seen[seen[:, 2] > 0]
                if len(seen):
                    shares[photo, :, half] = 0.0
                    shares[photo, :, half, class_of(seen[0, :2])] = 1.0
        features = np.zeros((count, height // STEP, width // STEP, 2), "float32")
        features[:, :, :middle, 0] = features[:, :, middle:, 1] = 1.0
        return Prediction(np.log(shares + 1e-12), shares, (features, features))

    def chroma(self, given, logits, vividness=1.0, hints=None):
        ab = np.exp(logits) @ self.space.bins.centers * vividness
        return ab.repeat(STEP, axis=1).repeat(STEP, axis=2)


def scaled(half):
    return slice(*(None if end is None else end * STEP for end in (half.start, half.stop)))


def class_of(color):
    return int(np.square(packaged_bins().centers - np.asarray(color)[:2]).sum(axis=-1).argmin())


def two_fields_frame(hints=()):
    photo = np.full((32, 64), 110, np.uint8)
    photo[:, 32:] = 160
    return frame_photo(photo, 32, 16, hints)


def colors_of(ab):
    """The classes of the left and of the right half, after asserting that each half is of one colour."""
    halves = []
    for half in (ab[:, :32], ab[:, 32:]):
        assert np.abs(half - half[0, 0]).max() < 0.01
        halves.append(class_of(half[0, 0]))
    return tuple(halves)


def test_each_version_gives_one_colour_to_what_belongs_together_and_none_is_like_another():
    versions = draw_versions(TwoFields(red=0.5), two_fields_frame(), 8, seed=3)
    assert len(versions) == 8
    colors = [colors_of(ab) for ab in versions]
    assert len(set(colors)) > 1
    assert len({left for left, _ in colors}) == 2 and len({right for _, right in colors}) == 2


def test_likely_versions_come_first():
    network = TwoFields(red=0.8)
    versions = draw_versions(network, two_fields_frame(), 12, seed=0)
    centers = network.space.bins.centers
    red_halves = [sum(centers[found][1] > 0 for found in colors_of(ab)) for ab in versions]
    assert red_halves == sorted(red_halves, reverse=True)
    assert len(set(red_halves)) > 1


def test_the_seed_decides_the_versions():
    one, again, other = (draw_versions(TwoFields(0.5), two_fields_frame(), 6, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_every_version_keeps_a_persons_hints():
    frame = two_fields_frame([Hint(10, 10, GREEN, 3)])
    versions = draw_versions(TwoFields(0.5), frame, 6, seed=0)
    colors = [colors_of(ab) for ab in versions]
    assert {left for left, _ in colors} == {class_of(GREEN)}
    assert len({right for _, right in colors}) == 2


def test_vividness_changes_all_versions_and_their_order_does_not():
    own, strong = (draw_versions(TwoFields(0.8), two_fields_frame(), 5, 0, vividness) for vividness in (1.0, 1.5))
    np.testing.assert_allclose(strong, 1.5 * np.asarray(own), rtol=1e-6)


@pytest.fixture(scope="module")
def colorizer():
    return hint_colorizer()


def test_the_first_sample_is_the_plain_result(colorizer):
    grey = grey_photo()
    first, *others = colorizer.samples(grey, 4, seed=5)
    np.testing.assert_array_equal(first, colorizer(grey))
    assert len({sample.tobytes() for sample in (first, *others)}) == 4
    np.testing.assert_array_equal(others, list(colorizer.samples(grey, 4, seed=5))[1:])
    assert not np.array_equal(others, list(colorizer.samples(grey, 4, seed=6))[1:])


def test_samples_take_hints(colorizer):
    grey, hints = grey_photo(), [Hint(20, 20, "firebrick", 6)]
    first, second = colorizer.samples(grey, 2, hints=hints)
    np.testing.assert_array_equal(first, colorizer(grey, hints=hints))
    assert not np.array_equal(second, list(colorizer.samples(grey, 2))[1])


def test_the_first_versions_of_a_seed_are_among_those_of_a_larger_count():
    few, many = (draw_versions(TwoFields(0.5), two_fields_frame(), count, seed=4) for count in (5, 20))
    assert len(many) == 20  # more than the network takes at once
    assert Counter(map(colors_of, few)) <= Counter(map(colors_of, many))


def test_a_network_that_takes_hints_but_predicts_no_distribution_has_one_answer():
    recipe = Recipe.from_dict(
        {
            "name": "small",
            "space": "lab",
            "hints": True,
            "generator": {"name": "unet_maxpool", "args": {"filters": [4, 8, 8, 8]}},
            "data": {"image_size": 32},
        }
    )
    with pytest.raises(ColorizeError, match="all its samples would be the same") as refused:
        Colorizer(build_generator(recipe, image_size=32), recipe).samples(grey_photo(), 2)
    assert "\n" not in str(refused.value)


def test_the_distribution_is_the_networks_own(colorizer):
    frame = colorizer.frame(grey_photo())
    given = frame.inputs.map(lambda field: field[None])
    prediction = colorizer.distribution.predict(given)
    np.testing.assert_allclose(prediction.shares.sum(axis=-1), 1.0, rtol=1e-4)
    plain = colorizer.predict([frame])[0]
    np.testing.assert_allclose(colorizer.distribution.chroma(given, prediction.logits)[0], plain, atol=1e-3)


def test_drawn_hints_leave_less_to_lift_and_are_not_obeyed(colorizer):
    given = colorizer.frame(grey_photo()).inputs.map(lambda field: field[None])
    drawn = np.zeros((*given.lightness.shape[:3], 3), "float32")
    drawn[:, :8, :8] = 30.0, 20.0, 1.0
    logits = colorizer.distribution.predict(given, drawn).logits
    assert np.abs(logits - colorizer.distribution.predict(given).logits).max() > 1e-3
    space = colorizer.space
    chroma = colorizer.distribution.chroma(given, logits, 1.0, drawn)
    unlifted = replace(space.decoding, lift=0.0)
    expected = BinnedLabSpace(unlifted, colorizer.recipe.loss.rebalancing, hints=True).chroma(given, logits)
    np.testing.assert_allclose(chroma, expected, atol=0.05)  # they cover a fifth of the photo
    assert np.abs(chroma - colorizer.distribution.chroma(given, logits)).max() > 0.5


def test_feature_maps_are_the_coarsest_the_one_before_and_the_last(colorizer):
    names = [features.shape[1:] for features in feature_maps(colorizer.generator)]
    assert [shape[0] for shape in names] == [2, 4, 8]
    assert names[-1][-1] == colorizer.generator.layers[-1].kernel.shape[2]


def test_places_with_the_same_features_are_alike():
    features = np.zeros((4, 6, 3), "float32")
    features[:, :3, 0] = features[:, 3:, 1] = 2.0
    vectors = unit_vectors([features, features[:, :, :2]], 4, 6)
    cosines = vectors.reshape(24, -1) @ vectors.reshape(24, -1).T
    same = np.equal.outer(np.arange(24) % 6 < 3, np.arange(24) % 6 < 3)
    np.testing.assert_allclose(cosines, np.where(same, 1.0, -1.0), atol=1e-4)


def test_a_folder_reads_and_draws_each_photo_once(colorizer, tmp_path, monkeypatch):
    read, framed = [], []
    read_pictures, frame = workers.read_pictures, type(colorizer).frame
    monkeypatch.setattr(workers, "read_pictures", lambda file, **more: read.append(file) or read_pictures(file, **more))
    monkeypatch.setattr(type(colorizer), "frame", lambda *arguments: framed.append(arguments) or frame(*arguments))
    Image.fromarray(grey_photo(3)).save(tmp_path / "a.png")
    list(colorize_folder(colorizer, tmp_path / "a.png", tmp_path / "out", FolderSettings(samples=3, seed=1)))
    assert len(read) == len(framed) == 1
    written = [np.asarray(Image.open(tmp_path / "out" / f"a-{number}.png")) for number in (1, 2, 3)]
    np.testing.assert_array_equal(written, list(colorizer.samples(tmp_path / "a.png", 3, seed=1)))


def test_pages_have_samples_of_their_own_and_samples_that_are_missing_are_made(colorizer, tmp_path):
    pages = [grey_photo(number) for number in (1, 2)]
    first, *others = map(Image.fromarray, pages)
    first.save(tmp_path / "a.tif", save_all=True, append_images=others)
    settings = FolderSettings(samples=3, resume=True)
    list(colorize_folder(colorizer, tmp_path / "a.tif", tmp_path / "out", settings))
    whole = (tmp_path / "out" / "a-3.tif").read_bytes()
    for number, page in enumerate(pages):
        expected = list(colorizer.samples(page, 3))[2]
        written = Image.open(tmp_path / "out" / "a-3.tif")
        written.seek(number)
        np.testing.assert_array_equal(written, expected)
    (tmp_path / "out" / "a-3.tif").unlink()
    (tmp_path / "out" / "a-1.tif").unlink()
    list(colorize_folder(colorizer, tmp_path / "a.tif", tmp_path / "out", settings))
    assert (tmp_path / "out" / "a-3.tif").read_bytes() == whole
