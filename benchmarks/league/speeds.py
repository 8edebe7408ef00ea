"""The speed at which each system trains, and the file that keeps it.

The table of the same time is planned from these figures, so measure them on a machine that does nothing else.
"""

import json
import time
from pathlib import Path

from keras_colorize.files import written_whole
from keras_colorize.recipes import Recipe

SECONDS = 20.0  # of measuring, over all stages of a system
WINDOW = 3.0  # seconds, at least; the quickest window counts, since other work can only slow a system down
WARM_UP = 2  # steps that compile, and fill caches

Speeds = dict[str, list[float]]  # system → images per second in each stage


def read_speeds(file: Path) -> Speeds:
    """Read the file; it is empty before the first measurement."""
    if not file.is_file():
        return {}
    return {name: list(row["images_per_second"]) for name, row in json.loads(file.read_text("utf-8")).items()}


def keep_speed(file: Path, system: str, images_per_second: list[float], batch_size: int, machine: str) -> None:
    """Add a system's speed to the file, or replace it."""
    known = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    known[system] = {
        "images_per_second": [round(value, 2) for value in images_per_second],
        "batch_size": batch_size,
        "machine": machine,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(file) as temporary:
        temporary.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", encoding="utf-8")


def measure_speed(recipe: Recipe, seconds: float = SECONDS) -> list[float]:
    """Train each stage of a recipe on random photos and return its images per second.

    Args:
        recipe: its pretrained weights are left out, since they do not change the speed.
        seconds: of measuring for all stages together.
    """
    import numpy as np
    import tensorflow as tf

    from keras_colorize.hardware import resolve_jit
    from keras_colorize.training import build_stages

    recipe = recipe.with_values(backbone_weights="random", encoder_weights="")
    size, batch = recipe.data.image_size + recipe.augment.crop_margin, recipe.data.batch_size
    photos = tf.constant(np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), np.uint8))
    stages = build_stages(recipe)
    speeds = []
    for stage in stages:
        stage.set_steps_per_epoch(recipe.schedule.steps_per_epoch or 1)
        step = tf.function(stage.trainer.train_step, jit_compile=resolve_jit(recipe.runtime.jit), autograph=False)
        # A discriminator that learns in every n-th step only must have learned equally often in what is measured.
        cycle = recipe.schedule.discriminator_every
        for _ in range(max(WARM_UP, cycle)):
            _wait(step(photos))
        ends, best = time.perf_counter() + seconds / len(stages), 0.0
        while not best or time.perf_counter() < ends:
            steps, began = 0, time.perf_counter()
            while not steps or steps % cycle or time.perf_counter() - began < min(WINDOW, seconds):
                _wait(step(photos))
                steps += 1
            best = max(best, steps * batch / (time.perf_counter() - began))
        speeds.append(best)
    return speeds


def _wait(means: dict) -> None:
    """Wait until a step's losses are there."""
    for value in means.values():
        float(value)
