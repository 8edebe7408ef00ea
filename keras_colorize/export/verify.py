"""The exported file against the Colorizer, on real photos: how far apart they are, and how long each takes."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_colorize.color.inputs import Inputs
from keras_colorize.color.lab import rgb_to_lab
from keras_colorize.data import Split, open_source
from keras_colorize.errors import ColorizeError
from keras_colorize.images.photos import read_photo
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.frame import Frame, frame_photo

# Mean difference to the Colorizer in grey levels over all photos. [choice] A file that computes in float32 resamples
# lightness rather than RGB and finds the gamut's edge in six steps: 0.1 to 0.6 with trained networks. What quantizing
# adds is bounded on its own (`quantize.TOLERANCE`).
TOLERANCE = {"none": 1.5, "float16": 1.5, "dynamic": 3.5, "int8": 3.5}
# The network alone computes the same in every runtime, up to the order of sums: in CIE units, mean.
CORE_TOLERANCE = 0.05

LONGEST_SIDE = 640  # of the photos that are compared: enough to leave the network's size
_MOST_PHOTOS = 8
_CALIBRATION_PHOTOS = 24
_RUNS = 5


@dataclass(frozen=True)
class Difference:
    """Over all values of all photos: grey levels of 0…255, or CIE units."""

    mean: float
    max: float

    @classmethod
    def of(cls, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> "Difference":
        """Of pairs of arrays."""
        apart = [np.abs(a.astype("float32") - b.astype("float32")) for a, b in pairs]
        if not all(np.isfinite(part).all() for part in apart):
            return cls(float("inf"), float("inf"))
        return cls(
            sum(float(part.sum()) for part in apart) / sum(part.size for part in apart),
            max(float(part.max()) for part in apart),
        )


@dataclass(frozen=True)
class Comparison:
    """How far an exported file is from the Colorizer, as photos and as chroma."""

    photos: int
    grey_levels: Difference
    ab: Difference


@dataclass(frozen=True)
class Photos:
    """Real photos, rgb_u8 (H, W, 3): to compare on, and squares of one size to calibrate with."""

    compared: list[np.ndarray]
    calibration: list[np.ndarray]


def load_photos(data: str, size: int, square: int | None) -> Photos:
    """Photos that nobody trained with for the comparison, training photos for calibration.

    Args:
        data: as for training: `sample`, a folder, a list, `tfds:…`.
        size: of the squares for calibration.
        square: compare on squares of this size; None keeps the photos' shapes.

    Raises:
        ColorizeError: no photos.
    """
    source = open_source(data, validation_fraction=0.1, test_fraction=0.1)
    splits: tuple[Split, ...] = ("validation", "test")
    held_out = {photo.path or photo.name: (split, photo) for split in splits for photo in source.items(split)}
    compared = [
        read_photo(file, square)
        for split, photo in list(held_out.values())[:_MOST_PHOTOS]
        for _, file in source.open(split, [photo])
    ]
    training = source.items("train")
    training = training[:: max(1, len(training) // _CALIBRATION_PHOTOS)][:_CALIBRATION_PHOTOS]
    calibration = [read_photo(file, size, box=photo.box) for photo, file in source.open("train", training)]
    if not compared or not calibration:
        raise ColorizeError(f"'{data}' has too few photos to compare on: give at least 20, or leave --data away")
    return Photos([_reduced(photo) for photo in compared], calibration)


def compare_photos(
    colorizer: Colorizer,
    multiple: int | None,
    colorize: Callable[[np.ndarray], np.ndarray],
    photos: list[np.ndarray],
    vividness: float = 1.0,
) -> Comparison:
    """Photos coloured by an exported file and by the Colorizer, in frames of the file's kind.

    Args:
        multiple: of the file's frames, see `frame_photo`.
        colorize: the file: photo uint8 (H, W, 3) → uint8 (H, W, 3).
        vividness: that is built into the file.
    """
    pairs = []
    for photo in photos:
        frame = frame_photo(photo, colorizer.image_size, multiple)
        pairs.append((colorize(photo), colorizer.finish(photo, frame, colorizer.predict([frame], vividness)[0])))
    return _comparison(pairs, [(_ab(a), _ab(b)) for a, b in pairs])


def compare_chroma(
    colorizer: Colorizer,
    predict_ab: Callable[[Inputs], np.ndarray],
    photos: list[np.ndarray],
    size: int,
    reference: Callable[[Inputs], np.ndarray] | None = None,
) -> Comparison:
    """Chroma from an exported file and from the Colorizer, for squares of one size.

    Args:
        predict_ab: the file: Inputs (1, S, S, …) → ab (1, S, S, 2).
        reference: what it should return; the network's chroma by default.
    """
    frames = [frame_photo(photo, size, None) for photo in photos]
    inputs = [Inputs.stack([frame.inputs]) for frame in frames]
    pairs = [(predict_ab(photo)[0], (reference or colorizer.predict_ab)(photo)[0]) for photo in inputs]
    colored = [
        (_finished(colorizer, photo, frame, a), _finished(colorizer, photo, frame, b))
        for photo, frame, (a, b) in zip(photos, frames, pairs, strict=True)
    ]
    return _comparison(colored, pairs)


def milliseconds(run: Callable[..., Any], *given: Any, **named: Any) -> float:
    """Median time of one run, after one that does not count."""
    run(*given, **named)
    times = []
    for _ in range(_RUNS):
        began = time.perf_counter()
        run(*given, **named)
        times.append(time.perf_counter() - began)
    return 1e3 * statistics.median(times)


def _finished(colorizer: Colorizer, photo: np.ndarray, frame: Frame, ab: np.ndarray) -> np.ndarray:
    return colorizer.finish(photo, frame, np.asarray(ab, "float32"))


def _comparison(colored: list, chroma: list) -> Comparison:
    return Comparison(len(colored), Difference.of(colored), Difference.of(chroma))


def _ab(rgb_u8: np.ndarray) -> np.ndarray:
    return np.asarray(rgb_to_lab(rgb_u8.astype("float32") / 255.0))[..., 1:]


def _reduced(photo: np.ndarray) -> np.ndarray:
    """Every so many pixels of a large photo."""
    step = -(-max(photo.shape[:2]) // LONGEST_SIDE)
    return np.ascontiguousarray(photo[::step, ::step])
