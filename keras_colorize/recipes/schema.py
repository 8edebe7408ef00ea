"""A system is a recipe: frozen dataclasses read from TOML, every field checked, every typo answered.

A recipe names the architecture, the space, the data, the losses, the optimizers and the schedule;
whatever a report varied is a field here. `Recipe.load("unet_skip")` reads one from the zoo,
`Recipe.load("mine.toml")` a file, and `extends = "…"` in a file starts from another recipe.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import tomli_w

from keras_colorize.errors import ColorizeError
from keras_colorize.recipes.files import NETWORKS, read_table
from keras_colorize.recipes.toml import bounded, from_table, merge, nested, parse_override, plain_table


@dataclass(frozen=True)
class Network:
    """An architecture of the registry and its builder's own arguments."""

    name: str = ""
    args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Data:
    """Which photos, at what size, in which splits. `limit` is photos per split, 0 for all."""

    source: str = "sample"
    image_size: int = bounded(256, 1)
    resize: Literal["crop", "squash"] = "crop"
    batch_size: int = bounded(16, 1)
    validation_fraction: float = bounded(0.05, 0, 1)
    test_fraction: float = bounded(0.05, 0, 1)
    drop_grey: bool = True
    limit: int = bounded(0, 0)
    memory_gib: float = bounded(2.0, 0)


@dataclass(frozen=True)
class Augment:
    """On the device, each photo of a batch on its own; `noise` is the half width of uniform noise on the condition.

    With `crop_margin` training photos are so many pixels larger than `data.image_size`, which is cut out at random;
    with a `zoom` above 1 the window that is cut is as large as the photo or up to so many times smaller, and scaled.

    `borders` is the share of photos that get a plain border, `aging` the probability of each effect that ages the
    lightness (keras_colorize.data.wear). `hints` is the share of photos that get hints, where the recipe takes some:
    `hint_mean` of them on average, most of the time, each a square of an odd side up to `hint_patch` pixels.
    """

    flip_horizontal: bool = True
    flip_vertical: bool = False
    quarter_turns: bool = False
    crop_margin: int = bounded(0, 0)
    zoom: float = bounded(1.0, 1, 8)
    noise: float = bounded(0.0, 0, 1)
    borders: float = bounded(0.0, 0, 1)
    aging: float = bounded(0.0, 0, 1)
    hints: float = bounded(0.0, 0, 1)
    hint_mean: float = bounded(8.0, 1)
    hint_patch: int = bounded(9, 1)


@dataclass(frozen=True)
class Loss:
    """Terms of the generator's loss, and how the discriminator's two parts are joined.

    `saturating` trains the generator on minus the discriminator's loss (minimax) rather than on "real";
    `perceptual_weight` is of the distance between VGG16 features with lightness held constant. `cross_entropy` goes
    with the space `binned_lab` and only with it; `rebalancing` weighs its rare colours, from 0 (all alike) to 1.
    """

    reconstruction: Literal["l1", "l2", "cross_entropy"] = "l1"
    reconstruction_weight: float = bounded(100.0, 0)
    rebalancing: float = bounded(0.5, 0, 1)
    adversarial: Literal["vanilla", "lsgan"] = "vanilla"
    saturating: bool = False
    perceptual_weight: float = bounded(0.0, 0)
    discriminator_reduction: Literal["mean", "sum"] = "mean"


@dataclass(frozen=True)
class Optimizer:
    """`beta_1` and `beta_2` are Adam's, `momentum` is SGD's; `weight_decay` is decoupled (Adam's makes it AdamW).

    The learning rate rises from 0 in `warmup_steps`; with `decay = "linear"` it then falls to 0 at the run's end.
    `average` is the share that a running average of the generator's weights keeps at each step; where it is not 0,
    the averaged weights are validated, shown and saved. For a discriminator's own optimizer it must be 0.
    """

    name: Literal["adam", "sgd"] = "adam"
    learning_rate: float = bounded(2e-4, 0)
    beta_1: float = bounded(0.9, 0, 1)
    beta_2: float = bounded(0.999, 0, 1)
    weight_decay: float = bounded(0.0, 0)
    momentum: float = bounded(0.0, 0, 1)
    warmup_steps: int = bounded(0, 0)
    decay: Literal["none", "linear"] = "none"
    average: float = bounded(0.0, 0, 0.99999)


@dataclass(frozen=True)
class Schedule:
    """How long, and when something is written.

    `steps_per_epoch` 0 is one pass over the photos; the discriminator learns once per `discriminator_every`
    steps; a row goes to the log every `log_every` steps and at an epoch's end, pictures every `preview_every`
    epochs, a checkpoint every `checkpoint_minutes` and at the end.
    """

    epochs: int = bounded(50, 1)
    steps_per_epoch: int = bounded(0, 0)
    discriminator_every: int = bounded(1, 1)
    log_every: int = bounded(50, 1)
    preview_every: int = bounded(1, 1)
    checkpoint_minutes: float = bounded(5.0, 0)


@dataclass(frozen=True)
class Decoding:
    """How a distribution over quantized chroma becomes one colour, in the space `binned_lab`.

    `temperature` is of the annealed mean; `undo_rebalancing` takes so much of what `loss.rebalancing` gave to rare
    colours back, from 0 to all of it at 1; `gain` multiplies the chroma that comes out, and `cast`, from 0 to 1, once
    more the photo's mean chroma: below 1 a photo's colours lie further apart and it has less of one tint.

    A mean of several plausible colours is greyer than each of them. `expected_chroma` makes up for that in each photo:
    chroma is multiplied by the ratio of the mean chroma of the distribution's classes to the chroma of their mean, to
    this power, from 0 (not at all) to 1.
    """

    temperature: float = bounded(0.38, 0.05, 1)
    undo_rebalancing: float = bounded(0.0, 0, 1)
    gain: float = bounded(1.0, 0, 4)
    cast: float = bounded(1.0, 0, 1)
    expected_chroma: float = bounded(0.0, 0, 1)


