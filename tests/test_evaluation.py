"""Evaluation: the same photos for all, baselines beside them, what is chosen, compared, kept and written."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from keras_colorize.cli import main
from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab
from keras_colorize.data import Photo, Source
from keras_colorize.data.scan import load_split
from keras_colorize.errors import ColorizeError
from keras_colorize.evaluation import evaluate, find_systems
from keras_colorize.evaluation import evaluation as evaluation_module
from keras_colorize.evaluation.comparison import estimates, marks, per_class
from keras_colorize.evaluation.gallery import GalleryKeeper
from keras_colorize.evaluation.lookup import folder_for
from keras_colorize.evaluation.measurement import measure, true_hints
from keras_colorize.evaluation.output import write_files
from keras_colorize.evaluation.protocols import PROTOCOLS, Selection, choose, get_protocol
from keras_colorize.evaluation.results import GREY, MEAN_COLOR, OWN, TRUTH
from keras_colorize.evaluation.systems import FramedBatch, System, load_systems
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.frame import frame_photo
from keras_colorize.metrics import FeatureStatistics, ab_mae, entropy, psnr
from keras_colorize.models.networks import build_generator
from keras_colorize.models.weights import save_weights
from keras_colorize.recipes import Data, Recipe
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.log import RunLog
from tests.conftest import colorful_photo

TINY = {
    "unet_skip": "generator.args={filters=[8,8,8,8,8], skips=true}",
    "gan_lab": "generator.args={filters=[8,8,8,8,8], skips=true}",
}


def make_run(out: Path, model: str, photos: Path, *settings: str, seed: int = 0) -> RunFolder:
    """A run that was never trained: recipe, random weights, a short log."""
    recipe = Recipe.load(model, [TINY[model], "data.image_size=32", f"data.source='{photos}'", *settings])
    folder = RunFolder.create(out, recipe)
    keras.utils.set_random_seed(seed)
    save_weights(build_generator(recipe), folder.generator_weights)
    RunLog(folder.log_file, ["loss"]).append({"step": 1, "epoch": 1, "loss": 0.5})
    return folder


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """Photos in class folders: train and test, each with forest and sea, and a grey photo among the test's."""
    root = tmp_path_factory.mktemp("data") / "photos"
    for number in range(36):
        split = "test" if number < 20 else "train"
        folder = root / split / ("forest" if number % 2 else "sea")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(colorful_photo(number)).save(folder / f"{number:02d}.png")
    Image.fromarray(colorful_photo(99)).convert("L").save(root / "test" / "sea" / "99.png")
    return root


@pytest.fixture(scope="module")
def runs(tmp_path_factory, classes):
    """An RGB system and a Lab system, the second at twice the size."""
    out = tmp_path_factory.mktemp("runs")
    return [make_run(out, "unet_skip", classes), make_run(out, "gan_lab", classes, "data.image_size=64", seed=1)]


@pytest.fixture(scope="module")
def both(runs):
    return evaluate(runs, image_size=32, resamples=500)


