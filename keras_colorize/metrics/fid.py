"""FID and KID of two sets of photos, every figure with the name of the network that it rests on.

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
from typing import Any, Protocol

import numpy as np

from keras_colorize.metrics.frechet import (
    FeatureStatistics,
    frechet_distance,
    kernel_inception_distance,
    require_same_network,
)

# As many images as the Inception networks have features: below, the covariance is singular and the bias is large.
FEW_IMAGES = 2048


class Network(Protocol):
    """What `ImageSet` needs of a network; `feature_networks.FeatureNetwork` is one."""

    @property
    def label(self) -> str: ...

    @property
    def features(self) -> int: ...

    def __call__(self, rgb_u8: Any) -> np.ndarray: ...


@dataclass(frozen=True)
class Distance:
    """A figure and what it rests on.

    Attributes:
        metric: `"fid"` or `"kid"`.
        network: label of the feature network.
        value: the distance; lower is better.
        error: standard error of `value`, where there is one (KID).
        images: how many photos the two sets have.
    """

    metric: str
    network: str
    value: float
    error: float | None
    images: tuple[int, int]

    @property
    def label(self) -> str:
        """The metric with its network, for the head of a column: `"fid (inception-2015-12-05)"`."""
        return f"{self.metric} ({self.network})"

    def __str__(self) -> str:
        return f"{self.label} " + (
            f"{self.value:.2f}" if self.error is None else f"{self.value:.5f} ± {self.error:.5f}"
        )


class ImageSet:
    """The features of a set of photos that arrive in batches.

    Holds the mean and covariance (D² floats), and one float32 vector per photo for KID: 8 KB for 2048 features.

    Args:
        network: what makes the features.
        keep_features: whether to hold each photo's vector; FID alone does not need them.
    """

    def __init__(self, network: Network, keep_features: bool = True) -> None:
        self.statistics = FeatureStatistics(network.label)
        self._keep_features = keep_features
        self._extract: Callable[[Any], np.ndarray] = network
        self._rows: list[np.ndarray] = [np.zeros((0, network.features), np.float32)]

    def __len__(self) -> int:
        """How many photos were seen."""
        return self.statistics.count

    @property
    def network(self) -> str:
        """Label of the feature network."""
        return self.statistics.network

    @property
    def features(self) -> np.ndarray:
        """(N, D) float32, in the order in which the photos came.

        Raises:
            ValueError: they were not kept.
        """
        if not self._keep_features:
            raise ValueError("this ImageSet keeps no features, which KID needs: make it with keep_features=True")
        return np.concatenate(self._rows)

    def update(self, rgb_u8: Any) -> None:
        """Measure a batch (B, H, W, 3) of uint8 RGB photos.

        Raises:
            ColorizeError: not such a batch, or the network gives numbers that are not finite.
        """
        rows = self._extract(rgb_u8)
        self.statistics.update(rows)
        if self._keep_features:
            self._rows.append(rows)


def fid_between(truth: ImageSet | FeatureStatistics, predictions: ImageSet | FeatureStatistics) -> Distance:
    """Fréchet inception distance (Heusel et al. 2017) between two sets, each with two photos or more.

    Takes stored statistics too (`FeatureStatistics.load`). Warns under 2,048 photos: FID is biased upwards, the more so
    the fewer the photos, and differently for different models.

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
    """Kernel inception distance with its standard error; unbiased, so fit for few photos.

    See `frechet.kernel_inception_distance` for the arguments.

    Raises:
        ColorizeError: the sets were measured with different networks, or are too small for the subsets.
    """
    require_same_network(truth, predictions)
    value, error = kernel_inception_distance(truth.features, predictions.features, subsets, subset_size, seed)
    return Distance("kid", truth.network, value, error, (len(truth), len(predictions)))
