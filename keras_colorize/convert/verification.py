"""Comparison of a converted network with PyTorch, number by number."""

from typing import TypeVar

import keras
import numpy as np
import torch

from keras_colorize.convert import spellings, torch_modules
from keras_colorize.convert.checkpoints import State
from keras_colorize.convert.spellings import Spelling, count
from keras_colorize.errors import ColorizeError
from keras_colorize.recipes import Network

TOLERANCE = 1e-4
PHOTOS = 2

Output = TypeVar("Output")


def largest_difference(state: State, spelling: Spelling, source: Network, image_size: int, seed: int = 0) -> float:
    """Measure the largest absolute difference of all outputs, in inference mode, on random input in [-1, 1].

    Feature maps have no range of their own: they are measured in units of their largest value if that is above 1.
    Both networks run on the CPU, since a GPU's shortened floats (TF32) differ more than the weights do.

    Args:
        state: the checkpoint's entries, which PyTorch loads with `strict=True`.
        spelling: the spelling they were read in; its network has been filled.
        source: the recipe's architecture and its arguments.
        image_size: side in pixels.
        seed: of the input.

    Raises:
        ColorizeError: the difference is above `TOLERANCE`, or a value is not finite.
    """
    rng = np.random.default_rng(seed)
    inputs = [
        rng.uniform(-1, 1, (PHOTOS, image_size, image_size, tensor.shape[-1])).astype(np.float32)
        for tensor in spelling.network.inputs
    ]
    with keras.device("cpu:0"):
        here = spelling.network(inputs if len(inputs) > 1 else inputs[0], training=False)
    original = reference(spelling, source).eval()
    original.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()}, strict=True)
    with torch.no_grad():
        there = original(_channels_first(spelling, inputs))
    difference = max(
        _difference(
            keras.ops.convert_to_numpy(ours), theirs.permute(0, 2, 3, 1).numpy(), relative=bool(spelling.unused)
        )
        for ours, theirs in zip(_as_list(here), _as_list(there), strict=True)
    )
    if not difference <= TOLERANCE:  # so that NaN fails too
        raise ColorizeError(
            f"the {spelling.network.name} differs from PyTorch by {difference:.2g} on random input, "
            f"more than {TOLERANCE:g}: the checkpoint belongs to another network, or its values are not finite"
        )
    return difference


def reference(spelling: Spelling, source: Network) -> torch.nn.Module:
    """Build the PyTorch module whose names are the spelling's, as deep and wide as the spelling's Keras network."""
    network = spelling.network
    channels = sum(tensor.shape[-1] for tensor in network.inputs)
    if spelling.name == spellings.RESNET18:
        return torch_modules.ResNet18(3)
    targets = network.outputs[0].shape[-1]
    if spelling.name == spellings.DYNAMIC_UNET:
        return torch_modules.DynamicUnet(channels, targets)
    if spelling.name in (spellings.PATCHGAN_FLAT, spellings.PATCHGAN_BLOCKS):
        filters = _filters(network, "block_{}_conv")
        blocks = spelling.name == spellings.PATCHGAN_BLOCKS
        bias_first = network.get_layer("block_1_conv").use_bias
        return torch_modules.PatchDiscriminator(channels, filters, blocks=blocks, bias_first=bias_first)
    filters = _filters(network, "down_{}_conv")
    args = source.args
    dropout = {"dropout": args.get("dropout", 0.5), "dropout_ups": args.get("dropout_ups", ())}
    if spelling.name == spellings.UNET_BLOCKS:
        return torch_modules.UNetBlocks(channels, targets, filters, **dropout)
    options = {name: args[name] for name in ("skips", "up_activation", "innermost_bn", "dropout_downs") if name in args}
    return torch_modules.UNetLists(channels, targets, filters, **dropout, **options)


def _filters(network: keras.Model, pattern: str) -> list[int]:
    return [network.get_layer(pattern.format(number)).filters for number in range(1, count(network, pattern) + 1)]


def _channels_first(spelling: Spelling, inputs: list[np.ndarray]) -> torch.Tensor:
    x = torch.from_numpy(np.concatenate(inputs, axis=-1)).permute(0, 3, 1, 2)
    return x.repeat(1, 3, 1, 1) if spelling.grey else x  # equal red, green and blue


def _difference(ours: np.ndarray, theirs: np.ndarray, *, relative: bool) -> float:
    unit = max(1.0, float(np.abs(theirs).max())) if relative else 1.0
    return float(np.abs(ours - theirs).max()) / unit


def _as_list(outputs: Output | list[Output] | tuple[Output, ...]) -> list[Output]:
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