def test_rows_stand_beside_grey_and_a_constant_colour(both):
    assert both.rows == [GREY, MEAN_COLOR, "unet_skip", f"unet_skip, {OWN}", "gan_lab", TRUTH]
    assert both.systems == ["unet_skip", "gan_lab"]
    assert len(both.photos) == 20 and both.photos == sorted(both.photos)
    means = both.means()
    assert means[GREY]["colorfulness"] == pytest.approx(0, abs=1)
    assert means[GREY]["ab_entropy"] == pytest.approx(0, abs=1e-6) == means[GREY]["ab_entropy_set"]
    # One colour, but very dark and very light pixels cannot show it.
    assert 0 <= means[MEAN_COLOR]["ab_entropy"] < 0.5 * means[TRUTH]["ab_entropy"]
    assert means[GREY]["ab_mae"] > 10
    assert set(means[TRUTH]) == {"colorfulness", "colorfulness_abs", "ab_entropy", "ab_entropy_set"}
    assert means["unet_skip"]["psnr"] > means[f"unet_skip, {OWN}"]["psnr"]
    for row in both.rows[:-1]:
        values = means[row]
        assert 0 <= values["pixel_accuracy_2"] <= values["pixel_accuracy_5"] <= 1
        assert values["ssim"] == pytest.approx(np.mean([values[f"ssim_{channel}"] for channel in "rgb"]), rel=1e-5)
        for name in ("colorfulness", "colorfulness_abs"):
            expected = abs(means[row][name] - means[TRUTH][name])
            assert values[f"delta_{name}"] == pytest.approx(expected, rel=1e-9)
        assert values["psnr"] == pytest.approx(both.per_photo[row]["psnr"].mean(), rel=1e-12)
        low, high = both.figures[row]["psnr"].low, both.figures[row]["psnr"].high
        assert low < values["psnr"] < high
        assert both.histograms[row].sum() == 20 * 32 * 32
        assert values["ab_entropy_set"] == pytest.approx(float(entropy(both.histograms[row])), rel=1e-6)
    assert set(both.per_class) == {"forest", "sea"}
    assert both.per_class["sea"].photos == 10
    assert both.curves["unet_skip"] == [{"step": 1, "epoch": 1, "loss": 0.5}]
    assert any("gan_lab 64×64" in remark for remark in both.remarks)


def photos_of(data, size, limit=None):
    """The test photos, rgb_u8 (N, size, size, 3)."""
    photos = load_split(choose(get_protocol("recipe"), data).photos, "test", image_size=size, limit=limit)
    return np.concatenate([batch.numpy() for batch in photos.evaluation_batches(7)])


def test_figures_are_those_of_the_functions(both, runs):
    """Both systems by hand: the Colorizer's pictures, and the functions of `metrics` on them."""
    for run, name in zip(runs, both.systems, strict=True):
        colorizer = Colorizer.from_run(run.path)
        truth_u8 = photos_of(run.recipe().data, 32)
        colored = np.stack([colorizer(photo) for photo in truth_u8])
        ab, truth_ab = (np.asarray(rgb_to_lab(rgb_from_u8(rgb_u8)))[..., 1:] for rgb_u8 in (colored, truth_u8))
        np.testing.assert_allclose(both.per_photo[name]["ab_mae"], ab_mae(truth_ab, ab), rtol=1e-5)
        np.testing.assert_allclose(both.per_photo[name]["psnr"], psnr(truth_u8, colored), rtol=1e-5)
        for index, picture in both.gallery.pictures[name].items():
            np.testing.assert_array_equal(picture, colored[index])
            np.testing.assert_array_equal(both.gallery.pictures[TRUTH][index], truth_u8[index])


# A generator for each space, with random weights that paint strong colours.
SPACES = {
    "lab": ("gan_lab", [TINY["gan_lab"]]),
    "rgb": ("unet_skip", [TINY["unet_skip"]]),
    "binned_lab": ("vivid", ["generator.args={filters=[8,16,16], width=8}"]),
}


@pytest.fixture(scope="module", params=["lab", "rgb", "binned_lab"])
def vivid_system(request):
    """A small untrained system of a space, for 32 pixels, that paints strong colours."""
    model, settings = SPACES[request.param]
    recipe = Recipe.load(model, [*settings, "data.image_size=32"])
    keras.utils.set_random_seed(1)
    generator = build_generator(recipe)
    for variable in generator.trainable_variables:
        if variable.path.endswith("kernel"):
            variable.assign(keras.random.normal(variable.shape, stddev=0.3, seed=len(variable.shape)))
    colorizer = Colorizer(generator, recipe)
    assert colorizer.space.name == request.param
    return System(recipe.name, colorizer)


