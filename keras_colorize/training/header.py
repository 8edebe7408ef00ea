"""The header of a run: model, weights, photos, sizes, learning rate, device, and the figures of grey photos."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from keras_colorize.color.lab import rgb_from_u8, rgb_to_u8
from keras_colorize.color.spaces import Space, grey
from keras_colorize.data.batches import GREY, PhotoSet
from keras_colorize.hardware import describe_device, resolve_jit, resolve_precision
from keras_colorize.metrics import Means, ab_mae, psnr
from keras_colorize.recipes import Optimizer, Recipe
from keras_colorize.tensor import Tensor
from keras_colorize.training.schedules import WarmupAndDecay
from keras_colorize.training.stages import Stage


def describe_run(
    recipe: Recipe,
    networks: Mapping[str, keras.Model],
    stages: Sequence[Stage],
    steps_per_epoch: int,
    photo_sets: Mapping[str, PhotoSet],
    *,
    starts_from: str,
    data: str,
) -> list[tuple[str, str]]:
    """Return the name and the value of each line of the header.

    Args:
        networks: the networks that train, by role.
        stages: of the schedule, in order.
        steps_per_epoch: of every stage.
        photo_sets: photos by split.
        starts_from: where the weights come from, in words.
        data: the source of the photos, in words.
    """
    size, batch_size = recipe.data.image_size, recipe.data.batch_size
    left_out = [photo for photos in photo_sets.values() for photo in photos.left_out]
    greys = sum(photo.reason == GREY for photo in left_out)
    counts = ", ".join(f"{len(photos):,} {split}" for split, photos in photo_sets.items())
    epochs = ", ".join(f"{stage.name} {stage.epochs} epochs" for stage in stages)
    compiled = ", XLA" if resolve_jit(recipe.runtime.jit) else ""
    deterministic = ", deterministic" if recipe.runtime.deterministic else ""
    lines = [
        ("model", f"{recipe.name}: {recipe.summary}"),
        ("parameters", ", ".join(f"{name} {network.count_params():,}" for name, network in networks.items())),
        ("starts from", starts_from),
        ("data", data),
        ("photos", f"{counts}; left out: {greys:,} grey, {len(left_out) - greys:,} broken"),
        ("size", f"{size}×{size}, batch {batch_size}, {epochs} of {steps_per_epoch} steps"),
        ("learning rate", describe_rate(recipe.optimizer, stages[-1].schedules)),
        ("device", describe_device()),
        ("precision", resolve_precision(recipe.runtime.precision) + compiled + deterministic),
    ]
    if recipe.backbone_weights == "random":
        lines.append(("backbone", "random weights (backbone_weights = 'random'): figures are not the report's"))
    return lines


def describe_rate(options: Optimizer, schedules: Sequence[WarmupAndDecay]) -> str:
    """Describe the generator's learning rate over a run in words.

    Args:
        options: of the generator's optimizer.
        schedules: of the main stage, the generator's first; empty where the rate is constant.
    """
    words = f"{options.learning_rate:g}"
    if not schedules:
        return words
    schedule = schedules[0]
    if options.warmup_steps:
        words += f", after a warm-up of {schedule.warmup} steps"
        if schedule.warmup < options.warmup_steps:
            words += f" (the recipe's {options.warmup_steps} are more than a tenth of the run)"
    if schedule.decay:
        words += f", falling linearly to 0 at step {schedule.total_steps} of the stage"
    return words


def grey_figures(space: Space, photos: PhotoSet, batch_size: int) -> dict[str, float]:
    """Measure unchanged grey photos: `ab_mae` in CIE units and `psnr` in dB, as validation means.

    A system that does not beat these figures paints worse than not painting at all.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def step(rgb_u8: Tensor) -> dict[str, Tensor]:
        inputs, target = space.split(rgb_from_u8(rgb_u8))
        ab = space.target_chroma(target)
        grey_u8 = rgb_to_u8(grey(inputs.lightness))
        return {"ab_mae": ab_mae(ab, tf.zeros_like(ab)), "psnr": psnr(rgb_u8, grey_u8)}

    means = Means()
    for batch in photos.evaluation_batches(batch_size):
        means.update(step(batch))
    return {name: means.mean(name) for name in ("ab_mae", "psnr")}
