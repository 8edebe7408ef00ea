"""ImageNet weights for an encoder that has the shape of ResNet-18's first stages.

The weights come from a file or from KerasHub. Each batch normalization is folded into the convolution before it:
`NAME.weight` has the shape (out, in, h, w) and `NAME.bias` the shape (out,), with torchvision's names of the layers.
"""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_colorize.errors import ColorizeError
from keras_colorize.models.backbones import RESNET18_PRESET, resnet18
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
    for layer in network.layers:
        source = layer.name.removesuffix("_conv")
        if not isinstance(layer, keras.layers.Conv2D) or source.startswith("stack3"):
            continue
        norm = network.get_layer(f"{source}_bn")
        gamma, beta, mean, variance = (ops.convert_to_numpy(part) for part in norm.weights)
        scale = gamma / np.sqrt(variance + norm.epsilon)
        name = "conv1"
        if source != name:  # stack1_block0_2 is layer2.0.conv2, and …_0 is the shortcut
            stack, block, part = source.split("_")
            end = "downsample.0" if part == "0" else f"conv{part}"
            name = f"layer{int(stack[5:]) + 1}.{block[5:]}.{end}"
        folded[f"{name}.weight"] = (ops.convert_to_numpy(layer.kernel) * scale).transpose(3, 2, 0, 1)
        folded[f"{name}.bias"] = beta - mean * scale
    return folded


def start_encoder(network: keras.Model, folded: Mapping[str, np.ndarray], conditions: Tensor) -> None:
    """Give a network's encoder folded weights, with each batch normalization as the identity.

    Args:
        network: has convolutions `encoder_stem` and `encoder_{stage}_block_{number}_{1, 2 or shortcut}`, each without a
            bias and with a batch normalization `…_bn` behind it.
        folded: the weights, as `read_folded` returns them.
        conditions: of some photos (N, H, W, C), on which the statistics of the normalizations are measured.

    Raises:
        ColorizeError: a layer's weights are missing or have another shape.
    """
    names = [layer.name for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    names = [name for name in names if name.startswith("encoder_")]
    biases = {}
    for name in names:
        kernel, biases[name] = _kernel_and_bias(folded, name)
        layer = network.get_layer(name)
        if tuple(layer.kernel.shape) != kernel.shape:
            raise ColorizeError(
                f"the encoder's weights do not fit: '{name}' has {tuple(layer.kernel.shape)},"
                f" and the file {kernel.shape}"
            )
        layer.kernel.assign(kernel)
        norm = network.get_layer(f"{name}_bn")
        norm.gamma.assign(np.ones_like(biases[name]))
        norm.beta.assign(biases[name])
        norm.moving_mean.assign(np.zeros_like(biases[name]))
        norm.moving_variance.assign(np.full_like(biases[name], 1.0 - norm.epsilon))
    outputs = {name: network.get_layer(name).output for name in names}
    measured = keras.Model(network.input, outputs)(conditions, training=False)
    for name, values in measured.items():
        values = ops.cast(values, "float32")
        mean, variance = (ops.convert_to_numpy(part) for part in ops.moments(values, axes=(0, 1, 2)))
        norm = network.get_layer(f"{name}_bn")
        norm.gamma.assign(np.sqrt(variance + norm.epsilon))
        norm.beta.assign(mean + biases[name])
        norm.moving_mean.assign(mean)
        norm.moving_variance.assign(variance)


def _kernel_and_bias(folded: Mapping[str, np.ndarray], layer: str) -> tuple[np.ndarray, np.ndarray]:
    """Kernel (h, w, in, out) and bias (out,) of one of the network's layers."""
    source = _torch_name(layer)
    try:
        weight, bias = folded[f"{source}.weight"], folded[f"{source}.bias"]
    except KeyError:
        raise ColorizeError(f"the encoder's weights lack '{source}' for the layer '{layer}'") from None
    kernel = weight.transpose(2, 3, 1, 0).astype("float64")
    if layer == "encoder_stem":
        # RGB = (c + 1) / 2 three times, minus the means, divided by the standard deviations.
        scaled = kernel / IMAGENET_STD[:, None]
        bias = bias + (scaled * (0.5 - IMAGENET_MEAN)[:, None]).sum(axis=(0, 1, 2))
        kernel = 0.5 * scaled.sum(axis=2, keepdims=True)
    return kernel.astype("float32"), np.asarray(bias, "float32")


def _torch_name(layer: str) -> str:
    """torchvision's name of a layer: `encoder_2_block_1_shortcut` is `layer2.0.downsample.0`."""
    if layer == "encoder_stem":
        return "conv1"
    _, stage, _, block, part = layer.split("_")
    last = "downsample.0" if part == "shortcut" else f"conv{part}"
    return f"layer{stage}.{int(block) - 1}.{last}"
