"""Where a generator starts from: a run's weights, a packed file, the package's own."""

from pathlib import Path

import numpy as np
import pytest

from keras_colorize.cli import main
from keras_colorize.errors import ColorizeError
from keras_colorize.models.networks import build_generator
from keras_colorize.models.weights import pack_weights
from keras_colorize.recipes import Recipe
from keras_colorize.runs.generator import load_generator
from keras_colorize.training import build_stages
from keras_colorize.training import loop as train
from keras_colorize.training.initial_weights import load_initial_weights

SMALL = {
    "generator.args": {"filters": [8, 8, 8], "width": 8},
    "backbone_weights": "random",
    "data.image_size": 32,
    "data.batch_size": 4,
    "augment.crop_margin": 4,
    "schedule.epochs": 1,
    "schedule.steps_per_epoch": 1,
    "runtime.precision": "float32",
}


def small_recipe(source: Path) -> Recipe:
    return Recipe.load("vivid").with_values(**SMALL, **{"data.source": str(source)})


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".weights.h5", ".npz"])
def test_a_generator_starts_from_a_file(photo_folder, tmp_path, suffix):
    folder = train.start(small_recipe(photo_folder), tmp_path)
    trained = load_generator(folder, folder.recipe())
    file = folder.generator_weights
    if suffix == ".npz":
        pack_weights(trained, file := tmp_path / "packed.npz")
    recipe = small_recipe(photo_folder).with_values(initial_weights=str(file))
    fresh = build_generator(recipe, image_size=32)
    load_initial_weights(fresh, recipe)
    for one, other in zip(trained.variables, fresh.variables, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-3, atol=1e-6)


def test_missing_weights_are_a_line(photo_folder, tmp_path, capsys):
    code = main(["train", "--model", "vivid", "--smoke", "--from-weights", "none.h5", "--out", str(tmp_path / "runs")])
    assert code == 2
    assert "no weights at 'none.h5'" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()  # refused before a folder is made


def test_a_system_without_packaged_weights_cannot_start_from_them(photo_folder):
    recipe = small_recipe(photo_folder).with_values(name="unet_skip", initial_weights="zoo")
    with pytest.raises(ColorizeError, match=r"'unet_skip' comes without weights \(with weights: .*vivid"):
        load_initial_weights(build_generator(recipe, image_size=32), recipe)


@pytest.mark.parametrize(("setting", "moves"), [("auto", False), ("off", True)])
def test_normalization_keeps_the_statistics_of_initial_weights(setting, moves):
    recipe = small_recipe(Path()).with_values(initial_weights="some.npz", freeze_statistics=setting)
    (stage,) = build_stages(recipe)
    layer = stage.trainer.generator.get_layer("encoder_stem_bn")
    before = [np.array(value) for value in layer.get_weights()]
    kernel = stage.trainer.generator.get_layer("encoder_stem").kernel.numpy()
    stage.trainer.train_step(np.random.default_rng(0).integers(0, 256, (4, 36, 36, 3), np.uint8))
    same = [np.array_equal(a, b) for a, b in zip(before, layer.get_weights(), strict=True)]
    assert same == [not moves] * 4
    assert not np.array_equal(kernel, stage.trainer.generator.get_layer("encoder_stem").kernel.numpy())


def test_fresh_weights_learn_their_statistics():
    (stage,) = build_stages(small_recipe(Path()))
    assert stage.trainer.generator.get_layer("encoder_stem_bn").trainable
