"""The fields of a recipe: frozen dataclasses that are read from TOML and checked field by field.

A recipe names the architecture, the space, the data, the losses, the optimizers and the schedule of a system.
Everything that the reports vary is a field here. `Recipe.load("unet_skip")` reads a recipe of the zoo and
`Recipe.load("mine.toml")` a file; `extends = "…"` in a file starts from another recipe.
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
    """The name of an architecture in the registry, and arguments of its builder."""

    name: str = ""
    args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Data:
    """Photos, their size and their splits. `limit` is the largest number of photos per split, 0 for all."""

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
    """Random changes of training photos, drawn for each photo and applied on the device.

    With `crop_margin`, photos are read this many pixels larger than `data.image_size`, and a window of that size is
    cut at a random place. With `zoom` above 1 the window is up to this many times smaller than the photo, and scaled
    up. `noise` is the half width of uniform noise on the condition.

    `borders` is the share of photos that get a plain border. `aging` is the probability of each effect that ages the
    lightness (keras_colorize.data.wear). `hints` is the share of photos that get hints, where the recipe takes hints:
    mostly `hint_mean` of them on average, each a square with an odd side of at most `hint_patch` pixels.
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
    """Terms of the generator's loss, and the reduction of the discriminator's two terms.

    `saturating` trains the generator to maximize the discriminator's loss (minimax) instead of to be taken for real.
    `perceptual_weight` weighs the distance of VGG16 features at the true lightness. `cross_entropy` and the space
    `binned_lab` need each other; `rebalancing` gives rare colours more weight there, from 0 (all colours alike) to 1.
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

    The learning rate rises from 0 during `warmup_steps`; with `decay = "linear"` it then falls to 0 at the end of the
    run. `average` is the decay of a moving average of the generator's weights. If it is not 0, the averaged weights are
    validated, previewed and saved. For the optimizer of a discriminator it must be 0.
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
    """The length of a run, and the intervals at which it writes.

    `steps_per_epoch` 0 stands for one pass over the photos. The discriminator learns in every `discriminator_every`-th
    step. The log gets a row every `log_every` steps and at the end of an epoch. Previews are written every
    `preview_every` epochs, checkpoints every `checkpoint_minutes` and at the end.
    """

    epochs: int = bounded(50, 1)
    steps_per_epoch: int = bounded(0, 0)
    discriminator_every: int = bounded(1, 1)
    log_every: int = bounded(50, 1)
    preview_every: int = bounded(1, 1)
    checkpoint_minutes: float = bounded(5.0, 0)


@dataclass(frozen=True)
class Decoding:
    """The colour that is made of a distribution over quantized chroma, in the space `binned_lab`.

    `temperature` is that of the annealed mean. `undo_rebalancing` removes the weight that `loss.rebalancing` gave to
    rare colours: none of it at 0, all of it at 1. `gain` multiplies the resulting chroma. `cast` is the share of the
    photo's mean chroma that is kept: below 1 a photo is less tinted and its colours differ more.

    The mean of several plausible colours is greyer than each of them. `expected_chroma` corrects that in each photo: it
    multiplies chroma by the ratio of the classes' mean chroma to the chroma of their mean, raised to this power, from
    0 (no correction) to 1.
    """

    temperature: float = bounded(0.38, 0.05, 1)
    undo_rebalancing: float = bounded(0.0, 0, 1)
    gain: float = bounded(1.0, 0, 4)
    cast: float = bounded(1.0, 0, 1)
    expected_chroma: float = bounded(0.0, 0, 1)


@dataclass(frozen=True)
class Pretrain:
    """Epochs before the schedule, in which the generator learns the reconstruction loss alone with its own Adam."""

    epochs: int = bounded(0, 0)
    learning_rate: float = bounded(1e-4, 0)
    beta_1: float = bounded(0.9, 0, 1)


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when `monitor` has not improved `patience` times on the validation photos, and restore the best weights.

    `monitor` is measured every `every` epochs of the schedule. `fid` uses `fid_network`, a name or a file that
    `keras_colorize.metrics` takes.
    """

    monitor: Literal["none", "g_reconstruction", "ab_mae", "psnr", "pixel_accuracy_5", "fid"] = "none"
    patience: int = bounded(3, 1)
    every: int = bounded(1, 1)
    fid_network: str = "inception-2015-12-05"


@dataclass(frozen=True)
class Runtime:
    """Settings of the execution. `auto` chooses by the hardware (docs/numerics.md).

    `strategy` uses one device, all devices of the machine, or the devices of several machines (docs/scale.md).
    """

    seed: int = bounded(0, 0)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    jit: Literal["auto", "on", "off"] = "auto"
    deterministic: bool = False
    strategy: Literal["one", "mirrored", "multi_worker"] = "one"


@dataclass(frozen=True)
class Recipe:
    """A system and its training: everything that is needed to repeat a run.

    The generator starts from `initial_weights`: a file of weights, or "zoo" for the packaged weights of the system of
    this name. `freeze_statistics` then keeps the statistics of batch normalization as they are; "auto" does so wherever
    there are initial weights. Without them, an architecture with such an encoder starts from `encoder_weights`, a file
    of ImageNet weights that `encoder_sha256` checks (keras_colorize.models.encoder). With `hints` the generator takes
    colours at places beside lightness. `backbone_weights` applies to every network that others have trained: encoders,
    extractors, VGG, and the Inception of FID. `stochastic` keeps dropout active when photos are colorized; it is the
    model's only noise (report B).
    """

    name: str = ""
    report: str = ""
    summary: str = ""
    space: Literal["lab", "rgb", "rgb01", "binned_lab"] = "lab"
    generator: Network = field(default_factory=Network)
    discriminator: Network | None = None
    backbone_weights: Literal["pretrained", "random"] = "pretrained"
    initial_weights: str = ""
    freeze_statistics: Literal["auto", "on", "off"] = "auto"
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
        """Read a recipe of the zoo or of a file, and apply `section.field=value` overrides.

        Raises:
            ColorizeError: there is no such recipe or field, or a value does not fit.
        """
        table = read_table(str(name_or_file))
        table.pop("card", None)
        for override in overrides:
            table = merge(table, parse_override(override), NETWORKS)
        return cls.from_dict(table)

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> "Recipe":
        """Make a recipe of a table of plain values, and check it field by field.

        Raises:
            ColorizeError: a field is unknown, a value does not fit, or two values contradict each other.
        """
        recipe = from_table(cls, table)
        if not recipe.generator.name:
            raise ColorizeError('the recipe has no generator: expected generator.name = "…"')
        if recipe.augment.hints and not recipe.hints:
            raise ColorizeError(
                "augment.hints is set, but the generator takes none: set hints = true, or augment.hints = 0"
            )
        if recipe.discriminator is None and recipe.pretrain.epochs:
            raise ColorizeError(
                "pretrain.epochs comes before a discriminator, and there is none: raise schedule.epochs instead"
            )
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
        """Return all values, with the defaults, as TOML that `Recipe.load` reads back unchanged."""
        return tomli_w.dumps(plain_table(self))

    def with_values(self, **dotted: Any) -> "Recipe":
        """Return a checked copy with fields replaced: `recipe.with_values(**{"data.image_size": 64})`.

        Raises:
            ColorizeError: as `from_dict`.
        """
        table = plain_table(self)
        for path, value in dotted.items():
            table = merge(table, nested(path, value), NETWORKS)
        return Recipe.from_dict(table)
