"""One rule each for shrinking any recipe: to seconds (`--smoke`), and to minutes on the packaged sample photos."""

from collections.abc import Collection

from keras_colorize.recipes import Recipe

# Enough to walk through every line of a run in seconds.
SMOKE: dict[str, int] = {
    "data.image_size": 32,
    "data.batch_size": 4,
    "data.limit": 8,
    "schedule.epochs": 2,
    "pretrain.epochs": 1,
    "early_stopping.every": 1,
    "schedule.steps_per_epoch": 2,
}

# `train.py --model unet_skip` with nothing else: two and a half minutes of training on two cores (26 images/s).
SAMPLE: dict[str, int] = {
    "data.image_size": 64,
    "data.batch_size": 8,
    "schedule.epochs": 10,
    "pretrain.epochs": 5,
    "schedule.steps_per_epoch": 50,
    "schedule.log_every": 10,
}


ZERO_IS_ALL = {"data.limit", "schedule.steps_per_epoch"}


def shrink(recipe: Recipe, sizes: dict[str, int], keep: Collection[str] = ()) -> tuple[Recipe, dict[str, tuple]]:
    """Take each field down to its value in `sizes` where it is larger (or 0, which stands for "all").

    Args:
        keep: dotted fields that the user set: left as they are.

    Returns:
        The recipe, and what changed as field → (before, after).
    """
    changes = {}
    for path, small in sizes.items():
        section, name = path.split(".")
        value = getattr(getattr(recipe, section), name)
        if path not in keep and (value > small or (value == 0 and path in ZERO_IS_ALL)):
            changes[path] = (value, small)
    return recipe.with_values(**{path: after for path, (_, after) in changes.items()}), changes
