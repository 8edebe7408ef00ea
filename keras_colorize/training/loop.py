"""The training loop: start a recipe in a new run folder, or resume a run from its newest checkpoint.

The loop takes the steps and makes the calls of Keras' `fit`. All that happens beside the steps is in callbacks, most of
which `fit` takes too (`training.callbacks`, `training.saver`).
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import keras

from keras_colorize.data.batches import reading_errors
from keras_colorize.errors import ColorizeError
from keras_colorize.recipes import Recipe
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.lock import RunLock
from keras_colorize.runs.record import NoRecord, Record, RunRecord
from keras_colorize.tensor import Logs
from keras_colorize.training.callbacks import EarlyStopper, PhotoPreviews
from keras_colorize.training.checkpoints import KEEP, Checkpoints, Position
from keras_colorize.training.devices import Parallel, open_devices
from keras_colorize.training.guards import Deadline
from keras_colorize.training.recorder import RunRecorder
from keras_colorize.training.reporter import Reporter, SilentReporter, StopFlag, StopRequest
from keras_colorize.training.saver import RunSaver
from keras_colorize.training.task import Task

PREVIEW_PHOTOS = 8


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
        self.parallel = task.parallel
        self.own = folder.of_worker(task.parallel.worker)
        self.own.path.mkdir(exist_ok=True)
        self.own.remove_leftovers()
        self.checkpoints = Checkpoints(self.own.checkpoints, task.steps.state, self.own.best_weights)

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
        task, folder, recipe = self.task, self.folder, self.task.recipe
        fresh = position.step == 0
        finished = position.finished or position.step >= task.epochs * task.steps_per_epoch
        callbacks: list[keras.callbacks.Callback] = [one for one in (task.averaging, task.fid) if one is not None]
        if recipe.early_stopping.monitor != "none":
            callbacks.append(self._early_stopper(position))
        record: Record = NoRecord()
        if self.parallel.is_chief:
            if not finished:
                self._introduce(starts_from, remarks)
            record = run = RunRecord(folder, task.columns, -1 if fresh else position.step, self.reporter.line)
            photos, every = task.validation_photos.pick(PREVIEW_PHOTOS), recipe.schedule.preview_every
            callbacks.append(PhotoPreviews(photos, folder.previews, every=every, events=run.events))
        saver = RunSaver(task, folder, self.checkpoints, position, record, self.stop, self.deadline)
        if not fresh:
            saver.settle()  # a kill may have come between the checkpoint and these
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
                recorder = RunRecorder(task, position, record, self.reporter, progress, saver.guard)
                calls = _Callbacks([*callbacks, saver.guard, recorder, saver])
                calls.on_train_begin()
                self._loop(position, calls)
                if position.finished:  # a run that is stopped has not ended
                    calls.on_train_end()

    def _early_stopper(self, position: Position) -> EarlyStopper:
        options = self.task.recipe.early_stopping
        stopper = EarlyStopper(
            f"val_{options.monitor}",
            self.own.best_weights,
            patience=options.patience,
            every=options.every,
            start_from_epoch=self.task.recipe.pretrain.epochs,
        )
        stopper.position = position
        return stopper

    def _introduce(self, starts_from: str, remarks: Sequence[str]) -> None:
        """Show the header, and keep it in the run's notes with what the scan says about single photos."""
        lines = self.task.header(self.folder, starts_from, list(remarks))
        self.reporter.header(lines)
        with self.folder.notes_file.open("a", encoding="utf-8") as notes:
            notes.writelines(f"{name}: {value}\n" for name, value in lines)
            notes.writelines(f"{line}\n" for line in self.task.photo_notes())

    def _loop(self, position: Position, callbacks: keras.callbacks.CallbackList) -> None:
        """Take steps until a callback stops them or the last epoch is done, with the calls that `fit` makes."""
        task, steps = self.task, self.task.steps_per_epoch
        batches = task.batches_from(position.step)
        callbacks.set_params({"epochs": task.epochs, "steps": steps})
        for epoch in range(position.step // steps, task.epochs):
            number, _ = task.stage_of(epoch)
            trainer = task.stages[number].trainer
            trainer.stop_training = False
            callbacks.set_model(trainer)
            callbacks.on_epoch_begin(epoch)
            for batch in range(position.step % steps, steps):
                callbacks.on_train_batch_begin(batch)
                means = task.steps.train(number, next(batches))
                callbacks.on_train_batch_end(batch, means)
                if trainer.stop_training:
                    return
            callbacks.on_test_begin()
            figures = task.validate()
            callbacks.on_test_end(figures)
            callbacks.on_epoch_end(epoch, figures)
            if trainer.stop_training:
                return


class _Callbacks(keras.callbacks.CallbackList):
    """Keras' list of callbacks, without its reading of every loss after every step, which waits for the device."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_train_batch_end(batch, logs)
