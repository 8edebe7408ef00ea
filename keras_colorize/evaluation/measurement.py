"""Measurement in one pass over the photos: metrics, histograms, features and a few pictures of every row.

Memory grows with the number of photos by a float per photo, row and metric, and for KID by a feature vector per photo
and row.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab
from keras_colorize.data.batches import PhotoSet
from keras_colorize.evaluation.gallery import GalleryKeeper
from keras_colorize.evaluation.results import GREY, MEAN_COLOR, OWN, TRUTH, Gallery
from keras_colorize.evaluation.systems import FramedBatch, System
from keras_colorize.inference.finish import color_photos
from keras_colorize.inference.hints import Hint
from keras_colorize.metrics import (
    FeatureExtractor,
    ImageSet,
    Means,
    ab_histogram,
    ab_mae,
    ab_psnr,
    colorfulness,
    colorfulness_abs,
    entropy,
    pixel_accuracy,
    psnr,
    ssim_channels,
)
from keras_colorize.tensor import Tensor

# A disc of this radius is a square of three pixels: the hint of the papers that give PSNR over the number of hints.
_HINT_RADIUS = 1.5

# Keys of the values beside the metrics.
_HISTOGRAM, _AB = "histogram", "ab"


@dataclass
class Measurement:
    """The values of all rows over all photos.

    rows: row → metric → (N,) values, in the order of the table.
    histograms: row → (A, B) int64 counts of ab.
    gallery: pictures of a few photos.
    features: row → features of its pictures; empty without a feature network.
    names_digest, pixels_digest: SHA-256 over the photos' names, and over names and pixels.
    """

    rows: dict[str, dict[str, np.ndarray]]
    histograms: dict[str, np.ndarray]
    gallery: Gallery
    features: dict[str, ImageSet]
    names_digest: str
    pixels_digest: str


@dataclass
class _RowValues:
    """The values of one row so far."""

    means: Means = field(default_factory=Means)
    histogram: np.ndarray | None = None
    features: ImageSet | None = None

    def update(self, values: dict[str, Tensor], pictures: np.ndarray) -> None:
        histogram = values.pop(_HISTOGRAM).numpy().astype(np.int64)
        self.histogram = histogram if self.histogram is None else self.histogram + histogram
        self.means.update(values)
        if self.features is not None:
            self.features.update(pictures)


def measure(
    photos: PhotoSet,
    systems: Sequence[System],
    mean_ab: tuple[float, float],
    *,
    batch_size: int = 16,
    seed: int = 0,
    hints: int = 0,
    network: FeatureExtractor | None = None,
    keep_features: bool = False,
    truth_features: bool = True,
    random: int = 12,
    extreme: int = 4,
    progress: Callable[[int, int], None] | None = None,
) -> Measurement:
    """Measure systems, grey, a constant colour and the truth itself on all photos.

    Args:
        photos: photos of the size at which everything is measured.
        systems: systems with unique names.
        mean_ab: the constant colour in CIE units.
        batch_size: photos in memory at a time.
        seed: seed of the random pictures and of the places of hints.
        hints: number of true colours of each photo that the systems are given.
        network: turns pictures into features for FID and KID; None without these.
        keep_features: keep the features of each photo, which KID needs.
        truth_features: measure the features of the true photos too. FID does not need them where their statistics are
            known.
        random, extreme: numbers of pictures to keep, see `GalleryKeeper`.
        progress: called with (photos done, photos in all) after each batch.
    """
    metrics = _Metrics(photos.image_size)
    keeper = GalleryKeeper([s.name for s in systems], len(photos), random=random, extreme=extreme, seed=seed)
    rows: dict[str, _RowValues] = {}
    names, pixels = hashlib.sha256(), hashlib.sha256()
    done = 0
    for batch in photos.evaluation_batches(batch_size):
        rgb_u8 = batch.numpy()
        for name, photo in zip(photos.names[done : done + len(rgb_u8)], rgb_u8, strict=True):
            label = name.encode("utf-8") + b"\0"
            names.update(label)
            pixels.update(label + photo.tobytes())
        given = [true_hints(photo, hints, [seed, number]) for number, photo in enumerate(rgb_u8, start=done)]
        pictures = _pictures(FramedBatch(rgb_u8, given), systems, mean_ab)
        truth = metrics.describe(rgb_u8)
        truth_ab = truth.pop(_AB)
        values = {row: metrics.compare(rgb_u8, truth_ab, picture) for row, picture in pictures.items()}
        pictures[TRUTH], values[TRUTH] = rgb_u8, truth
        for row, figures in values.items():
            if row not in rows:
                wanted = network is not None and (row != TRUTH or truth_features)
                rows[row] = _RowValues(features=ImageSet(network, keep_features) if network and wanted else None)
            rows[row].update(figures, pictures[row])
        grey_mae = values[GREY]["ab_mae"].numpy()
        keeper.update(pictures, {s.name: grey_mae - values[s.name]["ab_mae"].numpy() for s in systems})
        done += len(rgb_u8)
        if progress is not None:
            progress(done, len(photos))
    ordered = [row for row in rows if row != TRUTH] + [TRUTH]
    return Measurement(
        rows={row: {name: np.asarray(column) for name, column in rows[row].means.rows.items()} for row in ordered},
        histograms={row: histogram for row in ordered if (histogram := rows[row].histogram) is not None},
        gallery=keeper.gallery(),
        features={row: features for row in ordered if (features := rows[row].features) is not None},
        names_digest=names.hexdigest(),
        pixels_digest=pixels.hexdigest(),
    )


def true_hints(rgb_u8: np.ndarray, count: int, seed: list[int]) -> list[Hint]:
    """Take so many of a photo's own colours, each the mean chroma of 3×3 pixels, at random places.

    The places for fewer hints are the first of those for more.
    """
    if not count:
        return []
    ab = np.asarray(rgb_to_lab(rgb_from_u8(rgb_u8)))[..., 1:]
    places = np.random.default_rng(seed).integers(0, rgb_u8.shape[:2], (count, 2))
    means = [ab[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].mean(axis=(0, 1)) for y, x in places]
    return [Hint(x, y, mean, _HINT_RADIUS) for (y, x), mean in zip(places, means, strict=True)]


def _pictures(photos: FramedBatch, systems: Sequence[System], mean_ab: tuple[float, float]) -> dict[str, np.ndarray]:
    """Return rgb_u8 (B, S, S, 3) for each row but the truth's. All but `own lightness` have the finish of inference."""
    grey = np.zeros((len(photos.rgb_u8), 1, 1, 4), np.float32)
    constant = grey + np.array([0, 0, *mean_ab], np.float32)
    pictures = {
        GREY: color_photos(photos.rgb_u8, grey),
        MEAN_COLOR: color_photos(photos.rgb_u8, constant),
    }
    for system in systems:
        pictures[system.name] = system.colorize(photos)
        if system.paints_lightness:
            pictures[f"{system.name}, {OWN}"] = system.paint(photos)
    return pictures