@pytest.mark.parametrize("size", [32, 48, 27])
def test_evaluation_measures_the_pixels_that_a_user_gets(vivid_system, size):
    photos = np.stack([colorful_photo(seed, size, size) for seed in range(5)])
    photos[4, : size // 8] = photos[4, -(size // 8) :] = 255  # a border, which the network does not see
    measured = vivid_system.colorize(FramedBatch(photos))
    assert measured.dtype == np.uint8
    for photo, picture in zip(photos, measured, strict=True):
        np.testing.assert_array_equal(picture, vivid_system.colorizer(photo))
    assert np.ptp(measured.astype(int), axis=-1).mean() > 10, "the systems paint colours"


def test_the_baselines_have_the_same_finish(both):
    colorizer = Colorizer.from_run(both.about["run"] or both.about["systems"]["gan_lab"]["run"])
    for index, photo in both.gallery.pictures[TRUTH].items():
        grey = colorizer(photo, vividness=0.0)
        np.testing.assert_array_equal(both.gallery.pictures[GREY][index], grey)


def follower(size=32):
    """A system in Lab that paints the hints and nothing else."""
    condition = keras.Input((size, size, 4))
    recipe = Recipe.load("gan_lab", [f"data.image_size={size}", "hints=true"])
    return System("follower", Colorizer(keras.Model(condition, condition[..., 1:3] * 1.0), recipe))


def test_hints_are_true_colours_and_more_of_them_add_to_fewer():
    photo = colorful_photo(2, 40, 30)
    ab = np.asarray(rgb_to_lab(rgb_from_u8(photo)))[..., 1:]
    many = true_hints(photo, 20, [3, 5])
    assert many[:4] == true_hints(photo, 4, [3, 5]) != true_hints(photo, 4, [4, 5])
    frame = frame_photo(photo, 30, 1, many)
    hints = frame.inputs.hints[frame.rows, frame.columns]
    one = frame_photo(photo, 30, 1, many[:1]).inputs.hints[frame.rows, frame.columns]
    covered = one[..., 2] > 0
    assert covered.sum() in (4, 6, 9)
    np.testing.assert_allclose(one[covered][0, :2], ab[covered].mean(axis=0), rtol=1e-4)
    assert 60 < (hints[..., 2] > 0).sum() <= 180


@pytest.mark.slow
def test_a_system_that_takes_hints_is_given_them(classes):
    photos = load_split(choose(get_protocol("recipe"), Data(source=str(classes))).photos, "test", image_size=32)
    errors = [
        measure(photos, [follower()], (0.0, 0.0), hints=hints, seed=1).rows["follower"]["ab_mae"].mean()
        for hints in (0, 10, 200)
    ]
    grey = measure(photos, [follower()], (0.0, 0.0)).rows[GREY]["ab_mae"].mean()
    assert errors[0] == pytest.approx(grey, rel=1e-3)
    assert errors[1] < 0.97 * grey and errors[2] < 0.6 * errors[1]


@pytest.mark.parametrize("batch_size", [1, 7])
def test_nothing_depends_on_batches(both, runs, batch_size):
    other = evaluate(runs, image_size=32, resamples=500, batch_size=batch_size)
    for row, metrics in both.per_photo.items():
        for name, column in metrics.items():
            np.testing.assert_allclose(other.per_photo[row][name], column, rtol=1e-4, err_msg=f"{row} {name}")
    assert other.about["digest"] == both.about["digest"]
    assert other.gallery.random == both.gallery.random
    assert other.gallery.best == both.gallery.best and other.gallery.worst == both.gallery.worst


def painter(ab, size=32):
    """A system in Lab that paints one colour everywhere."""
    condition = keras.Input((size, size, 1))
    bias = keras.initializers.Constant(np.array(ab, "float32") / 110)
    layer = keras.layers.Conv2D(2, 1, kernel_initializer="zeros", bias_initializer=bias)
    recipe = Recipe.load("gan_lab", [f"data.image_size={size}"])
    return System("painter", Colorizer(keras.Model(condition, layer(condition)), recipe))


def test_a_system_that_paints_one_colour_scores_as_the_constant(classes):
    photos = load_split(choose(get_protocol("recipe"), Data(source=str(classes))).photos, "test", image_size=32)
    for ab, row in (((0, 0), GREY), ((9, -4), MEAN_COLOR)):
        measured = measure(photos, [painter(ab)], (9.0, -4.0))
        for name, column in measured.rows[row].items():
            np.testing.assert_allclose(measured.rows["painter"][name], column, rtol=1e-3, atol=1e-3, err_msg=name)
    truth = measured.rows[TRUTH]["colorfulness"]
    assert list(measured.rows)[-1] == TRUTH and len(truth) == 20 and truth.min() > 5
    assert "painter, " + OWN not in measured.rows


def test_the_gallery_holds_the_best_and_the_worst(both):
    gallery = both.gallery
    assert sorted(gallery.random) == sorted(set(gallery.random)) and len(gallery.random) == 12
    for system in both.systems:
        gain = both.per_photo[GREY]["ab_mae"] - both.per_photo[system]["ab_mae"]
        order = np.argsort(-gain, kind="stable")
        assert gallery.best[system] == order[:4].tolist()
        assert gallery.worst[system] == order[::-1][:4].tolist()
    wanted = {*gallery.random}.union(*gallery.best.values(), *gallery.worst.values())
    assert set(gallery.pictures) == set(both.rows)
    for pictures in gallery.pictures.values():
        assert set(pictures) == wanted
        assert all(picture.shape == (32, 32, 3) and picture.dtype == np.uint8 for picture in pictures.values())


def test_the_gallery_does_not_grow_with_the_photos():
    keeper = GalleryKeeper(["a", "b"], 500, random=3, extreme=2, seed=0)
    rng = np.random.default_rng(0)
    most = 0
    for _ in range(100):
        pictures = {"a": rng.integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)}
        keeper.update(pictures, {"a": rng.normal(size=5), "b": rng.normal(size=5)})
        most = max(most, len(keeper._pictures))
    assert most <= 3 + 2 * 2 * 2
    assert all(picture.base is None for rows in keeper._pictures.values() for picture in rows.values())


