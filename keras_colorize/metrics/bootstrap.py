"""Confidence intervals for means over photos, and for differences between systems on the same photos.

The bootstrap of Efron and Tibshirani 1993 (An Introduction to the Bootstrap, chapters 13 and 14) draws photos with
replacement. Every system and metric gets the same draws, so that a photo which is hard for all of them cancels in a
difference. Needs NumPy only.
"""

from collections.abc import Callable, Hashable, Mapping
from statistics import NormalDist
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Array = np.ndarray
Key = TypeVar("Key", bound=Hashable)
Interval = tuple[float, float, float]  # value, low, high

RESAMPLES = 10_000
LEVEL = 0.95
_CHUNK = 1 << 22  # drawn photos at a time: 32 MB


class PairedBootstrap(Generic[Key]):
    """Means of several columns over the same photos, resampled together.

    It holds resamples × columns floats; nothing in it grows with photos × resamples.

        bootstrap = PairedBootstrap({"a": psnr_of_a, "b": psnr_of_b})
        bootstrap.mean("a")                 # (24.1, 23.9, 24.3)
        bootstrap.difference("a", "b")      # (0.31, 0.12, 0.50): a is better, and 0 is outside

    Args:
        columns: key → (N,) values, photo by photo in the same order.
        resamples: how many times N photos are drawn.
        seed: seed of the draws.
        level: confidence level of the intervals.

    Raises:
        ValueError: the columns are not (N,) with one N > 0.
    """

    def __init__(
        self,
        columns: "Mapping[Key, ArrayLike]",
        *,
        resamples: int = RESAMPLES,
        seed: int = 0,
        level: float = LEVEL,
    ) -> None:
        self._index = {key: number for number, key in enumerate(columns)}
        rows = [np.asarray(column, np.float64) for column in columns.values()]
        if not rows or any(row.ndim != 1 or row.shape != rows[0].shape or not len(row) for row in rows):
            raise ValueError(f"columns must be (N,) with one N > 0; their shapes are {[row.shape for row in rows]}")
        self._values = np.stack(rows, axis=1)  # (N, K)
        self._means = self._values.mean(axis=0)
        self._level = level
        self._replicates = self._resample(resamples, np.random.default_rng(seed))  # (resamples, K)

    def _resample(self, resamples: int, rng: np.random.Generator) -> Array:
        """Return the columns' means over each draw: how often each photo was drawn, times its values."""
        photos, columns = self._values.shape
        centred = (self._values - self._means) / photos
        replicates = np.empty((resamples, columns))
        chunk = max(1, _CHUNK // photos)
        for start in range(0, resamples, chunk):
            draws = min(chunk, resamples - start)
            drawn = rng.integers(photos, size=(draws, photos)) + np.arange(draws)[:, None] * photos
            times = np.bincount(drawn.ravel(), minlength=draws * photos).reshape(draws, photos)
            replicates[start : start + draws] = times.astype(np.float64) @ centred
        return replicates + self._means

    def mean(self, key: Key) -> Interval:
        """Return a column's mean and its interval."""
        return self.function(lambda mean: mean, key)

    def difference(self, key: Key, other: Key) -> Interval:
        """Return the mean of `key` − `other`, photo by photo, and its interval."""
        return self.function(lambda a, b: a - b, key, other)

    def function(self, function: Callable[..., Array], *keys: Key) -> Interval:
        """Return any function of columns' means, and its interval.

        The interval is BCa (bias-corrected and accelerated; Efron 1987). Unlike plain percentiles it allows for skewed
        values, whose means over few photos are skewed too. Its ends are NaN where there is a single photo or a value
        is not finite.

        Args:
            function: takes arrays of means, one for each key and all of one shape, and returns an array of that shape.
            keys: the columns.
        """
        columns = [self._index[key] for key in keys]
        value = float(function(*self._means[columns]))
        photos = len(self._values)
        if photos < 2 or not np.isfinite(value):
            return value, float("nan"), float("nan")
        replicates = function(*self._replicates[:, columns].T)
        without = function(*((photos * self._means[columns] - self._values[:, columns]) / (photos - 1)).T)
        return value, *_bca(replicates, value, without, self._level)


def _bca(replicates: Array, value: float, without: Array, level: float) -> tuple[float, float]:
    """Return the interval of resampled values and values `without` one photo (Efron and Tibshirani, eq. 14.9)."""
    normal = NormalDist()
    influence = without.mean() - without
    spread = float(np.square(influence).sum())
    scale = float(np.finfo(np.float64).eps) * max(abs(value), float(np.abs(without).max()))
    if spread <= len(without) * scale**2:  # all photos alike: nothing varies but rounding
        return value, value
    acceleration = float(np.power(influence, 3).sum() / (6 * spread**1.5))
    below = (np.count_nonzero(replicates < value) + np.count_nonzero(replicates <= value)) / 2 / len(replicates)
    bias = normal.inv_cdf(float(np.clip(below, 0.5 / len(replicates), 1 - 0.5 / len(replicates))))

    def share(quantile: float) -> float:
        z = bias + normal.inv_cdf(quantile)
        return normal.cdf(bias + z / (1 - acceleration * z))

    low, high = np.quantile(replicates, [share((1 - level) / 2), share((1 + level) / 2)])
    return float(low), float(high)
