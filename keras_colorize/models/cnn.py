"""A plain convolutional network with a dense bottleneck, the first network of report A."""

import keras

from keras_colorize.errors import ColorizeError
from keras_colorize.models.checks import check_image_size
from keras_colorize.models.registry import architecture


@architecture("cnn")
def cnn(image_size: int | None, condition_channels: int = 3, target_channels: int = 3) -> keras.Model:
    """Build four convolutions with max pooling, then two dense layers that compute every pixel from 512 numbers.

    The dense layers hold almost all parameters: 168 of 170 million at 256×256, 10 of 12 million at 64×64.

    Args:
        image_size: side in pixels, a multiple of 16; the built network takes this size only.
        condition_channels: channels of the condition; in the report three equal channels of grey, in [0, 1].
        target_channels: channels of the prediction; in the report RGB, in [0, 1].

    Returns:
        Model `condition` (B, S, S, condition_channels) → `prediction` (B, S, S, target_channels), float32.

    Raises:
        ColorizeError: the size is None or not a multiple of 16.

    Source: report A, appendix A.
    """
    if image_size is None:
        raise ColorizeError(
            "'cnn' cannot take photos of any size: its dense layers need an image_size, a multiple of 16"
        )
    check_image_size("cnn", image_size, 16)

    # Encoder
    condition = keras.Input((image_size, image_size, condition_channels), name="condition")
    x = condition
    for number, width in enumerate((64, 128, 256, 512), 1):
        x = keras.layers.Conv2D(width, 3, padding="same", activation="relu", name=f"Conv_{number:02}")(x)
        x = keras.layers.MaxPooling2D(2, name=f"MaxPool_{number:02}")(x)  # (B, S/2ⁿ, S/2ⁿ, width)

    # Decoder
    x = keras.layers.Flatten(name="Flatten")(x)  # (B, S² · 2)
    # [choice] Report A gives this layer no activation. Without one it would merge with the next, so it has ReLU.
    x = keras.layers.Dense(512, activation="relu", name="Dense_01")(x)  # (B, 512)

    # Head
    # [choice] Report A gives no output range. A sigmoid gives RGB in [0, 1].
    x = keras.layers.Dense(
        image_size * image_size * target_channels, activation="sigmoid", dtype="float32", name="Dense_02"
    )(x)
    shape = (image_size, image_size, target_channels)
    prediction = keras.layers.Reshape(shape, dtype="float32", name="prediction")(x)  # (B, S, S, target_channels)
    return keras.Model(condition, prediction, name="cnn")
