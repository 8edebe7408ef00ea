"""Networks pretrained by others: ResNet-18, Inception-ResNet-v2, DeepLabV3+ and VGG16.

Each function takes `weights`. With "pretrained", keras.applications looks for the file in `$KERAS_HOME/models` and
KerasHub in `$KAGGLEHUB_CACHE`; both download it if it is missing. "random" builds the same network without a file.
`keras_hub` is imported in the functions that use it, since that takes seconds and most systems do not need it.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras

from keras_colorize.errors import ColorizeError
from keras_colorize.models.checks import check_choice
from keras_colorize.models.layers import Resize
from keras_colorize.tensor import Tensor

WEIGHTS = ("pretrained", "random")

RESNET18_ENCODER = "encoder"  # name of the network of `resnet18`
RESNET18_PRESET = "resnet_18_imagenet"
DEEPLAB_PRESET = "deeplab_v3_plus_resnet50_pascalvoc"
INCEPTION_FILE = "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels.h5"
VGG_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"

# The last map at each resolution of ResNet-18, as fastai takes them: the stem before pooling, then the four stacks.
RESNET18_MAPS = ("conv1_relu", "stack0_block1_out", "stack1_block1_out", "stack2_block1_out", "stack3_block1_out")

# A server that does not answer within this time counts as absent. Keras itself would wait for minutes.
PATIENCE_SECONDS = 20


def resnet18(weights: str, channels: int) -> keras.Model:
    """Build a trainable ResNet-18 named "encoder", without the last pooling and the classifier.

    The network is KerasHub's ResNet v1, which has the structure of torchvision's `resnet18`: explicit symmetric
    padding before every convolution and pooling of stride 2, no shortcut convolution in the first stack, ε 1e-5,
    momentum 0.9. Torchvision's weights fit it exactly, under these names:

        conv1, bn1                          conv1_conv, conv1_bn
        layer{s}.{b}.conv{n}, .bn{n}        stack{s-1}_block{b}_{n}_conv, _{n}_bn
        layer{s}.{b}.downsample.0, .1       stack{s-1}_block{b}_0_conv, _0_bn

    The preset's ImageNet weights are not torchvision's: KerasHub converts timm's `resnet18.a1_in1k`.

    Args:
        weights: "pretrained" or "random".
        channels: 3 or 1. With 1 the first kernel is summed over its three inputs, which gives the same output as three
            equal channels.

    Returns:
        Model (B, H, W, channels) → five maps: (B, H/2, W/2, 64) of the stem, (B, H/4, W/4, 64), (B, H/8, W/8, 128),
        (B, H/16, W/16, 256) and (B, H/32, W/32, 512).

    Raises:
        ColorizeError: the weights cannot be loaded, or `channels` is neither 1 nor 3.

    Source: He et al. 2015, https://arxiv.org/abs/1512.03385.
    """
    check_choice("backbone_weights", weights, WEIGHTS)
    if channels not in (1, 3):
        raise ColorizeError(
            f"ResNet-18 takes a condition of 1 or 3 channels, not {channels}: use a space with L or RGB"
        )
    import keras_hub

    backbone = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=[2, 2, 2, 2],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="basic_block",
        image_shape=(None, None, channels),
    )
    if weights == "pretrained":
        with _weights_of("ResNet-18", _preset_place(RESNET18_PRESET)):
            source = keras_hub.models.ResNetBackbone.from_preset(RESNET18_PRESET)
            for layer in backbone.layers:
                values = source.get_layer(layer.name).get_weights() if layer.weights else []
                if layer.name == "conv1_conv" and channels == 1:
                    values = [values[0].sum(axis=2, keepdims=True)]
                layer.set_weights(values)
    return keras.Model(
        backbone.input, [backbone.get_layer(name).output for name in RESNET18_MAPS], name=RESNET18_ENCODER
    )


def inception_logits(weights: str) -> keras.Model:
    """Build a frozen Inception-ResNet-v2 that gives the scores of ImageNet's classes for a lightness image.

    L is resized to 299×299 and stacked three times. Inception-ResNet-v2 was trained on RGB/127.5 − 1. For grey on the
    scale 0–255 this is the unit range of lightness, so no further scaling is needed.

    Args:
        weights: "pretrained" (ImageNet) or "random".

    Returns:
        Model `L_unit` (B, H, W, 1) → logits (B, 1001), the layer before the softmax.

    Raises:
        ColorizeError: the weights cannot be loaded.

    Source: Szegedy et al. 2016, https://arxiv.org/abs/1602.07261; keras.applications.
    """
    check_choice("backbone_weights", weights, WEIGHTS)
    inception = _application(
        keras.applications.InceptionResNetV2, INCEPTION_FILE, "Inception-ResNet-v2", weights, classifier_activation=None
    )
    L_unit = keras.Input((None, None, 1), name="L_unit")
    x = Resize(299, 299, name="resize")(L_unit)
    x = inception(_stack_three(x), training=False)  # (B, 1000)
    # The paper's network has 1001 classes, with the background first; Keras' has 1000. A zero keeps the paper's shape.
    x = keras.layers.Reshape((1000, 1), name="as_sequence")(x)
    x = keras.layers.ZeroPadding1D((1, 0), name="background")(x)
    x = keras.layers.Reshape((1001,), name="logits")(x)
    return _freeze(keras.Model(L_unit, x, name="inception"))


def deeplab_maps(weights: str) -> keras.Model:
    """Build a frozen DeepLabV3+ with ResNet-50 that segments a lightness image into the 21 classes of Pascal VOC.

    L on the scale 0–255 is stacked three times and scaled by the preset's own image converter.

    Args:
        weights: "pretrained" (Pascal VOC and SBD) or "random".

    Returns:
        Model `L_unit` (B, H, W, 1) → class probabilities (B, H, W, 21), float32. H and W are multiples of 32 and must
        be known when a TensorFlow graph is traced.

    Raises:
        ColorizeError: the weights cannot be loaded.

    Source: Chen et al. 2018, https://arxiv.org/abs/1802.02611; KerasHub.
    """
    check_choice("backbone_weights", weights, WEIGHTS)
    import keras_hub

    if weights == "pretrained":
        with _weights_of("DeepLabV3+", _preset_place(DEEPLAB_PRESET)):
            segmenter = keras_hub.models.DeepLabV3ImageSegmenter.from_preset(DEEPLAB_PRESET)
    else:
        encoder = keras_hub.models.ResNetBackbone(
            input_conv_filters=[64],
            input_conv_kernel_sizes=[7],
            stackwise_num_filters=[64, 128, 256, 512],
            stackwise_num_blocks=[3, 4, 6, 3],
            stackwise_num_strides=[1, 2, 2, 2],
            block_type="bottleneck_block",
        )
        deeplab = keras_hub.models.DeepLabV3Backbone(
            image_encoder=encoder,
            spatial_pyramid_pooling_key="P5",
            upsampling_size=8,
            dilation_rates=[6, 12, 18],
            low_level_feature_key="P2",
            projection_filters=48,
        )
        segmenter = keras_hub.models.DeepLabV3ImageSegmenter(deeplab, num_classes=21)
    # Only the graph inside is needed, without the task's own `predict` and `compile`.
    network = keras.Model(segmenter.input, segmenter.output, name="deeplab")
    converter = segmenter.preprocessor and segmenter.preprocessor.image_converter

    L_unit = keras.Input((None, None, 1), name="L_unit")
    x = keras.layers.Rescaling(127.5, offset=127.5, dtype="float32", name="grey_levels")(L_unit)  # 0–255
    x = _stack_three(x)
    if converter and (converter.scale is not None or converter.offset is not None):
        scale = 1.0 if converter.scale is None else converter.scale
        offset = 0.0 if converter.offset is None else converter.offset
        x = keras.layers.Rescaling(scale, offset=offset, dtype="float32", name="converter")(x)
    x = network(x, training=False)  # (B, H, W, 21)
    # [choice] The report says "class maps": probabilities, which have the range of L, where logits reach tens.
    x = keras.layers.Softmax(dtype="float32", name="probabilities")(x)
    return _freeze(keras.Model(L_unit, x, name="segmenter"))


def vgg_features(weights: str) -> keras.Model:
    """Build a frozen VGG16 up to block3_conv3, for a perceptual loss. Gradients flow through it to its input.

    Args:
        weights: "pretrained" (ImageNet) or "random".

    Returns:
        Model `rgb` (B, H, W, 3) in [0, 1] → `features` (B, H/4, W/4, 256), float32.

    Raises:
        ColorizeError: the weights cannot be loaded.

    Source: Simonyan & Zisserman 2014, https://arxiv.org/abs/1409.1556; keras.applications.
    """
    check_choice("backbone_weights", weights, WEIGHTS)
    # [choice] The report says "VGG features": the third activation of block 3 of VGG16, the content layer of Johnson et
    # al. 2016 (relu3_3). At a quarter of the resolution it still shows where a colour is wrong.
    vgg = _application(keras.applications.VGG16, VGG_FILE, "VGG16", weights, include_top=False)
    block3 = keras.Model(vgg.input, vgg.get_layer("block3_conv3").output, name="vgg16_block3")

    rgb = keras.Input((None, None, 3), name="rgb")
    x = keras.layers.Rescaling(255.0, dtype="float32", name="grey_levels")(rgb)
    x = keras.applications.vgg16.preprocess_input(x)  # BGR minus ImageNet's mean
    x = block3(x, training=False)
    # [choice] Activations on the scale 0–255 reach hundreds. Divided by 12.75, as in Ledig et al. 2017, their squared
    # error has the size of the other losses, so that the report's weight of 1 makes sense.
    x = keras.layers.Rescaling(1 / 12.75, dtype="float32", name="features")(x)
    return _freeze(keras.Model(rgb, x, name="vgg_features"))


def _application(build: Callable[..., keras.Model], file: str, title: str, weights: str, **args: object) -> keras.Model:
    """Build a network of keras.applications with pretrained or random weights."""
    if weights == "random":
        return build(weights=None, **args)
    with _weights_of(title, f"'{file}' in $KERAS_HOME/models (~/.keras/models)"):
        return build(weights="imagenet", **args)


def _preset_place(preset: str) -> str:
    """Name the place where KerasHub keeps a preset, for messages."""
    return f"KerasHub's preset '{preset}' in $KAGGLEHUB_CACHE (~/.cache/kagglehub)"


@contextmanager
def _weights_of(title: str, place: str) -> Iterator[None]:
    """Turn every error of a library that loads weights into one `ColorizeError` of one line.

    Keras raises a bare `Exception` for a failed download, KerasHub passes on the errors of `requests` and `kagglehub`,
    and both raise `ValueError` and `OSError` for broken files.
    """
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE_SECONDS)
    try:
        yield
    except (AttributeError, MemoryError, NameError, TypeError):
        raise  # a defect, not a missing file
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ or cause.__context__:
            cause = cause.__cause__ or cause.__context__ or cause
        reason = " ".join(f"{type(cause).__name__}: {cause}".split())
        raise ColorizeError(
            f"no pretrained weights for {title}: {place} is missing or unusable and could not be fetched ({reason}); "
            "connect once to fetch it, or set backbone_weights to 'random'",
            action="random_backbone",
        ) from error
    finally:
        socket.setdefaulttimeout(patience)


def _stack_three(x: Tensor) -> Tensor:
    """Repeat a channel three times: (B, H, W, 1) → (B, H, W, 3)."""
    return keras.layers.Concatenate(name="three_channels")([x, x, x])


def _freeze(model: keras.Model) -> keras.Model:
    model.trainable = False
    return model
