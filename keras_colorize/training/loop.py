"""The training loop: start a recipe in a new run folder, or resume a run from its newest checkpoint."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from keras_colorize.data.batches import reading_errors
from keras_colorize.errors import ColorizeError
from keras_colorize.recipes import Recipe
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.lock import RunLock
from keras_colorize.runs.log import Row
from keras_colorize.runs.record import NoRecord, Record, RunRecord
from keras_colorize.training.checkpoints import KEEP, Checkpoints, Position
from keras_colorize.training.devices import Parallel, open_devices
from keras_colorize.training.early_stopping import EarlyStopper
from keras_colorize.training.guards import Deadline, names_of_batch, not_finite
from keras_colorize.training.reporter import EpochProgress, Reporter, SilentReporter, StopFlag, StopRequest
from keras_colorize.training.saver import Saver
from keras_colorize.training.task import Task


def start(
    recipe: Recipe,
    out: str | Path,
    *,
    remarks: Sequence[str] = (),
    max_minutes: float | None = None,
    parallel: Parallel | None = None,
    reporter: Reporter | None = None,
    stop: StopRequest | None = None,
) -> RunFolder:
    """Train a recipe from its beginning into a new folder under `out`.

    Training ends after the recipe's epochs, when early stopping says so, when the time is up or when `stop` asks for
    it; the last two leave a checkpoint to resume from, and `newest_position` tells whether the run was finished.

    Args:
        recipe: all values.
        out: the folder of run folders.
        remarks: lines for the header, such as what was shrunk.
        max_minutes: the time limit, which includes reading photos and building networks; None sets none.
        parallel: the devices, where they are open already; the recipe's `runtime.strategy` says which otherwise.
        reporter: shows header, progress and figures; nothing is shown unless given.
        stop: asks for a stop after the step in progress.

    Returns:
        The run folder.

    Raises:
        ColorizeError: the recipe, the data or the size does not fit, or the losses are not finite.
        OSError: the folder cannot be written.
    """
    deadline = Deadline(max_minutes)
    parallel = parallel or open_devices(recipe.runtime.strategy)
    reporter = _chiefs(reporter, parallel)
    task = Task(recipe, parallel, reporter)  # whatever can be refused is refused before a folder is made
    starts_from = task.load_initial_weights()
    name = str(RunFolder.create(out, recipe).path.relative_to(out)) if parallel.is_chief else ""
    with parallel.lost_workers():
        folder = RunFolder(Path(out) / parallel.chiefs_text(name))
    if not folder.recipe_file.is_file():  # a worker with a disk of its own
        folder.keep_recipe(recipe)
    with _lock(folder, parallel):
        _Run(task, folder, deadline, reporter, stop or StopFlag()).train(Position(), starts_from, remarks)
    return folder


def resume(
    folder: RunFolder,
    *,
    epochs: int | None = None,
    max_minutes: float | None = None,
    parallel: Parallel | None = None,
    reporter: Reporter | None = None,
    stop: StopRequest | None = None,
) -> None:
    """Continue a run from its newest whole checkpoint, to the end that its recipe sets or to another one.

    The continued run equals the uninterrupted one bit for bit. With `epochs` the run's recipe gets another end, also
    after the run has finished: optimizers, discriminator, averages and the order of photos go on. A constant learning
    rate stays the same; one that falls is from then on the rate of a run with `epochs` epochs.

    Args:
        folder: the run.
        epochs: `schedule.epochs` from now on, counted from the run's beginning; None leaves the recipe's.
        max_minutes, parallel, reporter, stop: as for `start`.

    Raises:
        ColorizeError: the run is finished, is being written by another process, has no checkpoint that
            can be read, or has already trained for `epochs` epochs.
    """
    deadline = Deadline(max_minutes)
    recipe = folder.recipe()
    before = recipe.schedule.epochs
    if epochs is not None:
        recipe = recipe.with_values(**{"schedule.epochs": epochs})
    parallel = parallel or open_devices(recipe.runtime.strategy)
    reporter = _chiefs(reporter, parallel)
    with _lock(folder, parallel) as lock:
        remarks = []
        if lock is not None and lock.left_behind:
            remarks.append(f"taken over from {lock.left_behind}, which is gone")
        task = Task(recipe, parallel, reporter)
        run = _Run(task, folder, deadline, reporter, stop or StopFlag())
        with parallel.lost_workers(folder):
            agree = (lambda steps: parallel.common_steps(steps, KEEP)) if parallel.workers > 1 else None
            position, damages = run.checkpoints.restore(agree)
        if position is None:
            starts_from = task.load_initial_weights()
            damages = ["there was no checkpoint yet: from the beginning"]
        else:
            starts_from = f"checkpoint of step {position.step}"
        position = position or Position()
        if epochs is not None:
            run.extend(position, folder.recipe().with_values(**{"schedule.epochs": epochs}))
            if before != epochs:
                remarks.append(f"epochs: {epochs} instead of {before}")
        run.train(position, starts_from, [*remarks, *damages])


def _chiefs(reporter: Reporter | None, parallel: Parallel) -> Reporter:
    """Return the reporter for the chief; the other workers report nothing."""
    return reporter if reporter is not None and parallel.is_chief else SilentReporter()


def _lock(folder: RunFolder, parallel: Parallel) -> AbstractContextManager[RunLock | None]:
    """Return the run's lock, which the chief holds for all its workers."""
    return RunLock(folder.lock_file) if parallel.is_chief else nullcontext()


