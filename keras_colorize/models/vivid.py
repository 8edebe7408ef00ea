"""`vivid`: ResNet-18's first stages and a compact decoder that predicts a distribution over quantized chroma."""

import functools
from collections.abc import Sequence

import keras
from keras import layers

from keras_colorize.errors import ColorizeError
from keras_colorize.models.checks import check_filters, check_image_size
from keras_colorize.models.layers import Channels, PooledHints, kernel_initializer
from keras_colorize.models.normalization import batch_norm
from keras_colorize.models.registry import architecture
from keras_colorize.tensor import Tensor

ENCODER = "encoder"
"""First word of the names of the layers that ImageNet weights fit (`keras_colorize.models.encoder`)."""


@architecture("vivid")
def vivid(
    image_size: int | None,
    condition_channels: int = 1,
    target_channels: int = 309,
    *,
    filters: Sequence[int] = (64, 128, 256),
    blocks: Sequence[int] = (2, 2, 2),
    width: int = 96,
    init: str = "he_normal",
) -> keras.Model:
    """3,964,117 parameters with 309 classes and hints, and 8.0 GFLOP for a photo of 256×256.

    (A multiplication and its addition count as two.)

    The encoder is ResNet-18 without its last stage: residual blocks at 1/4, 1/8 and 1/16 of the photo's size. A pooled
    vector at the bottom tells every place about the whole scene. Bilinear upsampling and skips lead back to 1/4, where
    the classes are predicted. Chroma is smooth where lightness is, so that a quarter of the size is enough for it,
    and the colorizer's edge-aware enlargement gives back the edges.

    Hints, where the condition has them, enter at 1/4: before the encoder's first block and before the decoder's last
    two. Their kernels start at zero, so that a fresh network computes the function of lightness alone.

    Args:
        image_size: side in pixels, a multiple of 16; None for free sizes (each a multiple of 16).
        condition_channels: 1 for lightness, 4 for lightness and hints (a, b, mask).
        target_channels: Q classes.
        filters: of the encoder's stages.
        blocks: residual blocks of each stage.
        width: filters of the decoder's last stage.
        init: of the kernels of normalized convolutions; the others start as "glorot", or also at "zeros".

    Returns:
        condition (B, S, S, condition_channels) → logits (B, S/4, S/4, target_channels), float32.

    Raises:
        ColorizeError: a size, a list or a number of channels that does not fit.

    Source: He et al. 2015, https://arxiv.org/abs/1512.03385; Zhang et al. 2016, https://arxiv.org/abs/1603.08511.
    """
    check_image_size("vivid", image_size, 16)
    check_filters("vivid", filters, 3)
    if condition_channels not in (1, 4):
        raise ColorizeError(f"'vivid' cannot take {condition_channels} condition channels: it needs 1, or 4 with hints")
    condition = keras.Input((image_size, image_size, condition_channels), name="condition")

    conv, residual = functools.partial(_conv_norm_relu, init=init), functools.partial(_residual, init=init)
    plain = functools.partial(kernel_initializer, "zeros" if init == "zeros" else "glorot")

    # Encoder
    x = Channels(0, 1, name="lightness")(condition) if condition_channels > 1 else condition
    x = layers.ZeroPadding2D(3, name=f"{ENCODER}_stem_pad")(x)
    x = conv(x, filters[0], f"{ENCODER}_stem", kernel=7, strides=2, padding="valid")  # (B, S/2, S/2, 64)
    x = layers.ZeroPadding2D(1, name=f"{ENCODER}_pool_pad")(x)  # after a ReLU zeros never win
    x = layers.MaxPooling2D(3, 2, name=f"{ENCODER}_pool")(x)  # (B, S/4, S/4, 64)
    hints = None
    if condition_channels > 1:
        hints = PooledHints(4, name="hints_quarter")(Channels(1, 4, name="hints")(condition))  # (B, S/4, S/4, 3)
        x = layers.Add(name="hints_encoder_add")([x, _hint_conv(hints, filters[0], "hints_encoder_conv")])
    skips = []
    for stage, (stage_filters, count) in enumerate(zip(filters, blocks, strict=True), start=1):
        for block in range(1, count + 1):
            strides = 2 if block == 1 and stage > 1 else 1
            x = residual(x, stage_filters, f"{ENCODER}_{stage}_block_{block}", strides=strides)
        skips.append(x)
    scene = layers.GlobalAveragePooling2D(keepdims=True, name="scene_pool")(x)
    scene = layers.Conv2D(filters[-1], 1, activation="relu", kernel_initializer=plain(), name="scene_conv_1")(scene)
    scene = layers.Conv2D(filters[-1], 1, kernel_initializer=plain(), name="scene_conv_2")(scene)
    x = layers.Add(name="scene_add")([x, scene])

    # Decoder
    for stage, skip, stage_filters in ((2, skips[1], filters[1]), (1, skips[0], width)):
        x = conv(x, stage_filters, f"decoder_{stage}_reduce", kernel=1)
        x = layers.UpSampling2D(interpolation="bilinear", name=f"decoder_{stage}_up")(x)
        skip = conv(skip, stage_filters, f"decoder_{stage}_skip", kernel=1, activation=False)
        x = layers.Add(name=f"decoder_{stage}_add")([x, skip])
        if stage == 1 and hints is not None:
            x = layers.Add(name="hints_decoder_add")([x, _hint_conv(hints, width, "hints_decoder_conv")])
        x = residual(x, stage_filters, f"decoder_{stage}_block_1")
        x = residual(x, stage_filters, f"decoder_{stage}_block_2")

    # Head
    x = conv(x, filters[1], "head_conv", kernel=1)
    logits = layers.Conv2D(target_channels, 1, kernel_initializer=plain(), dtype="float32", name="prediction")
    x = logits(x)  # (B, S/4, S/4, Q)
    return keras.Model(condition, x, name="vivid")


def _conv_norm_relu(
    x: Tensor,
    filters: int,
    name: str,
    *,
    kernel: int = 3,
    strides: int = 1,
    padding: str = "same",
    activation: bool = True,
    init: str,
) -> Tensor:
    """Apply a convolution without bias, batch normalization and, unless told otherwise, ReLU."""
    x = layers.Conv2D(
        filters,
        kernel,
        strides,
        padding=padding,
        use_bias=False,
        kernel_initializer=kernel_initializer(init),
        name=name,
    )(x)
    x = batch_norm("keras", "glorot", f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if activation else x


def _hint_conv(hints: Tensor, filters: int, name: str) -> Tensor:
    return layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="zeros", name=name)(hints)


def _residual(x: Tensor, filters: int, name: str, *, strides: int = 1, init: str) -> Tensor:
    """Two convolutions around which the input passes (He et al. 2015), through a 1×1 convolution where sizes differ."""
    conv = functools.partial(_conv_norm_relu, init=init)
    if strides > 1:
        # Padded as PyTorch pads, the same on all sides, so that its weights see what they were trained on.
        y = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
        y = conv(y, filters, f"{name}_1", strides=strides, padding="valid")
    else:
        y = conv(x, filters, f"{name}_1")
    y = conv(y, filters, f"{name}_2", activation=False)
    if strides > 1:
        x = conv(x, filters, f"{name}_shortcut", kernel=1, strides=strides, activation=False)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))
