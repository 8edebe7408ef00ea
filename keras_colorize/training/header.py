"""What a run says before it starts: model, parameters, data and counts, size, device, precision."""

from typing import Any

import keras
import tensorflow as tf

from keras_colorize.color.lab import rgb_from_u8, rgb_to_u8
from keras_colorize.color.spaces import Space, grey
from keras_colorize.data.batches import GREY, PhotoSet
from keras_colorize.hardware import describe_device, resolve_jit, resolve_precision
from keras_colorize.metrics import Means, ab_mae, psnr
from keras_colorize.recipes import Recipe


def describe_run(
    recipe: Recipe,
    networks: dict[str, keras.Model],
    stages: dict[str, int],
    steps: int,
    photo_sets: dict[str, PhotoSet],
) -> list[tuple[str, str]]:
    """Name and value of each line of the header.

    Args:
        networks: what trains, by role.
        stages: epochs of each stage, by name.
        steps: of an epoch.
        photo_sets: by split.
    """
    data = recipe.data
    left_out = [photo for photos in photo_sets.values() for photo in photos.left_out]
    greys = sum(photo.reason == GREY for photo in left_out)
    counts = ", ".join(f"{len(photos):,} {split}" for split, photos in photo_sets.items())
    epochs = ", ".join(f"{name} {epochs} epochs" for name, epochs in stages.items())
    compiled = ", XLA" if resolve_jit(recipe.runtime.jit) else ""
    deterministic = ", deterministic" if recipe.runtime.deterministic else ""
    lines = [
        ("model", f"{recipe.name}: {recipe.summary}"),
        ("parameters", ", ".join(f"{name} {network.count_params():,}" for name, network in networks.items())),
        ("photos", f"{counts}; left out: {greys:,} grey, {len(left_out) - greys:,} broken"),
        ("size", f"{data.image_size}×{data.image_size}, batch {data.batch_size}, {epochs} of {steps} steps"),
        ("device", describe_device()),
        ("precision", resolve_precision(recipe.runtime.precision) + compiled + deterministic),
    ]
    if recipe.backbone_weights == "random":
        lines.append(("backbone", "random weights, if any (--random-backbone): figures are not the report's"))
    return lines


def grey_figures(space: Space, photos: PhotoSet, batch_size: int) -> str:
    """What the unchanged grey photos score, in words: a system that stays below paints worse than nothing."""

    @tf.function(autograph=False, reduce_retracing=True)
    def step(rgb_u8: Any) -> dict[str, Any]:
        inputs, target = space.split(rgb_from_u8(rgb_u8))
        ab = space.target_chroma(target)
        grey_u8 = rgb_to_u8(grey(inputs.lightness))
        return {"ab_mae": ab_mae(ab, tf.zeros_like(ab)), "psnr": psnr(rgb_u8, grey_u8)}

    means = Means()
    for batch in photos.evaluation_batches(batch_size):
        means.update(step(batch))
    return f"validation photos left grey: ab MAE {means.mean('ab_mae'):.2f}, PSNR {means.mean('psnr'):.2f}"
