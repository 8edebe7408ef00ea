"""Hints in a prediction: its error at the hints is corrected, at their places and at places that look like them.

A network follows hints roughly. Its error is known at each hint. The places around have about the same error if they
look alike, so it is taken off there too, in proportion. At the hint itself the colour comes out exactly.
"""

from typing import Any

import numpy as np

from keras_colorize.color.inputs import HINT_CHANNELS
from keras_colorize.color.operations import operations
from keras_colorize.tensor import Tensor

# Of a Gaussian over the pixels around a hint, which falls to a half within two pixels. 1 in the middle.
HINT_KERNEL = np.exp(-0.5 * np.square(np.arange(-4, 5) / 1.8)).astype("float32")

# Places look alike if they are near and of similar lightness. Errors are gathered at nodes of a grid over rows, columns
# and lightness, a bilateral grid. Nodes lie so many pixels apart, and weigh pixels by a Gaussian of this deviation. An
# error reaches √2 times as far, since it goes into the nodes and out of them.
NODE_DISTANCE = 8
NODE_DEVIATION = 8.0
NODE_LEVELS = 9  # of lightness, from black to white
# In pixels of hints. Where less of them arrives, the prediction stays as it is.
PREDICTION_WEIGHT = 1.0

# So that a pixel's weight on itself is 1: the sum of the squared Gaussian over the nodes.
NODE_SCALE = float(np.sqrt(NODE_DISTANCE / (NODE_DEVIATION * np.sqrt(np.pi))))


def spread_hints(ab: Tensor, hints: Tensor, L: Tensor, strength: Tensor = 1.0) -> Tensor:
    """Take the error of chroma at the hints off the places that look like them.

    Args:
        ab: chroma (B, H, W, 2) in CIE units.
        hints: (B, H, W, 3) as `Inputs.hints`.
        L: lightness (B, H, W, 1) in [0, 100].
        strength: factor of the hints' own chroma, from 0 (grey).

    Returns:
        (B, H, W, 2).

    Source: the grid is that of Chen, Paris and Durand 2007, Real-time edge-aware image processing with the bilateral
    grid, https://doi.org/10.1145/1276377.1276506.
    """
    ops = operations(ab, hints, L, strength)
    _, height, width, _ = ops.shape(ab)
    level = ops.clip(L, 0.0, 100.0) * ((NODE_LEVELS - 1) / 100.0)
    alike = ops.maximum(1.0 - ops.abs(level - ops.arange(NODE_LEVELS, dtype="float32")), 0.0)  # (B, H, W, levels)
    errors = ops.split(_errors(ops, ab, hints, strength), HINT_CHANNELS, axis=-1)
    maps = ops.concatenate([error * alike for error in errors], axis=-1)
    rows, columns = _nodes(ops, height), _nodes(ops, width)
    maps = ops.einsum("nw,bhwc->bhnc", columns, ops.einsum("nh,bhwc->bnwc", rows, maps))
    maps = ops.einsum("nw,bhnc->bhwc", columns, ops.einsum("nh,bnwc->bhwc", rows, maps))
    a, b, weight = (ops.sum(part * alike, axis=-1, keepdims=True) for part in ops.split(maps, HINT_CHANNELS, axis=-1))
    return ab + ops.concatenate([a, b], axis=-1) / (weight + PREDICTION_WEIGHT)


def obey_hints(ab: Tensor, hints: Tensor, strength: Tensor = 1.0) -> Tensor:
    """Move chroma to the hints where they are, and by a falling part of that in the few pixels around them.

    The error at the hints, smoothed with a Gaussian, is taken off, so that a hint that stands alone comes out exactly.

    Args:
        ab: chroma (B, H, W, 2) in CIE units.
        hints: (B, H, W, 3) as `Inputs.hints`.
        strength: factor of the hints' own chroma, from 0 (grey) to 1.

    Returns:
        (B, H, W, 2).
    """
    ops = operations(ab, hints, strength)
    errors = _errors(ops, ab, hints, strength)
    for kernel in (HINT_KERNEL[:, None], HINT_KERNEL[None]):
        taps = np.repeat(kernel[..., None, None], HINT_CHANNELS, axis=2)
        errors = ops.depthwise_conv(errors, ops.convert_to_tensor(taps), padding="same")
    return ab + errors[..., :2] / ops.maximum(errors[..., 2:], 1.0)


def _errors(ops: Any, ab: Tensor, hints: Tensor, strength: Tensor) -> Tensor:
    """Return what chroma (B, H, W, 2) misses at the hints (B, H, W, 3), and their mask: (B, H, W, 3)."""
    mask = hints[..., 2:]
    return ops.concatenate([hints[..., :2] * strength - ab * mask, mask], axis=-1)


def _nodes(ops: Any, length: Tensor) -> Tensor:
    """Return the weights of the nodes along a side of so many pixels: (nodes, length)."""
    count = (length + NODE_DISTANCE - 1) // NODE_DISTANCE
    places = ops.cast(ops.arange(count), "float32") * NODE_DISTANCE + (NODE_DISTANCE - 1) / 2
    distance = ops.cast(ops.arange(length), "float32")[None] - places[:, None]
    return ops.exp(-0.5 * ops.square(distance / NODE_DEVIATION)) * NODE_SCALE
