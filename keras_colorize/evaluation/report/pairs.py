"""Pairs for the quiz: photos beside a system's colours of them."""

import numpy as np

from keras_colorize.data.batches import reading_errors
from keras_colorize.data.scan import load_photos
from keras_colorize.data.sources import open_photos
from keras_colorize.evaluation.report.quiz import Pair, pairs_in_all
from keras_colorize.evaluation.systems import FramedBatch, System
from keras_colorize.progress import Progress

BATCH = 16
# The pairs are drawn from this many times as many photos as are needed, evenly spaced over the test photos.
POOL = 4


def draw_pairs(
    system: System, *, data: str | None = None, photos: int, seed: int = 0, progress: Progress | None = None
) -> tuple[list[Pair], str]:
    """Draw photos from the test photos of a system's data, or of `data`, and colour them as a user gets them.

    Photos that are grey by themselves are left out: both versions of them would be grey.

    Args:
        system: a run, or packaged weights.
        data: photos to draw from instead of the system's own.
        photos: number of pairs that count. Those for practice are added. Where photos are few, there are fewer pairs.
        seed: seed of the draw.
        progress: shows how many photos have been read.

    Returns:
        The pairs, and the name of the data that they were drawn from.

    Raises:
        ColorizeError: there are no photos.
    """
    recipe = system.recipe
    recipe = recipe.with_values(**{"data.source": data or recipe.data.source, "data.drop_grey": True})
    wanted = pairs_in_all(photos)
    pool = load_photos(open_photos(recipe.data), recipe.data, "test", limit=POOL * wanted, progress=progress)
    drawn = np.random.default_rng(seed).permutation(len(pool))[:wanted]
    place = {int(index): number for number, index in enumerate(drawn)}
    pairs: dict[int, Pair] = {}
    first = 0
    with reading_errors():
        for batch in pool.evaluation_batches(BATCH):
            rows = [row for row in range(len(batch)) if first + row in place]
            if rows:
                real = np.asarray(batch)[rows]
                for row, *both in zip(rows, real, system.colorize(FramedBatch(real)), strict=True):
                    pairs[place[first + row]] = Pair(pool.names[first + row], *both)
            first += len(batch)
    return [pairs[number] for number in range(len(drawn))], recipe.data.source
