"""Training a recipe into a run folder: the loop, and what is written on the way."""

import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from rich.console import Console

from keras_colorize.data.batches import reading_errors
from keras_colorize.errors import ColorizeError
from keras_colorize.recipes import Recipe
from keras_colorize.runs.console import TrainingProgress, training_progress
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.lock import RunLock
from keras_colorize.runs.log import Row
from keras_colorize.runs.record import NoRecord, RunRecord
from keras_colorize.training import Parallel, open_devices
from keras_colorize.training.checkpoints import KEEP, Checkpoints, Position
from keras_colorize.training.early_stopping import EarlyStopper
from keras_colorize.training.guards import Deadline, names_of_batch, not_finite
from keras_colorize.training.interruption import StopRequest
from keras_colorize.training.saver import Saver
from keras_colorize.training.setup import Prepared


def start(
    recipe: Recipe,
    out: str | Path,
    console: Console,
    remarks: list[str],
    *,
    max_minutes: float | None = None,
    parallel: Parallel | None = None,
) -> RunFolder:
    """Train `recipe` from the beginning into a new folder under `out`.

    Args:
        remarks: lines for the header, such as what was shrunk.
        max_minutes: stop at a checkpoint after so long, photos and networks included; `newest_position` tells whether
            the run was finished.
        parallel: the devices, where they are open already; the recipe's `runtime.strategy` says which.

    Raises:
        ColorizeError: the recipe, the data or the size does not fit, or the losses are not finite.
        KeyboardInterrupt: stopped by Ctrl-C or SIGTERM, after the checkpoint was written.
    """
    deadline = Deadline(max_minutes)
    parallel = parallel or open_devices(recipe.runtime.strategy)
    prepared = Prepared(
        recipe, _chiefs(console, parallel), parallel
    )  # all that can be refused, before a folder is made
    remarks = [*remarks, *prepared.start_weights()]
    name = str(RunFolder.create(out, recipe).path.relative_to(out)) if parallel.is_chief else ""
    with parallel.lost_workers("no run folder was made"):
        folder = RunFolder(Path(out) / parallel.chiefs_text(name))
    if not folder.recipe_file.is_file():  # a worker with a disk of its own
        folder.keep_recipe(recipe)
    with _lock(folder, parallel):
        _Run(prepared, folder, deadline).train(Position(), remarks)
    return folder


def resume(
    folder: RunFolder, console: Console, *, max_minutes: float | None = None, parallel: Parallel | None = None
) -> None:
    """Go on with a run from its newest checkpoint that is whole, to the end that its recipe sets.

    Raises:
        ColorizeError: the run is finished, being written by another process, or has no checkpoint that can be read.
    """
    deadline = Deadline(max_minutes)
    recipe = folder.recipe()
    parallel = parallel or open_devices(recipe.runtime.strategy)
    with _lock(folder, parallel) as lock:
        remarks = ["resumed"]
        if lock is not None and lock.left_behind:
            remarks.append(f"taken over from {lock.left_behind}, which is gone")
        prepared = Prepared(recipe, _chiefs(console, parallel), parallel)
        run = _Run(prepared, folder, deadline)
        with parallel.lost_workers(run.how_to_go_on):
            agree = (lambda steps: parallel.common_steps(steps, KEEP)) if parallel.workers > 1 else None
            position, damages = run.checkpoints.restore(agree)
        if position is None:
            damages = ["there was no checkpoint yet: from the beginning", *prepared.start_weights()]
        run.train(position or Position(), remarks + damages)


def _chiefs(console: Console, parallel: Parallel) -> Console:
    """The chief's terminal; the other workers keep quiet."""
    return console if parallel.is_chief else Console(quiet=True)


def _lock(folder: RunFolder, parallel: Parallel) -> AbstractContextManager[RunLock | None]:
    """The run's lock, which the chief holds for all its workers."""
    return RunLock(folder.lock_file) if parallel.is_chief else nullcontext()


