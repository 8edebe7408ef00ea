"""Metrics of photos (`image`, `color_bins`), their means and intervals (`means`, `bootstrap`), metrics of sets (`fid`).

The names below are imported at first use. `bootstrap`, `frechet`, `fid` and `means` need NumPy only, `image` and
`color_bins` load Keras, and `feature_networks` loads TensorFlow.
"""

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

__all__ = list(_HOMES)

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
