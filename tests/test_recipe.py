"""Recipes: read, extended, overridden, refused with the nearest right word, written and read back."""

import pytest

from keras_colorize.errors import ColorizeError
from keras_colorize.recipes import Recipe, zoo_names
from keras_colorize.recipes.shrink import SAMPLE, SMOKE, shrink


@pytest.mark.parametrize("name", zoo_names())
def test_every_recipe_of_the_zoo_survives_writing_and_reading(name, tmp_path):
    recipe = Recipe.load(name)
    file = tmp_path / "recipe.toml"
    file.write_text(recipe.to_toml(), encoding="utf-8")
    assert Recipe.load(file) == recipe
    assert recipe.name == name
    assert recipe.summary
    assert recipe.report in {"", "A", "B", "C", "D", "E"}


def test_report_d_values():
    recipe = Recipe.load("unet_skip")
    assert recipe.data.image_size == 128
    assert recipe.data.batch_size == 32
    assert recipe.schedule.epochs == 50
    assert (recipe.optimizer.learning_rate, recipe.optimizer.beta_1, recipe.optimizer.beta_2) == (2e-4, 0.5, 0.999)
    assert recipe.loss.reconstruction_weight == 100
    without = Recipe.load("unet_noskip")
    assert without.schedule.epochs == 400
    assert without.generator.args["skips"] is False
    assert without.generator.args["filters"] == recipe.generator.args["filters"]
    assert not without.augment.flip_horizontal


def test_overrides_reach_any_field_and_any_type():
    recipe = Recipe.load(
        "unet_skip",
        [
            "optimizer.learning_rate=1e-3",
            "space=lab",
            "augment.noise=0.1",
            "data.drop_grey=false",
            "loss.adversarial='lsgan'",
        ],
    )
    assert recipe.optimizer.learning_rate == 1e-3
    assert recipe.space == "lab"
    assert recipe.augment.noise == 0.1
    assert recipe.data.drop_grey is False
    assert recipe.loss.adversarial == "lsgan"


def test_a_table_that_is_absent_can_be_set():
    assert (
        Recipe.load("unet_skip", ["discriminator_optimizer.learning_rate=1e-5"]).discriminator_optimizer.beta_1 == 0.9
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.learing_rate=1", "did you mean 'learning_rate'"),
        ("optimiser.learning_rate=1", "did you mean 'optimizer'"),
        ("data.image_size=-3", "expected at least 1"),
        ("data.image_size=12.5", "expected a whole number"),
        ("data.image_size=true", "expected a whole number"),
        ("data.drop_grey=1", "expected true or false"),
        ("data=5", "expected a table"),
        ("space=labs", "did you mean 'lab'"),
        ("optimizer.beta_1=1.5", "expected between 0 and 1"),
        ("optimizer.learning_rate=nan", "expected at least 0"),
        ("data.test_fraction=0.97", "nothing would be left to train on"),
        ("no equals sign", "expected section.field=value"),
    ],
)
def test_mistakes_are_named_in_one_line(override, message):
    with pytest.raises(ColorizeError) as error:
        Recipe.load("unet_skip", [override])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_unknown_model_names_the_nearest():
    with pytest.raises(ColorizeError, match="did you mean 'unet_skip'"):
        Recipe.load("unet_skp")


def test_extends_a_zoo_recipe_and_a_file_beside_it(tmp_path):
    (tmp_path / "mine.toml").write_text('extends = "unet_skip"\n[schedule]\nepochs = 3\n')
    (tmp_path / "longer.toml").write_text('extends = "mine.toml"\n[data]\nbatch_size = 2\n')
    recipe = Recipe.load(tmp_path / "longer.toml")
    assert (recipe.name, recipe.schedule.epochs, recipe.data.batch_size) == ("longer", 3, 2)
    assert recipe.generator == Recipe.load("unet_skip").generator


def test_a_circle_of_extends_is_refused(tmp_path):
    (tmp_path / "a.toml").write_text('extends = "b.toml"\n')
    (tmp_path / "b.toml").write_text('extends = "a.toml"\n')
    with pytest.raises(ColorizeError, match="extends itself"):
        Recipe.load(tmp_path / "a.toml")


def test_broken_toml_and_missing_files_are_one_line(tmp_path):
    (tmp_path / "broken.toml").write_text("[data\n")
    with pytest.raises(ColorizeError, match="not valid TOML"):
        Recipe.load(tmp_path / "broken.toml")
    with pytest.raises(ColorizeError, match="no recipe file"):
        Recipe.load(tmp_path / "absent.toml")


@pytest.mark.parametrize("sizes", [SMOKE, SAMPLE])
def test_shrinking_only_shrinks_keeps_what_the_user_set_and_happens_once(sizes):
    recipe = Recipe.load("unet_skip").with_values(**{"data.batch_size": 2, "schedule.epochs": 1000})
    shrunk, changes = shrink(recipe, sizes, keep={"schedule.epochs"})
    assert shrunk.data.image_size == sizes["data.image_size"]
    assert shrunk.data.batch_size == 2
    assert shrunk.schedule.epochs == 1000
    assert changes["schedule.steps_per_epoch"] == (0, sizes["schedule.steps_per_epoch"])
    assert shrink(shrunk, sizes, keep={"schedule.epochs"}) == (shrunk, {})
