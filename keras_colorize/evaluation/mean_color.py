"""The constant colour that every evaluation is measured beside: what a system scores that looks at nothing."""

from collections.abc import Callable

import numpy as np

from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab
from keras_colorize.data import Source
from keras_colorize.data.scan import load_split
from keras_colorize.errors import ColorizeError
from keras_colorize.evaluation.protocols import Chosen, Selection
from keras_colorize.recipes import Data

# The mean colour of so many small photos is as good as that of all: single photos differ by some 10 units from it.
PHOTOS, SIZE = 500, 64
_BATCH = 50


def mean_color(
    chosen: Chosen, data: Data, progress: Callable[[int, int], None] | None = None
) -> tuple[tuple[float, float], str]:
    """Mean ab of the training photos in CIE units, and one line that says of which photos.

    Where the data have no photos beside those that are measured it is the mean of these themselves, which flatters it.
    """
    if chosen.training.items("test"):
        try:
            ab, count = _mean_ab(chosen.training, data, progress)
            return ab, _told(ab, count, "training photos")
        except ColorizeError:  # none of them can be used: the measured ones may still be
            pass
    ab, count = _mean_ab(chosen.photos, data, progress)
    return ab, _told(ab, count, "the measured photos themselves, as there are no others here: that flatters it")


def _told(ab: tuple[float, float], count: int, what: str) -> str:
    return f"mean colour: ab ({ab[0]:.1f}, {ab[1]:.1f}), the mean of {count:,} {what}"


def _mean_ab(
    selection: Selection, data: Data, progress: Callable[[int, int], None] | None
) -> tuple[tuple[float, float], int]:
    source: Source = selection
    if not selection.reopens:  # records come one after another: the first are read without passing all the others
        source = Selection(selection, "test", selection.items("test")[:PHOTOS])
    photos = load_split(
        source, "test", image_size=SIZE, resize="squash", drop_grey=data.drop_grey, limit=PHOTOS, progress=progress
    )
    means = [
        np.asarray(rgb_to_lab(rgb_from_u8(batch)))[..., 1:].mean(axis=(1, 2), dtype=np.float64)
        for batch in photos.evaluation_batches(_BATCH)
    ]
    a, b = np.concatenate(means).mean(axis=0)
    return (float(a), float(b)), len(photos)
