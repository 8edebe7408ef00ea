"""A small convolutional autoencoder with skip connections, the second network of report A."""

import keras

from keras_colorize.models.checks import check_dropout, check_image_size
from keras_colorize.models.registry import architecture


@architecture("autoencoder")
def autoencoder(
    image_size: int | None, condition_channels: int = 1, target_channels: int = 2, *, dropout: float = 0.5
) -> keras.Model:
    """Build an encoder of 3×3 convolutions, three of them strided, and a decoder that joins the maps of each size.

    Args:
        image_size: side in pixels, a multiple of 8; None for free sizes, all multiples of 8.
        condition_channels: channels of the condition, in [-1, 1].
        target_channels: channels of the prediction, in [-1, 1].
        dropout: rate after each of the three joins, in [0, 1).

    Returns:
        Model `condition` (B, S, S, condition_channels) → `prediction` (B, S, S, target_channels), float32.

    Raises:
        ColorizeError: the size is not a multiple of 8, or the rate is outside [0, 1).

    Source: report A, appendix B (1,022,961 parameters).
    """
    check_image_size("autoencoder", image_size, 8)
    check_dropout("autoencoder", dropout)

    # Encoder
    condition = keras.Input((image_size, image_size, condition_channels), name="condition")
    x, maps = condition, []
    for number, (width, strides) in enumerate(((64, 1), (64, 2), (128, 2), (256, 2)), 1):
        x = keras.layers.Conv2D(
            width, 3, strides=strides, padding="same", activation="relu", name=f"down_{number}_conv"
        )(x)  # (B, S, …, 64), (B, S/2, …, 64), (B, S/4, …, 128), (B, S/8, …, 256)
        maps.append(x)

    # Decoder
    # [choice] Report A gives no activations here, no dropout rate and no head: ReLU, 0.5 and tanh.
    for number, width in enumerate((128, 64, 128), 1):
        x = keras.layers.Conv2DTranspose(
            width, 3, strides=2, padding="same", activation="relu", name=f"up_{number}_conv"
        )(x)
        x = keras.layers.Concatenate(name=f"up_{number}_concat")([x, maps[3 - number]])
        x = keras.layers.Dropout(dropout, name=f"up_{number}_dropout")(x)
        # (B, S/4, …, 256), (B, S/2, …, 128), (B, S, …, 192)
    x = keras.layers.Conv2DTranspose(15, 3, padding="same", activation="relu", name="up_4_conv")(x)  # (B, S, S, 15)
    x = keras.layers.Concatenate(name="up_4_concat")([x, condition])

    # Head
    x = keras.layers.Conv2D(target_channels, 3, padding="same", dtype="float32", name="head_conv")(x)
    prediction = keras.layers.Activation("tanh", dtype="float32", name="prediction")(x)  # (B, S, S, target_channels)
    return keras.Model(condition, prediction, name="autoencoder")