class _Run:
    """A task that trains into one folder."""

    def __init__(
        self, task: Task, folder: RunFolder, deadline: Deadline, reporter: Reporter, stop: StopRequest
    ) -> None:
        self.task = task
        self.folder = folder
        self.deadline = deadline
        self.reporter = reporter
        self.stop = stop
        self.recipe = task.recipe
        self.parallel = task.parallel
        own = folder.of_worker(task.parallel.worker)
        own.path.mkdir(exist_ok=True)
        own.remove_leftovers()
        self.checkpoints = Checkpoints(own.checkpoints, task.steps.state, own.best_weights)
        self.unchecked = 0  # steps since the losses were last seen to be finite
        self.stopper = None
        if self.recipe.early_stopping.monitor != "none":
            self.stopper = EarlyStopper(self.recipe.early_stopping, own.best_weights)

    def extend(self, position: Position, recipe: Recipe) -> None:
        """Give the run a new end, in its newest checkpoint and in its recipe.toml; a collective.

        Args:
            position: of the newest checkpoint; it is no longer finished afterwards.
            recipe: the run's with its new number of epochs, which the task has too.

        Raises:
            ColorizeError: it has trained for as many already.
        """
        trained = position.step / self.task.steps_per_epoch
        if trained >= self.task.epochs:
            stage = self.task.stages[-1]
            raise ColorizeError(
                f"`epochs` is {stage.epochs}: {self.folder} has trained for"
                f" {trained - (self.task.epochs - stage.epochs):g} already, so expected more"
            )
        # The checkpoint comes first: an unfinished one goes with either recipe, a finished one only with the old.
        if position.finished:
            position.finished, position.waited = False, 0
            self.checkpoints.save(position)
        if self.parallel.is_chief:
            self.folder.keep_recipe(recipe)
        self.parallel.any_of(False)  # the other workers look when the chief has written
        if self.folder.recipe() != recipe:  # a worker with a disk of its own
            self.folder.keep_recipe(recipe)

    def train(self, position: Position, starts_from: str, remarks: Sequence[str]) -> None:
        """Train from `position`, at which the networks are, to the end.

        Args:
            position: is kept up to date.
            starts_from: where the weights come from, for the header.
            remarks: further lines of the header.
        """
        task, folder = self.task, self.folder
        fresh = position.step == 0
        finished = position.finished or position.step >= task.epochs * task.steps_per_epoch
        record: Record = NoRecord()
        if self.parallel.is_chief:
            if not finished:
                self._introduce(starts_from, remarks)
            record = RunRecord(folder, task.columns, -1 if fresh else position.step, self.reporter.line)
        saver = Saver(task, folder, self.checkpoints, record, self._check)
        if not fresh:
            saver.settle(position)  # a kill may have come between the checkpoint and these
        if finished:
            epochs = position.step / task.steps_per_epoch
            raise ColorizeError(
                f"{folder} is finished after {position.step} steps ({epochs:g} epochs): more `epochs` continue it",
                action="extend",
                run=folder,
            )
        saver.check_room()
        with self.parallel.lost_workers(folder):
            if fresh:
                record.write({"step": 0, "epoch": 0, "seconds": 0.0} | task.validate())
            with self.stop, reading_errors(), self.reporter.training(task.steps_per_epoch) as progress:
                self._loop(position, record, saver, progress)
            if position.finished:
                saver.save_at_the_end(position)

    def _introduce(self, starts_from: str, remarks: Sequence[str]) -> None:
        """Show the header, and keep it in the run's notes with what the scan says about single photos."""
        lines = self.task.header(self.folder, starts_from, list(remarks))
        self.reporter.header(lines)
        with self.folder.notes_file.open("a", encoding="utf-8") as notes:
            notes.writelines(f"{name}: {value}\n" for name, value in lines)
            notes.writelines(f"{line}\n" for line in self.task.photo_notes())

    def _loop(self, position: Position, record: Record, saver: Saver, progress: EpochProgress) -> None:
        """Take steps until the run is finished or must stop; write a row of means per logging interval."""
        task = self.task
        steps_per_epoch, batch_size = task.steps_per_epoch, self.recipe.data.batch_size
        batches = task.batches_from(position.step)
        clock, began, images = time.monotonic(), position.seconds, 0
        for epoch in range(position.step // steps_per_epoch, task.epochs):
            stage, stage_epoch = task.stage_of(epoch)
            done = position.step % steps_per_epoch
            progress.begin(f"{task.stages[stage].name} {stage_epoch + 1}/{task.stages[stage].epochs}", done)
            for number in range(done + 1, steps_per_epoch + 1):
                means = task.steps.train(stage, next(batches))
                position.step += 1
                self.unchecked += 1
                images += batch_size
                progress.advance(means, images / (position.seconds - began + time.monotonic() - clock))
                logged = number % self.recipe.schedule.log_every == 0 or number == steps_per_epoch
                row = task.steps.means(stage, list(means)) if logged else {}  # waits for the device
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
                    task.steps.reset_means()
                    if number == steps_per_epoch:
                        row |= self._end_epoch(epoch, row, position, record)
                    record.write(row)
                    began, images = position.seconds, 0
                if position.finished:
                    return
                if logged or self.parallel.workers == 1:  # several workers decide together, and not in every step
                    asked = bool(self.stop.reason) or self.deadline.passed
                    must_stop, must_save = self.parallel.any_of(asked, saver.due)
                    if must_stop:
                        saver.save_at_the_end(position)
                        record.remark(f"stopped by {self._who_stops()} after step {position.step}")
                        return
                    if must_save:
                        saver.try_to_save(position)
                clock = time.monotonic()  # validation and checkpoints are not training time
        raise AssertionError("the last epoch finishes the run")

    def _end_epoch(self, epoch: int, row: Row, position: Position, record: Record) -> Row:
        """Return validation figures; on the way comes early stopping's look and the preview."""
        task = self.task
        number, stage_epoch = task.stage_of(epoch)
        stage, last_stage = task.stages[number], number == len(task.stages) - 1
        position.finished = epoch + 1 == task.epochs
        with stage.trainer.averaged_generator() as generator:
            figures = task.validate()
            if self.stopper and last_stage and self.stopper.due(stage_epoch + 1):
                figures |= task.measure_fid()
                value = self.parallel.chiefs(figures[f"val_{self.recipe.early_stopping.monitor}"])
                if self.stopper.look(value, position, generator):
                    if not position.finished:
                        record.remark(f"stopped early: {self.recipe.early_stopping.monitor} no longer improves")
                    position.finished = True
            show = position.finished or (epoch + 1) % self.recipe.schedule.preview_every == 0
            if show and self.parallel.is_chief:
                record.preview(task.preview(), epoch + 1, position.step)
        fid = f"  FID {figures['val_fid']:.3g}" if "val_fid" in figures else ""
        self.reporter.line(
            f"{stage.name} {stage_epoch + 1}/{stage.epochs}  "
            + "  ".join(f"{name} {row[name]:.3g}" for name in stage.trainer.loss_names())
            + f"  validation ab MAE {figures['val_ab_mae']:.2f}  PSNR {figures['val_psnr']:.2f}{fid}"
            + f"  {row['images_per_second']:.0f} images/s"
        )
        return figures

    def _who_stops(self) -> str:
        if self.stop.reason:
            return self.stop.reason
        return f"its limit of {self.deadline.minutes:g} minutes" if self.deadline.passed else "another worker"

    def _check(self, position: Position) -> None:
        """Check that the state may be kept as a checkpoint.

        Raises:
            ColorizeError: losses, weights or an optimizer's moments are not finite.
        """
        self._check_losses(position.step, {})
        if not self.task.steps.state_is_finite():
            raise self._not_finite("weights", position.step)

    def _check_losses(self, step: int, means: Row) -> None:
        """Check that all steps until now had finite losses.

        Args:
            step: the last one.
            means: the losses' running means, where they are at hand.
        """
        finite, unchecked = self.task.steps.take_finite(), self.unchecked
        self.unchecked = 0
        if finite < unchecked:
            values = {name: value for name, value in means.items() if not abs(value) < float("inf")}
            what = ", ".join(f"{name} {value}" for name, value in values.items()) or "the losses"
            raise self._not_finite(what, step - unchecked + finite + 1)

    def _not_finite(self, what: str, step: int) -> ColorizeError:
        task = self.task
        names = names_of_batch(
            task.training_photos,
            self.recipe.data.batch_size,
            seed=self.recipe.runtime.seed,
            steps_per_epoch=task.steps_per_epoch,
            step=step,
        )
        return not_finite(what, step, names, self.checkpoints.last_step, self.folder)