# Comparing


def values(**rows):
    """Rows of one metric, colorfulness beside it."""
    colorful = {"colorfulness": np.ones(60), "colorfulness_abs": np.ones(60)}
    return {row: {"ab_mae": column, **colorful} for row, column in rows.items()} | {TRUTH: dict(colorful)}


def test_marks_say_what_is_significant():
    rng = np.random.default_rng(0)
    photos = rng.gamma(2, 4, 60)
    noise = [rng.normal(0, 0.5, 60) for _ in range(4)]
    columns = {GREY: photos, "good": photos - 1 + noise[0], "as good": photos - 0.98 + noise[1]}
    columns |= {"bad": photos + 1 + noise[2], "same": photos + noise[3] - noise[3].mean()}
    rows = values(**columns)
    figures, differences = estimates(rows, resamples=2000, seed=0)
    marked = {row: m["ab_mae"] for row, m in marks(figures, differences, ["good", "as good", "bad", "same"]).items()}
    assert {row: mark.against_grey for row, mark in marked.items()} == {"good": 1, "as good": 1, "bad": -1, "same": 0}
    best = min(("good", "as good"), key=lambda row: figures[row]["ab_mae"].value)
    assert {row for row, mark in marked.items() if mark.best} == {best}
    assert {row for row, mark in marked.items() if mark.ties_with_best} == {"good", "as good"}
    difference = differences["bad", GREY]["ab_mae"]
    assert 0.7 < difference.low < 1 < difference.high < 1.3
    assert ("good", GREY) in differences and (GREY, "good") not in differences


def test_the_distance_of_colorfulness_has_an_interval_that_may_hold_zero():
    rng = np.random.default_rng(0)
    truth = rng.normal(30, 5, 60)
    columns = {GREY: truth * 0, "near": truth + rng.normal(0, 3, 60), "dull": truth - 12, TRUTH: truth}
    rows = {row: {"colorfulness": column, "colorfulness_abs": column} for row, column in columns.items()}
    figures, differences = estimates(rows, resamples=2000, seed=0)
    assert figures["dull"]["delta_colorfulness"].value == pytest.approx(12)
    near = figures["near"]["delta_colorfulness"]
    assert near.low == 0 < near.value < near.high < 2
    difference = differences["dull", "near"]["delta_colorfulness"]
    assert difference.value == pytest.approx(12 - near.value) and difference.significant
    assert "delta_colorfulness" not in figures[TRUTH]


