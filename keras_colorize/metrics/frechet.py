"""Distances between two sets of feature vectors: the Fréchet distance of FID and the kernel distance of KID.

Everything is NumPy in float64. `fid` knows the network that the features come from. Here the network is only a label
that goes with them, because features of different networks cannot be compared.
"""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from keras_colorize.errors import ColorizeError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Array = np.ndarray


class FeatureStatistics:
    """Mean and covariance of feature vectors that arrive in batches (Chan, Golub and LeVeque 1983).

    The result does not depend on how the vectors were cut into batches (but for rounding, about 1e-12), and two
    halves computed apart can be merged.

    Args:
        network: the label of the network that made the features.
        digest: a checksum of the photos, where it is known.
    """

    def __init__(self, network: str, digest: str = "") -> None:
        self.network = network
        self.digest = digest
        self.count = 0
        self._mean: Array | None = None
        self._scatter: Array | None = None  # Σ (x − mean)(x − mean)ᵀ

    @property
    def mean(self) -> Array:
        """The mean (D,) of the vectors seen; ColorizeError before the first."""
        if self._mean is None:
            raise ColorizeError(f"no images were measured with {self.network}; a mean needs at least one")
        return self._mean

    @property
    def covariance(self) -> Array:
        """The sample covariance (D, D), divisor N − 1; ColorizeError below two vectors."""
        if self._scatter is None or self.count < 2:
            raise ColorizeError(
                f"{self.count} images were measured with {self.network}; a covariance needs at least two"
            )
        return self._scatter / (self.count - 1)

    def update(self, features: "ArrayLike") -> None:
        """Add a batch of (N, D) features.

        Raises:
            ColorizeError: the features are not (N, D) with the D of the batches before, or not finite.
        """
        batch = np.asarray(features, dtype=np.float64)
        if batch.ndim != 2:
            raise ColorizeError(f"features must be (N, D), got shape {batch.shape} from {self.network}")
        if not np.isfinite(batch).all():
            raise ColorizeError(
                f"{self.network} gave features that are not finite numbers; check its weights and input"
            )
        if len(batch):
            mean = batch.mean(axis=0)
            centred = batch - mean
            self._combine(len(batch), mean, centred.T @ centred)

    def merge(self, other: "FeatureStatistics") -> None:
        """Add everything that `other` has seen.

        Raises:
            ColorizeError: the two come from different networks.
        """
        require_same_network(self, other)
        if other._mean is not None and other._scatter is not None:
            self._combine(other.count, other._mean, other._scatter)

    def _combine(self, count: int, mean: Array, scatter: Array) -> None:
        if self._mean is None or self._scatter is None:
            self.count, self._mean, self._scatter = count, mean.copy(), scatter.copy()
            return
        if mean.shape != self._mean.shape:
            raise ColorizeError(f"{self.network} gave {len(mean)} features per image after {len(self._mean)} before")
        total = self.count + count
        delta = mean - self._mean
        self._scatter += scatter + np.outer(delta, delta) * (self.count * count / total)
        self._mean += delta * (count / total)
        self.count = total

    def save(self, path: str | Path) -> None:
        """Write mean (`mu`), covariance (`sigma`), `count`, `network` and `digest` to an .npz file.

        `mu` and `sigma` are the names under which FID programs exchange reference statistics.
        """
        mean, covariance = self.mean, self.covariance
        with open(path, "wb") as file:  # given a name, numpy would append .npz to it
            np.savez(file, mu=mean, sigma=covariance, count=self.count, network=self.network, digest=self.digest)

    @classmethod
    def load(cls, path: str | Path) -> "FeatureStatistics":
        """Read a file that `save` wrote.

        Raises:
            ColorizeError: there is no such file, or it holds something else.
        """
        if not Path(path).is_file():
            raise ColorizeError(f"no statistics at '{path}': measure the reference images first")
        try:
            with np.load(path, allow_pickle=False) as stored:
                statistics = cls(str(stored["network"]))
                statistics.count = int(stored["count"])
                statistics._mean = np.asarray(stored["mu"], np.float64)
                statistics._scatter = np.asarray(stored["sigma"], np.float64) * (statistics.count - 1)
                statistics.digest = str(stored["digest"]) if "digest" in stored else ""
        except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
            raise ColorizeError(
                f"'{path}' holds no feature statistics with mu, sigma, count and network ({error}): measure them again"
            ) from error
        return statistics


class Measured(Protocol):
    """Something that a feature network measured."""

    @property
    def network(self) -> str:
        """The label of the network."""


