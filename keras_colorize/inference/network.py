"""What stands around a network that colours frames: photos of one shape in one call, and chroma back to a whole photo.

The `Colorizer` and the workers of a pipeline, which have an exported network, call these alike.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_colorize.color.inputs import Inputs
from keras_colorize.errors import ColorizeError
from keras_colorize.inference.finish import constant_coefficients, guided_coefficients, recolored, recolored_batch
from keras_colorize.inference.frame import Frame

# Photos in one call of the network, at its own size.
LARGEST_BATCH = 16


def predict_frames(frames: Sequence[Frame], predict_ab: Callable[[Inputs], np.ndarray]) -> list[np.ndarray]:
    """Ask a network for the chroma ab (h, w, 2) of each frame; frames of one shape share a call.

    Args:
        predict_ab: Inputs (B, h, w, …) → ab (B, h, w, 2) in CIE units.

    Raises:
        ColorizeError: the network answers with values that are no finite numbers.
    """
    chromas: dict[int, np.ndarray] = {}
    kinds: dict[tuple[tuple[int, int], bool], list[int]] = {}
    for number, frame in enumerate(frames):
        kinds.setdefault((frame.shape, frame.inputs.hints is None), []).append(number)
    for numbers in kinds.values():
        for start in range(0, len(numbers), LARGEST_BATCH):
            batch = numbers[start : start + LARGEST_BATCH]
            predicted = finite(predict_ab(Inputs.stack([frames[number].inputs for number in batch])))
            chromas.update(zip(batch, predicted, strict=True))
    return [chromas[number] for number in range(len(frames))]


def finish_photo(pixels: np.ndarray, frame: Frame, ab: np.ndarray, edges: bool = True) -> np.ndarray:
    """Turn the chroma of a frame into the whole photo in colour, its border neutral; see `Colorizer.finish`."""
    coefficients = _coefficients(frame.inputs.lightness[None], ab[None], edges).numpy()[0, frame.rows, frame.columns]
    picture = recolored(pixels[frame.picture], coefficients)
    if picture.shape[:2] == pixels.shape[:2]:
        return picture
    photo = recolored(pixels, np.zeros((1, 1, 4), np.float32))
    photo[frame.picture] = picture
    return photo


def finish_photos(
    photos: Sequence[np.ndarray], frames: Sequence[Frame], chromas: Sequence[np.ndarray], edges: bool = True
) -> list[np.ndarray]:
    """Finish each photo bit for bit as `finish_photo` does; small ones of one shape without a border share the work."""
    alike: dict[Any, list[int]] = {}
    for number, (pixels, frame) in enumerate(zip(photos, frames, strict=True)):
        place = (frame.rows.start, frame.rows.stop, frame.columns.start, frame.columns.stop)
        bordered = pixels[frame.picture].shape != pixels.shape
        alike.setdefault(number if bordered else (pixels.shape, pixels.dtype, frame.shape, place), []).append(number)
    colored: dict[int, np.ndarray] = {}
    for numbers in alike.values():
        first = frames[numbers[0]]
        if len(numbers) == 1:
            colored[numbers[0]] = finish_photo(photos[numbers[0]], first, chromas[numbers[0]], edges)
            continue
        L = np.stack([frames[number].inputs.lightness for number in numbers])
        lines = _coefficients(L, np.stack([chromas[number] for number in numbers]), edges).numpy()
        batch = np.stack([photos[number] for number in numbers])
        colored.update(zip(numbers, recolored_batch(batch, lines[:, first.rows, first.columns]), strict=True))
    return [colored[number] for number in range(len(photos))]


@functools.partial(tf.function, autograph=False, reduce_retracing=True)
def _coefficients(L: Any, ab: Any, edges: bool) -> Any:
    return guided_coefficients(L, ab) if edges else constant_coefficients(ab)


def finite(ab: Any) -> np.ndarray:
    """Chroma as it came; what is no number would become a grey or black photo."""
    ab = np.asarray(ab)
    if not np.isfinite(ab).all():
        raise ColorizeError("the network answers with values that are no finite numbers: its weights are broken")
    return ab
