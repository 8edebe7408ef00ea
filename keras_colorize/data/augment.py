"""Augmentation on the device: a batch in, a batch out, each photo on its own, nothing but keras.ops.

`tf.data.map` cannot run on a GPU, so these stand at the head of the compiled training step. Every
function takes the `keras.random.SeedGenerator` it draws from: randomness is explicit and resumable.
"""

import keras
from keras import ops

from keras_colorize.data.wear import random_borders
from keras_colorize.recipes import Augment
from keras_colorize.tensor import Tensor


def random_flips(images: Tensor, seed: keras.random.SeedGenerator, *, horizontal: bool, vertical: bool) -> Tensor:
    """Mirror each image (B, H, W, C) of any dtype with probability 1/2 along each axis asked for."""
    if horizontal:
        images = _where(_coin(images, seed), ops.flip(images, axis=2), images)
    if vertical:
        images = _where(_coin(images, seed), ops.flip(images, axis=1), images)
    return images


def random_quarter_turns(images: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
    """Turn each square image (B, S, S, C) by +90° or −90°, a quarter of them each; half stay upright.

    That is report D's set, which holds every photo as it is, mirrored, and turned both ways.
    [choice] There the mirrored copies are not turned as well; here turn and mirror are drawn independently.
    """
    draw = keras.random.uniform((ops.shape(images)[0],), seed=seed)
    turned = ops.transpose(images, (0, 2, 1, 3))
    images = _where(draw < 0.25, ops.flip(turned, axis=1), images)  # +90°, counter-clockwise
    return _where(draw >= 0.75, ops.flip(turned, axis=2), images)  # −90°


def random_crops(images: Tensor, seed: keras.random.SeedGenerator, margin: int) -> Tensor:
    """Cut (B, H, W, C) to (B, H − margin, W − margin, C), each image at a place of its own."""
    batch, height, width, channels = ops.shape(images)
    offsets = keras.random.randint((2, batch, 1), 0, margin + 1, seed=seed)
    rows = ops.arange(batch)[:, None] * height + offsets[0] + ops.arange(height - margin)[None]
    columns = offsets[1] + ops.arange(width - margin)[None]
    # One gather of whole pixels: `take_along_axis` would look up each channel along each axis.
    pixels = rows[:, :, None] * width + columns[:, None]
    return ops.take(ops.reshape(images, (-1, channels)), pixels, axis=0)


def random_zooms(images: Tensor, seed: keras.random.SeedGenerator, size: int, zoom: float) -> Tensor:
    """Scale a window of each square photo (B, S, S, C) in [0, 255] to (B, size, size, C), of the same dtype.

    A window's side is S / u, with u uniform in [1, `zoom`], and it lies anywhere in the photo. Bilinear, antialiased
    where it shrinks: a product with a matrix of tents along each axis.
    """
    batch, side, _, _ = ops.shape(images)
    draws = keras.random.uniform((3, batch, 1, 1), seed=seed)
    window = side / (1.0 + (zoom - 1.0) * draws[0])  # (B, 1, 1) pixels
    scale = window / size
    middles = (ops.arange(size, dtype="float32")[None, :, None] + 0.5) * scale  # of the new pixels, in the window
    pixels = ops.arange(side, dtype="float32")[None, None] + 0.5

    def tents(draw: Tensor) -> Tensor:
        weights = ops.relu(1.0 - ops.abs(middles + draw * (side - window) - pixels) / ops.maximum(scale, 1.0))
        return weights / ops.sum(weights, axis=-1, keepdims=True)  # (B, size, S); each row adds up to 1

    scaled = ops.einsum("bis,bsjc->bijc", tents(draws[1]), ops.cast(images, "float32"))
    scaled = ops.einsum("bjs,bisc->bijc", tents(draws[2]), scaled)
    return ops.cast(ops.round(scaled), images.dtype)


def uniform_noise(condition: Tensor, seed: keras.random.SeedGenerator, half_width: float) -> Tensor:
    """Add uniform noise in ±`half_width` to a condition in its unit range (reports A's noise on the input)."""
    return condition + keras.random.uniform(ops.shape(condition), -half_width, half_width, seed=seed)


def augment_photos(rgb_u8: Tensor, seed: keras.random.SeedGenerator, augment: Augment) -> Tensor:
    """The geometric part of a recipe's augmentation: uint8 (B, S + crop_margin, S + crop_margin, 3) → (B, S, S, 3)."""
    if augment.zoom > 1:
        rgb_u8 = random_zooms(rgb_u8, seed, rgb_u8.shape[1] - augment.crop_margin, augment.zoom)
    elif augment.crop_margin:
        rgb_u8 = random_crops(rgb_u8, seed, augment.crop_margin)
    rgb_u8 = random_flips(rgb_u8, seed, horizontal=augment.flip_horizontal, vertical=augment.flip_vertical)
    if augment.quarter_turns:
        rgb_u8 = random_quarter_turns(rgb_u8, seed)
    return random_borders(rgb_u8, seed, augment.borders) if augment.borders else rgb_u8


def _coin(images: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
    return keras.random.uniform((ops.shape(images)[0],), seed=seed) < 0.5


def _where(mask: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return ops.where(ops.reshape(mask, (-1, 1, 1, 1)), yes, no)
