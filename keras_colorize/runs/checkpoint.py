"""The state of training on disk, by TensorFlow's own checkpoints."""

from pathlib import Path

import keras
import tensorflow as tf

from keras_colorize.errors import ColorizeError


class TrainingCheckpoint:
    """Saves and restores a trainer's variables together with the position in the schedule.

    TensorFlow writes to a temporary name and renames; the two newest are kept.

    Args:
        folder: where the files lie.
        variables: all state that training changes (`SupervisedTrainer.state_variables`), in a fixed order.
    """

    def __init__(self, folder: Path, variables: list[keras.Variable]) -> None:
        self._step = tf.Variable(0, dtype=tf.int64)
        self._seconds = tf.Variable(0.0, dtype=tf.float64)
        checkpoint = tf.train.Checkpoint(
            variables=[variable.value for variable in variables], step=self._step, seconds=self._seconds
        )
        self._manager = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=2)

    def save(self, step: int, seconds: float) -> None:
        """Write the state after `step` training steps, which took `seconds`.

        Raises:
            OSError: the disk is full or read-only.
        """
        self._step.assign(step)
        self._seconds.assign(seconds)
        try:
            self._manager.save(checkpoint_number=step)
        except tf.errors.OpError as error:
            raise OSError(f"could not write a checkpoint to {self._manager.directory}: {error.message}") from error

    def restore(self) -> tuple[int, float]:
        """Restore the newest state; returns its step and seconds.

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
        return int(self._step.numpy()), float(self._seconds.numpy())
