"""Guards of a run: losses that are not finite, a full disk, the end of its time."""

import shutil
import time
from pathlib import Path

import numpy as np

from keras_colorize.data.batches import PhotoSet, epoch_order
from keras_colorize.errors import ColorizeError
from keras_colorize.runs.folder import RunFolder

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


def names_of_batch(photos: PhotoSet, batch_size: int, *, seed: int, steps_per_epoch: int, step: int) -> list[str]:
    """Return the names of the photos of training step number `step`, counted from 1, in the order of the batch.

    The order of photos is a pure function (`PhotoSet.training_batches`), so training keeps nothing for this.
    """
    epoch, number = divmod(step - 1, steps_per_epoch)
    order = np.asarray(epoch_order(len(photos), steps_per_epoch * batch_size, seed, epoch))
    return [photos.names[index] for index in order[number * batch_size : (number + 1) * batch_size]]


def not_finite(what: str, step: int, names: list[str], last_step: int | None, folder: RunFolder) -> ColorizeError:
    """Make the error for a run with infinite or undefined numbers.

    Args:
        what: is not finite, such as `g_total nan`.
        step: the first step at which it was seen.
        names: of that step's photos.
        last_step: step of the newest checkpoint; None where there is none.
        folder: the run.
    """
    shown = ", ".join(names[:NAMES_SHOWN]) + (f" and {len(names) - NAMES_SHOWN} more" * (len(names) > NAMES_SHOWN))
    kept = "there is no checkpoint yet" if last_step is None else f"the checkpoint of step {last_step} is kept"
    return ColorizeError(
        f"stopped at step {step}: not finite: {what}; photos of this step: {shown}; {kept};"
        " a lower optimizer.learning_rate or runtime.precision = 'float32' may help",
        action="lower_rate",
        recipe=folder.recipe_file,
    )


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
