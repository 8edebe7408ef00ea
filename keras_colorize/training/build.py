"""A recipe becomes networks, optimizers and a compiled trainer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from keras_colorize import architectures
from keras_colorize.backbones import vgg_features
from keras_colorize.hardware import resolve_jit, resolve_precision
from keras_colorize.recipe import Network, Optimizer, Recipe
from keras_colorize.registry import Kind
from keras_colorize.spaces import space_of
from keras_colorize.training.adam import Adam
from keras_colorize.training.gan import GANTrainer
from keras_colorize.training.parallel import synchronize
from keras_colorize.training.schedules import WarmupAndDecay
from keras_colorize.training.supervised import SupervisedTrainer


@dataclass(frozen=True)
class Stage:
    """A part of the schedule: so many epochs of one trainer."""

    name: str
    trainer: SupervisedTrainer
    epochs: int
    schedules: tuple[WarmupAndDecay, ...] = ()

    def set_steps_per_epoch(self, steps: int) -> None:
        """Tell learning rates that change over the stage how long it is; before its first step."""
        for schedule in self.schedules:
            schedule.total_steps = steps * self.epochs


def build_generator(recipe: Recipe, *, image_size: int | None, precision: str = "float32") -> keras.Model:
    """The recipe's generator, with fresh weights, for square photos of `image_size` pixels (None: any size)."""
    return _build(recipe, recipe.generator, "generator", image_size, precision)


def build_discriminator(recipe: Recipe, *, image_size: int | None, precision: str = "float32") -> keras.Model | None:
    """The recipe's discriminator, with fresh weights, or None where it has none."""
    if recipe.discriminator is None:
        return None
    return _build(recipe, recipe.discriminator, "discriminator", image_size, precision)


def build_stages(recipe: Recipe) -> list[Stage]:
    """A recipe's schedule, compiled and seeded: the generator alone where it is pretrained, then the main stage.

    All stages share the generator. The main stage, always the last, has a `GANTrainer` where the recipe has a
    discriminator. Seeds Python's, NumPy's and TensorFlow's global generators, so that weights are the recipe's own.
    In the scope of a strategy with several replicas, networks and seeds are made ready for them.

    Raises:
        ColorizeError: a name, an argument or a size does not fit, or weights of a backbone cannot be had.
    """
    keras.utils.set_random_seed(recipe.runtime.seed)
    jit = resolve_jit(recipe.runtime.jit)
    on_cpu = not tf.config.list_physical_devices("GPU")
    options: dict[str, Any] = {
        "space": space_of(recipe),
        "augment": recipe.augment,
        "loss": recipe.loss,
        "average": recipe.optimizer.average,
        "seed": recipe.runtime.seed,
        "jit_color": on_cpu and not jit and recipe.runtime.jit != "off",
    }
    size, precision = recipe.data.image_size, resolve_precision(recipe.runtime.precision)
    generator = build_generator(recipe, image_size=size, precision=precision)
    features = None
    if recipe.loss.perceptual_weight:
        with dtype_policy(precision):
            features = vgg_features(recipe.backbone_weights)
        options["perceptual_features"] = features

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


def _build(recipe: Recipe, network: Network, kind: Kind, image_size: int | None, precision: str) -> keras.Model:
    space = space_of(recipe)
    args = dict(network.args)
    if "backbone_weights" in architectures.arguments(network.name, kind):
        args.setdefault("backbone_weights", recipe.backbone_weights)
    with dtype_policy(precision):
        return architectures.build(
            network.name,
            kind,
            image_size=image_size,
            condition_channels=space.condition_channels,
            target_channels=space.target_channels,
            **args,
        )


def learning_rate(options: Optimizer) -> float | WarmupAndDecay:
    """A constant, or a schedule, which waits for its `total_steps` where it decays."""
    if options.warmup_steps or options.decay != "none":
        return WarmupAndDecay(options.learning_rate, options.warmup_steps, decay=options.decay == "linear")
    return options.learning_rate


def build_optimizer(options: Optimizer, rate: float | WarmupAndDecay) -> keras.Optimizer:
    """Adam or SGD as the recipe describes it."""
    common = {"learning_rate": rate, "weight_decay": options.weight_decay or None}
    if options.name == "adam":
        return Adam(beta_1=options.beta_1, beta_2=options.beta_2, **common)
    return keras.optimizers.SGD(momentum=options.momentum, **common)


def _schedules(*rates: float | WarmupAndDecay) -> tuple[WarmupAndDecay, ...]:
    return tuple(rate for rate in rates if isinstance(rate, WarmupAndDecay))


@contextmanager
def dtype_policy(precision: str) -> Iterator[None]:
    """Build layers in `float32`, or with bfloat16 arithmetic over float32 weights; the global policy is put back."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
