"""ImageNet weights for an encoder that has the shape of ResNet-18, or of its first stages.

The weights come from a file or from KerasHub. Each batch normalization is folded into the convolution before it:
`NAME.weight` has the shape (out, in, h, w) and `NAME.bias` the shape (out,), with torchvision's names of the layers.
"""

import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_colorize.errors import ColorizeError
from keras_colorize.models.backbones import RESNET18_ENCODER, RESNET18_PRESET, resnet18
from keras_colorize.tensor import Tensor

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406])
IMAGENET_STD = np.array([0.229, 0.224, 0.225])


def find_folded(file: Path, sha256: str = "") -> tuple[dict[str, np.ndarray], str]:
    """Read folded weights from a file where it exists, and take KerasHub's where it does not.

    Returns:
        The weights, and where they are from, in words.

    Raises:
        ColorizeError: the file is another one, or KerasHub's weights cannot be had.
    """
    if file.is_file():
        return read_folded(file, sha256), f"{file.name} (SHA-256 {sha256[:12] or 'not checked'})"
    return fetch_folded(), f"KerasHub's {RESNET18_PRESET} (there is no '{file}')"


def read_folded(file: Path, sha256: str = "") -> dict[str, np.ndarray]:
    """Read folded weights from an .npz file.

    Args:
        file: the file.
        sha256: what its digest must be; empty skips the check.

    Raises:
        ColorizeError: the file is missing, is another one, or holds no arrays.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ColorizeError(f"no encoder weights at '{file}' ({error.strerror})") from error
    digest = hashlib.sha256(data).hexdigest()
    if sha256 and digest != sha256:
        raise ColorizeError(
            f"{file} is not the file of encoder weights that was named: its SHA-256 is {digest[:12]}…,"
            f" expected {sha256[:12]}…"
        )
    try:
        with np.load(io.BytesIO(data)) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError) as error:
        raise ColorizeError(f"{file} holds no encoder weights ({' '.join(str(error).split())})") from error


def fetch_folded() -> dict[str, np.ndarray]:
    """Fold KerasHub's ResNet-18, which it has in its cache or fetches.

    Raises:
        ColorizeError: the weights cannot be had.
    """
    return fold_resnet18(resnet18("pretrained", channels=3))


def fold_resnet18(network: keras.Model) -> dict[str, np.ndarray]:
    """Fold the batch normalizations of a `backbones.resnet18` of three channels, up to its third stage."""
    folded = {}
    for conv in encoder_convolutions(network):
        if conv.source.startswith("layer4"):
            continue
        gamma, beta, mean, variance = (ops.convert_to_numpy(part) for part in conv.norm.weights)
        scale = gamma / np.sqrt(variance + conv.norm.epsilon)
        folded[f"{conv.source}.weight"] = (ops.convert_to_numpy(conv.layer.kernel) * scale).transpose(3, 2, 0, 1)
        folded[f"{conv.source}.bias"] = beta - mean * scale
    return folded


@dataclass(frozen=True)
class EncoderConvolution:
    """A convolution of an encoder without a bias.

    Attributes:
        layer: the convolution.
        norm: the batch normalization behind it.
        source: torchvision's name of it, such as "layer2.0.downsample.0".
    """

    layer: keras.layers.Conv2D
    norm: keras.layers.BatchNormalization
    source: str


def encoder_convolutions(network: keras.Model) -> list[EncoderConvolution]:
    """List the convolutions that ImageNet weights fit, by their names in `vivid` or in `backbones.resnet18`."""
    found = []
    for layer in network.layers:
        if not isinstance(layer, keras.layers.Conv2D):
            continue
        if layer.name == "encoder_stem" or re.fullmatch(r"encoder_\d_block_\d_\w+", layer.name):
            norm, source = f"{layer.name}_bn", _source_of_vivid(layer.name)
        elif layer.name == "conv1_conv" or re.fullmatch(r"stack\d_block\d_\d_conv", layer.name):
            norm, source = f"{layer.name.removesuffix('_conv')}_bn", _source_of_resnet18(layer.name)
        else:
            continue
        found.append(EncoderConvolution(layer, network.get_layer(norm), source))
    return found


def start_encoder(network: keras.Model, folded: Mapping[str, np.ndarray], conditions: Tensor) -> str:
    """Give a network's encoder folded weights, with each batch normalization as the identity.

    The stages behind the last one that the weights have stay as they are.

    Args:
        network: an encoder whose layers have the names of `vivid`'s or of `backbones.resnet18`; or a network that has
            the latter as its layer `encoder`.
        folded: the weights, as `read_folded` returns them.
        conditions: lightness of some photos in [-1, 1], (N, H, W, C), on which the statistics of the normalizations are
            measured. Where C is more than 1, the network takes lightness from the first channel.

    Returns:
        The last stage that has got weights, as torchvision calls it: "layer3".

    Raises:
        ColorizeError: the network has no such encoder, or a layer's weights are missing or have another shape.
    """
    if any(layer.name == RESNET18_ENCODER for layer in network.layers):
        network = network.get_layer(RESNET18_ENCODER)
    stages = {_stage(name.rpartition(".")[0]) for name in folded}
    convolutions = [conv for conv in encoder_convolutions(network) if _stage(conv.source) <= max(stages, default=0)]
    if not convolutions:
        raise ColorizeError(
            f"`encoder_weights` fit no layer of '{network.name}': expected an encoder with the layers of ResNet-18,"
            " such as those of the networks 'vivid' and 'resnet_unet'"
        )
    biases = {}
    for conv in convolutions:
        name, norm = conv.layer.name, conv.norm
        kernel, biases[name] = _kernel_and_bias(folded, conv)
        if tuple(conv.layer.kernel.shape) != kernel.shape:
            raise ColorizeError(
                f"the encoder's weights do not fit: '{name}' has {tuple(conv.layer.kernel.shape)},"
                f" and the file {kernel.shape}"
            )
        conv.layer.kernel.assign(kernel)
        norm.gamma.assign(np.ones_like(biases[name]))
        norm.beta.assign(biases[name])
        norm.moving_mean.assign(np.zeros_like(biases[name]))
        norm.moving_variance.assign(np.full_like(biases[name], 1.0 - norm.epsilon))
    outputs = {conv.layer.name: conv.layer.output for conv in convolutions}
    measured = keras.Model(network.input, outputs)(conditions, training=False)
    for conv in convolutions:
        values = ops.cast(measured[conv.layer.name], "float32")
        mean, variance = (ops.convert_to_numpy(part) for part in ops.moments(values, axes=(0, 1, 2)))
        norm = conv.norm
        norm.gamma.assign(np.sqrt(variance + norm.epsilon))
        norm.beta.assign(mean + biases[conv.layer.name])
        norm.moving_mean.assign(mean)
        norm.moving_variance.assign(variance)
    return convolutions[-1].source.partition(".")[0]


def _kernel_and_bias(folded: Mapping[str, np.ndarray], conv: EncoderConvolution) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel (h, w, in, out) and bias (out,) of one of the network's layers."""
    source = conv.source
    try:
        weight, bias = folded[f"{source}.weight"], folded[f"{source}.bias"]
    except KeyError:
        raise ColorizeError(f"the encoder's weights lack '{source}' for the layer '{conv.layer.name}'") from None
    kernel = weight.transpose(2, 3, 1, 0).astype("float64")
    if source == "conv1":
        # RGB = (c + 1) / 2 three times, minus the means, divided by the standard deviations.
        scaled = kernel / IMAGENET_STD[:, None]
        bias = bias + (scaled * (0.5 - IMAGENET_MEAN)[:, None]).sum(axis=(0, 1, 2))
        kernel = 0.5 * scaled.sum(axis=2, keepdims=True)
    return kernel.astype("float32"), np.asarray(bias, "float32")


def _stage(source: str) -> int:
    """Return the stage of torchvision's name of a layer: 2 for "layer2.0.conv1", 0 for the stem."""
    match = re.match(r"layer(\d)\.", source)
    return int(match[1]) if match else 0


def _source_of_vivid(name: str) -> str:
    """Return torchvision's name: `encoder_2_block_1_shortcut` is `layer2.0.downsample.0`."""
    if name == "encoder_stem":
        return "conv1"
    _, stage, _, block, part = name.split("_")
    return _source(int(stage), int(block) - 1, "0" if part == "shortcut" else part)


def _source_of_resnet18(name: str) -> str:
    """Return torchvision's name: `stack1_block0_0_conv`, a shortcut, is `layer2.0.downsample.0`."""
    if name == "conv1_conv":
        return "conv1"
    stack, block, part, _ = name.split("_")
    return _source(int(stack.removeprefix("stack")) + 1, int(block.removeprefix("block")), part)


def _source(stage: int, block: int, part: str) -> str:
    return f"layer{stage}.{block}." + ("downsample.0" if part == "0" else f"conv{part}")
