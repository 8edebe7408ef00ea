"""Training a recipe into a run folder: the stages, the loop, and what is written on the way."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from rich.console import Console

from keras_colorize.data import reading_errors
from keras_colorize.errors import ColorizeError
from keras_colorize.hardware import resolve_jit
from keras_colorize.recipe import Recipe
from keras_colorize.runs.checkpoint import Position, TrainingCheckpoint
from keras_colorize.runs.console import TrainingProgress, print_header, training_progress
from keras_colorize.runs.early_stopping import EarlyStopper, FidMonitor
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.header import describe_run, grey_figures
from keras_colorize.runs.interruption import StopRequest
from keras_colorize.runs.loading import load_initial_weights, load_photos, open_photos
from keras_colorize.runs.log import Row
from keras_colorize.runs.pictures import colorized, colorized_columns
from keras_colorize.runs.record import RunRecord
from keras_colorize.training import VALIDATION_MEANS, GANTrainer, Stage, SupervisedTrainer, build_stages
from keras_colorize.weights import save_weights

PREVIEW_PHOTOS = 8


def start(recipe: Recipe, out: str | Path, console: Console, remarks: list[str]) -> RunFolder:
    """Train `recipe` from the beginning into a new folder under `out`.

    Args:
        remarks: lines for the header, such as what was shrunk.

    Raises:
        ColorizeError: the recipe, the data or the size does not fit.
        KeyboardInterrupt: stopped by Ctrl-C, after the checkpoint was written.
    """
    training = _Training(recipe, console, remarks)  # everything that can be refused, before a folder is made
    load_initial_weights(training.generator, recipe)
    folder = RunFolder.create(out, recipe)
    training.run(folder, resume=False)
    return folder


def resume(folder: RunFolder, console: Console) -> None:
    """Go on with a run from its newest checkpoint, to the end that its recipe sets."""
    _Training(folder.recipe(), console, ["resumed"]).run(folder, resume=True)


class _Training:
    """One recipe's photos, networks and compiled steps."""

    def __init__(self, recipe: Recipe, console: Console, remarks: list[str]) -> None:
        self.recipe = recipe
        self.console = console
        self.remarks = remarks
        if recipe.runtime.deterministic:
            tf.config.experimental.enable_op_determinism()
        self.stages = build_stages(recipe)
        self.generator = self.stages[-1].trainer.generator
        self.space = self.stages[-1].trainer.space
        self.source = open_photos(recipe)
        margin = recipe.augment.crop_margin
        self.training_photos = load_photos(self.source, recipe, "train", console, recipe.data.limit, margin)
        self.validation_photos = load_photos(self.source, recipe, "validation", console, recipe.data.limit)
        self.steps = recipe.schedule.steps_per_epoch or self.training_photos.steps_per_epoch(recipe.data.batch_size)
        self.epochs = sum(stage.epochs for stage in self.stages)
        for stage in self.stages:
            stage.set_steps_per_epoch(self.steps)
        jit = resolve_jit(recipe.runtime.jit)
        self.train_steps = [tf.function(s.trainer.train_step, jit_compile=jit, autograph=False) for s in self.stages]
        self.test_step = tf.function(self.stages[-1].trainer.test_step, jit_compile=jit, autograph=False)
        self.fid = FidMonitor(recipe, self.validation_photos) if recipe.early_stopping.monitor == "fid" else None

    def run(self, folder: RunFolder, *, resume: bool) -> None:
        """All epochs, from the newest checkpoint's or from the first."""
        recipe = self.recipe
        variables = {id(v): v for stage in self.stages for v in stage.trainer.state_variables()}
        checkpoint = TrainingCheckpoint(folder.checkpoints, list(variables.values()))
        position = checkpoint.restore() if resume else Position()
        if position.finished or position.step >= self.epochs * self.steps:
            raise ColorizeError(
                f"{folder} is finished after {position.step} steps: train longer with"
                f" train.py --recipe {folder.recipe_file} --epochs N"
            )
        self._introduce(folder)
        figures = ("g_reconstruction", *VALIDATION_MEANS, *(["fid"] if self.fid else []))
        columns = [*self.stages[-1].trainer.loss_names(), *(f"val_{name}" for name in figures)]
        record = RunRecord(folder, columns, position.step)
        if position.step == 0:
            record.write({"step": 0, "epoch": 0, "seconds": 0.0} | self._validate())

        stopper = None
        if recipe.early_stopping.monitor != "none":
            stopper = EarlyStopper(recipe.early_stopping, folder.best_weights)
        first_epoch, done = divmod(position.step, self.steps)
        batches = iter(
            self.training_photos.training_batches(
                recipe.data.batch_size,
                seed=recipe.runtime.seed,
                start_epoch=first_epoch,
                start_step=done,
                steps_per_epoch=self.steps,
            )
        )
        saver = _Saver(self, folder, checkpoint, record)
        with StopRequest() as stop, reading_errors(), training_progress(self.console, self.steps) as progress:
            for epoch in range(first_epoch, self.epochs):
                stage, stage_epoch = self._stage_of(epoch)
                progress.begin(f"{self.stages[stage].name} {stage_epoch + 1}/{self.stages[stage].epochs}", done)
                for row in self._epoch(stage, batches, position, done, saver, stop, progress):
                    if position.step == (epoch + 1) * self.steps:
                        with self.stages[stage].trainer.averaged_generator():
                            row |= self._validate()
                            if stopper and stage == len(self.stages) - 1 and stopper.due(stage_epoch + 1):
                                row |= self._measure_fid()
                                value = row[f"val_{recipe.early_stopping.monitor}"]
                                position.finished = stopper.look(value, position, self.generator)
                            self._report(self.stages[stage], stage_epoch + 1, row)
                            last = position.finished or epoch + 1 == self.epochs
                            if last or (epoch + 1) % recipe.schedule.preview_every == 0:
                                record.preview(self._preview(), epoch + 1, position.step)
                    record.write(row)
                done = 0
                if position.finished:
                    self.console.print(f"stopped early: {recipe.early_stopping.monitor} no longer improves")
                    break
        saver.save(position)
        if folder.best_weights.is_file():
            shutil.copyfile(folder.best_weights, folder.generator_weights)

    def _epoch(
        self,
        stage: int,
        batches: Any,
        position: Position,
        done: int,
        saver: "_Saver",
        stop: "StopRequest",
        progress: TrainingProgress,
    ) -> Iterator[Row]:
        """The rest of an epoch of which `done` steps are done; a row of means per logging interval."""
        step = self.train_steps[stage]
        batch_size, log_every = self.recipe.data.batch_size, self.recipe.schedule.log_every
        began, images = time.monotonic(), 0
        for number in range(done + 1, self.steps + 1):
            means = step(next(batches))
            position.step += 1
            images += batch_size
            passed = time.monotonic() - began
            progress.advance(means, images / passed)
            if number % log_every == 0 or number == self.steps:
                row = {name: float(value) for name, value in means.items()}
                passed = time.monotonic() - began  # reading the means has waited for the device
                position.seconds += passed
                row |= {
                    "step": position.step,
                    "epoch": position.step / self.steps,
                    "seconds": position.seconds,
                    "images_per_second": images / passed,
                }
                self._reset_means()
                yield row
                began, images = time.monotonic(), 0
            if stop.requested and position.step < self.epochs * self.steps:
                saver.save(position)
                raise KeyboardInterrupt(
                    f"stopped by Ctrl-C after step {position.step}: train.py --resume {saver.folder} goes on"
                )
            saver.save_when_due(position)

    def trainer_at(self, position: Position) -> SupervisedTrainer:
        """Whose turn the last step was."""
        stage, _ = self._stage_of(max(0, position.step - 1) // self.steps)
        return self.stages[stage].trainer

    def _stage_of(self, epoch: int) -> tuple[int, int]:
        """Which stage an epoch of the whole schedule belongs to, and its number there."""
        for number, stage in enumerate(self.stages):
            if epoch < stage.epochs:
                return number, epoch
            epoch -= stage.epochs
        raise IndexError(epoch)

    def _validate(self) -> Row:
        """`val_…` means over the validation photos; the running means start over."""
        self._reset_means()
        means: dict[str, Any] = {}
        for batch in self.validation_photos.evaluation_batches(self.recipe.data.batch_size):
            means = self.test_step(batch)
        self._reset_means()
        return {f"val_{name}": float(value) for name, value in means.items()}

    def _measure_fid(self) -> Row:
        if self.fid is None:
            return {}
        return {"val_fid": self.fid.measure(lambda rgb_u8: colorized(self.generator, self.space, rgb_u8))}

    def _preview(self) -> dict[str, np.ndarray]:
        photos = self.validation_photos.pick(PREVIEW_PHOTOS)
        return colorized_columns(self.generator, self.space, photos, "colour")

    def _reset_means(self) -> None:
        for stage in self.stages:
            for metric in stage.trainer.metrics:
                metric.reset_state()

    def _introduce(self, folder: RunFolder) -> None:
        """The header on the terminal, and the same with every photo left out in the run's log."""
        trainer = self.stages[-1].trainer
        networks = {"generator": self.generator}
        if isinstance(trainer, GANTrainer):
            networks["discriminator"] = trainer.discriminator
        photo_sets = {"training": self.training_photos, "validation": self.validation_photos}
        epochs = {stage.name: stage.epochs for stage in self.stages}
        model, parameters, *others = describe_run(self.recipe, networks, epochs, self.steps, photo_sets)
        lines = [model, parameters, ("data", self.source.description), *others]
        lines.append(("to beat", grey_figures(self.space, self.validation_photos, self.recipe.data.batch_size)))
        if self.fid is not None:
            lines.append(("early stop", self.fid.label))
        lines += [("run", str(folder)), *(("note", remark) for remark in (*self.remarks, *self.source.notes))]
        print_header(self.console, "Keras Colorize", lines)
        with folder.notes_file.open("a", encoding="utf-8") as notes:
            notes.writelines(f"{name}: {value}\n" for name, value in lines)
            for split, photos in photo_sets.items():
                notes.writelines(f"left out of {split}: {photo.name}: {photo.reason}\n" for photo in photos.left_out)

    def _report(self, stage: Stage, epoch: int, row: Row) -> None:
        fid = f"  FID {row['val_fid']:.3g}" if "val_fid" in row else ""
        self.console.print(
            f"{stage.name} {epoch}/{stage.epochs}  "
            + "  ".join(f"{name} {row[name]:.3g}" for name in stage.trainer.loss_names())
            + f"  validation ab MAE {row['val_ab_mae']:.2f}  PSNR {row['val_psnr']:.2f}{fid}"
            + f"  {row['images_per_second']:.0f} images/s",
            highlight=False,
            soft_wrap=True,
        )


class _Saver:
    """Writes checkpoint, weights and curves, now or when the recipe's interval has passed."""

    def __init__(
        self, training: _Training, folder: RunFolder, checkpoint: TrainingCheckpoint, record: RunRecord
    ) -> None:
        self.folder = folder
        self._training = training
        self._checkpoint = checkpoint
        self._record = record
        self._saved = time.monotonic()

    def save_when_due(self, position: Position) -> None:
        if time.monotonic() - self._saved > 60 * self._training.recipe.schedule.checkpoint_minutes:
            self.save(position)

    def save(self, position: Position) -> None:
        self._checkpoint.save(position)
        trainer = self._training.stages[-1].trainer
        with self._training.trainer_at(position).averaged_generator() as generator:
            save_weights(generator, self.folder.generator_weights)
        if isinstance(trainer, GANTrainer):
            save_weights(trainer.discriminator, self.folder.discriminator_weights)
        self._record.draw(f"{self._training.recipe.name}, {position.step} steps")
        self._saved = time.monotonic()
