"""Early stopping: stop when the validation figures no longer improve."""

import math
import warnings
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from keras_colorize.data.batches import PhotoSet
from keras_colorize.errors import ColorizeError
from keras_colorize.metrics import FeatureNetwork, ImageSet, feature_network, fid_between, keras_network
from keras_colorize.models.weights import save_weights
from keras_colorize.recipes import EarlyStopping, Recipe
from keras_colorize.tensor import Tensor
from keras_colorize.training.checkpoints import Position

HIGHER_IS_BETTER = {"psnr", "pixel_accuracy_5"}


class EarlyStopper:
    """Compares one figure after an epoch with the best so far, keeps the best weights, and says when to stop.

    Args:
        options: the recipe's table, with a monitor other than "none".
        best_weights: the file that gets the generator's best weights.
    """

    def __init__(self, options: EarlyStopping, best_weights: Path) -> None:
        self._options = options
        self._best_weights = best_weights
        self._sign = -1.0 if options.monitor in HIGHER_IS_BETTER else 1.0

    def due(self, epoch: int) -> bool:
        """Return whether a look is due after `epoch` epochs of the schedule."""
        return epoch % self._options.every == 0

    def look(self, value: float, position: Position, generator: keras.Model) -> bool:
        """Compare a new value with the best so far, which `position` remembers; return whether to stop."""
        if math.isnan(position.best) or self._sign * value < self._sign * position.best:
            save_weights(generator, self._best_weights)
            position.best, position.waited = value, 0
        else:
            position.waited += 1
        return position.waited >= self._options.patience


class FidMonitor:
    """Measures FID between the validation photos and their colorizations.

    Args:
        recipe: names the feature network.
        photos: for validation.

    Raises:
        ColorizeError: the feature network is not available, or there are too few photos.
    """

    def __init__(self, recipe: Recipe, photos: PhotoSet) -> None:
        if len(photos) < 2:
            raise ColorizeError(
                f"early_stopping.monitor = 'fid' compares sets, and there is {len(photos)} validation photo:"
                " raise data.validation_fraction, or watch ab_mae"
            )
        self._network = _network(recipe)
        self._photos = photos
        self._batch_size = recipe.data.batch_size
        self._truth = ImageSet(self._network)
        for batch in photos.evaluation_batches(self._batch_size):
            self._truth.update(batch.numpy())

    @property
    def label(self) -> str:
        """The feature network and the number of photos: FID depends on both."""
        return f"fid ({self._network.label}) of {len(self._photos):,} validation photos"

    def measure(self, colorize: Callable[[Tensor], np.ndarray]) -> float:
        """Return the distance now; `colorize` turns rgb_u8 (B, S, S, 3) into its colorization of the same shape."""
        painted = ImageSet(self._network)
        for batch in self._photos.evaluation_batches(self._batch_size):
            painted.update(colorize(batch))
        with warnings.catch_warnings(action="ignore"):  # about few photos: every look has the same ones
            return fid_between(self._truth.statistics, painted.statistics).value


def _network(recipe: Recipe) -> FeatureNetwork:
    if recipe.backbone_weights == "pretrained":
        return feature_network(recipe.early_stopping.fid_network)
    # Random features still tell distributions apart, but their figures compare with no others.
    initializer = keras.initializers.VarianceScaling(2.0, seed=recipe.runtime.seed)
    rgb = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(rgb)
    for width in (32, 64, 64):
        x = keras.layers.Conv2D(width, 3, strides=2, activation="relu", kernel_initializer=initializer)(x)
    return keras_network(keras.Model(rgb, keras.layers.GlobalAveragePooling2D()(x)), "random features")
