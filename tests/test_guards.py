"""Guards stop a run before it does harm, and say why."""

import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_colorize.data.scan import load_photos
from keras_colorize.data.sources import open_photos
from keras_colorize.errors import ColorizeError
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.generator import load_generator
from keras_colorize.runs.lock import RunLock
from keras_colorize.runs.log import read_log
from keras_colorize.training import SupervisedTrainer, guards
from keras_colorize.training import loop as train
from keras_colorize.training.checkpoints import newest_position
from keras_colorize.training.guards import Deadline, names_of_batch
from keras_colorize.training.reporter import SilentReporter
from tests.test_cli import ROOT, TINY
from tests.test_cli import run as run_script
from tests.tiny_runs import tiny


def photos_of(recipe):
    return load_photos(open_photos(recipe.data), recipe.data, "train")


def test_names_of_a_batch_are_those_of_its_photos(photo_folder):
    photos = photos_of(tiny(photo_folder))
    batches = iter(photos.training_batches(4, seed=5, steps_per_epoch=3))
    by_name = {name: pixels for name, pixels in zip(photos.names, photos.pick(len(photos)), strict=True)}
    for step in range(1, 8):
        names = names_of_batch(photos, 4, seed=5, steps_per_epoch=3, step=step)
        np.testing.assert_array_equal(next(batches), np.stack([by_name[name] for name in names]))


class Lines(SilentReporter):
    """Keeps the lines that a training reports."""

    def __init__(self):
        self.lines = []

    def line(self, text):
        self.lines.append(text)


def poison(monkeypatch, when):
    """Losses are multiplied by NaN in those steps of the generator's optimizer for which `when` is true."""
    losses = SupervisedTrainer.generator_losses

    def poisoned(self, *args):
        factor = tf.where(when(self.optimizer.iterations.value + 1), np.nan, 1.0)
        return {name: value * tf.cast(factor, value.dtype) for name, value in losses(self, *args).items()}

    monkeypatch.setattr(SupervisedTrainer, "generator_losses", poisoned)


@pytest.mark.parametrize(
    "minutes", [pytest.param("0", marks=pytest.mark.slow), "60"]
)  # seen before a checkpoint, or when a row is due
def test_a_loss_that_is_not_finite_stops_the_run(minutes, photo_folder, tmp_path, monkeypatch):
    recipe = tiny(photo_folder, f"schedule.checkpoint_minutes={minutes}", "schedule.log_every=4",
                  "schedule.steps_per_epoch=8", "augment.flip_horizontal=false")  # fmt: skip
    poison(monkeypatch, lambda step: step == 6)
    with pytest.raises(ColorizeError) as caught:
        train.start(recipe, tmp_path)
    message = str(caught.value)
    assert "stopped at step 6: not finite" in message
    names = names_of_batch(photos_of(recipe), 4, seed=0, steps_per_epoch=8, step=6)
    assert ", ".join(names) in message
    folder = RunFolder.newest(tmp_path)
    assert read_log(folder.log_file)[-1]["step"] == 4
    position = newest_position(folder.checkpoints)
    if minutes == "0":
        assert "the checkpoint of step 5 is kept" in message
        assert position is not None
        assert position.step == 5
        assert all(np.isfinite(weight).all() for weight in load_generator(folder, recipe).get_weights())
    else:
        assert "g_total nan" in message
        assert "there is no checkpoint yet" in message
        assert position is None


def test_no_checkpoint_holds_weights_that_are_not_finite(photo_folder, tmp_path, monkeypatch):
    """A gradient can be NaN where the loss is not: the step's own weights are lost before the next loss shows it."""
    learn = SupervisedTrainer.learn_generator

    def spoiled(self, tape, loss):
        learn(self, tape, loss)
        kernel = self.generator.trainable_variables[0]
        kernel.assign(tf.where(self.optimizer.iterations.value == 3, np.nan, kernel.value))

    monkeypatch.setattr(SupervisedTrainer, "learn_generator", spoiled)
    with pytest.raises(ColorizeError, match=r"stopped at step 3: not finite: weights; .* of step 2 is kept"):
        train.start(tiny(photo_folder, "schedule.checkpoint_minutes=0"), tmp_path)


