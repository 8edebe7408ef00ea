"""FID and KID of two sets of photos. Every figure carries the name of the network that it rests on.

    network = feature_network("inception-2015-12-05")
    truth, predictions = ImageSet(network), ImageSet(network)
    for rgb_u8, predicted_u8 in batches:
        truth.update(rgb_u8)
        predictions.update(predicted_u8)
    print(fid_between(truth, predictions))      # fid (inception-2015-12-05) 23.41
    print(kid_between(truth, predictions))      # kid (inception-2015-12-05) 0.00412 ± 0.00037

Compare figures only where network, number of photos, their size and their file format are the same.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from keras_colorize.metrics.frechet import (
    FeatureStatistics,
    frechet_distance,
    kernel_inception_distance,
    require_same_network,
)
from keras_colorize.tensor import Tensor

# As many images as the Inception networks have features: below, the covariance is singular and the bias is large.
FEW_IMAGES = 2048


class FeatureExtractor(Protocol):
    """A labelled function from photos to feature vectors, as `feature_networks.FeatureNetwork` is."""

    @property
    def label(self) -> str: ...

    @property
    def features(self) -> int: ...

    def __call__(self, rgb_u8: Tensor) -> np.ndarray: ...


@dataclass(frozen=True)
class Distance:
    """A distance between two sets of photos, with what it rests on.

    Attributes:
        metric: `"fid"` or `"kid"`.
        network: the label of the feature network.
        value: the distance; lower is better.
        error: standard error of `value`, where there is one (KID).
        images: the number of photos in each of the two sets.
    """

    metric: str
    network: str
    value: float
    error: float | None
    images: tuple[int, int]

    @property
    def label(self) -> str:
        """Name the metric with its network, for the head of a column: `"fid (inception-2015-12-05)"`."""
        return f"{self.metric} ({self.network})"

    def __str__(self) -> str:
        return f"{self.label} " + (
            f"{self.value:.2f}" if self.error is None else f"{self.value:.5f} ± {self.error:.5f}"
        )


class ImageSet:
    """The features of a set of photos that arrive in batches.

    It holds their mean and covariance (D² floats) and, for KID, one float32 vector per photo: 8 kB for 2048 features.

    Args:
        network: turns photos into features.
        keep_features: whether to keep each photo's vector. FID does not need them.
    """

    def __init__(self, network: FeatureExtractor, keep_features: bool = True) -> None:
        self.statistics = FeatureStatistics(network.label)
        self._keep_features = keep_features
        self._extract: Callable[[Tensor], np.ndarray] = network
        self._rows: list[np.ndarray] = [np.zeros((0, network.features), np.float32)]

    def __len__(self) -> int:
        """Count the photos seen."""
        return self.statistics.count

    @property
    def network(self) -> str:
        """The label of the feature network."""
        return self.statistics.network

    @property
    def features(self) -> np.ndarray:
        """(N, D) float32, in the order in which the photos came.

        Raises:
            ValueError: the features were not kept.
        """
        if not self._keep_features:
            raise ValueError("this ImageSet keeps no features, which KID needs: make it with keep_features=True")
        return np.concatenate(self._rows)

    def update(self, rgb_u8: Tensor) -> None:
        """Measure a batch (B, H, W, 3) of uint8 RGB photos.

        Raises:
            ColorizeError: the batch is of another kind, or the network gives numbers that are not finite.
        """
        rows = self._extract(rgb_u8)
        self.statistics.update(rows)
        if self._keep_features:
            self._rows.append(rows)


def fid_between(truth: ImageSet | FeatureStatistics, predictions: ImageSet | FeatureStatistics) -> Distance:
    """Return the Fréchet inception distance (Heusel et al. 2017) of two sets, each with two photos or more.

    Either set may be stored statistics (`FeatureStatistics.load`). A warning comes under 2,048 photos: FID is biased
    upwards, more strongly the fewer the photos, and differently for different models.

    Raises:
        ColorizeError: the sets were measured with different networks, or have fewer than two photos.
    """
    a, b = (s.statistics if isinstance(s, ImageSet) else s for s in (truth, predictions))
    require_same_network(a, b)
    value = frechet_distance(a.mean, a.covariance, b.mean, b.covariance)
    distance = Distance("fid", a.network, value, None, (a.count, b.count))
    if min(distance.images) < FEW_IMAGES:
        warnings.warn(
            f"{distance.label} of {a.count} and {b.count} images is biased upwards, below {FEW_IMAGES:,} strongly: "
            "compare it only at equal numbers of images, or use KID",
            stacklevel=2,
        )
    return distance


def kid_between(
    truth: ImageSet, predictions: ImageSet, subsets: int = 100, subset_size: int | None = None, seed: int = 0
) -> Distance:
    """Return the kernel inception distance with its standard error. It is unbiased, so it fits few photos.

    See `frechet.kernel_inception_distance` for the arguments.

    Raises:
        ColorizeError: the sets were measured with different networks, or are too small for the subsets.
    """
    require_same_network(truth, predictions)
    value, error = kernel_inception_distance(truth.features, predictions.features, subsets, subset_size, seed)
    return Distance("kid", truth.network, value, error, (len(truth), len(predictions)))