def test_classes_are_the_innermost_folders_that_differ():
    def classes_of(*names):
        rows = {TRUTH: {"colorfulness": np.arange(len(names)), "colorfulness_abs": np.arange(len(names))}}
        return {name: figures.photos for name, figures in per_class(rows, names).items()}

    assert classes_of("test/a/1", "test/a/2", "test/b/3", "test/b/4") == {"a": 2, "b": 2}
    assert classes_of("a/test/1", "a/test/2", "b/test/3", "b/test/4") == {"a": 2, "b": 2}
    assert classes_of("a/1", "a/2", "3", "4") == {"(no folder)": 2, "a": 2}
    assert classes_of("1", "2", "3", "4") == classes_of("a/1", "a/2", "a/3", "a/4") == {}
    assert classes_of("a/1", "b/2", "c/3", "c/4") == {}  # mostly single photos: no classes


# Protocols


def write_grey(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 12), "gray").save(root / name)
    return root


def names_of(protocol, root):
    return [photo.name for photo in choose(protocol, Data(source=str(root))).photos.items("test")]


def test_val5k_takes_all_photos_of_a_folder_by_file_name(tmp_path):
    root = write_grey(tmp_path, "z/1.png", "a/2.png", "3.png", "m/0.png")
    assert names_of(get_protocol("val5k"), root) == ["m/0.png", "z/1.png", "a/2.png", "3.png"]
    assert get_protocol("val5k").count == 5000
    assert names_of(replace(get_protocol("val5k"), count=2), root) == ["m/0.png", "z/1.png"]


def test_whole_protocols_take_the_set_that_the_data_hold_out(tmp_path):
    root = write_grey(tmp_path, "train/1.png", "train/2.png", "test/3.png")
    assert names_of(get_protocol("squash"), root) == ["test/3.png"]
    write_grey(tmp_path, "val/b/5.png", "val/a/6.png")
    chosen = choose(get_protocol("squash"), Data(source=str(root)))
    assert [photo.name for photo in chosen.photos.items("test")] == ["val/b/5.png", "val/a/6.png"]
    assert [photo.name for photo in chosen.training.items("test")] == ["train/1.png", "train/2.png"]
    assert chosen.photos.taken_from == "validation"


def test_records_that_come_in_one_pass_stay_in_their_order(tmp_path):
    class Records(Source):
        reopens = False

        def open(self, split, photos):
            assert split == "validation"
            return iter([(photo, f"record {photo.name}") for photo in photos])

    records = [Photo(None, f"shard__{number}") for number in (0, 1, 10, 2)]
    selection = Selection(
        Records("records", {"train": [], "validation": records, "test": []}), "validation", records[1:]
    )
    assert not selection.reopens and selection.items("test") == records[1:]
    assert [what for _, what in selection.open("test", records[2:])] == ["record shard__10", "record shard__2"]


def test_protocols_prepare_photos_as_they_are_known():
    data = Data(resize="squash", drop_grey=True)
    val5k, squash, recipe = (PROTOCOLS[name].data(data) for name in ("val5k", "squash", "recipe"))
    assert (val5k.resize, val5k.drop_grey) == ("crop", False)
    assert (squash.resize, squash.drop_grey) == ("squash", False)
    assert recipe == data
    with pytest.raises(ColorizeError, match=r"unknown protocol 'val50k'; did you mean 'val5k'\?"):
        get_protocol("val50k")


