"""A recipe made ready to train: photos, networks, compiled steps, and what measures and shows them."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console

from keras_colorize.hardware import resolve_jit
from keras_colorize.models.encoder import find_folded, start_encoder
from keras_colorize.recipes import Recipe
from keras_colorize.runs.console import print_header
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.log import Row
from keras_colorize.runs.pictures import colorized, colorized_columns
from keras_colorize.training import (
    VALIDATION_MEANS,
    CompiledSteps,
    GANTrainer,
    Parallel,
    SupervisedTrainer,
    build_stages,
)
from keras_colorize.training.early_stopping import FidMonitor
from keras_colorize.training.header import describe_run, grey_figures
from keras_colorize.training.loading import load_initial_weights, load_photos, open_photos

PREVIEW_PHOTOS = 8
ENCODER_PHOTOS = 256


class Prepared:
    """One recipe's photos, networks and compiled steps, before any folder is written.

    Args:
        recipe: all values.
        console: for progress.
        parallel: where the steps run; the recipe's batch is that of all replicas together.

    Raises:
        ColorizeError: the recipe, the data or the size does not fit.
    """

    def __init__(self, recipe: Recipe, console: Console, parallel: Parallel) -> None:
        parallel.check(recipe)
        if parallel.replicas > 1:
            recipe = recipe.with_values(**{"runtime.jit": "off"})
        self.recipe = recipe
        self.console = console
        self.parallel = parallel
        if recipe.runtime.deterministic:
            tf.config.experimental.enable_op_determinism()
        with parallel.strategy.scope():
            self.stages = build_stages(recipe)
        self.source = open_photos(recipe)
        margin = recipe.augment.crop_margin
        self.training_photos = load_photos(self.source, recipe, "train", console, recipe.data.limit, margin)
        self.validation_photos = load_photos(self.source, recipe, "validation", console, recipe.data.limit)
        self.steps_per_epoch = recipe.schedule.steps_per_epoch or self.training_photos.steps_per_epoch(
            recipe.data.batch_size
        )
        self.epochs = sum(stage.epochs for stage in self.stages)
        for stage in self.stages:
            stage.set_steps_per_epoch(self.steps_per_epoch)
        self.steps = CompiledSteps(self.stages, parallel, jit=resolve_jit(recipe.runtime.jit))
        self._watches_fid = recipe.early_stopping.monitor == "fid"
        self._fid = FidMonitor(recipe, self.validation_photos) if self._watches_fid and parallel.is_chief else None

    @property
    def trainer(self) -> SupervisedTrainer:
        """The main stage's."""
        return self.stages[-1].trainer

    @property
    def networks(self) -> dict[str, keras.Model]:
        """What trains, by role."""
        networks = {"generator": self.trainer.generator}
        if isinstance(self.trainer, GANTrainer):
            networks["discriminator"] = self.trainer.discriminator
        return networks

    @property
    def columns(self) -> list[str]:
        """Of the log: losses, then the validation figures."""
        figures = ("g_reconstruction", *VALIDATION_MEANS, *(["fid"] if self._watches_fid else []))
        return [*self.trainer.loss_names(), *(f"val_{name}" for name in figures)]

    def start_weights(self) -> list[str]:
        """Load the weights that a new run starts from, and return a line that says which."""
        recipe, generator = self.recipe, self.trainer.generator
        load_initial_weights(generator, recipe)
        if recipe.initial_weights:
            started = f"starts from {recipe.initial_weights}"
        elif recipe.encoder_weights and recipe.backbone_weights == "pretrained":
            size = recipe.data.image_size
            photos = self.training_photos.pick(ENCODER_PHOTOS)[:, :size, :size]
            _, condition, _ = self.trainer.prepare(photos, training=False)
            folded, origin = find_folded(Path(recipe.encoder_weights), recipe.encoder_sha256)
            start_encoder(generator, folded, condition)
            started = f"the encoder starts from {origin}, the rest from random weights"
        else:
            return []
        if self.trainer.averages is not None:
            self.trainer.averages.start_over()
        return [started]

    def stage_of(self, epoch: int) -> tuple[int, int]:
        """Which stage an epoch of the whole schedule belongs to, and its number there."""
        for number, stage in enumerate(self.stages):
            if epoch < stage.epochs:
                return number, epoch
            epoch -= stage.epochs
        raise IndexError(epoch)

    def trainer_at(self, step: int) -> SupervisedTrainer:
        """Whose turn step number `step` was."""
        stage, _ = self.stage_of(min(max(0, step - 1) // self.steps_per_epoch, self.epochs - 1))
        return self.stages[stage].trainer

    def batches_from(self, step: int) -> Any:
        """Training batches after `step` steps, without end; each replica has its own part of each."""
        epoch, done = divmod(step, self.steps_per_epoch)

        def read(parts: int = 1, own_parts: range = range(1)) -> tf.data.Dataset:
            return self.training_photos.training_batches(
                self.recipe.data.batch_size,
                seed=self.recipe.runtime.seed,
                start_epoch=epoch,
                start_step=done,
                steps_per_epoch=self.steps_per_epoch,
                parts=parts,
                own_parts=own_parts,
            )

        return iter(self.parallel.distribute(read) if self.parallel.replicas > 1 else read())

    def validate(self) -> Row:
        """`val_…` means over the validation photos; the running means start over. A meeting of the workers."""
        self.steps.reset_means()
        photos, batch_size = self.validation_photos, self.recipe.data.batch_size
        if self.parallel.replicas > 1:
            for batch in self.parallel.distribute(lambda *parts: photos.evaluation_parts(batch_size, *parts)):
                self.steps.test(*batch)
        else:
            for batch in photos.evaluation_batches(batch_size):
                self.steps.test(batch)
        means = self.steps.means(-1, ("g_reconstruction", *VALIDATION_MEANS))
        self.steps.reset_means()
        return {f"val_{name}": value for name, value in means.items()}

    def measure_fid(self) -> Row:
        """`val_fid`, where early stopping watches it; the chief measures, a meeting of the workers."""
        if not self._watches_fid:
            return {}
        generator, space = self.trainer.generator, self.trainer.space
        fid = self._fid.measure(lambda rgb_u8: colorized(generator, space, rgb_u8)) if self._fid else 0.0
        return {"val_fid": self.parallel.chiefs(fid)}

    def preview(self) -> dict[str, np.ndarray]:
        """Columns of a picture: the same validation photos each time, grey, in the system's colours, and true."""
        photos = self.validation_photos.pick(PREVIEW_PHOTOS)
        return colorized_columns(self.trainer.generator, self.trainer.space, photos, "colour")

    def introduce(self, folder: RunFolder, remarks: list[str]) -> None:
        """The header on the terminal, and the same with every photo left out in the run's log."""
        photo_sets = {"training": self.training_photos, "validation": self.validation_photos}
        epochs = {stage.name: stage.epochs for stage in self.stages}
        model, parameters, *others = describe_run(self.recipe, self.networks, epochs, self.steps_per_epoch, photo_sets)
        lines = [model, parameters, ("data", self.source.description), *others]
        to_beat = grey_figures(self.trainer.space, self.validation_photos, self.recipe.data.batch_size)
        lines.append(("to beat", to_beat))
        if self._fid is not None:
            lines.append(("early stop", self._fid.label))
        if self.parallel.replicas > 1:
            lines.append(("parallel", self.parallel.describe()))
        lines += [("run", str(folder)), *(("note", remark) for remark in (*remarks, *self.source.notes))]
        print_header(self.console, "Keras Colorize", lines)
        with folder.notes_file.open("a", encoding="utf-8") as notes:
            notes.writelines(f"{name}: {value}\n" for name, value in lines)
            for split, photos in photo_sets.items():
                notes.writelines(f"left out of {split}: {photo.name}: {photo.reason}\n" for photo in photos.left_out)
