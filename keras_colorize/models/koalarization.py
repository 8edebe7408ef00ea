"""Deep Koalarization, and the generator of the Inception GAN that builds on it (report E)."""

import keras
from keras import layers

from keras_colorize.errors import ColorizeError
from keras_colorize.models import backbones
from keras_colorize.models.checks import check_image_size
from keras_colorize.models.layers import Frozen, Fusion, NearestUp
from keras_colorize.models.registry import architecture

# (filters, stride) of the encoder's 3×3 convolutions. The report's text says 512 channels at the end; its table and
# the 1257 channels of the fusion say 256.
ENCODER = ((64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 1), (256, 1))


@architecture("koalarization")
def koalarization(
    image_size: int | None,
    condition_channels: int = 1,
    target_channels: int = 2,
    *,
    inception: bool = True,
    segmentation: bool = False,
    backbone_weights: str = "pretrained",
) -> keras.Model:
    """Build an encoder, a fusion with the class scores of Inception-ResNet-v2, and a decoder.

    The defaults give `koalarization`. With `segmentation` it is the generator of `inception_gan`; the other two
    combinations are ablations of that system.

    Args:
        image_size: side in pixels, a multiple of 8, or of 32 with `segmentation`; None for free sizes, all multiples
            of 8, which `segmentation` does not allow.
        condition_channels: 1, the lightness in [-1, 1]; another number only without both extractors.
        target_channels: channels of the prediction.
        inception: concatenate the encoder's 256 channels with the 1001 logits of a frozen Inception-ResNet-v2.
        segmentation: the network's first layer gets three copies of L and the 21 class maps of a frozen DeepLabV3+.
        backbone_weights: "pretrained" or "random", for both extractors.

    Returns:
        Model `condition` (B, S, S, 1) → `prediction` (B, S, S, target_channels) in [-1, 1], float32.

    Raises:
        ColorizeError: the size, the number of channels or `backbone_weights` does not fit, or the pretrained weights
            cannot be loaded.

    Source: Baldassarre et al. 2017, https://arxiv.org/abs/1712.03400; report E.
    """
    # KerasHub's DeepLabV3+ joins maps of 1/32 and 1/4 of the size, and inside a TensorFlow graph it cannot resize to a
    # size that is unknown when the graph is traced.
    check_image_size("koalarization", image_size, 32 if segmentation else 8)
    if segmentation and image_size is None:
        raise ColorizeError(
            "'koalarization' cannot take free sizes with segmentation: give an image_size, a multiple of 32 such as 256"
        )
    if condition_channels != 1 and (inception or segmentation):
        raise ColorizeError(
            f"'koalarization' takes a condition of 1 channel, L, not {condition_channels}: "
            "use a space that conditions on L, or set inception and segmentation to false"
        )
    extractor = Frozen(backbones.inception_logits(backbone_weights), name="inception") if inception else None
    segmenter = Frozen(backbones.deeplab_maps(backbone_weights), name="segmenter") if segmentation else None
    condition = keras.Input((image_size, image_size, condition_channels), name="condition")

    # Encoder
    x = condition
    if segmenter:
        x = layers.Concatenate(name="L_and_classes")([x, x, x, segmenter(condition)])  # (B, S, S, 24)
        x = _conv(24, "classes_conv")(x)
    for number, (filters, stride) in enumerate(ENCODER, start=1):
        x = _conv(filters, f"encoder_conv_{number}", stride)(x)  # (B, S/8, S/8, 256) from the fifth on

    # Fusion
    if extractor:
        x = Fusion(name="fusion")([x, extractor(condition)])  # (B, S/8, S/8, 1257)
    # [choice] The report does not define this layer without Inception: the same convolution, on 256 channels.
    x = layers.Conv2D(256, 1, activation="relu", name="fusion_conv")(x)

    # Decoder and head
    x = _conv(128, "decoder_conv_1")(x)
    x = NearestUp(name="decoder_up_1")(x)  # (B, S/4, S/4, 128)
    x = _conv(64, "decoder_conv_2")(x)
    x = _conv(64, "decoder_conv_3")(x)
    x = NearestUp(name="decoder_up_2")(x)  # (B, S/2, S/2, 64)
    x = _conv(32, "decoder_conv_4")(x)
    x = layers.Conv2D(target_channels, 3, padding="same", activation="tanh", dtype="float32", name="decoder_conv_5")(x)
    x = NearestUp(dtype="float32", name="prediction")(x)  # (B, S, S, target_channels)
    return keras.Model(condition, x, name="koalarization")


def _conv(filters: int, name: str, stride: int = 1) -> layers.Layer:
    """Make a 3×3 convolution with ReLU."""
    return layers.Conv2D(filters, 3, strides=stride, padding="same", activation="relu", name=name)
