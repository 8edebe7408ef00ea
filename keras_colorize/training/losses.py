"""Losses as pure functions, on keras.ops.

Each returns one value per photo, (B,), in float32. The caller sums them and divides by the global
batch: with several replicas Keras adds the gradients up, so a mean over the local batch would train
at a multiple of the rate.
"""

from collections.abc import Callable

from keras import ops

from keras_colorize.color.bins import AbBins
from keras_colorize.color.lab import lab_to_rgb
from keras_colorize.tensor import Tensor


def l1(target: Tensor, prediction: Tensor) -> Tensor:
    """Return the mean absolute difference of each photo: (B, H, W, C) twice → (B,)."""
    return _per_photo(ops.abs(_difference(target, prediction)))


def l2(target: Tensor, prediction: Tensor) -> Tensor:
    """Return the mean squared difference of each photo: (B, H, W, C) twice → (B,)."""
    return _per_photo(ops.square(_difference(target, prediction)))


RECONSTRUCTION = {"l1": l1, "l2": l2}


def rebalanced_cross_entropy(bins: AbBins, rebalancing: float) -> Callable[[Tensor, Tensor], Tensor]:
    """Make a cross-entropy over quantized chroma in which rare colours weigh more.

    Args:
        bins: the classes.
        rebalancing: exponent of `AbBins.class_weights` in [0, 1]; 0 weighs all colours alike.

    Returns:
        A loss that takes ab (B, H, W, 2) in CIE units and logits (B, h, w, Q) and returns weighted nats (B,). H and W
        are whole multiples of h and w; the target is averaged down to them. A pixel's weight is the mean weight of the
        classes in its soft target.

    Source: Zhang, Isola, Efros 2016, https://arxiv.org/abs/1603.08511, equations 2 and 3.
    """
    class_weights = bins.class_weights(rebalancing)

    def loss(target: Tensor, logits: Tensor) -> Tensor:
        logits = ops.cast(logits, "float32")
        factor = target.shape[1] // logits.shape[1]
        if factor > 1:
            target = ops.average_pool(target, factor, factor)
        classes, shares = bins.corners(target)
        surprise = ops.logsumexp(logits, axis=-1, keepdims=True) - ops.take_along_axis(logits, classes, axis=-1)
        weights = ops.sum(shares * ops.take(ops.convert_to_tensor(class_weights), classes), axis=-1)
        return _per_photo(weights * ops.sum(shares * surprise, axis=-1))

    return loss


def vanilla(logits: Tensor, real: bool) -> Tensor:
    """Return the binary cross-entropy of patch logits (B, h, w, 1) against all-real or all-generated: (B,).

    −log σ(z) for real, −log(1 − σ(z)) for generated (Goodfellow et al. 2014). A generator that is
    trained with `real=True` on its own output maximises log D(G): the non-saturating form.
    """
    logits = ops.cast(logits, "float32")
    return _per_photo(ops.softplus(-logits if real else logits))


def lsgan(logits: Tensor, real: bool) -> Tensor:
    """Return the squared distance of patch logits (B, h, w, 1) from 1 (real) or 0 (generated): (B,).

    Source: Mao et al. 2017, https://arxiv.org/abs/1611.04076.
    """
    logits = ops.cast(logits, "float32")
    return _per_photo(ops.square(logits - (1.0 if real else 0.0)))


ADVERSARIAL = {"vanilla": vanilla, "lsgan": lsgan}


# [choice] Report C does not say at which constant lightness: in the middle, where chroma has the most room.
PERCEPTUAL_L = 50.0


def perceptual(features: Callable[[Tensor], Tensor], target_ab: Tensor, predicted_ab: Tensor) -> Tensor:
    """Return the squared distance of image features at constant lightness, which depends on colour only (report C).

    Args:
        features: rgb (B, H, W, 3) in [0, 1] → (B, h, w, c), such as VGG16's.
        target_ab: true chroma in CIE units (B, H, W, 2).
        predicted_ab: predicted chroma, likewise.

    Returns:
        (B,) float32.
    """

    def at_constant_lightness(ab: Tensor) -> Tensor:
        ab = ops.cast(ab, "float32")
        L = ops.full_like(ab[..., :1], PERCEPTUAL_L)
        return lab_to_rgb(ops.concatenate([L, ab], axis=-1), clip=False)  # clipped channels would have no gradient

    return l2(features(at_constant_lightness(target_ab)), features(at_constant_lightness(predicted_ab)))


def _difference(target: Tensor, prediction: Tensor) -> Tensor:
    return ops.cast(target, "float32") - ops.cast(prediction, "float32")


def _per_photo(values: Tensor) -> Tensor:
    return ops.mean(values, axis=tuple(range(1, len(values.shape))))
