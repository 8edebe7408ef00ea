"""Training steps on TensorFlow, and how a recipe becomes one."""

from keras_colorize.training.build import Stage, build_discriminator, build_generator, build_stages
from keras_colorize.training.gan import GANTrainer
from keras_colorize.training.supervised import VALIDATION_MEANS, SupervisedTrainer

__all__ = [
    "VALIDATION_MEANS",
    "GANTrainer",
    "Stage",
    "SupervisedTrainer",
    "build_discriminator",
    "build_generator",
    "build_stages",
]
