"""fastai's DynamicUnet on ResNet-18 (reports B and C): pretrained encoder, PixelShuffle decoder.

fastai's modules have these names here, for the conversion of PyTorch weights (`backbones.resnet18` lists those of the
encoder, `layers.0`):

    layers.1                          middle_bn
    layers.3.0.0, layers.3.1.0        middle_conv_1, middle_conv_2
    layers.{3+n}.shuf.0.0             up_{n}_shuffle_conv              n = 1 … 4
    layers.{3+n}.bn                   up_{n}_skip_bn
    layers.{3+n}.conv1.0, .conv2.0    up_{n}_conv_1, up_{n}_conv_2
    layers.8.0.0                      head_shuffle_conv
    layers.11.convpath.0.0, .1.0      head_conv_1, head_conv_2
    layers.12.0                       prediction
"""

import keras
from keras import layers

from keras_colorize.models import backbones
from keras_colorize.models.checks import check_image_size
from keras_colorize.models.layers import ICNR, PixelShuffle
from keras_colorize.models.normalization import batch_norm
from keras_colorize.models.registry import architecture
from keras_colorize.tensor import Tensor


@architecture("resnet_unet")
def resnet_unet(
    image_size: int | None,
    condition_channels: int = 1,
    target_channels: int = 2,
    *,
    backbone_weights: str = "pretrained",
) -> keras.Model:
    """Build fastai's DynamicUnet with a ResNet-18 encoder.

    It has 31,099,672 trainable parameters with one channel in and two out, 31,111,320 with the moving statistics.

    Args:
        image_size: side in pixels, a multiple of 32; None for free sizes, all multiples of 32.
        condition_channels: channels of the condition, 1 or 3, in [-1, 1].
        target_channels: channels of the prediction.
        backbone_weights: "pretrained" (ImageNet) or "random".

    Returns:
        Model `condition` (B, S, S, condition_channels) → `prediction` (B, S, S, target_channels), float32, without
        bounds since the head is linear.

    Raises:
        ColorizeError: the size, the number of channels or `backbone_weights` does not fit, or the pretrained weights
            cannot be loaded.

    Source: fastai's `DynamicUnet` with `models.resnet18`.
    """
    check_image_size("resnet_unet", image_size, 32)
    encoder = backbones.resnet18(backbone_weights, condition_channels)
    condition = keras.Input((image_size, image_size, condition_channels), name="condition")

    # Encoder
    *skips, x = encoder(condition)  # (B, S/32, S/32, 512)
    x = layers.ReLU(name="middle_activation")(batch_norm("torch", "glorot", "middle_bn")(x))
    x = _conv(x, 1024, "middle_conv_1")
    x = _conv(x, 512, "middle_conv_2")

    # Decoder
    for number, skip in enumerate(reversed(skips), start=1):
        name = f"up_{number}"
        up = _shuffle_up(x, x.shape[-1] // 2, name)
        skip = batch_norm("torch", "glorot", f"{name}_skip_bn")(skip)
        x = layers.Concatenate(name=f"{name}_concat")([up, skip])
        x = layers.ReLU(name=f"{name}_activation")(x)
        # fastai halves the width of the last block, which runs at the highest resolution.
        filters = x.shape[-1] if number < len(skips) else x.shape[-1] // 2
        x = _conv(x, filters, f"{name}_conv_1")
        x = _conv(x, filters, f"{name}_conv_2")
        # (B, S/16, S/16, 512), (B, S/8, S/8, 384), (B, S/4, S/4, 256), (B, S/2, S/2, 96)

    # Head
    x = _shuffle_up(x, x.shape[-1], "head")  # (B, S, S, 96)
    x = layers.Concatenate(name="head_concat")([x, condition])
    residual = _conv(x, x.shape[-1], "head_conv_1")
    residual = _conv(residual, x.shape[-1], "head_conv_2", activation=None)
    x = layers.ReLU(name="head_activation")(layers.Add(name="head_add")([residual, x]))
    x = layers.Conv2D(target_channels, 1, dtype="float32", name="prediction")(x)
    return keras.Model(condition, x, name="resnet_unet")


def _conv(x: Tensor, filters: int, name: str, activation: str | None = "relu") -> Tensor:
    """Apply a 3×3 convolution with bias, without normalization; He normal as in fastai."""
    return layers.Conv2D(filters, 3, padding="same", activation=activation, kernel_initializer="he_normal", name=name)(
        x
    )


def _shuffle_up(x: Tensor, filters: int, name: str) -> Tensor:
    """Apply 1×1 convolution, ReLU and PixelShuffle: (B, H, W, ·) → (B, 2H, 2W, filters)."""
    x = layers.Conv2D(4 * filters, 1, activation="relu", kernel_initializer=ICNR(), name=f"{name}_shuffle_conv")(x)
    return PixelShuffle(name=f"{name}_shuffle")(x)
