"""Every recipe of the zoo: its generator has the parameters that its card says, and it walks through a whole run."""

import subprocess
import sys
from pathlib import Path

import keras
import pytest

import keras_colorize
from keras_colorize.cli import main
from keras_colorize.defaults import DEFAULT_MODEL
from keras_colorize.errors import ColorizeError
from keras_colorize.models.networks import build_generator
from keras_colorize.recipes import (
    Recipe,
    load_card,
    packaged_names,
    packaged_sha256,
    recipe_texts,
    zoo_folder,
    zoo_names,
)

ROOT = Path(__file__).resolve().parents[1]
REPORTS = {
    "A": {"cnn", "autoencoder", "gan_lab", "gan_rgb"},
    "B": {"pix2pix", "resnet18_gan"},
    "C": {"unet_gan", "unet_gan_aug", "unet_gan_perceptual", "resnet18_shuffle_gan"},
    "D": {"unet_noskip", "unet_skip"},
    "E": {
        "koalarization", "inception_gan", "inception_gan_nopretrain", "inception_gan_noseg",
        "inception_gan_noinception",
    },
}  # fmt: skip


def test_every_system_of_the_reports_has_its_recipe():
    for report, systems in REPORTS.items():
        assert {name for name in zoo_names() if Recipe.load(name).report == report} == systems


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) for n in zoo_names()])
def test_parameters_are_those_of_the_card(name):
    keras.backend.clear_session()
    recipe = Recipe.load(name, ["backbone_weights=random"])
    assert build_generator(recipe).count_params() == load_card(name).parameters


def test_the_command_marks_the_systems_that_come_with_weights(capsys):
    assert packaged_names() == [name for name in zoo_names() if (zoo_folder() / f"{name}.npz").is_file()] != []
    main(["zoo"])
    table = capsys.readouterr().out
    for name in zoo_names():
        (row,) = [line for line in table.splitlines() if line.startswith(f"{name} ")]
        assert (row.split()[1] == "yes") == (name in packaged_names())
    assert f"--model {DEFAULT_MODEL} " in table
    main(["zoo", "--names", "--with-weights"])
    assert capsys.readouterr().out.split() == packaged_names() == keras_colorize.packaged_names()


def test_a_system_without_weights_names_those_that_have_some():
    with pytest.raises(ColorizeError, match=r"'pix2pix' comes without weights \(with weights: .*vivid.*\)$") as caught:
        packaged_sha256("pix2pix")
    assert caught.value.action == "bring_weights"


def test_a_recipe_needs_what_its_parts_need():
    for name in zoo_names():
        recipe, needs = Recipe.load(name), " ".join(load_card(name).needs)
        args = recipe.generator.args
        koalarization = recipe.generator.name == "koalarization"
        pretrained = recipe.generator.name == "resnet_unet" or bool(recipe.encoder_weights)
        assert ("ResNet-18" in needs) == pretrained, name
        assert ("Inception-ResNet-v2" in needs) == (koalarization and args.get("inception", True)), name
        assert ("DeepLab" in needs) == (koalarization and args.get("segmentation", False)), name
        assert ("VGG16" in needs) == (recipe.loss.perceptual_weight > 0), name
        assert ("FID" in needs) == (recipe.early_stopping.monitor == "fid"), name


def test_an_ablation_changes_only_what_it_names():
    full, ablation = Recipe.load("inception_gan"), Recipe.load("inception_gan_noseg")
    assert ablation.generator.args == {**full.generator.args, "segmentation": False}
    assert ablation.with_values(
        name=full.name, summary=full.summary, **{"generator.args": full.generator.args}
    ) == full  # fmt: skip
    assert [name for name, _ in recipe_texts("inception_gan_noseg")] == [
        "inception_gan_noseg", "inception_gan", "koalarization"
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo_names())
def test_trains_and_evaluates(name, tmp_path):
    for command in (["train.py", "--smoke", "--random-backbone"], ["evaluate.py"]):
        done = subprocess.run(
            [sys.executable, *command, "--model", name, "--out", str(tmp_path)],
            cwd=ROOT, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
