"""Smaller runs of any recipe: one of seconds for a trial, one of minutes for the packaged sample photos."""

from collections.abc import Collection

from keras_colorize.recipes.schema import Recipe

# Enough to execute every line of a run in seconds.
SMOKE: dict[str, int] = {
    "data.image_size": 32,
    "data.batch_size": 4,
    "data.limit": 8,
    "schedule.epochs": 2,
    "pretrain.epochs": 1,
    "early_stopping.every": 1,
    "schedule.steps_per_epoch": 2,
}

# For `unet_skip` two and a half minutes of training on two cores (26 images/s).
SAMPLE: dict[str, int] = {
    "data.image_size": 64,
    "data.batch_size": 8,
    "schedule.epochs": 10,
    "pretrain.epochs": 5,
    "schedule.steps_per_epoch": 50,
    "schedule.log_every": 10,
}

# Fields in which 0 means "all".
ZERO_IS_ALL = {"data.limit", "schedule.steps_per_epoch"}


def shrink(recipe: Recipe, sizes: dict[str, int], keep: Collection[str] = ()) -> tuple[Recipe, dict[str, tuple]]:
    """Lower each field of a recipe to its value in `sizes` where it is larger.

    Args:
        recipe: the recipe to shrink.
        sizes: dotted fields with their largest values, such as `SMOKE` and `SAMPLE`.
        keep: dotted fields that stay as they are, because the user has set them.

    Returns:
        The smaller recipe, and its changes: field → (before, after).
    """
    changes = {}
    for path, small in sizes.items():
        section, name = path.split(".")
        value = getattr(getattr(recipe, section), name)
        if path not in keep and (value > small or (value == 0 and path in ZERO_IS_ALL)):
            changes[path] = (value, small)
    return recipe.with_values(**{path: after for path, (_, after) in changes.items()}), changes
