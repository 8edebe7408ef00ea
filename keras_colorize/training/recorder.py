"""The callback that writes a run's log and shows its progress."""

import time

import keras

from keras_colorize.runs.log import Row
from keras_colorize.runs.record import Record
from keras_colorize.tensor import Logs
from keras_colorize.training.checkpoints import Position
from keras_colorize.training.guards import LossGuard
from keras_colorize.training.reporter import EpochProgress, Reporter
from keras_colorize.training.task import Task


class RunRecorder(keras.callbacks.Callback):
    """Writes a row of means per logging interval, with the validation figures at the end of an epoch.

    The running means are reset with each row, so this callback is for the training loop and not for `fit`.

    Args:
        task: takes the steps.
        position: of the run; its seconds of training are kept up to date.
        record: keeps the rows.
        reporter: shows a line per epoch.
        progress: shows the steps.
        guard: checks the losses before a row is written.
    """

    def __init__(
        self,
        task: Task,
        position: Position,
        record: Record,
        reporter: Reporter,
        progress: EpochProgress,
        guard: LossGuard,
    ) -> None:
        super().__init__()
        self._task = task
        self._position = position
        self._record = record
        self._reporter = reporter
        self._progress = progress
        self._guard = guard
        self._stage = 0
        self._title = ""
        self._row: Row = {}  # of the epoch's last step, until validation adds its figures
        self._clock = time.monotonic()
        self._began = position.seconds  # of the training time, after the last row
        self._images = 0  # since then

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Show the epoch's title."""
        self._stage, stage_epoch = self._task.stage_of(epoch)
        stage = self._task.stages[self._stage]
        self._title = f"{stage.name} {stage_epoch + 1}/{stage.epochs}"
        self._progress.begin(self._title, self._position.step % self._task.steps_per_epoch)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Start the clock: validation and checkpoints are not training time."""
        self._clock = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Count a step, and write a row where one is due.

        Args:
            batch: number of the step in its epoch, from 0.
            logs: running means of the losses, as tensors.
        """
        task, position = self._task, self._position
        number, means = batch + 1, logs or {}
        last = number == task.steps_per_epoch
        logged = last or number % task.recipe.schedule.log_every == 0
        self._images += task.recipe.data.batch_size
        trained = position.seconds - self._began + time.monotonic() - self._clock
        self._progress.advance(means, self._images / trained)
        row = task.steps.means(self._stage, list(means)) if logged else {}  # waits for the device
        position.seconds += time.monotonic() - self._clock
        if not logged:
            return
        step = position.step + 1  # `RunSaver` counts it when it is on the record
        self._guard.check_losses(step, row)
        row |= {
            "step": step,
            "epoch": step / task.steps_per_epoch,
            "seconds": position.seconds,
            "images_per_second": self._images / (position.seconds - self._began),
        }
        task.steps.reset_means()
        self._began, self._images = position.seconds, 0
        if last:
            self._row = row
        else:
            self._record.write(row)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the row of the epoch's last step with the validation figures, and show a line."""
        figures, row = dict(logs or {}), self._row
        losses = self._task.stages[self._stage].trainer.loss_names()
        fid = f"  FID {figures['val_fid']:.3g}" if "val_fid" in figures else ""
        self._reporter.line(
            f"{self._title}  "
            + "  ".join(f"{name} {row[name]:.3g}" for name in losses)
            + f"  validation ab MAE {figures['val_ab_mae']:.2f}  PSNR {figures['val_psnr']:.2f}{fid}"
            + f"  {row['images_per_second']:.0f} images/s"
        )
        if self.model.stop_training and epoch + 1 < self._task.epochs:
            monitor = self._task.recipe.early_stopping.monitor
            self._record.remark(f"stopped early: {monitor} no longer improves")
        self._record.write(row | figures)
