"""Metrics of photos (`image`, `color_bins`), their means and intervals (`means`, `bootstrap`), metrics of sets (`fid`).

The names below are imported at first use. `bootstrap`, `frechet`, `fid` and `means` need NumPy only, `image` and
`color_bins` load Keras, and `feature_networks` loads TensorFlow.
"""

from typing import TYPE_CHECKING

from keras_colorize.lazy import lazy_names

_HOMES = {
    "AB_RANGE": "image",
    "PSNR_CAP": "image",
    "ab_mae": "image",
    "ab_psnr": "image",
    "colorfulness": "image",
    "colorfulness_abs": "image",
    "pixel_accuracy": "image",
    "psnr": "image",
    "ssim": "image",
    "ssim_channels": "image",
    "AB_EDGES": "color_bins",
    "ab_entropy": "color_bins",
    "ab_histogram": "color_bins",
    "entropy": "color_bins",
    "Means": "means",
    "PairedBootstrap": "bootstrap",
    "FeatureStatistics": "frechet",
    "frechet_distance": "frechet",
    "kernel_inception_distance": "frechet",
    "Distance": "fid",
    "FeatureExtractor": "fid",
    "ImageSet": "fid",
    "fid_between": "fid",
    "kid_between": "fid",
    "FeatureNetwork": "feature_networks",
    "feature_network": "feature_networks",
    "frozen_graph_network": "feature_networks",
    "keras_network": "feature_networks",
}

# The same names for editors and type checkers, which do not run `lazy_names`.
if TYPE_CHECKING:
    from keras_colorize.metrics.bootstrap import PairedBootstrap
    from keras_colorize.metrics.color_bins import AB_EDGES, ab_entropy, ab_histogram, entropy
    from keras_colorize.metrics.feature_networks import (
        FeatureNetwork,
        feature_network,
        frozen_graph_network,
        keras_network,
    )
    from keras_colorize.metrics.fid import Distance, FeatureExtractor, ImageSet, fid_between, kid_between
    from keras_colorize.metrics.frechet import FeatureStatistics, frechet_distance, kernel_inception_distance
    from keras_colorize.metrics.image import (
        AB_RANGE,
        PSNR_CAP,
        ab_mae,
        ab_psnr,
        colorfulness,
        colorfulness_abs,
        pixel_accuracy,
        psnr,
        ssim,
        ssim_channels,
    )
    from keras_colorize.metrics.means import Means

__all__ = [
    "AB_EDGES",
    "AB_RANGE",
    "PSNR_CAP",
    "Distance",
    "FeatureExtractor",
    "FeatureNetwork",
    "FeatureStatistics",
    "ImageSet",
    "Means",
    "PairedBootstrap",
    "ab_entropy",
    "ab_histogram",
    "ab_mae",
    "ab_psnr",
    "colorfulness",
    "colorfulness_abs",
    "entropy",
    "feature_network",
    "fid_between",
    "frechet_distance",
    "frozen_graph_network",
    "keras_network",
    "kernel_inception_distance",
    "kid_between",
    "pixel_accuracy",
    "psnr",
    "ssim",
    "ssim_channels",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
