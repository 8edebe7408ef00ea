"""The exported network behind Beam's RunInference: frames of photos in, their chroma out."""

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from apache_beam.ml.inference.base import ModelHandler, PredictionResult

from keras_colorize.color.inputs import Inputs
from keras_colorize.export.saved_model import VIVIDNESS_SUFFIX
from keras_colorize.export.session import ServingSession
from keras_colorize.inference.frame import Frame
from keras_colorize.inference.network import predict_frames


class ChromaHandler(ModelHandler[tuple[Frame, ...], PredictionResult, ServingSession]):
    """The handler through which RunInference loads and calls a SavedModel.

    An example is a photo's frames, one for each page; the inference a list of ab (h, w, 2) in CIE units, one for each
    frame. Beam's own handlers for TensorFlow are of no use here: they load with Keras, which reads no SavedModel since
    its version 3, and stack examples, which have to be of one shape then.

    Args:
        folder: with `saved_model.pb`, under the same path on every worker.
        vividness: see `Colorizer.__call__`.
        batch_size: photos that go through the network at once, those of one shape in one call.
    """

    def __init__(self, folder: Path, vividness: float, batch_size: int) -> None:
        # As many as there are: Beam would begin with one, and measure how many are worth while.
        super().__init__(min_batch_size=batch_size, max_batch_size=batch_size)
        self._folder = folder
        self._vividness = np.float32(vividness)

    def load_model(self) -> ServingSession:
        """Load the model, once in each process."""
        return _session(self._folder)

    def run_inference(
        self,
        batch: Sequence[tuple[Frame, ...]],
        model: ServingSession,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[PredictionResult]:
        """Predict in the order of the batch; an error with one photo is raised for the whole batch."""

        def predict_ab(inputs: Inputs) -> np.ndarray:
            # Given a photo in its frame's size, the signature's own frame is that one, to the pixel.
            return model("predict_ab" + VIVIDNESS_SUFFIX, L=inputs.lightness, vividness=self._vividness)["ab"]

        chroma = iter(predict_frames([frame for frames in batch for frame in frames], predict_ab))
        return [PredictionResult(frames, [next(chroma) for _ in frames]) for frames in batch]

    def get_num_bytes(self, batch: Sequence[tuple[Frame, ...]]) -> int:
        """Count the bytes of the frames; otherwise Beam would pickle them to find out."""
        fields = (field for frames in batch for frame in frames for field in frame.inputs)
        return sum(field.nbytes for field in fields if field is not None)  # no hints: None

    def get_metrics_namespace(self) -> str:
        """Name the place where Beam counts batches and their time."""
        return "keras_colorize.network"


@functools.lru_cache(maxsize=1)
def _session(folder: Path) -> ServingSession:
    """Open the model, which both steps of the pipeline with a network share."""
    return ServingSession(folder)
