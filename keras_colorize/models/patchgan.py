"""The patch discriminator of every adversarial system here: it classifies patches of 70×70 pixels as real or not."""

from collections.abc import Sequence

import keras

from keras_colorize.models import layers, normalization
from keras_colorize.models.checks import check_filters, check_image_size
from keras_colorize.models.registry import architecture


@architecture("patchgan", kind="discriminator")
def patchgan(
    image_size: int | None,
    condition_channels: int = 1,
    target_channels: int = 2,
    *,
    filters: Sequence[int] = (64, 128, 256, 512),
    bias_first: bool = True,
    init: str = "normal",
    batch_norm: str = "torch",
) -> keras.Model:
    """Build 4×4 convolutions on condition and target; with the default filters each logit sees 70×70 pixels.

    The defaults are report B's. Report A differs in `bias_first=False` and `init="glorot"`. Its zero padding before
    valid convolutions is the same as PyTorch's `padding=1`.
    [choice] Report D gives filters and kernels only; the rest is as in report B.

    Args:
        image_size: side in pixels, a multiple of 8, at least 24 (2ⁿ and 3·2ⁿ with n + 1 filters); None for free sizes.
        condition_channels: channels of the condition, in [-1, 1].
        target_channels: channels of the target, real or generated, in [-1, 1].
        filters: of the convolutions before the logits; all but the last have stride 2, all but the first have BN.
        bias_first: give the first convolution a bias. Of the others only the one of the logits has a bias.
        init: "glorot", or "normal": convolutions N(0, 0.02), BN scale N(1, 0.02).
        batch_norm: "keras" or "torch", whose ε and momentum BN takes.

    Returns:
        Model [`condition` (B, S, S, condition_channels), `target` (B, S, S, target_channels)] → `patch_logits`
        (B, S/8 − 2, S/8 − 2, 1), float32, without a sigmoid: 30×30 at 256×256.

    Raises:
        ColorizeError: the size does not fit, or an argument has a value that does not exist.

    Source: report B, `pix2pix`; report A, appendices C and D; reports C, D and E use the same.
    """
    check_filters("patchgan", filters, least=2)
    halvings = len(filters) - 1
    check_image_size("patchgan", image_size, 2**halvings, smallest=3 * 2**halvings)
    condition = keras.Input((image_size, image_size, condition_channels), name="condition")
    target = keras.Input((image_size, image_size, target_channels), name="target")
    x = keras.layers.Concatenate(name="concat")([condition, target])
    for number, width in enumerate(filters, 1):
        first, last = number == 1, number == len(filters)
        if last:
            # At stride 1, "same" would pad by 1 and 2 pixels and keep the size.
            x = keras.layers.ZeroPadding2D(1, name=f"block_{number}_pad")(x)
        x = keras.layers.Conv2D(
            width,
            4,
            strides=1 if last else 2,
            padding="valid" if last else "same",
            use_bias=first and bias_first,
            kernel_initializer=layers.kernel_initializer(init),
            name=f"block_{number}_conv",
        )(x)  # (B, S/2, …, 64), (B, S/4, …, 128), (B, S/8, …, 256), (B, S/8 − 1, …, 512)
        if not first:
            x = normalization.batch_norm(batch_norm, init, f"block_{number}_bn")(x)
        x = layers.activation("leaky_relu", f"block_{number}_activation")(x)
    x = keras.layers.ZeroPadding2D(1, name="patch_logits_pad")(x)
    patch_logits = keras.layers.Conv2D(
        1, 4, kernel_initializer=layers.kernel_initializer(init), dtype="float32", name="patch_logits"
    )(x)  # (B, S/8 − 2, S/8 − 2, 1)
    return keras.Model([condition, target], patch_logits, name="patchgan")
