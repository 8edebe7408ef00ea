"""Networks and trainers that `save` wrote load in a new process that has imported `keras_colorize` only."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_colorize.color.bins import AbBins, packaged_bins
from keras_colorize.color.spaces import BinnedLabSpace, get_space, space_from_config
from keras_colorize.errors import ColorizeError
from keras_colorize.lazy import after_import
from keras_colorize.models import names
from keras_colorize.models.layers import keep_dropout_on
from keras_colorize.models.networks import dtype_policy
from keras_colorize.recipes import Decoding, Recipe
from keras_colorize.training import build_stages
from keras_colorize.training.optimizers import Adam
from tests.conftest import colorful_photo
from tests.networks import build_small, random_inputs
from tests.tiny_runs import SETTINGS

ROOT = Path(__file__).resolve().parents[1]
LOAD = """
import json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras_colorize
assert "keras" not in sys.modules
import keras
import numpy as np

folder, names = json.load(sys.stdin)
for name in names:
    model = keras.models.load_model(f"{folder}/{name}.keras")
    with np.load(f"{folder}/{name}.npz") as file:
        inputs = [file[f"input_{number}"] for number in range(len(model.inputs))]
        found = np.asarray(model(inputs[0] if len(inputs) == 1 else inputs, training=False))
        if name != "stochastic":
            np.testing.assert_array_equal(found, file["output"], err_msg=name)
    print(name)
"""


def networks():
    for kind in ("generator", "discriminator"):
        for name in names(kind):
            yield name, build_small(name, kind)
    with dtype_policy("bfloat16"):
        yield "vivid_bfloat16", build_small("vivid")
    yield "stochastic", keep_dropout_on(build_small("unet"))


@pytest.mark.slow
def test_every_architecture_loads_in_a_new_process(tmp_path):
    keras.utils.set_random_seed(0)
    saved = []
    for name, model in networks():
        inputs = random_inputs(model)
        arrays = inputs if isinstance(inputs, list) else [inputs]
        output = np.asarray(model(inputs, training=False))
        model.save(tmp_path / f"{name}.keras")
        np.savez(tmp_path / f"{name}.npz", output=output, **{f"input_{number}": a for number, a in enumerate(arrays)})
        saved.append(name)
    assert set(saved) == {*names("generator"), *names("discriminator"), "vivid_bfloat16", "stochastic"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        input=json.dumps([str(tmp_path), saved]),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == saved


LOAD_TRAINERS = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras_colorize
assert "keras" not in sys.modules
import keras
assert not [name for name in sys.modules if name.startswith("keras_colorize.training")]
import numpy as np
import tensorflow as tf
tf.config.experimental.enable_op_determinism()

folder = sys.argv[1]
photos = np.load(f"{folder}/photos.npy")
for name in sys.argv[2:]:
    trainer = keras.models.load_model(f"{folder}/{name}.keras")
    assert type(trainer).__name__ == ("GANTrainer" if name == "gan" else "SupervisedTrainer"), type(trainer)
    with np.load(f"{folder}/{name}.npz") as file:
        np.testing.assert_array_equal(trainer.predict(photos, verbose=0), file["before"])
        figures = trainer.evaluate(photos, verbose=0, return_dict=True)
        np.testing.assert_allclose([figures[key] for key in sorted(figures)], file["figures"], rtol=1e-6)
        trainer.fit(photos, batch_size=4, shuffle=False, epochs=2, verbose=0)
        np.testing.assert_array_equal(trainer.predict(photos, verbose=0), file["after"])
plain = keras.models.load_model(f"{folder}/plain.keras")
assert type(plain.optimizer).__module__ == "keras_colorize.training.optimizers", type(plain.optimizer)
assert int(plain.optimizer.iterations) == 2
print("done")
"""
TRAINERS = {
    "gan": ["unet_skip", *SETTINGS, "loss.perceptual_weight=1.0", "backbone_weights='random'"],
    "supervised": [
        "vivid", "generator.args={filters=[8,8,8], width=8}", "data.image_size=32", "encoder_weights=''",
        "encoder_sha256=''", "backbone_weights='random'", "runtime.precision='float32'", "augment.crop_margin=0",
    ],
}  # fmt: skip


def trainers():
    for name, (recipe, *settings) in TRAINERS.items():
        stage = build_stages(Recipe.load(recipe, settings))[-1]
        stage.set_steps_per_epoch(10)
        yield name, stage.trainer


