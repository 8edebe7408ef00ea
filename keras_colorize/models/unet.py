"""The U-Net of 4×4 convolutions with stride 2 of reports A, B and D.

The arguments set the differences between them:

* report A, appendices C and D (`gan_lab`, `gan_rgb`), 8 downs at 256×256:
  `dropout_downs=(1, 2, 3)`, `dropout_ups=(1, 2, 3)`, `up_activation="leaky_relu"`, `batch_norm="torch"`
* report B (`pix2pix`), 8 downs at 256×256:
  `activation_first=True`, `innermost_bn=False`, `dropout_ups=(2, 3, 4)`, `init="normal"`, `batch_norm="torch"`
* report D (`unet_skip`, `unet_noskip`), 7 downs at 128×128, the default filters:
  `init="normal"`, `batch_norm="torch"`, and `skips=False` for the second

[choice] Report A gives neither the constants of BN nor the initial weights: PyTorch's constants, Keras' weights.
[choice] Where report D is silent, pix2pix decides: BN on all downs but the first, with PyTorch's constants, leaky ReLU
down, ReLU up, tanh, no biases, N(0, 0.02). Report D mentions no dropout, so there is none.
"""

from collections.abc import Sequence

import keras

from keras_colorize.errors import ColorizeError
from keras_colorize.models import layers, normalization
from keras_colorize.models.checks import check_dropout, check_filters, check_image_size
from keras_colorize.models.registry import architecture
from keras_colorize.tensor import Tensor

LEAST_DOWNS = 5


@architecture("unet")
def unet(
    image_size: int | None,
    condition_channels: int = 1,
    target_channels: int = 2,
    *,
    filters: Sequence[int] = (64, 128, 256, 512, 512, 512, 512),
    skips: bool = True,
    activation_first: bool = False,
    up_activation: str = "relu",
    innermost_bn: bool = True,
    dropout: float = 0.5,
    dropout_downs: Sequence[int] = (),
    dropout_ups: Sequence[int] = (),
    init: str = "glorot",
    batch_norm: str = "keras",
) -> keras.Model:
    """Build an encoder of strided convolutions and a decoder of transposed ones, with skip connections.

    Layers are named `down_1_conv` (outermost) to `down_n_conv` (innermost), `up_1_conv` (innermost) to
    `up_{n-1}_conv`, `head_conv`; likewise `_bn`, `_dropout`, `_activation`. Only `head_conv` has a bias.
    A 4×4 kernel with stride 2 and "same" padding is PyTorch's `padding=1` in both directions, since the sizes are even.

    Args:
        image_size: side in pixels, a multiple of 32 (of 2ⁿ with n < 5 filters); None for free sizes, which must
            then be multiples of 2ⁿ for all n filters. A side that cannot be halved n times has fewer downs, without
            the last filters: 64 has six downs to 1×1, 96 has five to 3×3.
        condition_channels: channels of the condition, in [-1, 1].
        target_channels: channels of the prediction, in [-1, 1].
        filters: of the downs, outermost first; the ups have the same in reverse, without the innermost.
        skips: concatenate each up with the encoder map of its size.
        activation_first: the order is activation, convolution, BN, dropout (report B) instead of convolution, BN,
            dropout, activation (reports A and D).
        up_activation: "relu" or "leaky_relu"; the downs have leaky ReLU with slope 0.2.
        innermost_bn: give the innermost down BN too. All ups have it, and all other downs but the first.
        dropout: rate, in [0, 1).
        dropout_downs: numbers of the downs with dropout, as in the layers' names.
        dropout_ups: numbers of the ups with dropout, as in the layers' names. They count from the innermost up, so
            dropout stays there when a small image has fewer downs.
        init: "glorot", or "normal": convolutions N(0, 0.02), BN scale N(1, 0.02).
        batch_norm: "keras" or "torch", whose ε and momentum BN takes.

    Returns:
        Model `condition` (B, S, S, condition_channels) → `prediction` (B, S, S, target_channels), float32.

    Raises:
        ColorizeError: the size does not fit, or an argument has a value that does not exist.

    Source: report A, appendices C and D; report B, `pix2pix`; report D.
    """
    check_filters("unet", filters, least=2)
    check_dropout("unet", dropout)
    for argument, numbers, last in (
        ("dropout_downs", dropout_downs, len(filters)),
        ("dropout_ups", dropout_ups, len(filters) - 1),
    ):
        if not set(numbers) <= set(range(1, last + 1)):
            raise ColorizeError(f"'unet' cannot take {argument} {list(numbers)}: expected numbers from 1 to {last}")
    filters = filters[: _depth(image_size, len(filters))]
    depth = len(filters)

    def block(x: Tensor, name: str, conv: keras.Layer, *, bn: bool, drop: bool, act: str | None) -> Tensor:
        steps = [conv]
        if bn:
            steps.append(normalization.batch_norm(batch_norm, init, f"{name}_bn"))
        if drop:
            steps.append(keras.layers.Dropout(dropout, name=f"{name}_dropout"))
        if act is not None:
            steps.insert(0 if activation_first else len(steps), layers.activation(act, f"{name}_activation"))
        for step in steps:
            x = step(x)
        return x

    def convolution(kind: type[keras.Layer], width: int, name: str, **options: bool | str) -> keras.Layer:
        kernel = layers.kernel_initializer(init)
        return kind(width, 4, strides=2, padding="same", kernel_initializer=kernel, name=f"{name}_conv", **options)

    # Encoder
    condition = keras.Input((image_size, image_size, condition_channels), name="condition")
    x, maps = condition, []
    for number, width in enumerate(filters, 1):
        name = f"down_{number}"
        x = block(
            x,
            name,
            convolution(keras.layers.Conv2D, width, name, use_bias=False),
            bn=number > 1 and (number < depth or innermost_bn),
            drop=number in dropout_downs,
            act=None if activation_first and number == 1 else "leaky_relu",  # the photo itself is not rectified
        )  # (B, S/2ⁿ, S/2ⁿ, width)
        maps.append(x)

    # Decoder
    # [choice] Report D's "same filters in reverse" gives one up too many for 128×128: the innermost is not repeated.
    for number, width in enumerate(reversed(filters[:-1]), 1):
        name = f"up_{number}"
        x = block(
            x,
            name,
            convolution(keras.layers.Conv2DTranspose, width, name, use_bias=False),
            bn=True,
            drop=number in dropout_ups,
            act=up_activation,
        )  # (B, S/2ⁿ⁻ⁱ, S/2ⁿ⁻ⁱ, width)
        if skips:
            # Skip first, as in pix2pix's PyTorch code: its kernels then fit channel by channel.
            x = keras.layers.Concatenate(name=f"{name}_concat")([maps[depth - 1 - number], x])

    # Head
    head = convolution(keras.layers.Conv2DTranspose, target_channels, "head", dtype="float32")
    x = block(x, "head", head, bn=False, drop=False, act=up_activation if activation_first else None)
    prediction = keras.layers.Activation("tanh", dtype="float32", name="prediction")(x)  # (B, S, S, target_channels)
    return keras.Model(condition, prediction, name="unet")


def _depth(image_size: int | None, most: int) -> int:
    """Return how often a side of `image_size` pixels can be halved, at most `most` times."""
    least = min(LEAST_DOWNS, most)
    check_image_size("unet", image_size, 2**least)
    if image_size is None:
        return most
    return max(downs for downs in range(least, most + 1) if image_size % 2**downs == 0)