@pytest.mark.slow
def test_a_full_disk_keeps_the_last_checkpoint_and_the_run(photo_folder, tmp_path, monkeypatch):
    """In between training goes on, since room may come back; at the end nothing else is left than to say so."""
    usage, calls = guards.shutil.disk_usage, []

    def fuller(path):
        calls.append(path)
        return usage(path)._replace(free=1000) if len(calls) > 3 else usage(path)  # one before training, two after

    monkeypatch.setattr(guards.shutil, "disk_usage", fuller)
    reporter = Lines()
    with pytest.raises(ColorizeError) as caught:
        train.start(
            tiny(photo_folder, "schedule.checkpoint_minutes=0", "schedule.epochs=2"), tmp_path, reporter=reporter
        )
    folder = RunFolder.newest(tmp_path)
    assert re.search(r"needs [\d.]+ MB in .*, where 0.0 MB are free; the one of step 2 is kept", str(caught.value))
    assert caught.value.action == "resume"
    assert caught.value.details == {"run": folder}
    assert any(line.startswith("no checkpoint at step 3: a checkpoint needs") for line in reporter.lines)
    monkeypatch.undo()
    train.resume(folder)
    position = newest_position(folder.checkpoints)
    assert position is not None
    assert position.finished


def test_no_room_is_said_before_training(photo_folder, tmp_path, monkeypatch):
    usage = guards.shutil.disk_usage
    monkeypatch.setattr(guards.shutil, "disk_usage", lambda path: usage(path)._replace(free=1000))
    with pytest.raises(OSError, match="a checkpoint needs"):
        train.start(tiny(photo_folder), tmp_path)


def test_a_second_writer_is_refused(tmp_path):
    lock = tmp_path / "lock"
    with RunLock(lock) as first:
        assert first.left_behind == ""
        with pytest.raises(ColorizeError, match=f"is being written by process {os.getpid()} on "), RunLock(lock):
            pass
        assert lock.is_file()
    assert not lock.exists()


def test_a_killed_writers_lock_is_taken_over(tmp_path):
    lock = tmp_path / "lock"
    code = (
        "import sys, time; from pathlib import Path; from keras_colorize.runs.lock import RunLock\n"
        "with RunLock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(lock)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(ColorizeError, match=f"by process {process.pid} on"), RunLock(lock):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert lock.is_file()
    with RunLock(lock) as ours:
        assert f"process {process.pid} on" in ours.left_behind


def test_a_resume_of_a_locked_run_is_refused_at_once(photo_folder, tmp_path):
    folder = RunFolder.create(tmp_path, tiny(photo_folder))
    with RunLock(folder.lock_file), pytest.raises(ColorizeError, match="is being written by"):
        train.resume(folder)


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan")])
def test_minutes_that_make_no_sense(minutes):
    with pytest.raises(ColorizeError, match="expected more than 0"):
        Deadline(minutes)


@pytest.mark.slow
def test_max_minutes_stops_cleanly_and_resumes(photo_folder, tmp_path):
    options = ["--data", str(photo_folder), "--out", str(tmp_path), *TINY, "--epochs", "2"]
    stopped = run_script("train.py", *options, "--max-minutes", "0.001")
    assert (stopped.returncode, stopped.stderr) == (0, "")
    folder = RunFolder.newest(tmp_path)
    assert "stopped by its limit of 0.001 minutes after step 1\n" in stopped.stdout
    assert f"train.py --resume {folder} goes on" in stopped.stdout
    assert "done" not in stopped.stdout
    again = run_script("train.py", "--resume", str(folder), "--max-minutes", "60")
    assert (again.returncode, again.stderr) == (0, "")
    assert "done" in again.stdout
    assert [row["step"] for row in read_log(folder.log_file)] == [0, 2, 4]
