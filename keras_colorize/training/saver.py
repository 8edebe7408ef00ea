"""Callbacks that save the state of training: one for `fit`, and one for runs, which also stops them."""

import time
import warnings
from pathlib import Path

import keras

from keras_colorize.errors import ColorizeError
from keras_colorize.models.weights import save_weights
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.record import Record
from keras_colorize.tensor import Logs
from keras_colorize.training.callbacks import EarlyStopper
from keras_colorize.training.checkpoints import Checkpoints, Position, link_or_copy, newest_position
from keras_colorize.training.guards import Deadline, LossGuard, check_room
from keras_colorize.training.reporter import StopRequest
from keras_colorize.training.task import Task

_SPARE = 16 << 20  # bytes for the log, pictures and events of an interval


class ResumableCheckpoint(keras.callbacks.Callback):
    """Saves the whole state of training at the ends of epochs, and restores it when `fit` begins.

    The state is that of networks, optimizers, averaged weights, seeds and early stopping. A training that goes on from
    it equals the uninterrupted one bit for bit, as long as the data go on too:

        checkpoint = ResumableCheckpoint("run/checkpoint")
        start = checkpoint.initial_epoch
        batches = photos.training_batches(16, seed=0, start_epoch=start)
        trainer.fit(
            batches, shuffle=False, steps_per_epoch=…, epochs=50, initial_epoch=start, callbacks=[checkpoint]
        )

    A checkpoint appears whole or not at all, with the SHA-256 of every file, and the two newest are kept. A damaged one
    is left out with a warning. Where early stopping had ended the training, `fit` ends at once, with the best weights.

    Put it last in the list of callbacks.

    [choice] `keras.callbacks.BackupAndRestore` keeps neither the seeds of dropout nor early stopping's memory.

    Args:
        folder: of the checkpoints; it is made if need be.
        minutes: of training between two checkpoints; 0 saves after every epoch. The last epoch has a checkpoint too.
        early_stopper: the callback whose memory and best weights are saved as well, where there is one.
    """

    def __init__(self, folder: str | Path, *, minutes: float = 5.0, early_stopper: EarlyStopper | None = None) -> None:
        super().__init__()
        self.position = early_stopper.position if early_stopper is not None else Position()
        """Steps and epochs done, kept up to date."""
        self._folder = Path(folder)
        self._early_stopper = early_stopper
        self._checkpoints: Checkpoints | None = None
        self._interval = 60 * minutes
        self._tried = time.monotonic()
        self._epoch = 0

    @property
    def initial_epoch(self) -> int:
        """The number of epochs that the newest whole checkpoint has behind it, 0 where there is none."""
        position = newest_position(self._folder, whole=True)
        return 0 if position is None else position.epoch

    @property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints of the training in progress."""
        assert self._checkpoints is not None, "training has not begun"
        return self._checkpoints

    @property
    def due(self) -> bool:
        """Tell whether the interval has passed."""
        return time.monotonic() - self._tried > self._interval

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Restore the newest whole checkpoint, if there is one.

        Raises:
            ColorizeError: the state does not fit the trainer, all checkpoints are damaged, or `fit` does not know the
                number of steps of an epoch.
        """
        if self.params["steps"] is None:
            raise ColorizeError(
                "the data do not tell how many steps an epoch has, which a checkpoint must know: give `steps_per_epoch`"
            )
        stopper = self._early_stopper
        best_weights = stopper.best_weights if stopper is not None else None
        self._checkpoints = Checkpoints(self._folder, self.model.state_variables(), best_weights)
        position, remarks = self._checkpoints.restore()
        if position is not None:
            vars(self.position).update(vars(position))
        for remark in remarks:
            warnings.warn(remark, stacklevel=2)
        if stopper is not None and stopper.is_over:
            # So Keras' own callback of checkpoints tells `fit` where to begin: here behind the last epoch.
            self.model._initial_epoch = self.params["epochs"]

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Leave it to the next `fit` where to begin."""
        self.model._initial_epoch = None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Check that training goes on where the checkpoint ends.

        Raises:
            ColorizeError: it does not.
        """
        if epoch != self.position.epoch:
            raise ColorizeError(
                f"`initial_epoch` is {epoch}, and the checkpoint in {self._folder} ends after {self.position.epoch}"
                " epochs: give its `initial_epoch` to `fit`, and to the data as `start_epoch`"
            )
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Note how far training is."""
        self.position.step = self._epoch * self.params["steps"] + batch + 1

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save the state where that is due."""
        self.position.epoch = epoch + 1
        self.position.finished = self.model.stop_training or epoch + 1 == self.params["epochs"]
        if self.position.finished:
            self.save_at_the_end()
        else:
            self.save_if_due()

    def save_if_due(self) -> None:
        """Save when the interval has passed."""
        if self.due:
            self.try_to_save()

    def try_to_save(self) -> None:
        """Save, or remark why not: room may come back on a full disk, so training goes on."""
        try:
            self.save()
        except OSError as error:
            self._tried = time.monotonic()
            self.remark(f"no checkpoint at step {self.position.step}: {error}; {self.kept}, training goes on")

    def save_at_the_end(self) -> None:
        """Save when no later checkpoint could make up for this one.

        Raises:
            OSError: the disk is full or read-only.
        """
        self.save()

    def save(self) -> None:
        """Write the state.

        Raises:
            OSError: the disk is full or read-only; the last checkpoint is as it was.
        """
        with self.model.last_weights():
            self.checkpoints.save(self.position)
        self._tried = time.monotonic()

    def remark(self, text: str) -> None:
        """Tell the user something."""
        warnings.warn(text, stacklevel=2)

    @property
    def kept(self) -> str:
        """The checkpoint that a failed one leaves, in words."""
        last = self.checkpoints.last_step
        return "there is none yet" if last is None else f"the one of step {last} is kept"


