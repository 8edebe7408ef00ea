"""What a run says before it starts: model, parameters, data and counts, size, device, precision."""

import keras

from keras_colorize.data import GREY, PhotoSet
from keras_colorize.hardware import describe_device, resolve_jit, resolve_precision
from keras_colorize.recipe import Recipe


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
    grey = sum(photo.reason == GREY for photo in left_out)
    counts = ", ".join(f"{len(photos):,} {split}" for split, photos in photo_sets.items())
    epochs = ", ".join(f"{name} {epochs} epochs" for name, epochs in stages.items())
    compiled = ", XLA" if resolve_jit(recipe.runtime.jit) else ""
    deterministic = ", deterministic" if recipe.runtime.deterministic else ""
    lines = [
        ("model", f"{recipe.name}: {recipe.summary}"),
        ("parameters", ", ".join(f"{name} {network.count_params():,}" for name, network in networks.items())),
        ("photos", f"{counts}; left out: {grey:,} grey, {len(left_out) - grey:,} broken"),
        ("size", f"{data.image_size}×{data.image_size}, batch {data.batch_size}, {epochs} of {steps} steps"),
        ("device", describe_device()),
        ("precision", resolve_precision(recipe.runtime.precision) + compiled + deterministic),
    ]
    if recipe.backbone_weights == "random":
        lines.append(("backbone", "random weights, if any (--random-backbone): figures are not the report's"))
    return lines
