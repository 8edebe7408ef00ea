"""Several devices and several machines: the same weights as one, and an end with a word when a worker is lost."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_colorize.errors import ColorizeError
from keras_colorize.recipes import Recipe
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.log import read_log
from keras_colorize.training import Parallel, open_devices
from tests.conftest import write_photos
from tests.test_guards import photos_of
from tests.tiny_runs import assert_same_runs, log_rows, state, tiny

ROOT = Path(__file__).resolve().parents[1]
STILL = (  # nothing random, nothing that hides a factor in the gradients
    "generator.args.dropout_ups=[]", "augment.flip_horizontal=false", "augment.quarter_turns=false",
    "optimizer.name='sgd'", "optimizer.learning_rate=1e-3", "runtime.precision='float32'",
)  # fmt: skip


def test_parts_of_all_replicas_are_the_whole_batch(photo_folder):
    photos = photos_of(tiny(photo_folder))
    options = {"seed": 3, "steps_per_epoch": 3, "start_step": 1}
    whole = photos.training_batches(8, **options).take(4)
    shares = [photos.training_batches(8, **options, parts=4, own_parts=own) for own in (range(0, 2), range(2, 4))]
    for batch, *parts in zip(whole, *(iter(share.batch(2)) for share in shares), strict=False):
        together = np.concatenate([part.numpy().reshape(-1, *batch.shape[1:]) for part in parts])
        np.testing.assert_array_equal(together, batch)


@pytest.mark.parametrize("in_memory", [True, False])
def test_parts_for_evaluation_hold_every_photo_once(photo_folder, in_memory):
    photos = photos_of(tiny(photo_folder, f"data.memory_gib={2.0 if in_memory else 0.0}"))
    assert photos.in_memory == in_memory
    assert len(photos) % 6, "a last batch that needs filling"
    seen = []
    for own in (range(0, 1), range(1, 3)):
        for pixels, weights in photos.evaluation_parts(6, 3, own):
            assert pixels.shape == (2, *pixels.shape[1:])
            seen += [photo.tobytes() for photo, weight in zip(pixels.numpy(), weights.numpy(), strict=True) if weight]
    assert sorted(seen) == sorted(photo.tobytes() for photo in photos.pick(len(photos)))


def test_a_batch_that_cannot_be_divided_is_refused(photo_folder):
    parallel = Parallel(tf.distribute.get_strategy())
    parallel.replicas = 4
    parallel.check(tiny(photo_folder))
    with pytest.raises(ColorizeError, match=r"data\.batch_size is 6: expected a multiple of the 4 replicas, such as 4"):
        parallel.check(tiny(photo_folder, "data.batch_size=6"))


@pytest.mark.parametrize(
    "config",
    [None, "no JSON", "{}", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
     '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "worker", "index": 0}}'],
)  # fmt: skip
def test_workers_need_their_environment(config, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ColorizeError, match="needs TF_CONFIG in the environment"):
        open_devices("multi_worker")


def written(recipe: Recipe, file: Path) -> Path:
    file.write_text(recipe.to_toml())
    return file


def process(*arguments, worker=None, ports=()):
    """`python -m …`, as a worker of a job where `worker` is given."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    if worker is not None:
        cluster = {"worker": [f"localhost:{port}" for port in ports]}
        environment["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": worker}})
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)], cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("localhost", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def finish(*processes):
    for one in processes:
        output, error = one.communicate(timeout=400)
        assert one.returncode == 0, output + error


def train_alone(recipe_file, out, devices):
    finish(process("tests.replicas", recipe_file, out, devices))
    return RunFolder.newest(out)


def start_workers(count, *arguments):
    ports = free_ports(count)
    return [process("keras_colorize", "train", *arguments, worker=worker, ports=ports) for worker in range(count)]


def assert_near(ours, theirs, tolerance=1e-5):
    first, second = state(ours), state(theirs)
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_allclose(first[name], second[name], atol=tolerance, rtol=tolerance, err_msg=name)
    for ours_row, theirs_row in zip(log_rows(ours), log_rows(theirs), strict=True):
        assert ours_row == pytest.approx(theirs_row, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "extra", [(), ("pretrain.epochs=1", "optimizer.average=0.9", "schedule.discriminator_every=3")]
)
def test_two_devices_are_one(tmp_path, extra):
    photos = write_photos(tmp_path / "photos")
    files = [
        written(tiny(photos, *STILL, *extra, f"runtime.strategy='{strategy}'"), tmp_path / f"{strategy}.toml")
        for strategy in ("one", "mirrored")
    ]
    one, two = (train_alone(file, tmp_path / file.stem, n) for n, file in enumerate(files, 1))
    assert "parallel: 2 replicas" in two.notes_file.read_text()
    assert_near(one, two)


FIT = """
import sys
from pathlib import Path
import numpy as np
import tensorflow as tf
processor = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
from keras_colorize import (
    EarlyStopper, PhotoPreviews, ResumableCheckpoint, SupervisedTrainer, WeightAveraging, get_space
)
from keras_colorize.recipes import Augment
from tests.test_training import linear_generator

photos = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3), np.uint8)
batches = tf.data.Dataset.from_tensor_slices(photos).batch(8)
found = []
for number, strategy in enumerate((tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))):
    folder = Path(sys.argv[1]) / str(number)
    with strategy.scope():
        keras.utils.set_random_seed(0)
        trainer = SupervisedTrainer(linear_generator(), get_space("lab"), augment=Augment(flip_horizontal=False))
        trainer.compile(keras.optimizers.SGD(1e-3))
    assert trainer.distribute_strategy.num_replicas_in_sync == number + 1
    stopper = EarlyStopper("val_ab_mae", folder / "best.weights.h5")
    callbacks = [
        WeightAveraging(0.5), stopper, PhotoPreviews(photos[:2], folder / "previews"),
        ResumableCheckpoint(folder / "checkpoint", minutes=0, early_stopper=stopper),
    ]
    history = trainer.fit(
        batches, shuffle=False, epochs=3, validation_data=batches, callbacks=callbacks, verbose=0
    ).history
    assert len(list((folder / "previews").iterdir())) == 3
    found.append([*trainer.generator.get_weights(), history["val_ab_mae"], history["g_total"]])
for one, two in zip(*found, strict=True):
    np.testing.assert_allclose(one, two, rtol=1e-5)
"""


@pytest.mark.slow
def test_fit_with_callbacks_on_two_devices_is_that_on_one(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FIT, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_workers_are_one_and_a_lost_one_ends_the_job(tmp_path, count):
    photos = write_photos(tmp_path / "photos")
    recipe = tiny(photos, *STILL, "schedule.epochs=6", "schedule.log_every=1", "schedule.checkpoint_minutes=0")
    file = written(recipe, tmp_path / "workers.toml")
    alone = train_alone(file, tmp_path / "alone", 1)

    together = ["--recipe", file, "--strategy", "multi_worker", "--out"]
    finish(*start_workers(count, *together, tmp_path / "workers"))
    workers = RunFolder.newest(tmp_path / "workers")
    assert_near(alone, workers)
    assert {path.name for path in workers.path.iterdir() if path.is_dir()} == {
        "previews", "tensorboard", "checkpoint", *(f"worker-{number}" for number in range(1, count)),
    }  # fmt: skip

    *others, last = start_workers(count, *together, tmp_path / "lost")
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        logs = list((tmp_path / "lost").glob("*/*/log.csv"))
        if logs and read_log(logs[0])[-1:] and read_log(logs[0])[-1]["step"] >= 5:
            break
        time.sleep(0.01)
    last.send_signal(signal.SIGKILL)
    last.communicate(timeout=60)
    lost = RunFolder.newest(tmp_path / "lost")
    for number, other in enumerate(others):
        _, error = other.communicate(timeout=200)
        assert other.returncode == 2, error
        message = error.splitlines()[-1]
        assert f"worker {number} stopped, since another worker of this job is gone" in message
        assert f"start all workers again; train.py --resume {lost} on each of them goes on" in message

    finish(*start_workers(count, "--resume", lost))
    assert_same_runs(workers, lost)