@dataclass(frozen=True)
class Pretrain:
    """Before the schedule's epochs: the generator alone on its reconstruction loss, with its own Adam."""

    epochs: int = bounded(0, 0)
    learning_rate: float = bounded(1e-4, 0)
    beta_1: float = bounded(0.9, 0, 1)


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when `monitor` on the validation photos has not improved `patience` times; the best weights come back.

    It is looked at every `every` epochs of the schedule. `fid` is measured with `fid_network`, a name or file of
    `keras_colorize.metrics`.
    """

    monitor: Literal["none", "g_reconstruction", "ab_mae", "psnr", "pixel_accuracy_5", "fid"] = "none"
    patience: int = bounded(3, 1)
    every: int = bounded(1, 1)
    fid_network: str = "inception-2015-12-05"


@dataclass(frozen=True)
class Runtime:
    """How it runs, not what it computes: `auto` looks at the hardware (docs/numerics.md).

    `strategy` is on one device, on all devices of the machine, or on those of several machines (docs/scale.md).
    """

    seed: int = bounded(0, 0)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    jit: Literal["auto", "on", "off"] = "auto"
    deterministic: bool = False
    strategy: Literal["one", "mirrored", "multi_worker"] = "one"


@dataclass(frozen=True)
class Recipe:
    """All that a run needs to be run again.

    `initial_weights` are what the generator starts from: a file of weights, or `zoo` for those that the package has for
    the system of this name. Where there are none, `encoder_weights` is a file of ImageNet weights for the encoder of an
    architecture that takes some (keras_colorize.models.encoder), checked by `encoder_sha256`. `hints` says that the
    generator takes colours at places beside lightness. `backbone_weights` is for every network that others trained:
    encoders, extractors, VGG, FID's Inception. `stochastic` keeps dropout on when photos are colorized, the model's
    only noise (report B).
    """

    name: str = ""
    report: str = ""
    summary: str = ""
    space: Literal["lab", "rgb", "rgb01", "binned_lab"] = "lab"
    generator: Network = field(default_factory=Network)
    discriminator: Network | None = None
    backbone_weights: Literal["pretrained", "random"] = "pretrained"
    initial_weights: str = ""
    encoder_weights: str = ""
    encoder_sha256: str = ""
    hints: bool = False
    stochastic: bool = False
    data: Data = field(default_factory=Data)
    augment: Augment = field(default_factory=Augment)
    loss: Loss = field(default_factory=Loss)
    decoding: Decoding = field(default_factory=Decoding)
    optimizer: Optimizer = field(default_factory=Optimizer)
    discriminator_optimizer: Optimizer | None = None
    pretrain: Pretrain = field(default_factory=Pretrain)
    schedule: Schedule = field(default_factory=Schedule)
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)
    runtime: Runtime = field(default_factory=Runtime)

    @classmethod
    def load(cls, name_or_file: str | Path, overrides: Iterable[str] = ()) -> "Recipe":
        """The recipe of the zoo or of a file, with `section.field=value` overrides applied.

        Raises:
            ColorizeError: no such recipe, a field that does not exist, or a value that does not fit.
        """
        table = read_table(str(name_or_file))
        table.pop("card", None)
        for override in overrides:
            table = merge(table, parse_override(override), NETWORKS)
        return cls.from_dict(table)

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> "Recipe":
        """Check a table of plain values, as TOML gives it, field by field."""
        recipe = from_table(cls, table)
        if not recipe.generator.name:
            raise ColorizeError('the recipe names no generator: expected generator.name = "…"')
        if recipe.augment.hints and not recipe.hints:
            raise ColorizeError(
                "augment.hints is set, but the generator takes none: set hints = true, or augment.hints = 0"
            )
        if recipe.discriminator is None and recipe.pretrain.epochs:
            raise ColorizeError("pretrain.epochs needs a discriminator to come after it: raise schedule.epochs instead")
        if (recipe.space == "binned_lab") != (recipe.loss.reconstruction == "cross_entropy"):
            raise ColorizeError(
                f"loss.reconstruction is {recipe.loss.reconstruction!r} and space is {recipe.space!r}:"
                " 'cross_entropy' and 'binned_lab' need each other"
            )
        if recipe.discriminator_optimizer is not None and recipe.discriminator_optimizer.average:
            raise ColorizeError("discriminator_optimizer.average must be 0: only the generator's weights are averaged")
        if recipe.data.validation_fraction + recipe.data.test_fraction >= 1:
            raise ColorizeError(
                f"data.validation_fraction + data.test_fraction is "
                f"{recipe.data.validation_fraction + recipe.data.test_fraction:g}: nothing would be left to train on"
            )
        return recipe

    def to_toml(self) -> str:
        """Every value, defaults too, as TOML that `Recipe.load` reads back unchanged."""
        return tomli_w.dumps(plain_table(self))

    def with_values(self, **dotted: Any) -> "Recipe":
        """A checked copy with fields replaced: `recipe.with_values(**{"data.image_size": 64})`."""
        table = plain_table(self)
        for path, value in dotted.items():
            table = merge(table, nested(path, value), NETWORKS)
        return Recipe.from_dict(table)
