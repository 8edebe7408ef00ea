"""A run's photos beside its colours, for the quiz."""

import numpy as np

from keras_colorize.color.spaces import space_of
from keras_colorize.data.batches import reading_errors
from keras_colorize.data.scan import load_photos
from keras_colorize.data.sources import open_photos
from keras_colorize.evaluation.report.quiz import Pair, pairs_in_all
from keras_colorize.progress import Progress
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.generator import load_generator
from keras_colorize.runs.pictures import colorized

BATCH = 16
# Photos are drawn from so many times as many as are needed, evenly spaced over the test photos.
POOL = 4


def pairs_of_run(
    folder: RunFolder, *, data: str | None = None, photos: int, seed: int = 0, progress: Progress | None = None
) -> tuple[list[Pair], str]:
    """Photos drawn from the run's test photos, or those of `data`, and what they were drawn from.

    Photos that are grey by themselves are left out, whatever the recipe says: their real version would be the grey one.

    Args:
        photos: pairs that shall count; those for practice come on top. Fewer come where there are fewer.
        seed: of the draw.
        progress: shows how many photos have been read.

    Raises:
        ColorizeError: the run has no weights, or there are no photos.
    """
    recipe = folder.recipe()
    recipe = recipe.with_values(**{"data.source": data or recipe.data.source, "data.drop_grey": True})
    generator, space = load_generator(folder, recipe), space_of(recipe)
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
                for row, *both in zip(rows, real, colorized(generator, space, real), strict=True):
                    pairs[place[first + row]] = Pair(pool.names[first + row], *both)
            first += len(batch)
    return [pairs[number] for number in range(len(drawn))], recipe.data.source
