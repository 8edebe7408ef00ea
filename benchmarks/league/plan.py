"""The plan: who takes part, what differs from the recipes of the zoo, how long each trains, and in which order.

Every system has a row in two tables: after the same number of images, and after the same time. Where the learning rate
and the stages do not depend on the length of a run, both rows come from one run, which is measured as it passes each
mark. Where they do (pretraining before a GAN, a rate that falls), each table has a run of its own.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.recipes import Recipe, zoo_names

Table = Literal["images", "time"]
TABLES: tuple[Table, ...] = ("images", "time")

TO_LAYER3 = "pretrained to layer3"
RANDOM = "random backbone"
# The systems in the order of the reports, then those of our own.
REPORTS: dict[str, tuple[str, ...]] = {
    "A": ("cnn", "autoencoder", "gan_lab", "gan_rgb"),
    "B": ("pix2pix", "resnet18_gan"),
    "C": ("unet_gan", "unet_gan_aug", "unet_gan_perceptual", "resnet18_shuffle_gan"),
    "D": ("unet_noskip", "unet_skip"),
    "E": ("koalarization", "inception_gan", "inception_gan_nopretrain", "inception_gan_noseg",
          "inception_gan_noinception"),
}  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """The size of the league.

    Attributes:
        images: number of images that a system has seen in the table of the same images, a multiple of `epochs` batches.
        minutes: of training in the table of the same time.
        epochs: parts of a run of `images` images; validation comes after each. [choice] 24,192 images are a little more
            than 24,000 and make 14 equal parts for batches of 16, 32 and 64. 14 parts divide as the reports' stages
            do, 20 : 20 and 20 : 15 epochs.
        image_size: side in pixels of the photos, in training and measuring.
        limit: largest number of photos of a test set, evenly spaced; None measures all.
        resamples: number of the bootstrap's draws.
        checkpoint_minutes: minutes of work that a kill may cost.
    """

    images: int = 24_192
    minutes: float = 25.0
    epochs: int = 14
    image_size: int = 64
    limit: int | None = 500
    resamples: int = 10_000
    checkpoint_minutes: float = 2.0

    def steps_per_epoch(self, batch_size: int, images: int | None = None) -> int:
        """Return the steps of one of the parts of a run; the nearest number, at least 1."""
        return max(1, round((images or self.images) / (self.epochs * batch_size)))


@dataclass(frozen=True)
class Competitor:
    """A system as it takes part.

    Attributes:
        name: unique; part of the names of files.
        system: of the zoo, or a recipe file.
        note: how the row differs from the published system, in a few words.
        pretrained: start the encoder from ImageNet weights, as far as they go.
        values: further changes of the recipe.
        seed: of weights, photos and augmentation.
        tables: in which it has a row.
        phase: rows of a lower phase come first.
    """

    name: str
    system: str
    note: str = ""
    pretrained: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    tables: tuple[Table, ...] = TABLES
    phase: int = 0


def competitors() -> list[Competitor]:
    """List all who take part: the systems, then pairs with one difference, then second seeds.

    Second seeds are in the table of the same images only, where no speed of a machine plays a part.
    """
    systems = [
        Competitor(name, name, _note(name), pretrained=_has_encoder(name))
        for name in (*(name for names in REPORTS.values() for name in names), "vivid")
    ]
    pairs = [
        Competitor(f"{name}-random", name, RANDOM, phase=1)
        for name in ("resnet18_gan", "resnet18_shuffle_gan", "vivid")
    ]
    pairs += [
        Competitor(
            "gan_lab-calm", "gan_lab", "without noise", values={"augment.noise": 0.0}, tables=("images",), phase=3
        ),
        Competitor(
            "gan_lab-stopped",
            "gan_lab",
            "stopped early",
            # The report stops on FID. The league's own feature network takes the place of Inception, which it lacks.
            values={"early_stopping.monitor": "fid", "early_stopping.every": 1, "backbone_weights": "pretrained"},
            tables=("time",),
            phase=3,
        ),
    ]
    again = (
        *("gan_lab", "gan_rgb", "pix2pix", "resnet18_gan", "resnet18_gan-random", "unet_gan", "unet_gan_aug"),
        *("unet_gan_perceptual", "resnet18_shuffle_gan", "resnet18_shuffle_gan-random"),
        *("inception_gan", "inception_gan_nopretrain", "inception_gan_noseg", "inception_gan_noinception"),
    )
    by_name = {competitor.name: competitor for competitor in (*systems, *pairs)}
    second = [
        Competitor(
            f"{first.name}-seed1", first.system, first.note, first.pretrained, first.values, 1, ("images",), phase=2
        )
        for first in (by_name[name] for name in again)
    ]
    return [*systems, *pairs, *second]


def _has_encoder(system: str) -> bool:
    recipe = Recipe.load(system)
    return recipe.generator.name == "resnet_unet" or bool(recipe.encoder_weights)


def _note(system: str) -> str:
    """Say which pretrained networks a row has."""
    recipe = Recipe.load(system)
    if _has_encoder(system):
        return TO_LAYER3
    if recipe.generator.name == "koalarization" or recipe.loss.perceptual_weight:
        return RANDOM
    return ""


@dataclass(frozen=True)
class Encoder:
    """The file of ImageNet weights that encoders start from."""

    file: Path
    sha256: str = ""


def make_recipe(competitor: Competitor, scale: Scale, photos: Path, encoder: Encoder, features: Path) -> Recipe:
    """Return a competitor's recipe at the league's scale, for the table of the same images.

    Args:
        competitor: whose recipe it is.
        scale: of the league.
        photos: folder of the training photos.
        encoder: where pretrained encoders start.
        features: file of the feature network, for early stopping.

    Raises:
        ColorizeError: there is no such system, or a value does not fit.
    """
    recipe = Recipe.load(competitor.system).with_values(**competitor.values)
    pretrain = recipe.pretrain.epochs
    share = pretrain / (pretrain + recipe.schedule.epochs)
    first = round(scale.epochs * share)
    steps = scale.steps_per_epoch(recipe.data.batch_size)
    values: dict[str, Any] = {
        "data.source": str(photos),
        "data.image_size": scale.image_size,
        # [choice] All systems see the same cut of a photo, whatever their reports did.
        "data.resize": "crop",
        "data.limit": 0,
        "data.validation_fraction": 0.01,
        "data.test_fraction": 0.0,
        "pretrain.epochs": first,
        "schedule.epochs": scale.epochs - first,
        "schedule.steps_per_epoch": steps,
        "schedule.log_every": max(1, steps // 4),
        "schedule.preview_every": 10_000,
        "schedule.checkpoint_minutes": scale.checkpoint_minutes,
        "early_stopping.monitor": "none",
        "early_stopping.fid_network": str(features),
        "runtime.seed": competitor.seed,
        "backbone_weights": "pretrained" if competitor.pretrained else "random",
        "encoder_weights": str(encoder.file) if competitor.pretrained else "",
        "encoder_sha256": encoder.sha256 if competitor.pretrained else "",
    }
    return recipe.with_values(**values | dict(competitor.values))


def depends_on_length(recipe: Recipe) -> bool:
    """Tell whether a run that is to be longer differs from its first step: stages, a rate that falls, a stop."""
    optimizers = (recipe.optimizer, recipe.discriminator_optimizer or recipe.optimizer)
    return (
        recipe.pretrain.epochs > 0
        or any(optimizer.decay != "none" or optimizer.warmup_steps > 0 for optimizer in optimizers)
        or recipe.early_stopping.monitor != "none"
    )


@dataclass(frozen=True)
class Mark:
    """A moment of a run at which it is measured: `schedule.epochs` until then, and the tables that get a row."""

    epochs: int
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Run:
    """A training run of the league.

    Attributes:
        competitor: who trains.
        name: of its folder.
        recipe: with the epochs of the first mark.
        marks: where it is measured, in order.
    """

    competitor: Competitor
    name: str
    recipe: Recipe
    marks: tuple[Mark, ...]

    def images(self, mark: Mark) -> int:
        """Return the images that are seen at a mark, those of pretraining too."""
        epochs = self.recipe.pretrain.epochs + mark.epochs
        return epochs * self.recipe.schedule.steps_per_epoch * self.recipe.data.batch_size


def plan_runs(competitor: Competitor, recipe: Recipe, scale: Scale, speed: Sequence[float]) -> list[Run]:
    """Return the runs of a competitor, that of the same images first.

    Args:
        competitor: who trains.
        recipe: of `make_recipe`.
        scale: of the league.
        speed: images per second in each stage of the recipe, on a machine that does nothing else.
    """
    epochs = recipe.schedule.epochs
    if not depends_on_length(recipe):
        of_epoch = recipe.schedule.steps_per_epoch * recipe.data.batch_size
        in_time = max(1, round(60 * scale.minutes * speed[-1] / of_epoch))
        ends: dict[int, tuple[Table, ...]] = {}
        for table, end in (("images", epochs), ("time", in_time)):
            if table in competitor.tables:
                ends[end] = (*ends.get(end, ()), table)
        marks = tuple(Mark(end, ends[end]) for end in sorted(ends))
        first = recipe.with_values(**{"schedule.epochs": marks[0].epochs})
        return [Run(competitor, competitor.name, first, marks)]
    runs = []
    if "images" in competitor.tables:
        runs.append(Run(competitor, f"{competitor.name}-images", recipe, (Mark(epochs, ("images",)),)))
    if "time" in competitor.tables:
        steps = scale.steps_per_epoch(recipe.data.batch_size, images_in_time(recipe, scale, speed))
        timed = recipe.with_values(**{"schedule.steps_per_epoch": steps, "schedule.log_every": max(1, steps // 4)})
        runs.append(Run(competitor, f"{competitor.name}-time", timed, (Mark(epochs, ("time",)),)))
    return runs


def images_in_time(recipe: Recipe, scale: Scale, speed: Sequence[float]) -> int:
    """Return the images that the stages see in the league's minutes, in their proportion."""
    epochs = [recipe.pretrain.epochs, recipe.schedule.epochs] if recipe.pretrain.epochs else [recipe.schedule.epochs]
    seconds_per_image = sum(
        part / sum(epochs) / images_per_second for part, images_per_second in zip(epochs, speed, strict=True)
    )
    return math.ceil(60 * scale.minutes / seconds_per_image)


def seconds_of(run: Run, mark: Mark, speed: Sequence[float]) -> float:
    """Estimate the seconds of training until a mark."""
    of_epoch = run.recipe.schedule.steps_per_epoch * run.recipe.data.batch_size
    seconds = mark.epochs * of_epoch / speed[-1]
    if run.recipe.pretrain.epochs:
        seconds += run.recipe.pretrain.epochs * of_epoch / speed[0]
    return seconds


def choose(everyone: Iterable[Competitor], names: Sequence[str] | None) -> list[Competitor]:
    """Return the competitors of these names, or all.

    Raises:
        ColorizeError: there is none of a name.
    """
    by_name = {competitor.name: competitor for competitor in everyone}
    for name in names or ():
        if name not in by_name:
            raise ColorizeError(f"no competitor '{name}'{did_you_mean(name, by_name)}")
    return [by_name[name] for name in (names or by_name)]


def check_plan() -> None:
    """Check that every system of the zoo takes part.

    Raises:
        ColorizeError: one does not.
    """
    missing = sorted(set(zoo_names()) - {competitor.system for competitor in competitors()})
    if missing:
        raise ColorizeError(f"these systems of the zoo take no part in the league: {', '.join(missing)}")
