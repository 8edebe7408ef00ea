"""Helpers of the tests of colorizing: a run with random weights, and grey photos."""

from pathlib import Path

import keras
import numpy as np
from PIL import Image

from keras_colorize.cli import main
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.models.networks import build_generator
from keras_colorize.models.weights import save_weights
from keras_colorize.recipes import Recipe
from keras_colorize.runs.folder import RunFolder
from tests.conftest import colorful_photo


def write_run(out: Path, dropout_ups: tuple[int, ...] = (1,), hints: bool = False) -> Path:
    """A run folder of a small U-Net for 32 pixels, untrained but colourful, with dropout; returns its path."""
    recipe = Recipe.load(
        "unet_gan",
        [
            'generator.name="unet"',
            f"generator.args={{filters=[8,8,8,8,8], dropout_ups={list(dropout_ups)}}}",
            "data.image_size=32",
            f"hints={str(hints).lower()}",
        ],
    )
    run = RunFolder.create(out, recipe)
    save_weights(_colorful(recipe), run.generator_weights)
    return run.path


def hint_colorizer() -> Colorizer:
    """A colorizer with classes of chroma that takes hints, of random weights, for 32 pixels and multiples of 16."""
    recipe = Recipe.from_dict(
        {
            "name": "small",
            "space": "binned_lab",
            "hints": True,
            "generator": {"name": "vivid", "args": {"filters": [8, 16, 16], "blocks": [1, 1, 1], "width": 8}},
            "data": {"image_size": 32},
            "loss": {"reconstruction": "cross_entropy"},
            "decoding": {"temperature": 0.7, "lift": 0.012},
        }
    )
    generator = _colorful(recipe)
    kernel = generator.get_layer("prediction").kernel
    kernel.assign(kernel / 2500)  # otherwise it would be certain of one colour everywhere
    return Colorizer(generator, recipe)


def _colorful(recipe: Recipe) -> keras.Model:
    """The generator of a recipe for 32 pixels, untrained but colourful."""
    keras.utils.set_random_seed(0)
    generator = build_generator(recipe, image_size=32)
    for variable in generator.variables:
        if variable.path.endswith("kernel"):
            variable.assign(keras.random.normal(variable.shape, stddev=0.3))
    return generator


def grey_photo(seed: int = 0, height: int = 40, width: int = 48) -> np.ndarray:
    """A smooth grey picture, (height, width) uint8."""
    return np.asarray(Image.fromarray(colorful_photo(seed, height, width)).convert("L"))


def save_grey(*files: Path) -> None:
    """A small grey photo under each name, in folders that are made."""
    for number, file in enumerate(files):
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(grey_photo(number)).save(file)


def command(capsys, *arguments):
    """`keras-colorize colorize …` in this process: exit code, standard output, standard error."""
    try:
        code = main(["colorize", *map(str, arguments)])
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr()
    return code, said.out, said.err


def fails(capsys, *arguments):
    """The message, after asserting that it is one line with exit code 2."""
    code, _, error = command(capsys, *arguments)
    assert code == 2, error
    assert error.count("\n") == 1, error
    assert error.startswith("keras-colorize colorize: ")
    return error
