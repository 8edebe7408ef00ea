"""Guards of a run: losses that are not finite, a full disk, the end of its time."""

import shutil
import time
from pathlib import Path

import keras
import numpy as np

from keras_colorize.data.batches import PhotoSet, epoch_order
from keras_colorize.errors import ColorizeError
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.log import Row
from keras_colorize.tensor import Logs
from keras_colorize.training.checkpoints import Checkpoints
from keras_colorize.training.task import Task

NAMES_SHOWN = 8


class Deadline:
    """The end of a time limit that starts when the object is made.

    Args:
        minutes: the limit; None never ends.

    Raises:
        ColorizeError: the limit is not more than 0 minutes.
    """

    def __init__(self, minutes: float | None) -> None:
        if minutes is not None and not minutes > 0:
            raise ColorizeError(f"`max_minutes` is {minutes:g}: expected more than 0")
        self.minutes = minutes
        self._began = time.monotonic()

    @property
    def passed(self) -> bool:
        """Tell whether the time is up."""
        return self.minutes is not None and time.monotonic() - self._began >= 60 * self.minutes


class LossGuard(keras.callbacks.Callback):
    """Ends a run whose losses or weights are not finite, and names the photos of the step where that began.

    Args:
        task: takes the steps.
        folder: of the run.
        checkpoints: the message names the last one.
    """

    def __init__(self, task: Task, folder: RunFolder, checkpoints: Checkpoints) -> None:
        super().__init__()
        self._task = task
        self._folder = folder
        self._checkpoints = checkpoints
        self._unchecked = 0  # steps since the losses were last seen to be finite

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Count a step."""
        self._unchecked += 1

    def check_losses(self, step: int, means: Row) -> None:
        """Check that all steps until now had finite losses; a collective.

        Args:
            step: the last one.
            means: the losses' running means, where they are at hand.

        Raises:
            ColorizeError: they had not.
        """
        finite, unchecked = self._task.steps.take_finite(), self._unchecked
        self._unchecked = 0
        if finite < unchecked:
            values = {name: value for name, value in means.items() if not abs(value) < float("inf")}
            what = ", ".join(f"{name} {value}" for name, value in values.items()) or "the losses"
            raise self._error(what, step - unchecked + finite + 1)

    def check_state(self, step: int) -> None:
        """Check that the state after a step may be kept as a checkpoint; a collective.

        Raises:
            ColorizeError: losses, weights or an optimizer's moments are not finite.
        """
        self.check_losses(step, {})
        if not self._task.steps.state_is_finite():
            raise self._error("weights", step)

    def _error(self, what: str, step: int) -> ColorizeError:
        task, recipe, last = self._task, self._task.recipe, self._checkpoints.last_step
        names = names_of_batch(
            task.training_photos,
            recipe.data.batch_size,
            seed=recipe.runtime.seed,
            steps_per_epoch=task.steps_per_epoch,
            step=step,
        )
        shown = ", ".join(names[:NAMES_SHOWN]) + (f" and {len(names) - NAMES_SHOWN} more" * (len(names) > NAMES_SHOWN))
        kept = "there is no checkpoint yet" if last is None else f"the checkpoint of step {last} is kept"
        return ColorizeError(
            f"stopped at step {step}: not finite: {what}; photos of this step: {shown}; {kept};"
            " a lower optimizer.learning_rate or runtime.precision = 'float32' may help",
            action="lower_rate",
            recipe=self._folder.recipe_file,
        )


def names_of_batch(photos: PhotoSet, batch_size: int, *, seed: int, steps_per_epoch: int, step: int) -> list[str]:
    """Return the names of the photos of training step number `step`, counted from 1, in the order of the batch.

    The order of photos is a pure function (`PhotoSet.training_batches`), so training keeps nothing for this.
    """
    epoch, number = divmod(step - 1, steps_per_epoch)
    order = np.asarray(epoch_order(len(photos), steps_per_epoch * batch_size, seed, epoch))
    return [photos.names[index] for index in order[number * batch_size : (number + 1) * batch_size]]


def check_room(folder: Path, needed: int) -> None:
    """Refuse to write `needed` bytes where they do not fit.

    Raises:
        OSError: the disk of `folder` has less free space.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f"a checkpoint needs {_bytes(needed)} in {folder}, where {_bytes(free)} are free")


def _bytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
