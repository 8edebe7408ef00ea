"""The systems that are measured: runs, and zoo systems with packaged weights."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_colorize.color.inputs import Inputs
from keras_colorize.color.spaces import Space, space_of
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.recipes import Recipe
from keras_colorize.runs.folder import RunFolder
from keras_colorize.training.loading import load_generator


@dataclass(frozen=True)
class System:
    """A trained generator and what it speaks.

    name: of its row, unique in an evaluation.
    image_size: side S at which the network works.
    run: its folder; None for packaged weights.
    """

    name: str
    generator: keras.Model
    space: Space
    recipe: Recipe
    image_size: int
    run: RunFolder | None

    def predict(self, inputs: Inputs, size: int) -> tuple[Any, Any | None]:
        """Inputs (B, size, size, …) → chroma (B, size, size, 2) in CIE units, and the network's own RGB.

        The network sees the photo at its own size. Where that is not `size`, the inputs are resized to it and the
        prediction back, bilinearly. The RGB (B, size, size, 3) in [0, 1] is None where the space predicts none.
        """
        inputs = inputs.map(lambda field: _resized(field, size, self.image_size))
        prediction = self.generator(self.space.condition(inputs), training=False)
        ab = _resized(self.space.chroma(inputs, prediction), self.image_size, size)
        if not self.space.predicts_lightness:
            return ab, None
        return ab, _resized(self.space.merge(inputs, prediction), self.image_size, size)

    def digest(self) -> str:
        """SHA-256 over the generator's weights, first 16 digits: two systems with the same one predict the same."""
        sha = hashlib.sha256()
        for weight in self.generator.weights:
            sha.update(np.ascontiguousarray(ops.convert_to_numpy(weight)).tobytes())
        return sha.hexdigest()[:16]


def load_systems(found: Sequence[RunFolder | str]) -> list[System]:
    """Runs, and zoo systems by name, ready to predict.

    Raises:
        ColorizeError: a run has no weights, or the zoo packages none of that name.
    """
    systems = [_of_run(what) if isinstance(what, RunFolder) else _of_zoo(what) for what in found]
    names = Counter(system.name for system in systems)
    return [_named(system, names[system.name] > 1) for system in systems]


def _of_run(run: RunFolder) -> System:
    recipe = run.recipe()
    return System(recipe.name, load_generator(run, recipe), space_of(recipe), recipe, recipe.data.image_size, run)


def _of_zoo(name: str) -> System:
    colorizer = Colorizer.from_zoo(name)
    return System(name, colorizer.generator, colorizer.space, colorizer.recipe, colorizer.image_size, None)


def _named(system: System, ambiguous: bool) -> System:
    if not ambiguous:
        return system
    where = system.run.path.name if system.run else "packaged"
    return System(
        f"{system.name} {where}", system.generator, system.space, system.recipe, system.image_size, system.run
    )


def _resized(images: Any, size: int, wanted: int) -> Any:
    if size == wanted:
        return images
    return ops.image.resize(
        images, (wanted, wanted), interpolation="bilinear", antialias=True, data_format="channels_last"
    )
