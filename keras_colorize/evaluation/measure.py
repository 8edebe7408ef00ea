"""One pass over the photos: every system's metrics, histograms, features and a few pictures, batch by batch.

What grows with the number of photos is a float per photo, row and metric, and for KID a feature vector per photo and
row.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from keras_colorize.color.inputs import Inputs
from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab, rgb_to_u8
from keras_colorize.color.spaces import grey, recolor
from keras_colorize.data.batches import PhotoSet
from keras_colorize.evaluation.gallery import GalleryKeeper
from keras_colorize.evaluation.results import GREY, MEAN_COLOR, OWN, TRUTH, Gallery
from keras_colorize.evaluation.systems import System
from keras_colorize.metrics import (
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
from keras_colorize.metrics.fid import Network

Step = Callable[[Any], dict[str, dict[str, Any]]]

# What a row's step gives beside its metrics.
_PICTURE, _HISTOGRAM = "picture", "histogram"


@dataclass
class Measured:
    """What one pass gave.

    rows: row → metric → (N,) values, in the order of the table.
    histograms: row → (A, B) int64 counts of ab.
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
class _Row:
    means: Means = field(default_factory=Means)
    histogram: np.ndarray | None = None
    features: ImageSet | None = None

    def update(self, values: dict[str, Any], pictures: np.ndarray) -> None:
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
    network: Network | None = None,
    keep_features: bool = False,
    truth_features: bool = True,
    random: int = 12,
    extreme: int = 4,
    progress: Callable[[int, int], None] | None = None,
) -> Measured:
    """Measure systems, grey, a constant colour and the truth itself on all photos.

    Args:
        photos: of the size at which everything is measured.
        mean_ab: the constant colour, in CIE units.
        network: makes the features of FID and KID, if any.
        keep_features: keep each photo's, for KID.
        truth_features: measure the truth's too; not needed for FID where its statistics are known.
        random, extreme: pictures to keep, see `GalleryKeeper`.
        seed: of the random pictures.
    """
    steps = [_baselines(mean_ab, photos.image_size), *(_step_of(system, photos.image_size) for system in systems)]
    keeper = GalleryKeeper([s.name for s in systems], len(photos), random=random, extreme=extreme, seed=seed)
    rows: dict[str, _Row] = {}
    names, pixels = hashlib.sha256(), hashlib.sha256()
    done = 0
    for batch in photos.evaluation_batches(batch_size):
        for name, photo in zip(photos.names[done : done + len(batch)], batch.numpy(), strict=True):
            label = name.encode("utf-8") + b"\0"
            names.update(label)
            pixels.update(label + photo.tobytes())
        results = {row: values for step in steps for row, values in step(batch).items()}
        pictures = {row: values.pop(_PICTURE).numpy() for row, values in results.items()}
        for row, values in results.items():
            if row not in rows:
                wanted = network is not None and (row != TRUTH or truth_features)
                rows[row] = _Row(features=ImageSet(network, keep_features) if network and wanted else None)
            rows[row].update(values, pictures[row])
        grey_mae = results[GREY]["ab_mae"].numpy()
        keeper.update(pictures, {s.name: grey_mae - results[s.name]["ab_mae"].numpy() for s in systems})
        done += len(batch)
        if progress is not None:
            progress(done, len(photos))
    ordered = [row for row in rows if row != TRUTH] + [TRUTH]
    return Measured(
        rows={row: {name: np.asarray(column) for name, column in rows[row].means.rows.items()} for row in ordered},
        histograms={row: histogram for row in ordered if (histogram := rows[row].histogram) is not None},
        gallery=keeper.gallery(),
        features={row: features for row in ordered if (features := rows[row].features) is not None},
        names_digest=names.hexdigest(),
        pixels_digest=pixels.hexdigest(),
    )


def _batches_of(size: int) -> list[tf.TensorSpec]:
    """What steps take: photos of one size, however many, so that each is traced once."""
    return [tf.TensorSpec([None, size, size, 3], tf.uint8)]


def _baselines(mean_ab: tuple[float, float], size: int) -> Step:
    """Grey, the constant colour, and the truth."""

    @tf.function(autograph=False, input_signature=_batches_of(size))
    def step(rgb_u8: Any) -> dict[str, dict[str, Any]]:
        L, ab = _lightness_and_chroma(rgb_u8)
        constant = tf.zeros_like(ab) + tf.constant(mean_ab, tf.float32)
        return {
            GREY: _compare(rgb_u8, ab, rgb_to_u8(grey(L)), tf.zeros_like(ab)),
            MEAN_COLOR: _compare(rgb_u8, ab, rgb_to_u8(recolor(L, constant)), constant),
            TRUTH: _describe(rgb_u8, ab),
        }

    return step


def _step_of(system: System, size: int) -> Step:
    """A system with the photo's own lightness, as a user gets it; and where it predicts RGB what it painted itself."""

    @tf.function(autograph=False, input_signature=_batches_of(size))
    def step(rgb_u8: Any) -> dict[str, dict[str, Any]]:
        L, ab = _lightness_and_chroma(rgb_u8)
        predicted, painted = system.predict(Inputs(L), size)
        rows = {system.name: _compare(rgb_u8, ab, rgb_to_u8(recolor(L, predicted)), predicted)}
        if painted is not None:
            rows[f"{system.name}, {OWN}"] = _compare(rgb_u8, ab, rgb_to_u8(painted), predicted)
        return rows

    return step


def _lightness_and_chroma(rgb_u8: Any) -> tuple[Any, Any]:
    lab = rgb_to_lab(rgb_from_u8(rgb_u8))
    return lab[..., :1], lab[..., 1:]


def _compare(truth_u8: Any, truth_ab: Any, rgb_u8: Any, ab: Any) -> dict[str, Any]:
    channels = ssim_channels(truth_u8, rgb_u8)
    return {
        "psnr": psnr(truth_u8, rgb_u8),
        "ssim": tf.reduce_mean(channels, axis=-1),
        **dict(zip(("ssim_r", "ssim_g", "ssim_b"), tf.unstack(channels, axis=-1), strict=True)),
        "pixel_accuracy_2": pixel_accuracy(truth_ab, ab, 0.02),
        "pixel_accuracy_5": pixel_accuracy(truth_ab, ab, 0.05),
        "ab_mae": ab_mae(truth_ab, ab),
        "ab_psnr": ab_psnr(truth_ab, ab),
        **_describe(rgb_u8, ab),
    }


def _describe(rgb_u8: Any, ab: Any) -> dict[str, Any]:
    """What needs no truth."""
    histogram = ab_histogram(ab)
    return {
        "colorfulness": colorfulness(rgb_u8),
        "colorfulness_abs": colorfulness_abs(rgb_u8),
        "ab_entropy": entropy(histogram),
        _PICTURE: rgb_u8,
        _HISTOGRAM: tf.reduce_sum(histogram, axis=0),
    }