class RunSaver(ResumableCheckpoint):
    """Writes a run's checkpoints, weights and curves after any step, and stops the run when that is asked for.

    The checkpoint is written first. Weights files and curves follow from it (`settle`) and are written again when a run
    is resumed, so a kill between the two does no harm.

    Args:
        task: the networks that train.
        folder: of the run.
        checkpoints: of all stages, restored already.
        position: of the run, kept up to date.
        record: draws the curves and keeps remarks.
        stop: asks for a stop after the step in progress.
        deadline: the end of the time.
    """

    def __init__(
        self,
        task: Task,
        folder: RunFolder,
        checkpoints: Checkpoints,
        position: Position,
        record: Record,
        stop: StopRequest,
        deadline: Deadline,
    ) -> None:
        super().__init__(folder.checkpoints, minutes=task.recipe.schedule.checkpoint_minutes)
        self._checkpoints = checkpoints
        self.position = position
        self.guard = LossGuard(task, folder, checkpoints)
        """Checks the state before it is saved."""
        self._task = task
        self._run = folder
        self._record = record
        self._stop = stop
        self._deadline = deadline
        self._discriminator = task.networks.get("discriminator")
        weights = sum(4 * network.count_params() for network in task.networks.values())
        self._needed = checkpoints.bytes + weights + _SPARE

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Leave the state as it is: the loop has restored it."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note the epoch, in the middle of which the run may begin."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Stop or save where that is asked for or due; the last step of an epoch leaves that to the epoch's end."""
        super().on_train_batch_end(batch, logs)
        if batch + 1 == self.params["steps"]:
            return
        # Several workers decide together, and not in every step.
        if self._task.parallel.workers == 1 or (batch + 1) % self._task.recipe.schedule.log_every == 0:
            self.save_if_due()

    def save_if_due(self) -> None:
        """Save and stop where that is asked for on any worker, or save when the interval has passed; a collective."""
        asked = bool(self._stop.reason) or self._deadline.passed
        must_stop, must_save = self._task.parallel.any_of(asked, self.due)
        if must_stop:
            self.save_at_the_end()
            self.remark(f"stopped by {self._who_stops()} after step {self.position.step}")
            self.model.stop_training = True
        elif must_save:
            self.try_to_save()

    def save_at_the_end(self) -> None:
        """Save when no later checkpoint could make up for this one.

        Raises:
            ColorizeError: the state is not finite, or the disk is full or read-only.
        """
        try:
            self.save()
        except OSError as error:
            raise ColorizeError(
                f"no checkpoint at step {self.position.step}: {error}; {self.kept}: free some space and resume the run",
                action="resume",
                run=self._run,
            ) from error

    def save(self) -> None:
        """Write the state and the files that follow from it.

        Raises:
            ColorizeError: the state is not finite.
            OSError: the disk is full or read-only; the last checkpoint is as it was.
        """
        self.guard.check_state(self.position.step)
        self.check_room()
        super().save()
        self.settle()

    def check_room(self) -> None:
        """Check that the disk has room for a checkpoint.

        Raises:
            OSError: it has not.
        """
        check_room(self._run.path, self._needed)

    def settle(self) -> None:
        """Bring weights files and curves to the state of the networks, which is that of the newest checkpoint."""
        if not self._task.parallel.is_chief:
            return
        step = self.position.step
        if self.position.finished and self._run.best_weights.is_file():
            link_or_copy(self._run.best_weights, self._run.generator_weights)
        else:
            with self._task.trainer_at(step).averaged_generator() as generator:
                save_weights(generator, self._run.generator_weights)
        if self._discriminator is not None:
            save_weights(self._discriminator, self._run.discriminator_weights)
        self._record.draw(f"{self._task.recipe.name}, {step} steps", self._task.grey)

    def remark(self, text: str) -> None:
        """Keep a line in the run's notes."""
        self._record.remark(text)

    def _who_stops(self) -> str:
        if self._stop.reason:
            return self._stop.reason
        return f"its limit of {self._deadline.minutes:g} minutes" if self._deadline.passed else "another worker"
