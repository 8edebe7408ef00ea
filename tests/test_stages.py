"""The variations of training in the reports: stages, perceptual loss, minimax, early stopping, noise."""

import numpy as np
import pytest
import tensorflow as tf

from keras_colorize.color.spaces import recolor
from keras_colorize.errors import ColorizeError
from keras_colorize.recipes import Recipe
from keras_colorize.runs.generator import load_generator
from keras_colorize.runs.log import read_log
from keras_colorize.training import build_stages
from keras_colorize.training import loop as train
from keras_colorize.training.callbacks import EarlyStopper
from keras_colorize.training.losses import perceptual
from tests.conftest import colorful_photo
from tests.tiny_runs import SETTINGS

BATCH = tf.constant(np.stack([colorful_photo(seed, 32, 32) for seed in range(4)]))


def tiny(*settings):
    return Recipe.load("unet_skip", [*SETTINGS, "runtime.precision='float32'", *settings])


def snapshot(network):
    return [weight.copy() for weight in network.get_weights()]


def test_pretraining_moves_the_generator_and_leaves_the_discriminator_alone():
    alone, main = build_stages(tiny("pretrain.epochs=2", "pretrain.learning_rate=3e-4"))
    assert (alone.name, alone.epochs, main.name, main.epochs) == ("pretrain", 2, "train", 3)
    assert alone.trainer.generator is main.trainer.generator
    assert float(alone.trainer.optimizer.learning_rate) == pytest.approx(3e-4)
    discriminator, generator = snapshot(main.trainer.discriminator), snapshot(main.trainer.generator)
    losses = alone.trainer.train_step(BATCH)
    assert set(losses) == {"g_reconstruction", "g_total"}
    assert all(
        np.array_equal(a, b) for a, b in zip(discriminator, main.trainer.discriminator.get_weights(), strict=True)
    )
    assert not all(np.array_equal(a, b) for a, b in zip(generator, main.trainer.generator.get_weights(), strict=True))
    assert int(main.trainer.optimizer.iterations) == 0


@pytest.mark.slow
def test_the_log_of_a_staged_run_tells_the_stages_apart(photo_folder, tmp_path):
    recipe = tiny(f"data.source='{photo_folder}'", "pretrain.epochs=1", "schedule.epochs=1", "schedule.log_every=1")
    folder = train.start(recipe, tmp_path)
    rows = [row for row in read_log(folder.log_file) if row["step"]]
    half = len(rows) // 2
    assert all("d_real" not in row for row in rows[:half])
    assert all("d_real" in row for row in rows[half:])


@pytest.mark.parametrize("saturating", [False, True])
def test_minimax_is_minus_the_discriminators_loss(saturating):
    (stage,) = build_stages(tiny(f"loss.saturating={str(saturating).lower()}"))
    logits = np.random.default_rng(0).normal(0, 2, (3, 4, 4, 1)).astype("float32")
    chance = 1 / (1 + np.exp(-logits.astype("float64")))  # that the discriminator gives the pictures of being real
    expected = np.log(1 - chance).mean() if saturating else -np.log(chance).mean()
    assert float(stage.trainer.generator_adversarial(tf.constant(logits))) == pytest.approx(expected, rel=1e-5)


