"""The exported network behind Beam's RunInference: frames of photos in, their chroma out."""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from apache_beam.ml.inference.base import ModelHandler, PredictionResult

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


class ChromaHandler(ModelHandler[FramedPhoto, PredictionResult, ServingSession]):
    """The handler through which RunInference loads and calls a SavedModel.

    An example is a photo's frames; the inference a list of ab (h, w, 2) in CIE units, one for each frame. Beam's own
    handlers for TensorFlow are of no use here: they load with Keras, which reads no SavedModel since its version 3, and
    stack examples, which have to be of one shape then.

    Args:
        folder: with `saved_model.pb`, under the same path on every worker.
        batch_size: photos that go through the network at once, those of one shape and vividness in one call.
    """

    def __init__(self, folder: Path, batch_size: int) -> None:
        # As many as there are: Beam would begin with one, and measure how many are worth while.
        super().__init__(min_batch_size=batch_size, max_batch_size=batch_size)
        self._folder = folder

    def load_model(self) -> ServingSession:
        """Load the model, once in each process."""
        return _session(self._folder)

    def run_inference(
        self, batch: Sequence[FramedPhoto], model: ServingSession, inference_args: dict[str, Any] | None = None
    ) -> Iterable[PredictionResult]:
        """Predict in the order of the batch; an error with one photo is raised for the whole batch."""
        chromas: dict[int, list[np.ndarray]] = {}
        kinds: dict[float, list[int]] = {}
        for number, photo in enumerate(batch):
            kinds.setdefault(photo.vividness, []).append(number)
        for vividness, numbers in kinds.items():
            frames = [frame for number in numbers for frame in batch[number].frames]
            chroma = iter(predict_frames(frames, functools.partial(_predict_ab, model, np.float32(vividness))))
            chromas.update({number: [next(chroma) for _ in batch[number].frames] for number in numbers})
        return [PredictionResult(photo, chromas[number]) for number, photo in enumerate(batch)]

    def get_num_bytes(self, batch: Sequence[FramedPhoto]) -> int:
        """Count the bytes of the frames; otherwise Beam would pickle them to find out."""
        fields = (field for photo in batch for frame in photo.frames for field in frame.inputs)
        return sum(field.nbytes for field in fields if field is not None)  # no hints: None

    def get_metrics_namespace(self) -> str:
        """Name the place where Beam counts batches and their time."""
        return "keras_colorize.network"


def _predict_ab(model: ServingSession, vividness: np.float32, inputs: Inputs) -> np.ndarray:
    """Predict ab (B, h, w, 2) in CIE units: given the size of a frame, the signature's own frame is that one."""
    if inputs.hints is None:
        return model(PREDICT_AB + VIVIDNESS_SUFFIX, L=inputs.lightness, vividness=vividness)["ab"]
    fields = {"L": inputs.lightness, "hints": inputs.hints}
    return model(PREDICT_AB_HINTS + VIVIDNESS_SUFFIX, **fields, vividness=vividness)["ab"]


@functools.lru_cache(maxsize=1)
def _session(folder: Path) -> ServingSession:
    """Open the model, which both steps of the pipeline with a network share."""
    return ServingSession(folder)
