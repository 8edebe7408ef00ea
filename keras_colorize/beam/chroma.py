"""The exported network on a worker: frames of photos in, their chroma out."""

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_colorize.color.inputs import Inputs
from keras_colorize.export.saved_model import PREDICT_AB, PREDICT_AB_HINTS, VIVIDNESS_SUFFIX
from keras_colorize.export.session import ServingSession
from keras_colorize.inference.frame import Frame
from keras_colorize.inference.network import predict_frames


@dataclass(frozen=True, eq=False)  # frames hold arrays
class FramedPhoto:
    """A photo as the network gets it.

    frames: one for each page; the first holds the hints.
    vividness: see `Colorizer.__call__`.
    """

    frames: tuple[Frame, ...]
    vividness: float


Chroma = list[np.ndarray]
"""The chroma of a photo: ab (h, w, 2) in CIE units of each of its frames."""


def predict_chroma(model: ServingSession, photos: Sequence[FramedPhoto]) -> list[Chroma | Exception]:
    """Predict the chroma of photos; frames of one shape and vividness go through the network together.

    Returns:
        In the order of the photos the chroma of each, or the error. A batch fails as a whole, being too large for the
        memory or spoilt by one photo for all; then each photo is tried on its own.
    """
    try:
        return list(_predict(model, photos))
    except Exception as failure:
        if len(photos) == 1:
            return [failure]
        return [answer for photo in photos for answer in predict_chroma(model, [photo])]


def _predict(model: ServingSession, photos: Sequence[FramedPhoto]) -> list[Chroma]:
    chromas: dict[int, Chroma] = {}
    kinds: dict[float, list[int]] = {}
    for number, photo in enumerate(photos):
        kinds.setdefault(photo.vividness, []).append(number)
    for vividness, numbers in kinds.items():
        frames = [frame for number in numbers for frame in photos[number].frames]
        chroma = iter(predict_frames(frames, functools.partial(_predict_ab, model, np.float32(vividness))))
        chromas.update({number: [next(chroma) for _ in photos[number].frames] for number in numbers})
    return [chromas[number] for number in range(len(photos))]


def _predict_ab(model: ServingSession, vividness: np.float32, inputs: Inputs) -> np.ndarray:
    """Predict ab (B, h, w, 2) in CIE units: given the size of a frame, the signature's own frame is that one."""
    if inputs.hints is None:
        return model(PREDICT_AB + VIVIDNESS_SUFFIX, L=inputs.lightness, vividness=vividness)["ab"]
    fields = {"L": inputs.lightness, "hints": inputs.hints}
    return model(PREDICT_AB_HINTS + VIVIDNESS_SUFFIX, **fields, vividness=vividness)["ab"]


def open_session(folder: Path) -> ServingSession:
    """Open a SavedModel, once in each process.

    Args:
        folder: with `saved_model.pb`, under the same path on every worker.
    """
    with _opening:
        return _session(folder)


_opening = threading.Lock()


@functools.lru_cache(maxsize=1)
def _session(folder: Path) -> ServingSession:
    return ServingSession(folder)
