"""The mean colour of the training photos, the baseline of a system that looks at nothing."""

from collections.abc import Callable

import numpy as np

from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab
from keras_colorize.data import Source
from keras_colorize.data.scan import load_split
from keras_colorize.errors import ColorizeError
from keras_colorize.evaluation.protocols import PhotoChoice, Selection
from keras_colorize.recipes import Data

# The mean over this many small photos is precise enough: single photos differ from it by some 10 units.
PHOTOS, SIZE = 500, 64
_BATCH = 50


def mean_color(
    chosen: PhotoChoice, data: Data, progress: Callable[[int, int], None] | None = None
) -> tuple[tuple[float, float], str]:
    """Return the mean ab of the training photos in CIE units, and one line that names the photos.

    Data without training photos give the mean of the measured photos themselves, which makes the baseline look better.
    """
    if chosen.training.items("test"):
        try:
            ab, count = _mean_ab(chosen.training, data, progress)
            return ab, _remark(ab, count, "training photos")
        except ColorizeError:  # no training photo can be used; the measured photos may be
            pass
    ab, count = _mean_ab(chosen.photos, data, progress)
    return ab, _remark(
        ab, count, "the measured photos themselves, since the data have no others; this flatters the row"
    )


def _remark(ab: tuple[float, float], count: int, what: str) -> str:
    return f"mean colour: ab ({ab[0]:.1f}, {ab[1]:.1f}), the mean of {count:,} {what}"


def _mean_ab(
    selection: Selection, data: Data, progress: Callable[[int, int], None] | None
) -> tuple[tuple[float, float], int]:
    source: Source = selection
    if not selection.reopens:  # records come one after another: read the first ones instead of passing through all
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
