"""Callbacks of training: `fit` with them is the command's run, resumes exactly, averages, stops and shows."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_colorize.color.spaces import LabSpace
from keras_colorize.data.scan import load_photos, load_split
from keras_colorize.data.sources import open_photos, open_source
from keras_colorize.errors import ColorizeError
from keras_colorize.metrics import ImageSet, fid_between, keras_network
from keras_colorize.models.weights import load_weights
from keras_colorize.runs.log import read_log
from keras_colorize.runs.pictures import colorized
from keras_colorize.training import GANTrainer, build_stages
from keras_colorize.training import loop as train
from keras_colorize.training.callbacks import EarlyStopper, FIDMonitor, PhotoPreviews, WeightAveraging
from keras_colorize.training.checkpoints import newest_position
from keras_colorize.training.saver import ResumableCheckpoint
from keras_colorize.training.task import fid_network
from tests.conftest import write_photos
from tests.test_checkpoint import steps_of
from tests.test_training import linear_discriminator, linear_generator
from tests.tiny_runs import state, state_of, tiny

BATCH = 4


class Kill(keras.callbacks.Callback):
    """Breaks a training in the middle of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if self.now == self.epoch and batch == 1:
            raise KeyboardInterrupt


class Figures(keras.callbacks.Callback):
    """Adds given figures to the logs of epochs, and keeps the generator's weights."""

    def __init__(self, values=()):
        super().__init__()
        self.values = values
        self.weights = []

    def on_epoch_end(self, epoch, logs=None):
        if self.values:
            logs["val_fid"] = self.values[epoch]
        self.weights.append(self.model.generator.get_weights())


def fit_recipe(recipe, folder, *more):
    """Train a recipe by `fit` with all callbacks, from the newest checkpoint if there is one."""
    (stage,) = build_stages(recipe)
    source = open_photos(recipe.data)
    photos, validation = (load_photos(source, recipe.data, split) for split in ("train", "validation"))
    batch_size, seed = recipe.data.batch_size, recipe.runtime.seed
    steps = photos.steps_per_epoch(batch_size)
    stage.set_steps_per_epoch(steps)
    measured = validation.evaluation_batches(batch_size)
    stopper = EarlyStopper("val_fid", folder / "best.weights.h5", patience=recipe.early_stopping.patience)
    checkpoint = ResumableCheckpoint(folder / "checkpoint", minutes=0, early_stopper=stopper)
    start = checkpoint.initial_epoch
    history = stage.trainer.fit(
        photos.training_batches(batch_size, seed=seed, start_epoch=start),
        shuffle=False,
        steps_per_epoch=steps,
        initial_epoch=start,
        epochs=recipe.schedule.epochs,
        validation_data=measured,
        verbose=0,
        callbacks=[
            WeightAveraging(recipe.optimizer.average),
            FIDMonitor(measured, fid_network(recipe)),
            stopper,
            PhotoPreviews(validation.pick(8), folder / "previews"),
            *more,
            checkpoint,
        ],
    ).history
    return stage.trainer, history