def test_a_whole_folder_that_a_system_trained_on_is_told(runs, tmp_path):
    root = tmp_path / "flat"
    root.mkdir()
    for number in range(6):
        Image.fromarray(colorful_photo(number)).save(root / f"{number}.png")
    trained = make_run(tmp_path / "runs", "gan_lab", root)
    result = evaluate([trained], protocol="squash", image_size=32, limit=4, resamples=50)
    assert len(result.photos) == 4 and result.about["split"] == "train"
    assert any("not of held-out photos" in remark for remark in result.remarks)
    assert any("the measured photos themselves" in remark for remark in result.remarks)
    assert result.about["protocol"]["resize"] == "squash"
    other = evaluate([runs[1]], data=str(root), protocol="squash", image_size=32, limit=4, resamples=50)
    assert not any("held-out" in remark for remark in other.remarks)
    assert other.about["digest"] == result.about["digest"]
    assert other.about["systems"]["gan_lab"]["weights"] != result.about["systems"]["gan_lab"]["weights"]


@pytest.mark.slow
def test_the_constant_is_the_mean_colour_of_the_training_photos(tmp_path, runs):
    for split, color in {"train": (200, 80, 60), "test": (60, 90, 200)}.items():
        (tmp_path / split).mkdir()
        for number in range(3):
            Image.new("RGB", (40, 40), color).save(tmp_path / split / f"{number}.png")
    result = evaluate(runs[:1], data=str(tmp_path), resamples=50)
    expected = np.asarray(rgb_to_lab(np.array([200, 80, 60], "float32") / 255))[1:]
    assert result.about["mean_ab"] == pytest.approx(expected, abs=1e-3)
    assert result.figures[MEAN_COLOR]["ab_mae"].value > result.figures[GREY]["ab_mae"].value
    whole = evaluate(runs[:1], data=str(tmp_path / "test"), protocol="squash", image_size=32, resamples=50)
    assert whole.figures[MEAN_COLOR]["ab_mae"].value == pytest.approx(0, abs=1e-3)


# Which systems


def test_systems_are_found_by_name_and_by_folder(tmp_path, classes, monkeypatch):
    old, new = (make_run(tmp_path, "gan_lab", classes) for _ in range(2))
    other = make_run(tmp_path, "unet_skip", classes)
    assert find_systems(["unet_skip", "gan_lab"], [str(old)], tmp_path) == [other, new, old]
    assert find_systems([], [], tmp_path) == [other]
    with pytest.raises(ColorizeError, match="named twice"):
        find_systems(["gan_lab"], [str(new)], tmp_path)
    with pytest.raises(ColorizeError, match="no run of 'gan_rgb'"):
        find_systems(["gan_rgb"], [], tmp_path)
    monkeypatch.setattr("keras_colorize.evaluation.lookup.packaged_names", lambda: ["gan_rgb"])
    assert find_systems(["gan_rgb"], [], tmp_path) == ["gan_rgb"]
    assert [system.name for system in load_systems([old, new, other])] == [
        f"gan_lab {old.path.name}", f"gan_lab {new.path.name}", "unet_skip",
    ]  # fmt: skip


def test_packaged_weights_are_a_system_like_any_other(runs, monkeypatch):
    monkeypatch.setattr(Colorizer, "from_zoo", lambda name: Colorizer.from_run(runs[0].path))
    result = evaluate(["unet_skip", runs[0]], resamples=50)
    packaged, run = "unet_skip packaged", f"unet_skip {runs[0].path.name}"
    assert result.systems == [packaged, run]
    assert result.curves[packaged] is None and result.curves[run]
    for name, column in result.per_photo[run].items():
        np.testing.assert_array_equal(result.per_photo[packaged][name], column)
    difference = result.differences[run, packaged]["psnr"]
    assert (difference.low, difference.high) == (0, 0) and not difference.significant


def test_systems_with_photos_of_their_own_need_to_be_told_which(runs, tmp_path, classes):
    other = make_run(tmp_path, "gan_lab", classes.parent, "data.test_fraction=0.3")
    with pytest.raises(ColorizeError, match=r"give `data`, the photos to measure"):
        evaluate([runs[0], other])
    systems = load_systems([other, runs[0]])
    assert evaluation_module._data_of(systems, "x").test_fraction == runs[0].recipe().data.test_fraction


# FID and KID


