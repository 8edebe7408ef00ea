"""Helpers of the tests of runs: a recipe that trains in seconds, and the comparison of two runs."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_colorize.recipes import Recipe
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.generator import load_generator
from keras_colorize.runs.log import read_log
from keras_colorize.training.checkpoints import newest_position

SETTINGS = (
    "generator.args={filters=[8,8,8,8,8], skips=true, dropout_ups=[1]}",
    "discriminator.args.filters=[8,8]",
    "data.image_size=32",
    "data.batch_size=4",
    "data.validation_fraction=0.2",
    "data.test_fraction=0.2",
    "schedule.epochs=3",
    "schedule.log_every=2",
    "runtime.deterministic=true",
)
CLOCK = {"seconds", "images_per_second"}  # what no two runs agree on


def tiny(photos: Path | str, *settings: str) -> Recipe:
    """A small pix2pix on the photos of a folder, or of shards."""
    return Recipe.load("unet_skip", [*SETTINGS, f"data.source='{photos}'", *settings])


def weights(folder: RunFolder) -> list[np.ndarray]:
    """The trained generator's."""
    return load_generator(folder, folder.recipe()).get_weights()


def log_rows(folder: RunFolder) -> list[dict[str, float]]:
    """The log without the clock."""
    return [{key: value for key, value in row.items() if key not in CLOCK} for row in read_log(folder.log_file)]


def events(folder: RunFolder) -> dict[str, list[tuple[int, Any]]]:
    """TensorBoard's tags, each with its steps and values, in the order in which they lie on the disk."""
    accumulator = EventAccumulator(str(folder.events), size_guidance={"tensors": 0}, purge_orphaned_data=False)
    accumulator.Reload()
    return {
        tag: [(event.step, tf.make_ndarray(event.tensor_proto).tolist()) for event in accumulator.Tensors(tag)]
        for tag in accumulator.Tags()["tensors"]
        if tag not in CLOCK
    }


def state(folder: RunFolder) -> dict[str, np.ndarray]:
    """Return all that a run's newest checkpoint holds, by TensorFlow's names."""
    return state_of(folder.checkpoints)


def state_of(checkpoints: Path) -> dict[str, np.ndarray]:
    """Return all that the newest of a folder's checkpoints holds, by TensorFlow's names."""
    position = newest_position(checkpoints)
    assert position is not None
    reader = tf.train.load_checkpoint(str(checkpoints / f"step-{position.step:08d}" / "state"))
    names = reader.get_variable_to_shape_map()
    return {name: reader.get_tensor(name) for name in names if name != "_CHECKPOINTABLE_OBJECT_GRAPH"}


def assert_same_runs(ours: RunFolder, theirs: RunFolder) -> None:
    """Bit-equal state, weights files, log and events; only the clock differs."""
    first, second = state(ours), state(theirs)
    assert first.keys() == second.keys()
    for name in first:
        assert first[name].tobytes() == second[name].tobytes(), name
    positions = [newest_position(folder.checkpoints) for folder in (ours, theirs)]
    assert len({(p.step, repr(p.best), p.waited, p.finished) for p in positions if p is not None}) == 1
    for a, b in zip(weights(ours), weights(theirs), strict=True):
        assert np.array_equal(a, b)
    assert log_rows(ours) == log_rows(theirs)
    assert events(ours) == events(theirs)
    assert sorted(p.name for p in ours.previews.iterdir()) == sorted(p.name for p in theirs.previews.iterdir())
    assert not [path for folder in (ours, theirs) for path in folder.path.rglob("tmp-*")]