class _Run:
    """A prepared recipe trained into one folder."""

    def __init__(self, prepared: Prepared, folder: RunFolder, deadline: Deadline) -> None:
        self.prepared = prepared
        self.folder = folder
        self.deadline = deadline
        self.recipe = prepared.recipe
        self.console = prepared.console
        self.parallel = prepared.parallel
        self.how_to_go_on = f"train.py --resume {folder}"
        own = folder.of_worker(prepared.parallel.worker)
        own.path.mkdir(exist_ok=True)
        own.remove_leftovers()
        self.checkpoints = Checkpoints(own.checkpoints, prepared.steps.state, own.best_weights)
        self.unchecked = 0  # steps since the losses were last seen to be finite
        self.stopper = None
        if self.recipe.early_stopping.monitor != "none":
            self.stopper = EarlyStopper(self.recipe.early_stopping, own.best_weights)

    def train(self, position: Position, remarks: list[str]) -> None:
        """From `position`, at which the networks are, to the end."""
        prepared, folder = self.prepared, self.folder
        fresh = position.step == 0
        finished = position.finished or position.step >= prepared.epochs * prepared.steps_per_epoch
        record: NoRecord = NoRecord()
        if self.parallel.is_chief:
            if not finished:
                prepared.introduce(folder, remarks)
            record = RunRecord(folder, prepared.columns, -1 if fresh else position.step, self.console)
        saver = Saver(prepared, folder, self.checkpoints, record, self._check)
        if not fresh:
            saver.settle(position)  # a kill may have come between the checkpoint and these
        if finished:
            raise ColorizeError(
                f"{folder} is finished after {position.step} steps: train longer with"
                f" train.py --recipe {folder.recipe_file} --epochs N"
            )
        saver.check_room()
        with self.parallel.lost_workers(self.how_to_go_on):
            if fresh:
                record.write({"step": 0, "epoch": 0, "seconds": 0.0} | prepared.validate())
            with StopRequest() as stop, reading_errors(), training_progress(
                self.console, prepared.steps_per_epoch
            ) as progress:  # fmt: skip
                self._loop(position, record, saver, stop, progress)
            if position.finished:
                saver.save_at_the_end(position)

    def _loop(
        self, position: Position, record: NoRecord, saver: Saver, stop: StopRequest, progress: TrainingProgress
    ) -> None:
        """Steps until the run is finished or its time is up; a row of means per logging interval."""
        prepared = self.prepared
        steps_per_epoch, batch_size = prepared.steps_per_epoch, self.recipe.data.batch_size
        batches = prepared.batches_from(position.step)
        clock, began, images = time.monotonic(), position.seconds, 0
        for epoch in range(position.step // steps_per_epoch, prepared.epochs):
            stage, stage_epoch = prepared.stage_of(epoch)
            done = position.step % steps_per_epoch
            progress.begin(f"{prepared.stages[stage].name} {stage_epoch + 1}/{prepared.stages[stage].epochs}", done)
            for number in range(done + 1, steps_per_epoch + 1):
                means = prepared.steps.train(stage, next(batches))
                position.step += 1
                self.unchecked += 1
                images += batch_size
                progress.advance(means, images / (position.seconds - began + time.monotonic() - clock))
                logged = number % self.recipe.schedule.log_every == 0 or number == steps_per_epoch
                row = prepared.steps.means(stage, list(means)) if logged else {}  # waits for the device
                now = time.monotonic()
                position.seconds += now - clock
                if logged:
                    self._check_losses(position.step, row)
                    row |= {
                        "step": position.step,
                        "epoch": position.step / steps_per_epoch,
                        "seconds": position.seconds,
                        "images_per_second": images / (position.seconds - began),
                    }
                    prepared.steps.reset_means()
                    if number == steps_per_epoch:
                        row |= self._end_epoch(epoch, row, position, record)
                    record.write(row)
                    began, images = position.seconds, 0
                if position.finished:
                    return
                if logged or self.parallel.workers == 1:  # several workers decide together, and not in every step
                    must_stop, must_save = self.parallel.any_of(bool(stop.reason) or self.deadline.passed, saver.due)
                    if must_stop:
                        self._stop(stop, position, saver, record)
                        return
                    if must_save:
                        saver.try_to_save(position)
                clock = time.monotonic()  # validation and checkpoints are not training time
        raise AssertionError("the last epoch finishes the run")

    def _end_epoch(self, epoch: int, row: Row, position: Position, record: NoRecord) -> Row:
        """Validation figures, and on the way early stopping's look and the preview."""
        prepared = self.prepared
        number, stage_epoch = prepared.stage_of(epoch)
        stage, last_stage = prepared.stages[number], number == len(prepared.stages) - 1
        position.finished = epoch + 1 == prepared.epochs
        with stage.trainer.averaged_generator() as generator:
            figures = prepared.validate()
            if self.stopper and last_stage and self.stopper.due(stage_epoch + 1):
                figures |= prepared.measure_fid()
                value = self.parallel.chiefs(figures[f"val_{self.recipe.early_stopping.monitor}"])
                if self.stopper.look(value, position, generator):
                    if not position.finished:
                        record.remark(f"stopped early: {self.recipe.early_stopping.monitor} no longer improves")
                    position.finished = True
            show = position.finished or (epoch + 1) % self.recipe.schedule.preview_every == 0
            if show and self.parallel.is_chief:
                record.preview(prepared.preview(), epoch + 1, position.step)
        fid = f"  FID {figures['val_fid']:.3g}" if "val_fid" in figures else ""
        self.console.print(
            f"{stage.name} {stage_epoch + 1}/{stage.epochs}  "
            + "  ".join(f"{name} {row[name]:.3g}" for name in stage.trainer.loss_names())
            + f"  validation ab MAE {figures['val_ab_mae']:.2f}  PSNR {figures['val_psnr']:.2f}{fid}"
            + f"  {row['images_per_second']:.0f} images/s",
            highlight=False,
            soft_wrap=True,
        )
        return figures

    def _stop(self, stop: StopRequest, position: Position, saver: Saver, record: NoRecord) -> None:
        """Before the end, at a checkpoint."""
        saver.save_at_the_end(position)
        reason = stop.reason
        if not reason:
            reason = f"--max-minutes {self.deadline.minutes:g}" if self.deadline.passed else "another worker"
        how = f"stopped by {reason} after step {position.step}: {self.how_to_go_on} goes on"
        if stop.reason:
            raise KeyboardInterrupt(how)
        record.remark(how)

    def _check(self, position: Position) -> None:
        """No checkpoint holds a state that is not finite.

        Raises:
            ColorizeError: losses, weights or an optimizer's moments are not.
        """
        self._check_losses(position.step, {})
        if not self.prepared.steps.state_is_finite():
            raise self._not_finite("weights", position.step)

    def _check_losses(self, step: int, means: Row) -> None:
        """All steps until now had finite losses.

        Args:
            step: the last.
            means: the losses' running means, where they are at hand.
        """
        finite, unchecked = self.prepared.steps.take_finite(), self.unchecked
        self.unchecked = 0
        if finite < unchecked:
            values = {name: value for name, value in means.items() if not abs(value) < float("inf")}
            what = ", ".join(f"{name} {value}" for name, value in values.items()) or "the losses"
            raise self._not_finite(what, step - unchecked + finite + 1)

    def _not_finite(self, what: str, step: int) -> ColorizeError:
        prepared = self.prepared
        names = names_of_batch(
            prepared.training_photos,
            self.recipe.data.batch_size,
            seed=self.recipe.runtime.seed,
            steps_per_epoch=prepared.steps_per_epoch,
            step=step,
        )
        return not_finite(what, step, names, self.checkpoints.last_step, self.folder.recipe_file)
