"""Training steps on TensorFlow, and how a recipe becomes one."""

from keras_colorize.training.build import build_generator, build_trainer
from keras_colorize.training.gan import GANTrainer
from keras_colorize.training.supervised import SupervisedTrainer

__all__ = ["GANTrainer", "SupervisedTrainer", "build_generator", "build_trainer"]
