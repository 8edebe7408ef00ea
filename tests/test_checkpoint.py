"""Checkpoints: whole or not at all, damage is noticed, the rest of the folder follows them."""

import csv
import os
import shutil
import subprocess

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_colorize.errors import ColorizeError
from keras_colorize.runs.events import drop_events_after
from keras_colorize.runs.folder import RunFolder
from keras_colorize.training import loop as train
from keras_colorize.training.checkpoints import Checkpoints, Position, newest_position
from tests.conftest import write_photos
from tests.tiny_runs import assert_same_runs, tiny


def make(folder, value=0.0):
    variables = [keras.Variable(np.full((4, 3), value, "float32")), keras.Variable(np.zeros(2, "int64"), dtype="int64")]
    return variables, Checkpoints(folder / "checkpoint", variables, folder / "best.weights.h5")


@pytest.fixture
def three(tmp_path):
    """Checkpoints of steps 1, 2 and 3, of which the last two are kept; the first variable holds the step."""
    variables, checkpoints = make(tmp_path)
    for step in (1, 2, 3):
        variables[0].assign(np.full((4, 3), step, "float32"))
        (tmp_path / "best.weights.h5.new").write_bytes(b"best of %d" % step)
        os.replace(tmp_path / "best.weights.h5.new", tmp_path / "best.weights.h5")
        checkpoints.save(Position(step=step, seconds=step / 3, best=1 / step, waited=step))
    return tmp_path


def test_two_are_kept_and_the_newest_comes_back(three):
    assert sorted(path.name for path in (three / "checkpoint").iterdir()) == ["step-00000002", "step-00000003"]
    variables, checkpoints = make(three)
    position, remarks = checkpoints.restore()
    assert position == Position(step=3, seconds=1.0, best=1 / 3, waited=3)
    assert remarks == []
    assert (variables[0].numpy() == 3).all()
    assert newest_position(three / "checkpoint") == position
    assert checkpoints.last_step == 3


def test_checksums_are_those_that_sha256sum_reads(three):
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum here")
    checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=three / "checkpoint" / "step-00000003", check=False)
    assert checked.returncode == 0


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def halve(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


DAMAGES = {"truncated": halve, "empty": lambda file: file.write_bytes(b""), "flipped": flip, "missing": os.unlink}
FILES = ["state.data-00000-of-00001", "state.index", "position.json", "SHA256SUMS", "best.weights.h5"]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_falls_back_to_the_one_before(three, file, damage):
    newest = three / "checkpoint" / "step-00000003"
    if file == "best.weights.h5":  # a name of its own, so that the damage is to this checkpoint alone
        content = (newest / file).read_bytes()
        (newest / file).unlink()
        (newest / file).write_bytes(content)
    DAMAGES[damage](newest / file)
    variables, checkpoints = make(three)
    position, (remark,) = checkpoints.restore()
    assert position is not None
    assert position.step == 2
    assert "step-00000003 is damaged" in remark
    assert (variables[0].numpy() == 2).all()
    assert (three / "best.weights.h5").read_bytes() == b"best of 2"
    checkpoints.save(Position(step=3))
    assert make(three)[1].restore()[0] == Position(step=3, best=pytest.approx(np.nan, nan_ok=True))


def test_all_damaged_is_an_error_and_none_at_all_is_a_beginning(three, tmp_path):
    for path in (three / "checkpoint").iterdir():
        flip(path / "state.index")
    with pytest.raises(ColorizeError, match=r"can be read .*step-00000003 is damaged"):
        make(three)[1].restore()
    (tmp_path / "none").mkdir()
    assert make(tmp_path / "none")[1].restore() == (None, [])


def test_what_a_kill_left_of_a_checkpoint_is_no_checkpoint(three):
    half = three / "checkpoint" / "tmp-step-00000004"
    half.mkdir()
    (half / "state.index").write_bytes(b"half")
    position, remarks = make(three)[1].restore()
    assert position is not None
    assert position.step == 3
    assert remarks == []
    assert not half.exists()


def test_a_failed_write_keeps_what_was_there(three, monkeypatch):
    _, checkpoints = make(three)
    checkpoints.restore()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("keras_colorize.training.checkpoints._sha256", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save(Position(step=4))
    monkeypatch.undo()
    assert sorted(path.name for path in (three / "checkpoint").iterdir()) == ["step-00000002", "step-00000003"]
    assert make(three)[1].restore()[1] == []


def test_a_file_that_stands_for_two_is_never_written_to(three):
    """Names of the same bytes: a rename between them does nothing, and a temporary one must not stay."""
    _, checkpoints = make(three)
    for _ in range(2):
        checkpoints.restore()
        best, kept = three / "best.weights.h5", three / "checkpoint" / "step-00000003" / "best.weights.h5"
        assert best.samefile(kept)
        assert not list(three.glob("tmp-*"))


def test_events_after_a_step_and_a_torn_end_are_dropped(tmp_path):
    writer = tf.summary.create_file_writer(str(tmp_path))
    for step in range(5):
        with writer.as_default(step=step):
            tf.summary.scalar("loss", step)
    writer.close()
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])
    drop_events_after(tmp_path, 10)
    assert steps_of(file) == [0, 0, 1, 2, 3]  # the first is the file's version
    drop_events_after(tmp_path, 1)
    assert steps_of(file) == [0, 0, 1]
    before = file.stat()
    drop_events_after(tmp_path, 1)
    assert file.stat().st_mtime_ns == before.st_mtime_ns


