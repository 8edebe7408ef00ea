"""The stages of a schedule: a recipe's networks, optimizers and compiled trainers."""

from dataclasses import dataclass
from typing import NotRequired, TypedDict

import keras
import tensorflow as tf

from keras_colorize.color.spaces import Space, space_of
from keras_colorize.hardware import resolve_jit, resolve_precision
from keras_colorize.models.backbones import vgg_features
from keras_colorize.models.networks import build_discriminator, build_generator, dtype_policy
from keras_colorize.recipes import Augment, Loss, Optimizer, Recipe
from keras_colorize.training.devices import synchronize
from keras_colorize.training.gan import GANTrainer
from keras_colorize.training.optimizers import Adam
from keras_colorize.training.schedules import WarmupAndDecay
from keras_colorize.training.supervised import SupervisedTrainer


@dataclass(frozen=True)
class Stage:
    """A part of the schedule: a number of epochs of one trainer."""

    name: str
    trainer: SupervisedTrainer
    epochs: int
    schedules: tuple[WarmupAndDecay, ...] = ()

    def set_steps_per_epoch(self, steps: int) -> None:
        """Tell learning rates that change over the stage how long it is; call this before its first step."""
        for schedule in self.schedules:
            schedule.total_steps = steps * self.epochs


class _TrainerOptions(TypedDict):
    """The arguments that both trainers take."""

    space: Space
    augment: Augment
    loss: Loss
    seed: int
    jit_color: bool
    perceptual_features: NotRequired[keras.Model]


def build_stages(recipe: Recipe) -> list[Stage]:
    """Build a recipe's schedule, compiled and seeded: a stage of pretraining where it has one, then the main stage.

    All stages share the generator. The main stage, always the last, has a `GANTrainer` where the recipe has a
    discriminator. The global generators of Python, NumPy and TensorFlow get the recipe's seed, so that the weights
    depend on the recipe alone. The average of weights that `optimizer.average` asks for is the business of the callback
    `WeightAveraging`. In the scope of a strategy with several replicas, networks and seeds are prepared for
    them.

    Raises:
        ColorizeError: a name, an argument or a size does not fit, or the weights of a backbone are not available.
    """
    keras.utils.set_random_seed(recipe.runtime.seed)
    jit = resolve_jit(recipe.runtime.jit)
    on_cpu = not tf.config.list_physical_devices("GPU")
    options: _TrainerOptions = {
        "space": space_of(recipe),
        "augment": recipe.augment,
        "loss": recipe.loss,
        "seed": recipe.runtime.seed,
        "jit_color": on_cpu and not jit and recipe.runtime.jit != "off",
    }
    size, precision = recipe.data.image_size, resolve_precision(recipe.runtime.precision)
    generator = build_generator(recipe, image_size=size, precision=precision)
    if freezes_statistics(recipe):
        freeze_statistics(generator)
    if recipe.loss.perceptual_weight:
        with dtype_policy(precision):
            options["perceptual_features"] = vgg_features(recipe.backbone_weights)

    epochs = recipe.schedule.epochs
    rate, discriminator_options = learning_rate(recipe.optimizer), recipe.discriminator_optimizer or recipe.optimizer
    optimizer = build_optimizer(recipe.optimizer, rate)
    discriminator = build_discriminator(recipe, image_size=size, precision=precision)
    synchronize([network for network in (generator, discriminator) if network is not None])
    if discriminator is None:
        trainer = SupervisedTrainer(generator, **options)
        trainer.compile(optimizer, jit_compile=jit)
        return [Stage("train", trainer, epochs, _schedules(rate))]

    gan = GANTrainer(generator, discriminator, discriminator_every=recipe.schedule.discriminator_every, **options)
    discriminator_rate = learning_rate(discriminator_options)
    gan.compile(optimizer, build_optimizer(discriminator_options, discriminator_rate), jit_compile=jit)
    main = Stage("train", gan, epochs, _schedules(rate, discriminator_rate))
    if recipe.pretrain.epochs == 0:
        return [main]
    alone = SupervisedTrainer(generator, **options)
    alone.compile(Adam(recipe.pretrain.learning_rate, recipe.pretrain.beta_1), jit_compile=jit)
    return [Stage("pretrain", alone, recipe.pretrain.epochs), main]


def freezes_statistics(recipe: Recipe) -> bool:
    """Return whether batch normalization keeps the statistics of the initial weights: "auto" does where there are some.

    [choice] A few photos of one place differ from those that a network was trained on. In training mode, their batches
    would change what every layer sees at once, and the weights would follow that change before they learn any colour.
    """
    if recipe.freeze_statistics == "auto":
        return bool(recipe.initial_weights)
    return recipe.freeze_statistics == "on"


def freeze_statistics(network: keras.Model) -> None:
    """Let batch normalization work as in inference, with its scales and offsets fixed too."""
    for layer in network._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def learning_rate(options: Optimizer) -> float | WarmupAndDecay:
    """Return a constant rate, or a schedule that still needs its `total_steps`."""
    if options.warmup_steps or options.decay != "none":
        return WarmupAndDecay(options.learning_rate, options.warmup_steps, decay=options.decay == "linear")
    return options.learning_rate


def build_optimizer(options: Optimizer, rate: float | WarmupAndDecay) -> keras.Optimizer:
    """Build the recipe's Adam or SGD."""
    common = {"learning_rate": rate, "weight_decay": options.weight_decay or None}
    if options.name == "adam":
        return Adam(beta_1=options.beta_1, beta_2=options.beta_2, **common)
    return keras.optimizers.SGD(momentum=options.momentum, **common)


def _schedules(*rates: float | WarmupAndDecay) -> tuple[WarmupAndDecay, ...]:
    return tuple(rate for rate in rates if isinstance(rate, WarmupAndDecay))
