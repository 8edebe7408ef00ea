"""The marks of age on photos for training: borders, and a faded, vignetted, grainy or scratched lightness.

A photo's colours stay the truth to learn; only what the network sees is aged. Each effect strikes each photo of a batch
with a probability of its own, and its strength is drawn for each photo.
"""

import keras
import numpy as np
from keras import ops

from keras_colorize.tensor import Tensor

_WIDEST_BORDER = 0.12  # of a side
_SCRATCHES = 4
_BLOCK = 8  # JPEG's


def random_borders(images: Tensor, seed: keras.random.SeedGenerator, share: float) -> Tensor:
    """Paint plain borders over some photos: (B, H, W, 3) in [0, 255] of any dtype → the same.

    A border is white, black or of a light neutral paper, with a width for each edge of its own, and often lies on
    all four. It is a part of the photo from then on: the colour to learn in it is none.
    """
    batch, height, width, _ = ops.shape(images)
    draws = keras.random.uniform((7, batch, 1, 1, 1), seed=seed)
    even = draws[5] < 0.5  # the same width on all edges
    widths = [_WIDEST_BORDER * ops.where(even, draws[0], draws[edge]) for edge in range(4)]
    y = (ops.arange(height, dtype="float32")[None, :, None, None] + 0.5) / height
    x = (ops.arange(width, dtype="float32")[None, None, :, None] + 0.5) / width
    outside = (y < widths[0]) | (y > 1 - widths[1]) | (x < widths[2]) | (x > 1 - widths[3])
    kind = draws[4]
    tone = ops.where(kind < 0.3, 8.0 * draws[3], ops.where(kind < 0.7, 255.0 - 8.0 * draws[3], 255.0 - 70.0 * draws[3]))
    struck = draws[6] < share
    return ops.where(outside & struck, ops.cast(ops.round(tone), images.dtype), images)


def age_lightness(L: Tensor, seed: keras.random.SeedGenerator, share: float) -> Tensor:
    """Age the lightness of some photos: (B, H, W, 1) in [0, 100] → the same.

    Args:
        L: lightness of the photos.
        seed: of the draws.
        share: probability of each of seven effects: blur, JPEG's blocks, grain, scratches, vignette, gamma and fading.
    """
    batch, height, width, _ = ops.shape(L)
    draws = keras.random.uniform((16, batch, 1, 1, 1), seed=seed)
    on = [ops.cast(draw < share, "float32") for draw in ops.unstack(draws[:7], 7, axis=0)]
    L = L + on[0] * draws[7] * (_blur(L) - L)
    L = L + on[1] * (_quantized_blocks(L, 2.0 + 14.0 * draws[8]) - L)
    grain = keras.random.normal(ops.shape(L), seed=seed)
    grain = ops.where(draws[9] < 0.5, grain, 2.0 * _blur(grain))
    L = L + on[2] * 5.0 * draws[10] * grain
    L = L + on[3] * _scratches(batch, height, width, seed)
    y = ops.linspace(-1.0, 1.0, height)[None, :, None, None]
    x = ops.linspace(-1.0, 1.0, width)[None, None, :, None]
    L = L * (1.0 - on[4] * 0.35 * draws[11] * (x * x + y * y))
    unit = ops.clip(L / 100.0, 0.0, 1.0)
    gamma = ops.exp(on[5] * (1.2 * draws[12] - 0.6))
    unit = ops.power(ops.maximum(unit, 1e-4), gamma)
    low, high = on[6] * 0.3 * draws[13], 1.0 - on[6] * 0.3 * draws[14]
    return 100.0 * (low + (high - low) * unit)


def _blur(x: Tensor) -> Tensor:
    """The binomial blur of 3 × 3 pixels; (B, H, W, 1)."""
    padded = ops.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0)), mode="reflect")
    x = 0.25 * padded[:, :-2] + 0.5 * padded[:, 1:-1] + 0.25 * padded[:, 2:]
    padded = ops.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)), mode="reflect")
    return 0.25 * padded[:, :, :-2] + 0.5 * padded[:, :, 1:-1] + 0.25 * padded[:, :, 2:]


def _quantized_blocks(L: Tensor, step: Tensor) -> Tensor:
    """Round the cosine transform of 8 × 8 blocks to multiples of `step`, which grows with frequency, as JPEG does."""
    batch, height, width, _ = ops.shape(L)
    rows, columns = -(-height // _BLOCK), -(-width // _BLOCK)
    # Mirrored at its end to whole blocks. `ops.pad` mirrors, too, but repeats the last value under PyTorch.
    padded = L[..., 0]
    if missing := rows * _BLOCK - height:
        padded = ops.concatenate([padded, ops.flip(padded[:, -missing:], axis=1)], axis=1)
    if missing := columns * _BLOCK - width:
        padded = ops.concatenate([padded, ops.flip(padded[:, :, -missing:], axis=2)], axis=2)
    k = np.arange(_BLOCK)
    cosines = np.cos(np.pi * (2 * k[None] + 1) * k[:, None] / (2 * _BLOCK)) * np.sqrt(2 / _BLOCK)
    cosines[0] /= np.sqrt(2)
    transform = ops.convert_to_tensor(cosines.astype("float32"))
    blocks = ops.reshape(padded, (batch, rows, _BLOCK, columns, _BLOCK))
    blocks = ops.transpose(blocks, (0, 1, 3, 2, 4))
    frequencies = ops.matmul(ops.matmul(transform, blocks), ops.transpose(transform))
    steps = step[..., None] * ops.convert_to_tensor((1.0 + k[:, None] + k[None]).astype("float32") / 2.0)
    frequencies = ops.round(frequencies / steps) * steps
    blocks = ops.matmul(ops.matmul(ops.transpose(transform), frequencies), transform)
    blocks = ops.transpose(blocks, (0, 1, 3, 2, 4))
    return ops.reshape(blocks, (batch, rows * _BLOCK, columns * _BLOCK, 1))[:, :height, :width]


def _scratches(batch: Tensor, height: int, width: int, seed: keras.random.SeedGenerator) -> Tensor:
    """A few thin lines from edge to edge, nearly upright, light or dark: (B, H, W, 1)."""
    draws = keras.random.uniform((3, batch, _SCRATCHES, 1, 1), seed=seed)
    y = ops.linspace(-0.5, 0.5, height)[None, None, :, None]
    x = (ops.arange(width, dtype="float32")[None, None, None] + 0.5) / width
    distance = ops.abs(x - draws[0] - (draws[1] - 0.5) * 0.3 * y) * width
    strength = 120.0 * (draws[2] - 0.4)
    return ops.sum(strength * ops.relu(1.0 - distance), axis=1)[..., None]