def steps_of(file):
    records = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    return [tf.compat.v1.Event.FromString(record).step for record in records]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One finished run with early stopping, and its photos; a checkpoint after every step."""
    root = tmp_path_factory.mktemp("finished")
    photos = write_photos(root / "photos")
    recipe = tiny(photos, "schedule.checkpoint_minutes=0", "early_stopping.monitor='ab_mae'", "schedule.epochs=2")
    return train.start(recipe, root / "runs")


def copied(folder, tmp_path):
    shutil.copytree(folder.path, tmp_path / "copy")
    return RunFolder.open(tmp_path / "copy")


@pytest.mark.slow
def test_a_resume_repairs_what_a_kill_left_behind(finished, tmp_path):
    """A kill after the newest checkpoint but one, with everything else already further than that."""
    folder = copied(finished, tmp_path)
    newest, previous = sorted(folder.checkpoints.iterdir(), reverse=True)
    shutil.rmtree(newest)
    step = int(previous.name.removeprefix("step-"))
    folder.generator_weights.write_bytes(b"half a fi")
    folder.best_weights.write_bytes(b"of a time that never was")
    folder.curves_file.write_bytes(b"")
    with folder.log_file.open("a", newline="") as stream:
        csv.writer(stream).writerow([step + 50, 1, 2, 3])
        stream.write("1")  # a row cut short, which would read as step 1
    train.resume(folder)
    assert_same_runs(finished, folder)


def test_a_kill_between_the_last_checkpoint_and_the_weights_is_repaired(finished, tmp_path):
    folder = copied(finished, tmp_path)
    folder.generator_weights.write_bytes(b"")
    folder.discriminator_weights.unlink()
    with pytest.raises(ColorizeError, match="is finished"):
        train.resume(folder)
    assert_same_runs(finished, folder)
    assert folder.discriminator_weights.stat().st_size == finished.discriminator_weights.stat().st_size


@pytest.mark.slow
def test_a_damaged_checkpoint_costs_one_interval_and_a_remark(finished, tmp_path):
    folder = copied(finished, tmp_path)
    newest = max(folder.checkpoints.iterdir())
    flip(newest / "state.data-00000-of-00001")
    train.resume(folder)
    assert f"checkpoint {newest.name} is damaged" in folder.notes_file.read_text()
    assert_same_runs(finished, folder)


@pytest.mark.slow
def test_a_run_killed_before_its_first_checkpoint_begins_anew(finished, tmp_path):
    folder = copied(finished, tmp_path)
    shutil.rmtree(folder.checkpoints)
    train.resume(folder)
    assert "there was no checkpoint yet" in folder.notes_file.read_text()
    assert_same_runs(finished, folder)