@pytest.mark.slow
def test_trainers_load_in_a_new_process_and_train_on_as_if_never_saved(tmp_path):
    tf.config.experimental.enable_op_determinism()
    photos = np.stack([colorful_photo(seed, 32, 32) for seed in range(8)])
    np.save(tmp_path / "photos.npy", photos)
    for name, trainer in trainers():
        trainer.fit(photos, batch_size=4, shuffle=False, epochs=1, verbose=0)
        trainer.save(tmp_path / f"{name}.keras")
        before, figures = trainer.predict(photos, verbose=0), trainer.evaluate(photos, verbose=0, return_dict=True)
        trainer.fit(photos, batch_size=4, shuffle=False, epochs=2, verbose=0)
        np.savez(
            tmp_path / f"{name}.npz",
            before=before,
            figures=[figures[key] for key in sorted(figures)],
            after=trainer.predict(photos, verbose=0),
        )
    plain = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    plain.compile(Adam(1e-3), "mse")
    plain.fit(np.ones((2, 3)), np.ones((2, 1)), batch_size=1, verbose=0)
    plain.save(tmp_path / "plain.keras")
    done = subprocess.run(
        [sys.executable, "-c", LOAD_TRAINERS, str(tmp_path), *TRAINERS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "done"


def test_a_loaded_trainer_has_the_state_and_the_settings_of_the_saved_one(tmp_path):
    recipe = Recipe.load("unet_skip", [*SETTINGS, "optimizer.decay='linear'", "schedule.discriminator_every=2",
                                       "augment.noise=0.1", "loss.adversarial='lsgan'"])  # fmt: skip
    (stage,) = build_stages(recipe)
    stage.set_steps_per_epoch(5)
    trainer = stage.trainer
    trainer.train_step(np.stack([colorful_photo(seed, 32, 32) for seed in range(4)]))
    trainer.reset_metrics()
    trainer.save(tmp_path / "trainer.keras")
    loaded = keras.models.load_model(tmp_path / "trainer.keras")
    config, again = trainer.get_config(), loaded.get_config()
    settings = config.keys() - {"generator", "discriminator"}  # Keras numbers the objects in them anew
    assert settings == {"space", "augment", "loss", "perceptual_features", "seed", "jit_color", "discriminator_every"}
    assert {name: again[name] for name in settings} == {name: config[name] for name in settings}
    assert loaded.get_compile_config() == trainer.get_compile_config()
    for ours, theirs in zip(trainer.state_variables(), loaded.state_variables(), strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)
    assert not keras.models.load_model(tmp_path / "trainer.keras", compile=False).compiled


@pytest.mark.parametrize("name", ["lab", "rgb", "rgb01", "binned_lab"])
@pytest.mark.parametrize("hints", [False, True])
def test_spaces_come_back_from_their_configuration(name, hints):
    space = get_space(name, hints=hints)
    again = space_from_config(json.loads(json.dumps(space.get_config())))
    assert type(again) is type(space) and again.takes_hints is hints
    assert again.condition_channels == space.condition_channels


def test_a_space_keeps_its_own_classes():
    bins = AbBins(packaged_bins().centers, np.random.default_rng(0).dirichlet(np.ones(len(packaged_bins()))), "mine")
    space = BinnedLabSpace(Decoding(temperature=0.5, undo_rebalancing=0.3), 0.7, bins, hints=True)
    again = space_from_config(json.loads(json.dumps(space.get_config())))
    assert isinstance(again, BinnedLabSpace)
    assert (again.decoding, again.rebalancing, again.bins.provenance) == (space.decoding, 0.7, "mine")
    np.testing.assert_array_equal(again.bins.prior, bins.prior)
    np.testing.assert_array_equal(again.bins.centers, bins.centers)
    logits = np.random.default_rng(1).normal(size=(1, 2, 2, len(bins))).astype("float32")
    np.testing.assert_array_equal(again.annealed_mean(logits), space.annealed_mean(logits))
    with pytest.raises(ColorizeError, match="unknown space 'lap'"):
        space_from_config({"name": "lap", "hints": False})


@pytest.fixture
def colorful(tmp_path, monkeypatch):
    """A module that can be imported and is not yet."""
    (tmp_path / "colorful_module.py").write_text("value = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("colorful_module", None)


def test_an_action_follows_an_import_once(colorful):
    calls = []
    finders = list(sys.meta_path)
    after_import("colorful_module", lambda: calls.append(sys.modules["colorful_module"].value))
    import importlib.util

    assert importlib.util.find_spec("colorful_module") is not None  # to look for it is not to import it
    assert calls == []
    import colorful_module

    assert calls == [7] and colorful_module.value == 7
    assert sys.meta_path == finders
    after_import("colorful_module", lambda: calls.append(8))
    assert calls == [7, 8]


def test_an_absent_module_stays_absent():
    finders = list(sys.meta_path)
    after_import("no_such_colorful_module", lambda: None)
    with pytest.raises(ModuleNotFoundError, match="no_such_colorful_module"):
        import no_such_colorful_module  # noqa: F401
    sys.meta_path[:] = finders
