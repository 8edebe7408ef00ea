"""Helpers of the tests of exports: small systems with lively colours, their photos, encoded photos."""

from functools import cache
from io import BytesIO
from typing import Any

import keras
import numpy as np
from PIL import Image

from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.hints import Hint
from keras_colorize.models.networks import build_generator
from keras_colorize.recipes import Recipe
from tests.conftest import colorful_photo
from tests.networks import SMALL_ARGS

SIZE = 32
LIVELY = 15  # grey levels between the channels, as photos have: networks begin almost grey, which would hide mistakes
SIZES = ((32, 32), (45, 70), (61, 40), (20, 30))  # height and width of photos


@cache
def small_colorizer(name: str = "unet_gan", size: int = SIZE, hints: bool = False) -> Colorizer:
    """A system of the zoo, thin, untrained, and made colourful, which takes hints or not."""
    recipe = Recipe.load(name).with_values(**{"hints": hints} | ({} if hints else {"augment.hints": 0.0}))
    args = recipe.generator.args | SMALL_ARGS.get(recipe.generator.name, {})
    args.pop("backbone_weights", None)
    keras.utils.set_random_seed(0)
    colorizer = random_colorizer(recipe.with_values(**{"generator.args": args, "data.image_size": size}))
    head = [layer for layer in colorizer.generator.layers if layer.weights][-1]
    while np.ptp(colorizer(colorful_photo(0)), axis=-1).mean() < LIVELY:
        head.set_weights([2.0 * weights for weights in head.get_weights()])
    return colorizer


def random_colorizer(recipe: Recipe) -> Colorizer:
    """A recipe's generator as it starts."""
    recipe = recipe.with_values(backbone_weights="random")
    return Colorizer(build_generator(recipe), recipe)


def photos() -> list[np.ndarray]:
    """rgb_u8 of several sizes, pale as old prints are.

    Exported graphs resample lightness where the Colorizer resamples R, G and B: of loud colours the two means differ.
    """
    loud = [colorful_photo(number, *size).astype("float32") for number, size in enumerate(SIZES)]
    return [(0.1 * photo + 0.9 * photo.mean(axis=-1, keepdims=True)).astype(np.uint8) for photo in loud]


def some_hints(height: int, width: int) -> list[Hint]:
    """Hints of several colours and sizes, two of which overlap, for photos of this size."""
    return [
        Hint(0.3 * width, 0.4 * height, (60.0, 20.0), 0.12 * height),
        Hint(0.4 * width, 0.4 * height, "neutral", 0.1 * height),
        Hint(width - 1, height - 1, "#2050ff"),
        Hint(0, 0, (-30.0, 55.0), 0),
    ]


def encoded(rgb_u8: np.ndarray, format: str = "PNG", **options: Any) -> bytes:
    """A photo as a file's bytes."""
    file = BytesIO()
    Image.fromarray(rgb_u8).save(file, format, **options)
    return file.getvalue()


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Mean difference."""
    return float(np.abs(a.astype("float64") - b.astype("float64")).mean())


def assert_same_photos(found: list, expected: list) -> None:
    """Images or None; up to a rounding here and there, which threads that add in another order tip."""
    for image, other in zip(found, expected, strict=True):
        assert (image is None) == (other is None)
        assert image is None or (image.shape == other.shape and apart(image, other) < 0.05)


def decoded(contents: Any) -> list[np.ndarray | None]:
    """Encoded photos, None for no bytes."""
    return [np.asarray(Image.open(BytesIO(content))) if content else None for content in contents]
