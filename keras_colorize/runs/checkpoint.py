"""The state of training on disk, by TensorFlow's own checkpoints."""

import math
from dataclasses import dataclass, fields
from pathlib import Path

import keras
import tensorflow as tf

from keras_colorize.errors import ColorizeError


@dataclass
class Position:
    """Where a run is: steps done, seconds that they took, and early stopping's memory."""

    step: int = 0
    seconds: float = 0.0
    best: float = math.nan  # the monitor's best value so far; NaN before the first
    waited: int = 0  # looks at the monitor since then
    finished: bool = False


class TrainingCheckpoint:
    """Saves and restores a run's variables together with its position.

    TensorFlow writes to a temporary name and renames; the two newest are kept.

    Args:
        folder: where the files lie.
        variables: all state that training changes (`SupervisedTrainer.state_variables`), in a fixed order.
    """

    def __init__(self, folder: Path, variables: list[keras.Variable]) -> None:
        self._position = {field.name: tf.Variable(0.0, dtype=tf.float64) for field in fields(Position)}
        checkpoint = tf.train.Checkpoint(variables=[variable.value for variable in variables], **self._position)
        self._manager = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=2)

    def save(self, position: Position) -> None:
        """Write the state.

        Raises:
            OSError: the disk is full or read-only.
        """
        for name, variable in self._position.items():
            variable.assign(float(getattr(position, name)))
        try:
            self._manager.save(checkpoint_number=position.step)
        except tf.errors.OpError as error:
            raise OSError(f"could not write a checkpoint to {self._manager.directory}: {error.message}") from error

    def restore(self) -> Position:
        """Restore the newest state.

        Raises:
            ColorizeError: there is none, or it does not fit the recipe's networks.
        """
        newest = self._manager.latest_checkpoint
        if newest is None:
            raise ColorizeError(f"no checkpoint in {self._manager.directory}: start a new run")
        try:
            self._manager.checkpoint.restore(newest).assert_consumed()
        except (AssertionError, ValueError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0]
            raise ColorizeError(f"checkpoint {newest} does not fit the run's recipe.toml: {reason}") from error
        values = {name: float(variable.numpy()) for name, variable in self._position.items()}
        return Position(
            step=int(values["step"]),
            seconds=values["seconds"],
            best=values["best"],
            waited=int(values["waited"]),
            finished=bool(values["finished"]),
        )