def test_perceptual_loss_sees_colour_and_not_lightness():
    ab = np.random.default_rng(0).uniform(-15, 15, (2, 8, 8, 2)).astype("float32")
    seen = []

    def features(rgb):
        seen.append(np.asarray(rgb))
        return rgb

    values = perceptual(features, ab, ab + np.float32([5, 0]))
    expected = np.asarray(recolor(np.full((2, 8, 8, 1), 50, "float32"), ab))
    np.testing.assert_allclose(seen[0], expected, atol=1e-5)
    np.testing.assert_allclose(values, np.square(seen[1] - seen[0]).mean(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(perceptual(features, ab, ab), 0, atol=1e-9)


def test_perceptual_term_enters_the_generators_loss_with_its_weight():
    (stage,) = build_stages(tiny("loss.perceptual_weight=2.5", "backbone_weights='random'"))
    losses = {name: float(value) for name, value in stage.trainer.train_step(BATCH).items()}
    total = losses["g_adversarial"] + 100 * losses["g_reconstruction"] + 2.5 * losses["g_perceptual"]
    assert losses["g_perceptual"] > 0
    assert losses["g_total"] == pytest.approx(total, rel=1e-5)
    features = stage.trainer.perceptual_features
    assert not features.trainable_variables


@pytest.mark.parametrize(
    ("monitor", "values", "best"), [("ab_mae", [5, 4, 6, 4.5, 7], 4), ("psnr", [5, 6, 4, 5, 3], 6)]
)
def test_patience_counts_looks_without_improvement(monitor, values, best, tmp_path):
    (stage,) = build_stages(tiny())
    stopper = EarlyStopper(f"val_{monitor}", tmp_path / "best.weights.h5", patience=3)
    stopper.set_model(stage.trainer)
    assert [stopper.look(value) for value in values] == [False, False, False, False, True]
    assert stopper.position.best == best


@pytest.mark.slow
def test_early_stopping_gives_the_best_weights_back(photo_folder, tmp_path, monkeypatch):
    recipe = tiny(f"data.source='{photo_folder}'", "early_stopping.monitor='ab_mae'", "early_stopping.patience=2",
                  "schedule.epochs=50", "optimizer.learning_rate=0.2")  # fmt: skip
    kept = []
    look = EarlyStopper.look

    def look_and_keep(self, value):
        kept.append((value, snapshot(self.model.generator)))
        return look(self, value)

    monkeypatch.setattr(EarlyStopper, "look", look_and_keep)
    folder = train.start(recipe, tmp_path)
    assert len(kept) < 50
    assert min(range(len(kept)), key=lambda n: kept[n][0]) == len(kept) - 3
    best = min(kept, key=lambda item: item[0])[1]
    got = load_generator(folder, recipe).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(best, got, strict=True))
    with pytest.raises(ColorizeError, match="is finished"):
        train.resume(folder)


@pytest.mark.slow
def test_fid_is_logged_every_few_epochs(photo_folder, tmp_path):
    recipe = tiny(f"data.source='{photo_folder}'", "early_stopping.monitor='fid'", "early_stopping.every=2",
                  "schedule.epochs=4", "backbone_weights='random'", "data.validation_fraction=0.4")  # fmt: skip
    folder = train.start(recipe, tmp_path)
    rows = [row for row in read_log(folder.log_file) if "val_ab_mae" in row]
    assert ["val_fid" in row for row in rows] == [False, False, True, False, True]
    assert all(row.get("val_fid", 1) > 0 for row in rows)


def test_fid_without_its_network_is_refused_before_training(photo_folder, tmp_path):
    recipe = tiny(
        f"data.source='{photo_folder}'",
        "early_stopping.monitor='fid'",
        "early_stopping.fid_network='no.keras'",
        "data.validation_fraction=0.4",
    )
    with pytest.raises(ColorizeError, match=r"no\.keras"):
        train.start(recipe, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_stochastic_recipe_keeps_dropout_and_only_dropout_on(photo_folder, tmp_path):
    recipe = tiny(f"data.source='{photo_folder}'", "schedule.epochs=1")
    folder = train.start(recipe, tmp_path)
    condition = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 1)).astype("float32")
    plain = load_generator(folder, recipe)
    fixed = [np.asarray(plain(condition, training=False)) for _ in range(2)]
    assert np.array_equal(*fixed)
    noisy = load_generator(folder, recipe.with_values(stochastic=True))
    before = snapshot(noisy)
    samples = [np.asarray(noisy(condition, training=False)) for _ in range(2)]
    assert not np.array_equal(*samples)
    assert all(np.array_equal(a, b) for a, b in zip(before, noisy.get_weights(), strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(plain.get_weights(), noisy.get_weights(), strict=True))
    with pytest.raises(ColorizeError, match="has no dropout"):
        load_generator(folder, recipe.with_values(stochastic=True, **{"generator.args.dropout_ups": []}))
