"""`vivid`: a compact residual encoder–decoder that predicts a distribution over quantized chroma."""

from collections.abc import Sequence

import keras
from keras import layers

from keras_colorize.models.layers import check_filters, check_image_size
from keras_colorize.models.normalization import batch_norm
from keras_colorize.models.registry import architecture
from keras_colorize.tensor import Tensor


@architecture("vivid")
def vivid(
    image_size: int | None,
    condition_channels: int = 1,
    target_channels: int = 309,
    *,
    filters: Sequence[int] = (32, 64, 128, 256),
    blocks: Sequence[int] = (0, 2, 2, 2),
) -> keras.Model:
    """Build a residual encoder and decoder that predicts chroma classes at a quarter of the photo's size.

    Four stages of residual blocks work at 1/2, 1/4, 1/8 and 1/16 of the size. A vector pooled from the last stage is
    added at every position, so that each sees the whole scene. Bilinear upsampling and skip connections lead back to
    1/4, where the classes are predicted. A quarter is enough, since chroma is smooth where lightness is smooth, and the
    edge-aware enlargement of the Colorizer restores the edges. The network uses only operations that phones
    accelerate: convolution, addition, mean and bilinear resizing.

    It has 4,455,253 parameters with 309 classes. A photo of 256×256 takes 6.9 GFLOP, where a multiplication and its
    addition count as two.

    Args:
        image_size: side in pixels, a multiple of 16; None for free sizes, all multiples of 16.
        condition_channels: channels of the condition, in [-1, 1].
        target_channels: number of classes.
        filters: of the four stages.
        blocks: number of residual blocks in each stage.

    Returns:
        Model `condition` (B, S, S, condition_channels) → `prediction`, logits (B, S/4, S/4, target_channels), float32.

    Raises:
        ColorizeError: the size is not a multiple of 16, or there are too few filters.
    """
    check_image_size("vivid", image_size, 16)
    check_filters("vivid", filters, 4)
    condition = keras.Input((image_size, image_size, condition_channels), name="condition")

    # Encoder
    x, skips = condition, []
    for stage, (width, count) in enumerate(zip(filters, blocks, strict=True), start=1):
        x = conv_norm_relu(x, width, f"encoder_{stage}_down", strides=2)  # (B, S/2ˢ, S/2ˢ, width)
        for block in range(1, count + 1):
            x = _residual(x, f"encoder_{stage}_block_{block}")
        skips.append(x)
    scene = layers.GlobalAveragePooling2D(keepdims=True, name="scene_pool")(x)
    scene = layers.Conv2D(filters[-1], 1, activation="relu", name="scene_conv_1")(scene)
    scene = layers.Conv2D(filters[-1], 1, name="scene_conv_2")(scene)
    x = layers.Add(name="scene_add")([x, scene])

    # Decoder
    for stage, skip in ((3, skips[2]), (2, skips[1])):
        x = conv_norm_relu(x, skip.shape[-1], f"decoder_{stage}_reduce", kernel=1)
        x = layers.UpSampling2D(interpolation="bilinear", name=f"decoder_{stage}_up")(x)
        x = layers.Add(name=f"decoder_{stage}_skip")([x, skip])
        x = _residual(x, f"decoder_{stage}_block_1")
        x = _residual(x, f"decoder_{stage}_block_2")

    # Head
    x = conv_norm_relu(x, 2 * filters[1], "head_conv", kernel=1)
    x = layers.Conv2D(target_channels, 1, dtype="float32", name="prediction")(x)  # (B, S/4, S/4, Q)
    return keras.Model(condition, x, name="vivid")


def conv_norm_relu(
    x: Tensor,
    filters: int,
    name: str,
    *,
    kernel: int = 3,
    strides: int = 1,
    padding: str = "same",
    activation: bool = True,
) -> Tensor:
    """Apply a convolution without bias, batch normalization and, unless told otherwise, ReLU."""
    x = layers.Conv2D(
        filters,
        kernel,
        strides,
        padding=padding,
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    x = batch_norm("keras", "glorot", f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if activation else x


def _residual(x: Tensor, name: str) -> Tensor:
    """Apply two convolutions and add their input (He et al. 2016)."""
    y = conv_norm_relu(x, x.shape[-1], f"{name}_1")
    y = conv_norm_relu(y, x.shape[-1], f"{name}_2", activation=False)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))