def require_same_network(a: Measured, b: Measured) -> None:
    """Raise a ColorizeError unless the two carry the same `network` label."""
    if a.network != b.network:
        raise ColorizeError(
            f"features of '{a.network}' cannot be compared with features of '{b.network}': measure both with one"
        )


def frechet_distance(mu1: "ArrayLike", cov1: "ArrayLike", mu2: "ArrayLike", cov2: "ArrayLike") -> float:
    """Return the squared Fréchet (2-Wasserstein) distance of two Gaussians: |μ₁ − μ₂|² + tr(C₁ + C₂ − 2·√(C₁C₂)) ≥ 0.

    With C₁ = RRᵀ, C₁C₂ and the symmetric RᵀC₂R have the same non-zero eigenvalues, and the trace of the root is the sum
    of their square roots. This sum stays real and finite for singular covariances (fewer images than features), where a
    general matrix root turns complex or fails.
    """
    mu1, mu2 = np.asarray(mu1, np.float64), np.asarray(mu2, np.float64)
    cov1, cov2 = np.asarray(cov1, np.float64), np.asarray(cov2, np.float64)
    if mu1.shape != mu2.shape or not cov1.shape == cov2.shape == 2 * mu1.shape:
        raise ValueError(
            f"means {mu1.shape}, {mu2.shape} and covariances {cov1.shape}, {cov2.shape} do not belong together"
        )
    root = _root(cov1)
    eigenvalues = np.linalg.eigvalsh(root.T @ cov2 @ root)
    overlap = np.sqrt(np.maximum(eigenvalues, 0)).sum()  # below 0 by rounding only
    distance = np.square(mu1 - mu2).sum() + np.trace(cov1) + np.trace(cov2) - 2 * overlap
    return max(float(distance), 0.0)


def _root(covariance: Array) -> Array:
    """Return R of (D, rank) with RRᵀ = covariance, without directions whose variance is 0 up to rounding."""
    eigenvalues, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    kept = eigenvalues > len(eigenvalues) * np.finfo(np.float64).eps * eigenvalues[-1]
    return vectors[:, kept] * np.sqrt(eigenvalues[kept])


def kernel_inception_distance(
    features_a: "ArrayLike",
    features_b: "ArrayLike",
    subsets: int = 100,
    subset_size: int | None = None,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the kernel inception distance of Bińkowski et al. 2018 and its standard error: two (N, D) → two floats.

    The distance is the mean over random subsets of the unbiased estimate of MMD² with the kernel (x·y/D + 1)³. It is
    unbiased at any N. For two samples of one distribution it is 0 on average, and sometimes slightly negative.

    The standard error is the delete-d jackknife's (Shao and Wu 1989): √(m/(N − m)) times the standard deviation over
    subsets of m of N. It measures the uncertainty of having N images only. A division by √subsets would shrink it at
    will, since the subsets share images. Near a distance of 0 it is too large rather than too small.

    Args:
        features_a, features_b: (N_a, D) and (N_b, D).
        subsets: the number of random pairs of subsets.
        subset_size: m; by default 1000, the usual figure, or half of the smaller set where that is less.
        seed: seed of the random choice.

    Raises:
        ColorizeError: m is under 2 or reaches the size of the smaller set, or there are fewer than 2 subsets.
    """
    a, b = np.asarray(features_a, np.float64), np.asarray(features_b, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"features must be (N, D) with one D, got {a.shape} and {b.shape}")
    smaller = min(len(a), len(b))
    size = min(1000, smaller // 2) if subset_size is None else subset_size
    if not 2 <= size < smaller:
        raise ColorizeError(
            f"kid: subsets of {size} from sets of {len(a)} and {len(b)} images; "
            "a subset needs at least 2 and fewer than the smaller set: measure more images or take smaller subsets"
        )
    if subsets < 2:
        raise ColorizeError(f"kid: {subsets} subsets give no standard error; take 2 or more")
    rng = np.random.default_rng(seed)
    estimates = [
        _unbiased_mmd2(a[rng.choice(len(a), size, replace=False)], b[rng.choice(len(b), size, replace=False)])
        for _ in range(subsets)
    ]
    error = np.std(estimates, ddof=1) * np.sqrt(size / (smaller - size))
    return float(np.mean(estimates)), float(error)


def _unbiased_mmd2(a: Array, b: Array) -> float:
    """Return the U-statistic of MMD² for samples of equal size: pairs of a vector with itself do not count."""
    n, dimensions = a.shape

    def kernel(x: Array, y: Array) -> Array:
        return (x @ y.T / dimensions + 1) ** 3

    def within(x: Array) -> float:
        k = kernel(x, x)
        return (k.sum() - np.trace(k)) / (n * (n - 1))

    return within(a) + within(b) - 2 * kernel(a, b).mean()
