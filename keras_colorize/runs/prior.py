"""The colour prior: how often the pixels of photos fall into each class of quantized chroma."""

from pathlib import Path

import tensorflow as tf
from rich.console import Console

from keras_colorize.color.bins import AbBins, PriorCount, save_bins
from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab
from keras_colorize.data import open_source
from keras_colorize.data.batches import load_split, reading_errors
from keras_colorize.runs.console import counting_progress

BATCH = 32


def build_prior(data: str, out: Path, console: Console, *, image_size: int, limit: int | None) -> AbBins:
    """Count the training photos of `data` and write classes, shares and their provenance to `out`.

    Grey photos are left out, as in training. Photos that have no test or validation split of their own are all
    counted.

    Args:
        image_size: side in pixels at which photos are counted.
        limit: at most so many photos, evenly spaced.

    Raises:
        ColorizeError: no photos, or none that can be used.
    """
    source = open_source(data, validation_fraction=0.0, test_fraction=0.0)
    with counting_progress(console, "reading photos") as progress:
        photos = load_split(source, "train", image_size=image_size, limit=limit, progress=progress)
    to_lab = tf.function(rgb_to_lab, jit_compile=True, autograph=False, reduce_retracing=True)
    count = PriorCount()
    with reading_errors():
        for batch in photos.evaluation_batches(BATCH):
            count.update(to_lab(rgb_from_u8(batch))[..., 1:])
    sets = "; ".join([source.description, *source.notes])
    provenance = f"{sets}; counted: {len(photos):,} training photos at {image_size}×{image_size}, grey ones left out"
    bins = count.result(provenance)
    save_bins(bins, out)
    return bins
