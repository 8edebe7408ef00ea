"""Metrics of images: distance of a colorized photo from the original, and its colorfulness.

Every function takes a batch and returns a value for each image, so that a mean over a data set does not depend on how
the set was cut into batches. `rgb_u8` is RGB in 0…255, as uint8 or as floats of that range; `ab` is CIE a*b* in its own
units. The functions compute in float32 under any Keras dtype policy. They use `keras.ops` only, so they run eagerly, in
a graph or under XLA, on any backend.
"""

import numpy as np
from keras import ops

from keras_colorize.errors import ColorizeError
from keras_colorize.tensor import Tensor

# The decibels that identical images score. Their true value is infinity, which would make a mean useless.
# Other images hardly reach it: a 256×256 photo with two values of its 196,608 off by one scores 98 dB.
PSNR_CAP = 100.0

# [choice] Report C gives ε in percent of "the channel's range": −110…110, the range to which networks scale a and b.
AB_RANGE = 220.0

# Gaussian window of Wang et al. 2004: 11 taps, σ = 1.5, sum 1.
_TAPS = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
_WINDOW: list[float] = (_TAPS / _TAPS.sum()).tolist()


def psnr(rgb_u8_a: Tensor, rgb_u8_b: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio in dB, peak 255: two (B, H, W, 3) → (B,).

    The error is averaged over the pixels and channels of one image. Identical images score `PSNR_CAP` (100 dB), the
    highest value.

    Raises:
        ColorizeError: the shapes differ or are not (B, H, W, 3).
    """
    return _decibels(*_pair(rgb_u8_a, rgb_u8_b, channels=3), peak=255.0)


def ab_psnr(ab_a: Tensor, ab_b: Tensor) -> Tensor:
    """Return the PSNR of chroma alone in dB, peak `AB_RANGE` (220 units), capped as `psnr`: two (B, H, W, 2) → (B,).

    A colorizer is given the lightness, so PSNR on RGB is high for a grey photo too. This one is not.
    """
    return _decibels(*_pair(ab_a, ab_b, channels=2), peak=AB_RANGE)


def ab_mae(ab_a: Tensor, ab_b: Tensor) -> Tensor:
    """Return the mean absolute difference of both chroma channels in CIE units: two (B, H, W, 2) → (B,)."""
    a, b = _pair(ab_a, ab_b, channels=2)
    return _mean(ops.abs(a - b), axes=(3, 2, 1))


def pixel_accuracy(ab_a: Tensor, ab_b: Tensor, tolerance: float) -> Tensor:
    """Return the share of chroma values within ε of the truth, in [0, 1]: two (B, H, W, 2) → (B,).

    The two channels count separately: a pixel may be right in a and wrong in b. ε is `tolerance` as a fraction of
    `AB_RANGE`: 0.02 is 4.4 CIE units, 0.05 is 11. A difference of exactly ε counts as right.
    """
    a, b = _pair(ab_a, ab_b, channels=2)
    return _mean(ops.cast(ops.abs(a - b) <= tolerance * AB_RANGE, "float32"), axes=(3, 2, 1))


def ssim(rgb_u8_a: Tensor, rgb_u8_b: Tensor) -> Tensor:
    """Return the structural similarity, mean of the channels: two (B, H, W, 3) → (B,). See `ssim_channels`."""
    return ops.mean(ssim_channels(rgb_u8_a, rgb_u8_b), axis=-1)


def ssim_channels(rgb_u8_a: Tensor, rgb_u8_b: Tensor) -> Tensor:
    """Return the structural similarity (Wang et al. 2004) of each channel, at most 1: two (B, H, W, 3) → (B, 3).

    The window is a Gaussian of 11×11 with σ = 1.5; covariance is the population's; the data range is 255, K₁ = 0.01,
    K₂ = 0.03. Only windows that lie wholly inside the image count. The result equals scikit-image's
    `structural_similarity` with `gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255`.

    Raises:
        ColorizeError: the shapes differ or are not (B, H, W, 3), or a side is under 11 pixels.
    """
    a, b = _pair(rgb_u8_a, rgb_u8_b, channels=3)
    if any(side is not None and side < len(_WINDOW) for side in a.shape[1:3]):
        raise ColorizeError(f"ssim: images are {a.shape[1]}×{a.shape[2]}, the window needs 11×11 or more")
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

    # Variances do not change when a constant is subtracted, and smaller numbers cancel with smaller rounding errors.
    centre = 127.5
    a, b = a - centre, b - centre
    maps = _window(ops.concatenate([a, b, a * a + b * b, a * b], axis=-1))  # (B, H−10, W−10, 12)
    mean_a, mean_b, mean_squares, mean_product = ops.split(maps, 4, axis=-1)
    variances = mean_squares - mean_a * mean_a - mean_b * mean_b  # σ²_a + σ²_b
    covariance = mean_product - mean_a * mean_b
    mean_a, mean_b = mean_a + centre, mean_b + centre

    luminance = (2 * mean_a * mean_b + c1) / (mean_a * mean_a + mean_b * mean_b + c1)
    structure = (2 * covariance + c2) / (variances + c2)
    return _mean(luminance * structure, axes=(2, 1))


def colorfulness(rgb_u8: Tensor) -> Tensor:
    """Return the colorfulness M of Hasler and Süsstrunk 2003 on 0…255: (B, H, W, 3) → (B,).

    rg = R − G, yb = (R + G)/2 − B, M = √(σ²_rg + σ²_yb) + 0.3·√(μ²_rg + μ²_yb), with population σ. A grey image scores
    0, photos score about 15 (slightly colourful) to 80 (highly colourful). CT2 and DDColor print another number, which
    is `colorfulness_abs`.
    """
    return _hasler_susstrunk(*_opponents(rgb_u8))


def colorfulness_abs(rgb_u8: Tensor) -> Tensor:
    """Return `colorfulness` of |rg| and |yb|, as CT2 and DDColor publish it: (B, H, W, 3) → (B,).

    Absolute values lower σ and raise μ, so compare these figures with theirs only.
    """
    return _hasler_susstrunk(*(ops.abs(opponent) for opponent in _opponents(rgb_u8)))


def _pair(a: Tensor, b: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """Return both as float32, after checking that their shapes agree."""
    a, b = _batch(a, channels), _batch(b, channels)
    if any(m is not None and n is not None and m != n for m, n in zip(a.shape, b.shape, strict=True)):
        raise ColorizeError(f"images to compare have shapes {tuple(a.shape)} and {tuple(b.shape)}; they must be equal")
    return a, b


def _batch(images: Tensor, channels: int) -> Tensor:
    images = ops.convert_to_tensor(images)
    if len(images.shape) != 4 or images.shape[-1] != channels:
        raise ColorizeError(f"expected a batch of images (B, H, W, {channels}), got shape {tuple(images.shape)}")
    return ops.cast(images, "float32")


def _mean(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Return the mean over `axes`, named from the last to the first, taken one axis at a time.

    Over several axes at once TensorFlow and XLA may add up in a single float32. Measured on a CPU, a constant came out
    6e-4 off at 256×256, and the SSIM of 5 megapixels 0.03 off.
    """
    for axis in axes:
        x = ops.mean(x, axis=axis)
    return x


def _decibels(a: Tensor, b: Tensor, peak: float) -> Tensor:
    error = _mean(ops.square(a - b), axes=(3, 2, 1))
    # The floor is the error at the cap, so that log10 never sees 0.
    return 10 * ops.log10(peak**2 / ops.maximum(error, peak**2 * 10 ** (-PSNR_CAP / 10)))


def _window(maps: Tensor) -> Tensor:
    """Return weighted means under the Gaussian window, borders cropped: (B, H, W, C) → (B, H−10, W−10, C).

    It adds eleven shifted copies in each direction instead of using a depthwise convolution. A GPU may run float32
    convolutions in TF32, whose 10-bit mantissa would ruin the differences of squares that follow. XLA has no fast
    depthwise convolution for a CPU: `ssim` of a 256×256 image took 58 ms with it and takes 1.5 ms this way (without XLA
    3 and 11 ms).
    """
    centre = len(_WINDOW) // 2
    for axis in (1, 2):
        size = ops.shape(maps)[axis] - 2 * centre

        def shifted(by: int, axis: int = axis, maps: Tensor = maps, size: Tensor = size) -> Tensor:
            return maps[:, by : by + size] if axis == 1 else maps[:, :, by : by + size]

        total = _WINDOW[centre] * shifted(centre)
        for by in range(centre):  # the window is symmetric: one product serves two taps
            total = total + _WINDOW[by] * (shifted(by) + shifted(2 * centre - by))
        maps = total
    return maps


def _opponents(rgb_u8: Tensor) -> tuple[Tensor, Tensor]:
    red, green, blue = ops.unstack(_batch(rgb_u8, 3), axis=-1)
    return red - green, (red + green) / 2 - blue


def _hasler_susstrunk(rg: Tensor, yb: Tensor) -> Tensor:
    mean_rg, mean_yb = _mean(rg, axes=(2, 1)), _mean(yb, axes=(2, 1))
    deviations = ops.square(rg - mean_rg[:, None, None]) + ops.square(yb - mean_yb[:, None, None])
    return ops.sqrt(_mean(deviations, axes=(2, 1))) + 0.3 * ops.sqrt(ops.square(mean_rg) + ops.square(mean_yb))
