"""Stopping when the validation photos stop getting better, and what may be watched."""

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_colorize.data.batches import PhotoSet
from keras_colorize.errors import ColorizeError
from keras_colorize.metrics import FeatureNetwork, ImageSet, feature_network, fid_between, keras_network
from keras_colorize.models.weights import save_weights
from keras_colorize.recipes import EarlyStopping, Recipe
from keras_colorize.training.checkpoints import Position

HIGHER_IS_BETTER = {"psnr", "pixel_accuracy_5"}


class EarlyStopper:
    """Looks at one figure after an epoch, keeps the weights of the best, and says when to stop.

    Args:
        options: the recipe's table; its monitor is not "none".
        best_weights: file for the generator's best weights.
    """

    def __init__(self, options: EarlyStopping, best_weights: Path) -> None:
        self._options = options
        self._best_weights = best_weights
        self._sign = -1.0 if options.monitor in HIGHER_IS_BETTER else 1.0

    def due(self, epoch: int) -> bool:
        """Whether to look after `epoch` epochs of the schedule."""
        return epoch % self._options.every == 0

    def look(self, value: float, position: Position, generator: keras.Model) -> bool:
        """Compare a new value with the best so far, which `position` remembers; True means stop."""
        if math.isnan(position.best) or self._sign * value < self._sign * position.best:
            save_weights(generator, self._best_weights)
            position.best, position.waited = value, 0
        else:
            position.waited += 1
        return position.waited >= self._options.patience


class FidMonitor:
    """FID between the validation photos and their colorizations.

    Raises:
        ColorizeError: the feature network cannot be had, or there are too few photos; before any training.
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
        """Which network measures, and on how many photos: FID depends on both."""
        return f"fid ({self._network.label}) of {len(self._photos):,} validation photos"

    def measure(self, colorize: Callable[[Any], np.ndarray]) -> float:
        """The distance now; `colorize` turns rgb_u8 (B, S, S, 3) into the system's colours of it."""
        painted = ImageSet(self._network)
        for batch in self._photos.evaluation_batches(self._batch_size):
            painted.update(colorize(batch))
        with warnings.catch_warnings(action="ignore"):  # about few photos: every look here has as many
            return fid_between(self._truth.statistics, painted.statistics).value


def _network(recipe: Recipe) -> FeatureNetwork:
    if recipe.backbone_weights == "pretrained":
        return feature_network(recipe.early_stopping.fid_network)
    # Random features still tell distributions apart, in numbers that mean nothing to anybody else.
    initializer = keras.initializers.VarianceScaling(2.0, seed=recipe.runtime.seed)
    rgb = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(rgb)
    for width in (32, 64, 64):
        x = keras.layers.Conv2D(width, 3, strides=2, activation="relu", kernel_initializer=initializer)(x)
    return keras_network(keras.Model(rgb, keras.layers.GlobalAveragePooling2D()(x)), "random features")