@pytest.mark.slow
def test_fit_with_all_callbacks_is_the_commands_run_and_resumes_exactly(tmp_path):
    recipe = tiny(write_photos(tmp_path / "photos"), "optimizer.average=0.9", "optimizer.decay='linear'",
                  "early_stopping.monitor='fid'", "backbone_weights='random'", "data.validation_fraction=0.4",
                  "augment.noise=0.1")  # fmt: skip
    run = train.start(recipe, tmp_path / "runs")
    trainer, history = fit_recipe(recipe, tmp_path / "fit")
    with pytest.raises(KeyboardInterrupt):
        fit_recipe(recipe, tmp_path / "resumed", Kill(epoch=2))
    resumed, rest = fit_recipe(recipe, tmp_path / "resumed")

    rows = [row for row in read_log(run.log_file) if "val_fid" in row]
    for name in ("val_fid", "val_ab_mae", "val_psnr"):
        assert history[name] == pytest.approx([row[name] for row in rows], rel=1e-5), name  # the log has six digits
        assert rest[name] == history[name][2:]
    load_weights(trainer.generator, run.generator_weights)  # the best ones
    best = trainer.generator.get_weights()
    for one, folder in ((trainer, tmp_path / "fit"), (resumed, tmp_path / "resumed")):
        for ours, theirs in zip(one.generator.get_weights(), best, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        found, expected = state_of(folder / "checkpoint"), state(run)
        assert found.keys() == expected.keys()
        before = len(one.variables)  # running means follow: the command resets them with each row of its log
        means = range(before, before + sum(len(metric.variables) for metric in one.metrics))
        for name in found:
            number = name.split("/")[1]
            if not number.isdigit() or int(number) not in means:
                assert found[name].tobytes() == expected[name].tobytes(), name
        for picture in sorted(run.previews.iterdir()):
            assert (folder / "previews" / picture.name).read_bytes() == picture.read_bytes()
        position, theirs = (newest_position(path) for path in (folder / "checkpoint", run.checkpoints))
        assert (position.step, position.best, position.waited) == (theirs.step, theirs.best, theirs.waited)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Training and validation photos of 8×8 pixels."""
    source = open_source(str(write_photos(tmp_path_factory.mktemp("photos") / "all")), validation_fraction=0.3,
                         test_fraction=0.1)  # fmt: skip
    return load_split(source, "train", image_size=8), load_split(source, "validation", image_size=8)


def small_trainer():
    """A linear GAN whose every step flips photos at random and moves Adam's moments."""
    keras.utils.set_random_seed(3)
    trainer = GANTrainer(linear_generator(), linear_discriminator(), LabSpace(), seed=7)
    trainer.compile("adam", "adam")
    return trainer


def fit(trainer, photos, callbacks, *, epochs=3, initial_epoch=0):
    training, validation = photos
    return trainer.fit(
        training.training_batches(BATCH, seed=1, start_epoch=initial_epoch),
        shuffle=False,
        steps_per_epoch=training.steps_per_epoch(BATCH),
        epochs=epochs,
        initial_epoch=initial_epoch,
        validation_data=validation.evaluation_batches(BATCH),
        callbacks=callbacks,
        verbose=0,
    ).history


def assert_equal_weights(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_averages_are_validated_shown_and_kept_and_do_not_disturb_training(photos):
    class Follow(keras.callbacks.Callback):
        """Averages by hand what training leaves after each step."""

        def __init__(self, keep):
            super().__init__()
            self.keep, self.steps, self.last, self.average = keep, 0, [], []

        def on_train_begin(self, logs=None):
            self.average = self.model.generator.get_weights()

        def on_train_batch_end(self, batch, logs=None):
            self.steps += 1
            keep = min(self.keep, (1 + self.steps) / (10 + self.steps))
            self.last = self.model.generator.get_weights()
            self.average = [keep * a + (1 - keep) * w for a, w in zip(self.average, self.last, strict=True)]

    plain, averaging = Follow(0.8), Follow(0.8)
    without, trainer, shown = small_trainer(), small_trainer(), Figures()
    fit(without, photos, [plain])
    history = fit(trainer, photos, [WeightAveraging(0.8), averaging, shown])
    assert_equal_weights(averaging.last, plain.last)
    assert_equal_weights(trainer.generator.get_weights(), shown.weights[-1])
    for ours, expected in zip(trainer.generator.get_weights(), averaging.average, strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-6)
    without.generator.set_weights(averaging.average)
    figures = without.evaluate(photos[1].evaluation_batches(BATCH), verbose=0, return_dict=True)
    assert history["val_ab_mae"][-1] == pytest.approx(figures["ab_mae"], rel=1e-4)
    assert trainer.averages is None
    fit(trainer, photos, [shown], epochs=1)  # without the callback nothing is averaged any more
    assert trainer.averages is None


def test_evaluate_and_predict_take_the_averages_within_a_training(photos):
    class Measure(keras.callbacks.Callback):
        """Compares the figures and the output in the middle of training with those of the averages."""

        def on_train_batch_end(self, batch, logs=None):
            if batch:
                return
            pixels, model = photos[1].pick(4), self.model
            last = model.predict(pixels, verbose=0)
            found = model.predict(pixels, verbose=0, callbacks=[WeightAveraging(0.8)])
            with model.averaged_generator():
                np.testing.assert_array_equal(found, model.predict(pixels, verbose=0))
            assert np.abs(found - last).max() > 1e-5
            np.testing.assert_array_equal(model.predict(pixels, verbose=0), last)

    fit(small_trainer(), photos, [WeightAveraging(0.8), Measure()], epochs=2)


def test_several_steps_in_a_call_are_averaged_one_by_one(photos, tmp_path):
    found = []
    for steps in (1, 2):
        trainer, checkpoint = small_trainer(), ResumableCheckpoint(tmp_path / str(steps))
        trainer.compile("adam", "adam", steps_per_execution=steps)
        fit(trainer, photos, [WeightAveraging(0.9), checkpoint])
        found.append((trainer.generator.get_weights(), checkpoint.position.step))
    assert found[0][1] == found[1][1] == 3 * photos[0].steps_per_epoch(BATCH)
    for one, two in zip(found[0][0], found[1][0], strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)


@pytest.mark.parametrize("keep", [0.0, 1.0, float("nan")])
def test_an_average_needs_a_share_between_0_and_1(keep):
    with pytest.raises(ColorizeError, match="expected more than 0 and less than 1"):
        WeightAveraging(keep)


def callbacks_in(folder, *more):
    stopper = EarlyStopper("val_ab_mae", folder / "best.weights.h5", patience=100)
    checkpoint = ResumableCheckpoint(folder / "checkpoint", minutes=0, early_stopper=stopper)
    return [WeightAveraging(0.9), stopper, *more, checkpoint]


def test_a_fit_that_was_killed_goes_on_bit_for_bit(photos, tmp_path):
    whole = small_trainer()
    fit(whole, photos, callbacks_in(tmp_path / "whole"), epochs=4)
    with pytest.raises(KeyboardInterrupt):
        fit(small_trainer(), photos, callbacks_in(tmp_path / "killed", Kill(epoch=2)), epochs=4)
    callbacks = callbacks_in(tmp_path / "killed")
    assert callbacks[-1].initial_epoch == 2
    resumed = small_trainer()
    fit(resumed, photos, callbacks, epochs=4, initial_epoch=2)
    assert_equal_weights(resumed.get_weights(), whole.get_weights())
    first, second = (state_of(tmp_path / name / "checkpoint") for name in ("whole", "killed"))
    assert {name: value.tobytes() for name, value in first.items()} == {
        name: value.tobytes() for name, value in second.items()
    }
    positions = [newest_position(tmp_path / name / "checkpoint") for name in ("whole", "killed")]
    assert positions[0] == positions[1]
    assert positions[0].finished and positions[0].epoch == 4

    again = small_trainer()  # nothing is left to train
    fit(again, photos, callbacks_in(tmp_path / "killed"), epochs=4, initial_epoch=4)
    assert_equal_weights(again.generator.get_weights(), whole.generator.get_weights())


def test_a_damaged_checkpoint_is_left_out_with_a_warning(photos, tmp_path):
    fit(small_trainer(), photos, callbacks_in(tmp_path), epochs=3)
    newest = max((tmp_path / "checkpoint").iterdir())
    (newest / "position.json").write_text("{}")
    callbacks = callbacks_in(tmp_path)
    assert callbacks[-1].initial_epoch == 2
    with pytest.warns(UserWarning, match=f"{newest.name} is damaged"):
        fit(small_trainer(), photos, callbacks, epochs=3, initial_epoch=2)
    assert newest_position(tmp_path / "checkpoint").epoch == 3


def test_a_fit_that_does_not_begin_at_the_checkpoint_is_refused(photos, tmp_path):
    fit(small_trainer(), photos, callbacks_in(tmp_path), epochs=2)
    with pytest.raises(ColorizeError, match=r"`initial_epoch` is 0, .* ends after 2 epochs"):
        fit(small_trainer(), photos, callbacks_in(tmp_path), epochs=3)
    endless = photos[0].training_batches(BATCH, seed=1).take(3).filter(lambda batch: True)
    with pytest.raises(ColorizeError, match="give `steps_per_epoch`"):
        small_trainer().fit(endless, shuffle=False, verbose=0, callbacks=[ResumableCheckpoint(tmp_path / "other")])


def test_a_full_disk_ends_no_fit_before_its_last_epoch(photos, tmp_path, monkeypatch):
    usage = []

    def full(*_):
        usage.append(1)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("keras_colorize.training.checkpoints._sha256", full)
    with pytest.warns(UserWarning, match="no checkpoint at step .* there is none yet, training goes on"):  # noqa: SIM117
        with pytest.raises(OSError, match="No space left"):
            fit(small_trainer(), photos, [ResumableCheckpoint(tmp_path, minutes=0)], epochs=3)
    assert len(usage) == 3


@pytest.mark.parametrize(("monitor", "sign"), [("val_fid", 1), ("val_psnr", -1)])
def test_training_ends_when_a_figure_improves_no_more(monitor, sign, photos, tmp_path):
    class Given(Figures):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            logs[monitor] = sign * [3.0, 2.0, 2.5, 2.0][epoch]

    trainer, given = small_trainer(), Given()
    stopper = EarlyStopper(monitor, tmp_path / "new" / "best.weights.h5", patience=2)
    history = fit(trainer, photos, [given, stopper], epochs=10)
    assert len(history["g_total"]) == 4
    assert (stopper.position.best, stopper.position.waited) == (2.0 * sign, 2)
    assert_equal_weights(trainer.generator.get_weights(), given.weights[1])


def test_a_fit_that_early_stopping_ended_ends_at_once_when_it_is_started_again(photos, tmp_path):
    def callbacks(patience):
        values = Figures([2.0, 1.0, 3.0, 3.0, 0.5, 3.0])
        stopper = EarlyStopper("val_fid", tmp_path / "best.weights.h5", patience=patience)
        checkpoint = ResumableCheckpoint(tmp_path / "checkpoint", minutes=0, early_stopper=stopper)
        return [WeightAveraging(0.9), values, stopper, checkpoint]

    first, again, longer = small_trainer(), small_trainer(), small_trainer()
    assert len(fit(first, photos, callbacks(2), epochs=6)["val_fid"]) == 4
    history = fit(again, photos, callbacks(2), epochs=6, initial_epoch=4)
    assert history == {} and newest_position(tmp_path / "checkpoint").epoch == 4
    assert_equal_weights(again.generator.get_weights(), first.generator.get_weights())
    assert len(fit(again, photos, [], epochs=1)["g_total"]) == 1, "a later fit begins at its own beginning"
    assert fit(longer, photos, callbacks(4), epochs=6, initial_epoch=4)["val_fid"] == [0.5, 3.0]


def test_early_stopping_looks_every_few_epochs_and_names_a_figure_that_is_missing(photos, tmp_path):
    stopper = EarlyStopper("val_fid", tmp_path / "best.weights.h5", patience=1, every=2, start_from_epoch=1)
    stopper.set_model(small_trainer())
    figures = [1.0, 1.0, 9.0, 1.0, 8.0, 1.0, 8.5]
    for epoch, value in enumerate(figures):
        stopper.on_epoch_end(epoch, {"val_fid": value})
    assert stopper.position.best == 8.0 and stopper.model.stop_training
    with pytest.raises(ColorizeError, match=r"`monitor` is 'val_fid', which epoch 3 .*val_ab_mae.*FIDMonitor"):
        fit(small_trainer(), photos, [EarlyStopper("val_fid", tmp_path / "b.weights.h5", every=3)])


def random_features():
    keras.utils.set_random_seed(0)
    rgb = keras.Input((None, None, 3))
    features = keras.layers.Conv2D(4, 3, activation="relu")(rgb)
    return keras_network(keras.Model(rgb, keras.layers.GlobalAveragePooling2D()(features)), "random")


def test_fid_is_that_of_the_averages_and_joins_the_history(photos):
    class Measure(keras.callbacks.Callback):
        """Computes FID once more, from all photos at once."""

        def on_epoch_end(self, epoch, logs=None):
            found.append(logs.get("val_fid"))
            if "val_fid" in logs:
                truth, painted = ImageSet(network), ImageSet(network)
                truth.update(photos[1].pick(100))
                painted.update(colorized(self.model.generator, self.model.space, photos[1].pick(100)))
                expected.append(fid_between(truth, painted).value)

    network, found, expected = random_features(), [], []
    monitor = FIDMonitor(photos[1].evaluation_batches(3), network, every=2, start_from_epoch=1)
    assert monitor.label == f"fid (random) of {len(photos[1])} validation photos"
    with pytest.warns(UserWarning, match="biased"):
        history = fit(small_trainer(), photos, [WeightAveraging(0.5), monitor, Measure()], epochs=5)
    assert [value is not None for value in found] == [False, False, True, False, True]
    assert history["val_fid"] == pytest.approx(expected, rel=1e-3)
    assert all(math.isfinite(value) and value > 0 for value in expected)


def test_fid_of_one_photo_is_refused(photos):
    with pytest.raises(ColorizeError, match="there is 1 for validation: expected at least 2"):
        FIDMonitor([photos[1].pick(1)], random_features())


def test_previews_come_every_few_epochs_and_after_the_last(photos, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 4

    writer = tf.summary.create_file_writer(str(tmp_path / "events"))
    previews = PhotoPreviews(photos[1].pick(2), tmp_path / "pictures", every=2, events=writer)
    fit(small_trainer(), photos, [Stop(), previews], epochs=9)
    assert sorted(file.name for file in (tmp_path / "pictures").iterdir()) == [
        f"epoch-000{epoch}.png" for epoch in (2, 4, 5)
    ]
    with Image.open(tmp_path / "pictures" / "epoch-0005.png") as image:
        pixels = np.asarray(image)
    assert pixels.std() > 10
    writer.close()
    (events,) = (tmp_path / "events").iterdir()
    assert steps_of(events)[1:] == [epoch * photos[0].steps_per_epoch(BATCH) for epoch in (2, 4, 5)]
