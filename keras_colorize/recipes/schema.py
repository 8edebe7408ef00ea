"""The fields of a recipe: frozen dataclasses that are read from TOML and checked field by field.

A recipe names the architecture, the space, the data, the losses, the optimizers and the schedule of a system.
Everything that the reports vary is a field here. `Recipe.load("unet_skip")` reads a recipe of the zoo and
`Recipe.load("mine.toml")` a file; `extends = "…"` in a file starts from another recipe.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tomli_w

from keras_colorize.errors import ColorizeError
from keras_colorize.recipes.files import NETWORKS, read_table
from keras_colorize.recipes.toml import Table, bounded, from_table, merge, nested, parse_override, plain_table


@dataclass(frozen=True)
class Network:
    """The name of an architecture in the registry, and arguments of its builder.

    Attributes:
        name: of the architecture, such as "unet" (keras_colorize.models).
        args: arguments of its builder by name; those that are missing keep the builder's defaults.
    """

    name: str = ""
    args: Table = field(default_factory=dict)


@dataclass(frozen=True)
class Data:
    """Photos, their size and their splits.

    Attributes:
        source: "sample" (photos that scikit-image packages), a folder, a list file (.txt, .csv), a pattern of shards
            (DIR/NAME-*.tfrecord or .arrayrecord), or tfds:NAME[/CONFIG][:VERSION].
        image_size: side in pixels of the square photos that the network learns from.
        resize: how a photo becomes a square: "crop" takes the centre, "squash" scales both sides.
        batch_size: photos in a step, those of all devices together.
        validation_fraction: share of the training photos that becomes the validation split where the data have none.
        test_fraction: share of the training photos that becomes the test split where the data have none.
        drop_grey: leave out photos without colours.
        limit: the largest number of photos of each split; 0 takes all.
        memory_gib: a split is decoded once and kept in memory if its pixels take at most so many GiB.
    """

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

    Attributes:
        flip_horizontal: mirror left and right in half of the photos.
        flip_vertical: mirror top and bottom in half of the photos.
        quarter_turns: turn half of the photos by 90°, to the left or to the right.
        crop_margin: pixels by which photos are read larger than `data.image_size`; a window of that size is cut at a
            random place.
        zoom: above 1, windows are up to this many times smaller than the photo, and are scaled up.
        noise: half width of uniform noise on the condition, in the unit range [-1, 1].
        borders: share of photos that get a plain border.
        aging: probability of each effect that ages the lightness (keras_colorize.data.wear).
        hints: share of photos that get hints, where the recipe takes hints.
        hint_mean: mean number of hints in most of these photos.
        hint_patch: largest side of a hint in pixels; a hint is a square with an odd side.
        hint_recolor: share of the photos with hints in which the first hint gives one thing another colour.
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
    hint_recolor: float = bounded(0.0, 0, 1)


@dataclass(frozen=True)
class Loss:
    """Terms of the generator's loss, and the reduction of the discriminator's two terms.

    Attributes:
        reconstruction: distance from the photo's own colours: mean absolute error, mean squared error, or the
            cross-entropy over quantized chroma, which needs the space `binned_lab`, as that space needs it.
        reconstruction_weight: λ, the weight of that distance beside the adversarial loss.
        rebalancing: weight of rare colours in the cross-entropy, from 0 (all colours alike) to 1.
        adversarial: "vanilla" is binary cross-entropy on logits, "lsgan" is the squared error.
        saturating: train the generator to maximize the discriminator's loss (minimax) instead of to be taken for real.
        perceptual_weight: weight of the distance of VGG16 features at the true lightness; 0 leaves it out.
        discriminator_reduction: the discriminator's loss is the mean or the sum of its terms for real and generated.
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
    """An optimizer, its learning rate over time, and a running average of the weights.

    Attributes:
        name: "adam" or "sgd".
        learning_rate: the highest rate of the run.
        beta_1: Adam's decay of the mean of gradients.
        beta_2: Adam's decay of the mean of squared gradients.
        weight_decay: decoupled decay of the weights, which makes Adam AdamW.
        momentum: SGD's.
        warmup_steps: steps in which the rate rises from 0.
        decay: with "linear", the rate falls to 0 from the end of the warm-up to the end of the run.
        average: decay of a moving average of the generator's weights. If it is not 0, the averaged weights are
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

    Attributes:
        epochs: number of epochs.
        steps_per_epoch: steps of an epoch; 0 stands for one pass over the photos.
        discriminator_every: the discriminator learns in one of so many steps.
        log_every: steps between two rows of the log; the end of an epoch has a row too.
        preview_every: epochs between two previews.
        checkpoint_minutes: minutes between two checkpoints; the end of the run has one too.
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

    The mean of several plausible colours is greyer than each of them; `lift` corrects that.

    Attributes:
        temperature: of the annealed mean; lower means closer to the most likely colour.
        undo_rebalancing: how much of the weight that `loss.rebalancing` gave to rare colours is removed: none at 0, all
            of it at 1.
        lift: moves a photo's colours away from their mean, by this many CIE units for each squared unit of the
            distribution's variance.
    """

    temperature: float = bounded(0.38, 0.05, 1)
    undo_rebalancing: float = bounded(0.0, 0, 1)
    lift: float = bounded(0.0, 0, 1)


