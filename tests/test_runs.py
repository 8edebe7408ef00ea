"""A run from end to end: what it leaves, that it resumes exactly, how it is found again."""

import itertools
import re
import shutil
import signal

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_colorize.cli.interruption import Interruption
from keras_colorize.data import open_source
from keras_colorize.data.shard_files import write_shards
from keras_colorize.errors import ColorizeError
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.generator import load_generator
from keras_colorize.runs.log import RunLog, read_log
from keras_colorize.training import CompiledSteps
from keras_colorize.training import loop as train
from keras_colorize.training.checkpoints import newest_position
from tests.conftest import write_photos
from tests.tiny_runs import assert_same_runs, tiny, weights


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One finished run and its photos."""
    root = tmp_path_factory.mktemp("finished")
    photos = write_photos(root / "photos")
    return train.start(tiny(photos), root / "runs", remarks=["a remark"]), photos


def test_the_folder_holds_everything(finished):
    folder, photos = finished
    assert folder.recipe() == tiny(photos)
    assert sorted(file.name for file in folder.previews.iterdir()) == [f"epoch-000{n}.png" for n in (1, 2, 3)]
    for picture in (*folder.previews.iterdir(), folder.curves_file):
        with Image.open(picture) as image:
            assert np.asarray(image.convert("RGB")).std() > 10, f"{picture} is empty"
    assert folder.generator_weights.is_file()
    assert folder.discriminator_weights.is_file()
    assert not list(folder.path.glob("tmp-*"))


def test_photos_left_out_are_named_in_the_log(finished):
    folder, _ = finished
    notes = folder.notes_file.read_text()
    assert "a remark" in notes
    assert "starts from: fresh weights (seed 0)\n" in notes
    assert re.search(r"to beat: validation photos left grey: ab MAE [1-9]\d\.\d\d, PSNR \d\d\.\d\d\n", notes)
    assert "left out of training: old_grey.png: grey" in notes
    assert "left out of training: torn.jpg: " in notes


@pytest.mark.parametrize("settings", [(), ("pretrain.epochs=1", "schedule.epochs=1")], ids=["", "in stages"])
def test_no_column_of_the_log_is_there_twice(settings, finished, tmp_path):
    folder, photos = finished
    if settings:
        folder = train.start(tiny(photos, *settings), tmp_path / "runs")
    header = folder.log_file.read_text().splitlines()[0].split(",")
    assert len(set(header)) == len(header)
    assert not [name for name in header if name.startswith("val_val_")]
    assert set(header) == {name for row in read_log(folder.log_file) for name in row}  # none is empty throughout


def test_log_has_a_row_per_interval_and_validation_per_epoch(finished):
    folder, _ = finished
    rows = read_log(folder.log_file)
    steps_per_epoch = round(rows[-1]["step"] / 3)
    assert [row["step"] for row in rows if "val_ab_mae" in row] == [n * steps_per_epoch for n in range(4)]
    assert rows[0]["step"] == 0
    assert all({"d_real", "d_fake", "g_adversarial", "g_total", "images_per_second"} <= set(row) for row in rows[1:])
    assert all(
        row["g_total"] == pytest.approx(row["g_adversarial"] + 100 * row["g_reconstruction"], rel=1e-4)
        for row in rows[1:]
    )
    seconds = [row["seconds"] for row in rows]
    assert seconds == sorted(seconds)


def test_tensorboard_gets_scalars_and_pictures(finished):
    folder, _ = finished
    events = EventAccumulator(str(folder.events), size_guidance={"tensors": 0})
    events.Reload()
    assert {"g_total", "val_ab_mae", "grey | colour | truth"} <= set(events.Tags()["tensors"])


def test_weights_file_equals_the_last_state(finished):
    folder, _ = finished
    generator = load_generator(folder, folder.recipe())
    prediction = generator(np.zeros((1, 32, 32, 1), "float32"), training=False)
    assert np.isfinite(prediction).all()
    assert prediction.shape == (1, 32, 32, 3)


@pytest.mark.slow
def test_same_seed_gives_bit_equal_weights(finished):
    folder, photos = finished
    again = train.start(tiny(photos), folder.path.parents[2] / "again")
    for ours, theirs in zip(weights(folder), weights(again), strict=True):
        assert np.array_equal(ours, theirs)
    other = train.start(tiny(photos, "runtime.seed=1"), folder.path.parents[2] / "other")
    assert not all(np.array_equal(a, b) for a, b in zip(weights(folder), weights(other), strict=True))


def press_ctrl_c_during_step(number, monkeypatch):
    """Raise SIGINT while training step `number` of the next run is under way."""
    step, steps = CompiledSteps.train, itertools.count(1)

    def counted(self, *args):
        if next(steps) == number:
            signal.raise_signal(signal.SIGINT)
        return step(self, *args)

    monkeypatch.setattr(CompiledSteps, "train", counted)


@pytest.mark.slow
@pytest.mark.parametrize("stop_after", [3, 4])  # within a logging interval, at the end of one
def test_a_stopped_run_resumes_as_if_nothing_had_happened(finished, tmp_path, monkeypatch, stop_after):
    folder, photos = finished
    press_ctrl_c_during_step(stop_after, monkeypatch)
    train.start(tiny(photos), tmp_path, stop=Interruption())
    monkeypatch.undo()
    stopped = RunFolder.newest(tmp_path)
    assert read_log(stopped.log_file)[-1]["step"] == stop_after - stop_after % 2
    train.resume(stopped)
    for ours, theirs in zip(weights(folder), weights(stopped), strict=True):
        assert np.array_equal(ours, theirs)
    columns = ("step", "g_total", "d_real", "val_ab_mae")
    expected, got = ([[row.get(c) for c in columns] for row in read_log(f.log_file)] for f in (folder, stopped))
    assert got == expected


@pytest.mark.slow
@pytest.mark.parametrize("record_format", ["tfrecord", "arrayrecord"])
def test_a_run_on_shards_that_stops_and_resumes_is_the_run_on_their_folder(
    finished, tmp_path, monkeypatch, record_format
):
    folder, photos = finished
    source = open_source(str(photos), validation_fraction=0.2, test_fraction=0.2)
    shards = write_shards(source, tmp_path / "shards", record_format=record_format, shard_bytes=9_000)
    press_ctrl_c_during_step(3, monkeypatch)
    train.start(tiny(shards.pattern, "data.memory_gib=0"), tmp_path / "runs", stop=Interruption())
    monkeypatch.undo()
    stopped = RunFolder.newest(tmp_path / "runs")
    train.resume(stopped)
    for ours, theirs in zip(weights(folder), weights(stopped), strict=True):
        assert np.array_equal(ours, theirs)


def test_a_finished_run_says_so(finished):
    folder, _ = finished
    with pytest.raises(ColorizeError, match=r"finished after \d+ steps \(3 epochs\)") as caught:
        train.resume(folder)
    assert (caught.value.action, caught.value.details) == ("extend", {"run": folder})
    with pytest.raises(ColorizeError, match=r"`epochs` is 2: .* has trained for 3 already"):
        train.resume(folder, epochs=2)
    assert folder.recipe().schedule.epochs == 3


@pytest.mark.slow
@pytest.mark.parametrize("stops", [False, True], ids=["finished", "stopped"])
def test_an_extended_run_is_the_longer_one(finished, tmp_path, monkeypatch, stops):
    """Weights, both optimizers, seeds, log and events are those of the run that had all its epochs from the start."""
    whole, photos = finished
    if stops:
        press_ctrl_c_during_step(3, monkeypatch)
    folder = train.start(tiny(photos, "schedule.epochs=2"), tmp_path, stop=Interruption())
    monkeypatch.undo()
    position = newest_position(folder.checkpoints)
    assert position is not None and position.finished is not stops
    train.resume(folder, epochs=3)
    assert folder.recipe().schedule.epochs == 3
    assert_same_runs(whole, folder)
    notes = folder.notes_file.read_text()
    assert "epochs: 3 instead of 2" in notes
    assert f"starts from: checkpoint of step {position.step}\n" in notes


@pytest.mark.slow
def test_an_extension_that_is_killed_at_once_goes_on(finished, tmp_path, monkeypatch):
    _, photos = finished
    folder = train.start(tiny(photos, "schedule.epochs=1"), tmp_path)

    def killed(*_):
        raise SystemExit

    monkeypatch.setattr(CompiledSteps, "train", killed)
    with pytest.raises(SystemExit):
        train.resume(folder, epochs=2)
    monkeypatch.undo()
    train.resume(folder)
    position = newest_position(folder.checkpoints)
    assert position is not None and position.finished
    assert read_log(folder.log_file)[-1]["epoch"] == 2


def test_a_checkpoint_of_another_network_is_refused(finished, tmp_path):
    folder, photos = finished
    copy = tmp_path / "unet_skip" / "copy"
    shutil.copytree(folder.path, copy)
    other = tiny(photos, "generator.args={filters=[8,8,8,8,16], skips=true}", "schedule.epochs=5")
    (copy / "recipe.toml").write_text(other.to_toml())
    with pytest.raises(ColorizeError, match="does not fit"):
        train.resume(RunFolder.open(copy))
    with pytest.raises(ColorizeError, match="does not fit"):
        load_generator(RunFolder.open(copy), other)


def test_newest_run_is_found_and_its_absence_told(finished, tmp_path):
    folder, _ = finished
    assert RunFolder.newest(folder.path.parents[1], "unet_skip") == folder
    with pytest.raises(ColorizeError, match="did you mean 'unet_skip'"):
        RunFolder.newest(folder.path.parents[1], "unet_skp")
    with pytest.raises(ColorizeError, match="no run folder"):
        RunFolder.open(tmp_path)


def test_two_runs_within_a_second_do_not_share_a_folder(photo_folder, tmp_path):
    folders = [RunFolder.create(tmp_path, tiny(photo_folder)) for _ in range(3)]
    assert len({folder.path for folder in folders}) == 3


def test_a_continued_log_drops_rows_that_will_be_written_again(tmp_path):
    file = tmp_path / "log.csv"
    log = RunLog(file, ["loss"])
    for step in (1, 2, 3):
        log.append({"step": step, "epoch": 0, "seconds": 1, "images_per_second": 2, "loss": 1 / step})
    RunLog(file, ["loss"], keep_until_step=2).append({"step": 3, "loss": 5.0})
    assert [(row["step"], row["loss"]) for row in read_log(file)] == [(1, 1), (2, 0.5), (3, 5)]
