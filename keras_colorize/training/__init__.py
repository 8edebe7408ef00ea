"""Training: losses, steps, stages, the loop with its checkpoints and guards, devices."""

from keras_colorize.training.devices import Parallel, open_devices
from keras_colorize.training.gan import GANTrainer
from keras_colorize.training.stages import Stage, build_stages
from keras_colorize.training.steps import CompiledSteps
from keras_colorize.training.supervised import VALIDATION_MEANS, SupervisedTrainer

__all__ = [
    "VALIDATION_MEANS",
    "CompiledSteps",
    "GANTrainer",
    "Parallel",
    "Stage",
    "SupervisedTrainer",
    "build_stages",
    "open_devices",
]