@dataclass(frozen=True)
class Pretrain:
    """Epochs before the schedule, in which the generator learns the reconstruction loss alone with its own Adam.

    Attributes:
        epochs: number of these epochs; 0 leaves them out.
        learning_rate: of this Adam.
        beta_1: of this Adam.
    """

    epochs: int = bounded(0, 0)
    learning_rate: float = bounded(1e-4, 0)
    beta_1: float = bounded(0.9, 0, 1)


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when a figure of the validation photos improves no more, and restore the best weights.

    Attributes:
        monitor: the figure to watch; "none" never stops early.
        patience: measurements without an improvement after which the run stops.
        every: epochs of the schedule between two measurements.
        fid_network: network of "fid": a name or a file that `keras_colorize.metrics` takes.
    """

    monitor: Literal["none", "g_reconstruction", "ab_mae", "psnr", "pixel_accuracy_5", "fid"] = "none"
    patience: int = bounded(3, 1)
    every: int = bounded(1, 1)
    fid_network: str = "inception-2015-12-05"


@dataclass(frozen=True)
class Runtime:
    """Settings of the execution. `auto` chooses by the hardware (docs/numerics.md).

    Attributes:
        seed: of the initial weights, the order of photos, augmentation and dropout.
        precision: "bfloat16" computes in bfloat16 over float32 weights.
        jit: compile the training step with XLA.
        deterministic: equal weights to the bit, run after run; slower on GPUs.
        strategy: "one" device, "mirrored" over all devices of the machine, or "multi_worker" over the devices of
            several machines (docs/scale.md).
    """

    seed: int = bounded(0, 0)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    jit: Literal["auto", "on", "off"] = "auto"
    deterministic: bool = False
    strategy: Literal["one", "mirrored", "multi_worker"] = "one"


@dataclass(frozen=True)
class Recipe:
    """A system and its training: everything that is needed to repeat a run.

    Attributes:
        name: of the system; a recipe of the zoo has its file's name.
        report: the report that describes the system, "A" to "E".
        summary: the system in one line.
        space: units in which the network sees and predicts: ab of CIELAB ("lab"), RGB in [-1, 1] ("rgb") or in [0, 1]
            ("rgb01"), or classes of chroma ("binned_lab").
        generator: network that colours.
        discriminator: network that tells coloured photos from real ones; without it the training is supervised.
        backbone_weights: "pretrained" fetches the weights of networks that others have trained: encoders, extractors,
            VGG, and the Inception of FID. "random" does without them.
        initial_weights: a file of weights from which the generator starts, or "zoo" for the packaged weights of the
            system of this name.
        freeze_statistics: keep the statistics of batch normalization that the initial weights bring; "auto" does so
            wherever there are initial weights.
        encoder_weights: a file of ImageNet weights from which the encoder of the network "vivid" or "resnet_unet"
            starts, as far as the file goes (keras_colorize.models.encoder). With initial weights, or with
            backbone_weights = "random", it is not read.
        encoder_sha256: checksum of that file.
        hints: let the generator take colours at places beside lightness.
        stochastic: the system's noise is its dropout, which stays on where samples are drawn (report B).
        data: photos.
        augment: random changes of training photos.
        loss: terms of the losses.
        decoding: from a distribution over classes to a colour.
        optimizer: of the generator.
        discriminator_optimizer: of the discriminator; without it, the discriminator has the generator's options.
        pretrain: epochs of the generator alone.
        schedule: length and intervals.
        early_stopping: when to stop before the end.
        runtime: execution.
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
    def from_dict(cls, table: Table) -> "Recipe":
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

    def with_values(self, **dotted: object) -> "Recipe":
        """Return a checked copy with fields replaced: `recipe.with_values(**{"data.image_size": 64})`.

        Raises:
            ColorizeError: as `from_dict`.
        """
        table = plain_table(self)
        for path, value in dotted.items():
            table = merge(table, nested(path, value), NETWORKS)
        return Recipe.from_dict(table)
