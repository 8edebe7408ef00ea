"""The colour prior: how often the pixels of photos fall into each class of quantized chroma."""

from pathlib import Path

import tensorflow as tf

from keras_colorize.color.bins import AbBins, PriorCount, save_bins
from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab
from keras_colorize.data.batches import reading_errors
from keras_colorize.data.scan import load_split
from keras_colorize.data.sources import open_source
from keras_colorize.progress import Progress, SilentProgress

BATCH = 32  # photos that are counted at once


def build_prior(
    data: str, out: Path, *, image_size: int, limit: int | None = None, progress: Progress | None = None
) -> AbBins:
    """Count the colours of the training photos of `data`; write classes, shares and their provenance to `out`.

    Grey photos are left out, as in training. Where `data` has no validation or test split of its own, all photos count.

    Args:
        data: photos as `open_source` takes them.
        out: the JSON file to write.
        image_size: side of the square photos in pixels at which they are counted.
        limit: count at most this many photos, evenly spaced; None counts all.
        progress: shows how many photos have been read.

    Raises:
        ColorizeError: there are no photos, or none can be used.
    """
    source = open_source(data, validation_fraction=0.0, test_fraction=0.0)
    with (progress or SilentProgress()).counting("reading photos") as advance:
        photos = load_split(source, "train", image_size=image_size, limit=limit, progress=advance)
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
