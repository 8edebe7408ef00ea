"""Training a recipe into a run folder: the loop, and everything that is written on the way."""

import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from rich.console import Console

from keras_colorize.data import GREY, reading_errors
from keras_colorize.errors import ColorizeError
from keras_colorize.hardware import describe_device, resolve_jit, resolve_precision
from keras_colorize.recipe import Recipe
from keras_colorize.runs.checkpoint import TrainingCheckpoint
from keras_colorize.runs.console import print_header, training_progress
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.loading import load_photos, open_photos, save_weights
from keras_colorize.runs.log import Row
from keras_colorize.runs.pictures import colorized_columns
from keras_colorize.runs.record import RunRecord
from keras_colorize.training import GANTrainer, SupervisedTrainer, build_trainer

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
        self.trainer: SupervisedTrainer = build_trainer(recipe)
        self.source = open_photos(recipe)
        self.training_photos = load_photos(self.source, recipe, "train", console, recipe.data.limit)
        self.validation_photos = load_photos(self.source, recipe, "validation", console, recipe.data.limit)
        self.steps = recipe.schedule.steps_per_epoch or self.training_photos.steps_per_epoch(recipe.data.batch_size)
        jit = resolve_jit(recipe.runtime.jit)
        self.train_step = tf.function(self.trainer.train_step, jit_compile=jit, autograph=False)
        self.test_step = tf.function(self.trainer.test_step, jit_compile=jit, autograph=False)

    def run(self, folder: RunFolder, *, resume: bool) -> None:
        """The loop over all steps, from the newest checkpoint's or from the first."""
        recipe, schedule = self.recipe, self.recipe.schedule
        checkpoint = TrainingCheckpoint(folder.checkpoints, self.trainer.state_variables())
        step, seconds = checkpoint.restore() if resume else (0, 0.0)
        last_step = schedule.epochs * self.steps
        if step >= last_step:
            raise ColorizeError(
                f"{folder} is finished after {step} steps: raise schedule.epochs in its recipe.toml to go on"
            )
        self._introduce(folder)
        record = RunRecord(folder, list(self.trainer.mean_names()), step)
        if step == 0:
            record.write({"step": 0, "epoch": 0, "seconds": 0.0} | self.validate())

        first_epoch, done = divmod(step, self.steps)
        batches = iter(
            self.training_photos.training_batches(
                recipe.data.batch_size,
                seed=recipe.runtime.seed,
                start_epoch=first_epoch,
                steps_per_epoch=self.steps,
            ).skip(done)
        )
        saved = time.monotonic()
        stop = _StopRequest()
        with stop, reading_errors(), training_progress(self.console, schedule.epochs, self.steps) as progress:
            progress.begin_epoch(first_epoch, done)
            began, counted = time.monotonic(), step
            while step < last_step:
                means = self.train_step(next(batches))
                step += 1
                passed = time.monotonic() - began
                images = (step - counted) * recipe.data.batch_size
                progress.advance(means, images, passed)
                epoch, done = divmod(step, self.steps)  # epochs that are complete, steps into the next
                if done % schedule.log_every == 0:
                    row: Row = {name: float(value) for name, value in means.items()}
                    seconds += passed
                    speed = images / passed
                    row |= {"step": step, "epoch": step / self.steps, "seconds": seconds, "images_per_second": speed}
                    if done == 0:
                        row |= self.validate()
                        self._report_epoch(epoch, row)
                        if epoch % schedule.preview_every == 0 or step == last_step:
                            record.preview(self._preview(), epoch, step)
                        progress.begin_epoch(min(epoch, schedule.epochs - 1))
                    self._reset_means()
                    record.write(row)
                    began, counted = time.monotonic(), step
                due = time.monotonic() - saved > 60 * schedule.checkpoint_minutes
                if due or stop.requested or step == last_step:
                    self._save(folder, checkpoint, step, seconds)
                    record.draw(f"{recipe.name}, {step} steps")
                    saved = time.monotonic()
                if stop.requested and step < last_step:
                    raise KeyboardInterrupt(f"stopped by Ctrl-C after step {step}: train.py --resume {folder} goes on")

    def validate(self) -> Row:
        """`val_…` means over the validation photos; the running means start over."""
        self._reset_means()
        means: dict[str, Any] = {}
        for batch in self.validation_photos.evaluation_batches(self.recipe.data.batch_size):
            means = self.test_step(batch)
        self._reset_means()
        return {f"val_{name}": float(value) for name, value in means.items()}

    def _preview(self) -> dict[str, np.ndarray]:
        photos = self.validation_photos.pick(PREVIEW_PHOTOS)
        return colorized_columns(self.trainer.generator, self.trainer.space, photos, "colour")

    def _reset_means(self) -> None:
        for metric in self.trainer.metrics:
            metric.reset_state()

    def _save(self, folder: RunFolder, checkpoint: TrainingCheckpoint, step: int, seconds: float) -> None:
        checkpoint.save(step, seconds)
        save_weights(self.trainer.generator, folder.generator_weights)
        if isinstance(self.trainer, GANTrainer):
            save_weights(self.trainer.discriminator, folder.discriminator_weights)

    def _introduce(self, folder: RunFolder) -> None:
        """The header on the terminal, and the same with every photo left out in the run's log."""
        recipe, data, trainer = self.recipe, self.recipe.data, self.trainer
        networks = {"generator": trainer.generator}
        if isinstance(trainer, GANTrainer):
            networks["discriminator"] = trainer.discriminator
        left_out = [*self.training_photos.left_out, *self.validation_photos.left_out]
        grey = sum(photo.reason == GREY for photo in left_out)
        precision = resolve_precision(recipe.runtime.precision)
        compiled = ", XLA" if resolve_jit(recipe.runtime.jit) else ""
        lines = [
            ("model", f"{recipe.name}: {recipe.summary}"),
            ("parameters", ", ".join(f"{name} {network.count_params():,}" for name, network in networks.items())),
            ("data", self.source.description),
            ("photos", f"{len(self.training_photos):,} training, {len(self.validation_photos):,} validation; "
            f"left out: {grey:,} grey, {len(left_out) - grey:,} broken"),
            ("size", f"{data.image_size}×{data.image_size}, batch {data.batch_size}, "
            f"{recipe.schedule.epochs} epochs of {self.steps} steps"),
            ("device", describe_device()),
            ("precision", precision + compiled + (", deterministic" if recipe.runtime.deterministic else "")),
            ("run", str(folder)),
            *(("note", remark) for remark in (*self.remarks, *self.source.notes)),
        ]
        print_header(self.console, "Keras Colorize", lines)
        with folder.notes_file.open("a", encoding="utf-8") as notes:
            notes.writelines(f"{name}: {value}\n" for name, value in lines)
            notes.writelines(f"left out: {photo.name}: {photo.reason}\n" for photo in left_out)

    def _report_epoch(self, epoch: int, row: Row) -> None:
        self.console.print(
            f"epoch {epoch}/{self.recipe.schedule.epochs}  "
            + "  ".join(f"{name} {row[name]:.3g}" for name in self.trainer.mean_names() if name in row)
            + f"  validation ab MAE {row['val_ab_mae']:.2f}  PSNR {row['val_psnr']:.2f}"
            + f"  {row['images_per_second']:.0f} images/s",
            highlight=False,
            soft_wrap=True,
        )


class _StopRequest:
    """Ctrl-C asks for a stop after the step in progress; a second one stops at once."""

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> None:
        # Signal handlers belong to the main thread; elsewhere nobody presses Ctrl-C.
        self._before = None
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._request)

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _request(self, *_: object) -> None:
        self.requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
