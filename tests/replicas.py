"""One process of a parallel training, for tests: `python -m tests.replicas RECIPE OUT DEVICES [FOLDER]`.

With DEVICES > 1 the processor is that many devices. With FOLDER the run is resumed.
"""

import sys

import tensorflow as tf

from keras_colorize.errors import ColorizeError
from keras_colorize.recipes import Recipe
from keras_colorize.runs.folder import RunFolder
from keras_colorize.training import loop as train
from keras_colorize.training import open_devices


def main(recipe_file: str, out: str, devices: str, folder: str = "") -> None:
    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * int(devices))
    recipe = Recipe.load(recipe_file)
    parallel = open_devices(recipe.runtime.strategy)
    if folder:
        train.resume(RunFolder.open(folder), parallel=parallel)
    else:
        train.start(recipe, out, parallel=parallel)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except ColorizeError as error:
        sys.exit(str(error))
