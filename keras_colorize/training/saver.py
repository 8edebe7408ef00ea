"""The schedule of checkpoints, and the weights files and curves that follow from each."""

import time
from collections.abc import Callable

from keras_colorize.errors import ColorizeError
from keras_colorize.models.weights import save_weights
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.record import Record
from keras_colorize.training.checkpoints import Checkpoints, Position, link_or_copy
from keras_colorize.training.guards import check_room
from keras_colorize.training.task import Task

_SPARE = 16 << 20  # bytes for the log, pictures and events of an interval


class Saver:
    """Writes checkpoint, weights and curves, at once or when the recipe's interval has passed.

    The checkpoint is written first. Weights files and curves follow from it (`settle`) and are written again when a run
    is resumed, so a kill between the two does no harm.

    Args:
        task: the networks that train.
        folder: of the run.
        checkpoints: where the state goes.
        record: draws the curves and keeps remarks.
        check: called before a checkpoint; raises where the state must not be kept.
    """

    def __init__(
        self,
        task: Task,
        folder: RunFolder,
        checkpoints: Checkpoints,
        record: Record,
        check: Callable[[Position], None],
    ) -> None:
        self._task = task
        self._folder = folder
        self._checkpoints = checkpoints
        self._record = record
        self._check = check
        self._interval = 60 * task.recipe.schedule.checkpoint_minutes
        self._tried = time.monotonic()
        self._discriminator = task.networks.get("discriminator")
        weights = sum(4 * network.count_params() for network in task.networks.values())
        self._needed = checkpoints.bytes + weights + _SPARE

    def check_room(self) -> None:
        """Check that the disk has room for a checkpoint.

        Raises:
            OSError: it has not.
        """
        check_room(self._folder.path, self._needed)

    @property
    def due(self) -> bool:
        """Tell whether the interval has passed."""
        return time.monotonic() - self._tried > self._interval

    def try_to_save(self, position: Position) -> None:
        """Save, or remark why not: room may come back on a full disk, so training goes on."""
        try:
            self.save(position)
        except OSError as error:
            self._tried = time.monotonic()
            self._record.remark(f"no checkpoint at step {position.step}: {error}; {self._kept()}, training goes on")

    def save(self, position: Position) -> None:
        """Write the state and the files that follow from it.

        Raises:
            ColorizeError: the state is not finite.
            OSError: the disk is full or read-only; the last checkpoint is as it was.
        """
        self._check(position)
        self.check_room()
        self._checkpoints.save(position)
        self.settle(position)
        self._tried = time.monotonic()

    def save_at_the_end(self, position: Position) -> None:
        """Save when no later checkpoint could make up for this one.

        Raises:
            ColorizeError: the state is not finite, or the disk is full or read-only.
        """
        try:
            self.save(position)
        except OSError as error:
            raise ColorizeError(
                f"no checkpoint at step {position.step}: {error}; {self._kept()}: free some space and resume the run",
                action="resume",
                run=self._folder,
            ) from error

    def settle(self, position: Position) -> None:
        """Bring weights files and curves to the state of the networks, which is that of the newest checkpoint."""
        if not self._task.parallel.is_chief:
            return
        if position.finished and self._folder.best_weights.is_file():
            link_or_copy(self._folder.best_weights, self._folder.generator_weights)
        else:
            with self._task.trainer_at(position.step).averaged_generator() as generator:
                save_weights(generator, self._folder.generator_weights)
        if self._discriminator is not None:
            save_weights(self._discriminator, self._folder.discriminator_weights)
        self._record.draw(f"{self._task.recipe.name}, {position.step} steps", self._task.grey)

    def _kept(self) -> str:
        last = self._checkpoints.last_step
        return "there is none yet" if last is None else f"the one of step {last} is kept"
