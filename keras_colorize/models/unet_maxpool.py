"""The U-Net of report C: convolutions and max pooling down, 2×2 transposed convolutions up."""

from collections.abc import Sequence

import keras

from keras_colorize.models import layers, normalization
from keras_colorize.models.checks import check_filters, check_image_size
from keras_colorize.models.registry import architecture


@architecture("unet_maxpool")
def unet_maxpool(
    image_size: int | None,
    condition_channels: int = 1,
    target_channels: int = 2,
    *,
    filters: Sequence[int] = (64, 128, 256, 512, 1024),
) -> keras.Model:
    """Build a U-Net whose decoder normalizes after the skip: transposed convolution, concatenation, BN, ReLU.

    Convolutions start at N(0, 0.02), BN scales at N(1, 0.02). BN has PyTorch's constants. There is no dropout.

    Args:
        image_size: side in pixels, a multiple of 16 (of 2ⁿ⁻¹ with n filters); None for free sizes, all such multiples.
        condition_channels: channels of the condition, in [-1, 1].
        target_channels: channels of the prediction, in [-1, 1].
        filters: of the encoder blocks, with the bottleneck last; the decoder has the others in reverse.

    Returns:
        Model `condition` (B, S, S, condition_channels) → `prediction` (B, S, S, target_channels), float32.

    Raises:
        ColorizeError: the size or the filters do not fit.

    Source: report C, `unet_gan`.
    """
    # [choice] Report C says that channels double but not from where: 64, 128, 256, 512 and 1024 in the bottleneck.
    check_filters("unet_maxpool", filters, least=2)
    check_image_size("unet_maxpool", image_size, 2 ** (len(filters) - 1))

    # [choice] Report C does not mention biases. There are none before BN, which would cancel them.
    def convolution(
        kind: type[keras.layers.Layer], width: int, kernel_size: int, name: str, **options: int
    ) -> keras.layers.Layer:
        kernel = layers.kernel_initializer("normal")
        return kind(width, kernel_size, padding="same", use_bias=False, kernel_initializer=kernel, name=name, **options)

    # Encoder
    condition = keras.Input((image_size, image_size, condition_channels), name="condition")
    x, maps = condition, []
    for number, width in enumerate(filters, 1):
        name = "bottleneck" if number == len(filters) else f"down_{number}"
        x = convolution(keras.layers.Conv2D, width, 3, f"{name}_conv")(x)
        x = normalization.batch_norm("torch", "normal", f"{name}_bn")(x)
        x = layers.activation("relu", f"{name}_activation")(x)  # (B, S/2ⁿ⁻¹, S/2ⁿ⁻¹, width)
        if name != "bottleneck":
            maps.append(x)
            x = keras.layers.MaxPooling2D(2, name=f"{name}_pool")(x)

    # Decoder
    for number, (width, skip) in enumerate(zip(reversed(filters[:-1]), reversed(maps), strict=True), 1):
        x = convolution(keras.layers.Conv2DTranspose, width, 2, f"up_{number}_conv", strides=2)(x)
        x = keras.layers.Concatenate(name=f"up_{number}_concat")([skip, x])
        x = normalization.batch_norm("torch", "normal", f"up_{number}_bn")(x)
        x = layers.activation("relu", f"up_{number}_activation")(x)  # (B, S/2ⁿ, S/2ⁿ, 2 · width)

    # Head
    x = keras.layers.Conv2D(
        target_channels, 1, kernel_initializer=layers.kernel_initializer("normal"), dtype="float32", name="head_conv"
    )(x)
    prediction = keras.layers.Activation("tanh", dtype="float32", name="prediction")(x)  # (B, S, S, target_channels)
    return keras.Model(condition, prediction, name="unet_maxpool")