@pytest.fixture(scope="module")
def feature_file(tmp_path_factory):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Rescaling(1 / 127.5, -1), keras.layers.Conv2D(5, 3), keras.layers.GlobalAveragePooling2D()]
    file = tmp_path_factory.mktemp("network") / "tiny.keras"
    keras.Sequential([keras.Input((None, None, 3)), *layers]).save(file)
    return str(file)


@pytest.mark.slow
def test_fid_and_kid_stand_in_the_table_with_their_network(runs, feature_file, tmp_path):
    reference = tmp_path / "truth.npz"
    result = evaluate(runs[:1], fid=feature_file, kid=feature_file, fid_reference=str(reference), resamples=50, seed=3)
    fid, kid = (metric.name for metric in result.columns[-2:])
    assert fid.startswith("fid (tiny.keras ") and kid.startswith("kid (tiny.keras ")
    for row in result.rows[:-1]:
        assert result.figures[row][fid].value > 0 and math.isnan(result.figures[row][fid].low)
        assert result.figures[row][kid].low < result.figures[row][kid].value < result.figures[row][kid].high
    assert fid not in result.figures[TRUTH]
    assert any("FID of 20 photos is biased" in remark for remark in result.remarks)
    stored = FeatureStatistics.load(reference)
    assert stored.count == 20 and stored.digest == result.about["digest"]["names and pixels"]

    again = evaluate(runs[:1], fid=feature_file, fid_reference=str(reference), resamples=50, batch_size=3)
    for row in result.rows[:-1]:
        assert again.figures[row][fid].value == pytest.approx(result.figures[row][fid].value, rel=1e-3)
    assert any("20 photos (the same photos)" in remark for remark in again.remarks)
    fewer = evaluate(runs[:1], fid=feature_file, fid_reference=str(reference), resamples=50, limit=5)
    assert any("other photos than those measured" in remark for remark in fewer.remarks)
    stored.network = "another"
    stored.save(reference)
    with pytest.raises(ColorizeError, match="measured with 'another'"):
        evaluate(runs[:1], fid=feature_file, fid_reference=str(reference))


def test_distances_that_cannot_be_had_fail_before_any_work(runs, feature_file, tmp_path, monkeypatch):
    def offline(*args, **kwargs):
        raise Exception("URL fetch failure: None -- [Errno -2] Name or service not known")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.utils, "get_file", offline)
    monkeypatch.setattr(evaluation_module, "load_systems", lambda found: pytest.fail("work has begun"))
    for options, message in (
        (
            {"fid": "inception-2015-12-05"},
            rf"inception-2015-12-05.tgz.*put the file into {tmp_path}/models, or measure",
        ),
        ({"kid": "inception-2015-12-05"}, r"inception-2015-12-05.tgz"),
        ({"fid": "inception"}, "unknown feature network"),
        ({"fid": feature_file, "kid": "keras-inception-v3"}, "one network"),
        ({"fid_reference": "x.npz"}, "add `fid`"),
        ({"kid": feature_file, "fid_reference": "x.npz"}, "add `fid`"),
        ({"fid": feature_file, "fid_reference": str(tmp_path / "no" / "x.npz")}, "there is no folder"),
    ):
        with pytest.raises(ColorizeError, match=message):
            evaluate(runs[:1], **options)


def test_too_few_photos_for_a_distance(runs, feature_file):
    with pytest.raises(ColorizeError, match="KID needs 4 photos or more, there are 3"):
        evaluate(runs[:1], kid=feature_file, limit=3)


# Files