class _Metrics:
    """The metrics of pictures of one size, compiled once for batches of any length.

    All of them, those of chroma too, are taken from the finished 8-bit pictures, which are what a user gets.
    """

    def __init__(self, size: int) -> None:
        rgb_u8 = tf.TensorSpec([None, size, size, 3], tf.uint8)
        ab = tf.TensorSpec([None, size, size, 2], tf.float32)
        self.describe = tf.function(_describe, autograph=False, input_signature=[rgb_u8])
        self.compare = tf.function(_compare, autograph=False, input_signature=[rgb_u8, ab, rgb_u8])


def _compare(truth_u8: Tensor, truth_ab: Tensor, rgb_u8: Tensor) -> dict[str, Tensor]:
    """Return all metrics of pictures beside the true photos."""
    described = _describe(rgb_u8)
    ab = described.pop(_AB)
    channels = ssim_channels(truth_u8, rgb_u8)
    return {
        "psnr": psnr(truth_u8, rgb_u8),
        "ssim": tf.reduce_mean(channels, axis=-1),
        **dict(zip(("ssim_r", "ssim_g", "ssim_b"), tf.unstack(channels, axis=-1), strict=True)),
        "pixel_accuracy_2": pixel_accuracy(truth_ab, ab, 0.02),
        "pixel_accuracy_5": pixel_accuracy(truth_ab, ab, 0.05),
        "ab_mae": ab_mae(truth_ab, ab),
        "ab_psnr": ab_psnr(truth_ab, ab),
        **described,
    }


def _describe(rgb_u8: Tensor) -> dict[str, Tensor]:
    """Return the metrics of pictures that need no truth, their histogram and their chroma."""
    ab = rgb_to_lab(rgb_from_u8(rgb_u8))[..., 1:]
    histogram = ab_histogram(ab)
    return {
        "colorfulness": colorfulness(rgb_u8),
        "colorfulness_abs": colorfulness_abs(rgb_u8),
        "ab_entropy": entropy(histogram),
        _HISTOGRAM: tf.reduce_sum(histogram, axis=0),
        _AB: ab,
    }
