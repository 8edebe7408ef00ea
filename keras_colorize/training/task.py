"""A training task: the photos, networks and compiled steps of a recipe, with their validation and callbacks."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import keras
import tensorflow as tf

from keras_colorize.data.scan import load_photos
from keras_colorize.data.sources import open_photos
from keras_colorize.hardware import resolve_jit
from keras_colorize.metrics import FeatureNetwork, feature_network, keras_network
from keras_colorize.models.encoder import find_folded, start_encoder
from keras_colorize.progress import Progress
from keras_colorize.recipes import Recipe
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.log import Row
from keras_colorize.tensor import Tensor
from keras_colorize.training.callbacks import FIDMonitor, WeightAveraging
from keras_colorize.training.devices import Parallel
from keras_colorize.training.gan import GANTrainer
from keras_colorize.training.header import describe_run, grey_figures
from keras_colorize.training.initial_weights import load_initial_weights
from keras_colorize.training.stages import build_stages, freezes_statistics
from keras_colorize.training.steps import CompiledSteps
from keras_colorize.training.supervised import VALIDATION_MEANS, SupervisedTrainer

ENCODER_PHOTOS = 256  # that measure the statistics of a pretrained encoder


class Task:
    """One recipe's photos, networks and compiled steps, ready to train; making it writes no file.

    Args:
        recipe: all values.
        parallel: the devices; the recipe's batch is that of all replicas together.
        progress: shows how many photos have been read.

    Raises:
        ColorizeError: the recipe, the data or the size does not fit.
    """

    def __init__(self, recipe: Recipe, parallel: Parallel, progress: Progress) -> None:
        parallel.check(recipe)
        if parallel.replicas > 1:
            recipe = recipe.with_values(**{"runtime.jit": "off"})
        self.recipe = recipe
        self.parallel = parallel
        if recipe.runtime.deterministic:
            tf.config.experimental.enable_op_determinism()
        with parallel.strategy.scope():
            self.stages = build_stages(recipe)
        self.averaging = WeightAveraging(recipe.optimizer.average) if recipe.optimizer.average else None
        if self.averaging is not None:
            for stage in self.stages:
                self.averaging.set_model(stage.trainer)  # before the steps are compiled and the state is listed
        data = recipe.data
        self.source = open_photos(data)
        self.training_photos = load_photos(
            self.source, data, "train", limit=data.limit, margin=recipe.augment.crop_margin, progress=progress
        )
        self.validation_photos = load_photos(self.source, data, "validation", limit=data.limit, progress=progress)
        self.steps_per_epoch = recipe.schedule.steps_per_epoch or self.training_photos.steps_per_epoch(data.batch_size)
        self.epochs = sum(stage.epochs for stage in self.stages)
        for stage in self.stages:
            stage.set_steps_per_epoch(self.steps_per_epoch)
        self.steps = CompiledSteps(self.stages, parallel, jit=resolve_jit(recipe.runtime.jit))
        self.fid: FIDMonitor | None = None
        if recipe.early_stopping.monitor == "fid":
            self.fid = FIDMonitor(
                self.validation_photos.evaluation_batches(data.batch_size),
                fid_network(recipe) if parallel.is_chief else "",
                every=recipe.early_stopping.every,
                start_from_epoch=recipe.pretrain.epochs,
                parallel=parallel,
            )

    @property
    def trainer(self) -> SupervisedTrainer:
        """The trainer of the main stage."""
        return self.stages[-1].trainer

    @property
    def networks(self) -> dict[str, keras.Model]:
        """The networks that train, by role."""
        networks = {"generator": self.trainer.generator}
        if isinstance(self.trainer, GANTrainer):
            networks["discriminator"] = self.trainer.discriminator
        return networks

    @property
    def columns(self) -> list[str]:
        """Columns of the log: losses, then the validation figures."""
        figures = ("g_reconstruction", *VALIDATION_MEANS, *(["fid"] if self.fid is not None else []))
        return [*self.trainer.loss_names(), *(f"val_{name}" for name in figures)]

    @cached_property
    def grey(self) -> Row:
        """Figures of the validation photos left grey, by their names in the log."""
        figures = grey_figures(self.trainer.space, self.validation_photos, self.recipe.data.batch_size)
        return {f"val_{name}": value for name, value in figures.items()}

    def load_initial_weights(self) -> str:
        """Give the generator the weights that the recipe names; return in words where they come from.

        Raises:
            ColorizeError: the weights do not exist or do not fit.
        """
        recipe, generator = self.recipe, self.trainer.generator
        if not recipe.initial_weights and recipe.encoder_weights and recipe.backbone_weights == "pretrained":
            size = recipe.data.image_size
            photos = self.training_photos.pick(ENCODER_PHOTOS)[:, :size, :size]
            _, condition, _ = self.trainer.prepare(photos, training=False)
            folded, origin = find_folded(Path(recipe.encoder_weights), recipe.encoder_sha256)
            last = start_encoder(generator, folded, condition)
            starts_from = f"{origin} (the encoder to {last}), the rest fresh (seed {recipe.runtime.seed})"
        else:
            starts_from = load_initial_weights(generator, recipe)
            if freezes_statistics(recipe):
                starts_from += "; the statistics of batch normalization stay as they are"
        for stage in self.stages:
            if stage.trainer.averages is not None:
                stage.trainer.averages.start_over()
        return starts_from

    def stage_of(self, epoch: int) -> tuple[int, int]:
        """Return the number of the stage that holds an epoch of the whole schedule, and the epoch's number in it.

        Raises:
            IndexError: the schedule has fewer epochs.
        """
        for number, stage in enumerate(self.stages):
            if epoch < stage.epochs:
                return number, epoch
            epoch -= stage.epochs
        raise IndexError(epoch)

    def trainer_at(self, step: int) -> SupervisedTrainer:
        """Return the trainer that took step number `step`, counted from 1."""
        stage, _ = self.stage_of(min(max(0, step - 1) // self.steps_per_epoch, self.epochs - 1))
        return self.stages[stage].trainer

    def batches_from(self, step: int) -> Iterator[Tensor]:
        """Iterate over the training batches after `step` steps, without end; each replica gets its part of each."""
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
        """Return `val_…` means over the validation photos and reset the running means; a collective.

        Validation must be cheap, so it runs inside the compiled step with a simpler finish than inference: colours out
        of gamut are cut per channel. Evaluation measures the pixels that a user gets.
        """
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
        return {f"val_{name}": self.parallel.chiefs(value) for name, value in means.items()}

    def header(self, folder: RunFolder, starts_from: str, remarks: list[str]) -> list[tuple[str, str]]:
        """Return the name and the value of each line of the run's header.

        Args:
            folder: of the run.
            starts_from: where the weights come from, in words.
            remarks: further lines.
        """
        photo_sets = {"training": self.training_photos, "validation": self.validation_photos}
        lines = describe_run(
            self.recipe,
            self.networks,
            self.stages,
            self.steps_per_epoch,
            photo_sets,
            starts_from=starts_from,
            data=self.source.description,
        )
        grey = f"ab MAE {self.grey['val_ab_mae']:.2f}, PSNR {self.grey['val_psnr']:.2f}"
        lines.append(("to beat", f"validation photos left grey: {grey}"))
        if self.fid is not None:
            lines.append(("early stop", self.fid.label))
        if self.parallel.replicas > 1:
            lines.append(("parallel", self.parallel.describe()))
        return [*lines, ("run", str(folder)), *(("note", remark) for remark in (*remarks, *self.source.notes))]

    def photo_notes(self) -> list[str]:
        """Return a line for each photo that the scan left out or has a remark about, with the reason."""
        lines = []
        for split, photos in {"training": self.training_photos, "validation": self.validation_photos}.items():
            lines += [f"left out of {split}: {photo.name}: {photo.reason}" for photo in photos.left_out]
            lines += [f"used for {split}: {name}: {remark}" for name, remark in photos.remarks.items()]
        return lines


def fid_network(recipe: Recipe) -> FeatureNetwork:
    """Return the network whose features a recipe's FID compares: small and random where its backbones are.

    Raises:
        ColorizeError: it is not available.
    """
    if recipe.backbone_weights == "pretrained":
        return feature_network(recipe.early_stopping.fid_network)
    # Random features still tell distributions apart, but their figures compare with no others.
    initializer = keras.initializers.VarianceScaling(2.0, seed=recipe.runtime.seed)
    rgb = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(rgb)
    for width in (32, 64, 64):
        x = keras.layers.Conv2D(width, 3, strides=2, activation="relu", kernel_initializer=initializer)(x)
    return keras_network(keras.Model(rgb, keras.layers.GlobalAveragePooling2D()(x)), "random features")