def test_everything_is_in_metrics_json_and_the_csv_files(both, tmp_path):
    write_files(both, tmp_path)
    report = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert report["metrics"] == both.means()
    assert report["photos"] == 20 and report["image_size"] == 32 and report["seed"] == 0 and report["split"] == "test"
    assert report["protocol"]["name"] == "recipe" and report["left_out"] == {"test/sea/99.png": "grey"}
    assert report["intervals"]["gan_lab"]["psnr"] == [
        both.figures["gan_lab"]["psnr"].low,
        both.figures["gan_lab"]["psnr"].high,
    ]
    assert report["intervals"]["gan_lab"]["ab_entropy_set"] == [None, None]
    assert {"row", "minus", "psnr"} <= set(report["differences"][0])
    assert report["per_class"]["forest"]["metrics"]["gan_lab"]["psnr"] == pytest.approx(
        np.mean([v for v, name in zip(both.per_photo["gan_lab"]["psnr"], both.photos, strict=True) if "forest" in name])
    )
    assert {"pillow", "tensorflow", "keras", "numpy", "python"} <= set(report["versions"])
    assert any(name.startswith("libjpeg") and version for name, version in report["versions"].items())
    assert len(report["digest"]["names and pixels"]) == 64
    assert len(report["systems"]["gan_lab"]["weights"]) == 16
    with (tmp_path / "metrics.gan_lab.csv").open(encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    assert [line["photo"] for line in lines] == both.photos
    np.testing.assert_allclose([float(line["psnr"]) for line in lines], both.per_photo["gan_lab"]["psnr"], rtol=1e-5)
    assert len(list(tmp_path.glob("metrics.*.csv"))) == len(both.rows)
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.width > 4 * 128 and np.asarray(grid.convert("RGB")).std() > 10


def test_results_of_one_run_lie_in_it_and_of_several_beside_them(runs, tmp_path):
    assert folder_for(runs[:1], tmp_path) == runs[0].evaluation
    first = folder_for(runs, tmp_path)
    assert first.parent == tmp_path / "evaluation"
    first.mkdir(parents=True)
    assert folder_for(runs, tmp_path) != first
    assert folder_for(["packaged"], tmp_path).parent == tmp_path / "evaluation"
    shared = Colorizer.from_run(runs[0].path).save(tmp_path / "shared")
    assert folder_for(find_systems([str(shared)], [], tmp_path), tmp_path).parent == tmp_path / "evaluation"


def test_the_command_compares_and_marks(runs, capsys):
    out = runs[0].path.parents[1]
    assert main(["evaluate", "--model", "unet_skip,gan_lab", "--out", str(out), "--limit", "9"]) == 0
    printed = capsys.readouterr().out
    for words in ("2 systems: 9 test photos", GREY, MEAN_COLOR, "unet_skip", "gan_lab", TRUTH, "ΔCF", "ab PSNR", "↓",
                  "mean colour: ab", "metrics.json", "report.html"):  # fmt: skip
        assert words in printed
    assert max(map(len, printed.split("measured at")[0].splitlines())) <= 120
    (folder,) = (out / "evaluation").iterdir()
    assert {"metrics.json", "grid.png", "report.html", "metrics.gan_lab.csv"} <= {
        file.name for file in folder.iterdir()
    }
    assert RunFolder.newest(out).path.parent.name in ("unet_skip", "gan_lab")  # results are not taken for a run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--protocol", "val5"], "did you mean 'val5k'"),
        (["--limit", "0"], "--limit is 0"),
        (["--seed", "-1"], "--seed is -1"),
        (["--hints", "-1"], "--hints is -1"),
        (["--hints", "5"], "gan_lab cannot take hints"),
        (["--fid", "inceptoin"], "unknown feature network 'inceptoin'"),
        (["--fid-reference", "x.npz"], "add --fid"),
        (["--model", "unet_skip,gan_lba"], "did you mean 'gan_lab'"),
        (["--model", "gan_lab,gan_lab"], "named twice"),
        (["--model", "vivid", "--data", "/no/such/photos"], "/no/such/photos"),
    ],
)
def test_mistakes_are_one_line(arguments, message, runs, capsys):
    assert main(["evaluate", *arguments, "--out", str(runs[0].path.parents[1])]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_an_output_that_cannot_be_written_is_one_line_before_any_work(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Colorizer, "from_zoo", lambda name: pytest.fail("work has begun"))
    file = tmp_path / "file"
    file.touch()
    for out in (file / "runs", Path("/proc/x")):
        assert main(["evaluate", "--model", "vivid", "--out", str(out)]) == 2
        error = capsys.readouterr().err
        assert f"nothing can be written to '{out}" in error and error.count("\n") == 1
