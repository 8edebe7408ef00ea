"""The exported network as Beam's RunInference runs it: frames of photos in, their chroma out."""

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
    """What RunInference needs to know of a SavedModel.

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
        """Once in each process."""
        return _session(self._folder)

    def run_inference(
        self,
        batch: Sequence[tuple[Frame, ...]],
        model: ServingSession,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[PredictionResult]:
        """In the order of the batch; raises for the whole batch what goes wrong with one of its photos."""

        def predict_ab(inputs: Inputs) -> np.ndarray:
            # Given a photo in its frame's size, the signature's own frame is that one, to the pixel.
            return model("predict_ab" + VIVIDNESS_SUFFIX, L=inputs.lightness, vividness=self._vividness)["ab"]

        chroma = iter(predict_frames([frame for frames in batch for frame in frames], predict_ab))
        return [PredictionResult(frames, [next(chroma) for _ in frames]) for frames in batch]

    def get_num_bytes(self, batch: Sequence[tuple[Frame, ...]]) -> int:
        """Of the frames; unless told, Beam pickles them to find out."""
        return sum(field.nbytes for frames in batch for frame in frames for field in frame.inputs)

    def get_metrics_namespace(self) -> str:
        """Where Beam counts batches and their time."""
        return "keras_colorize.network"


@functools.lru_cache(maxsize=1)
def _session(folder: Path) -> ServingSession:
    """Shared by both steps of the pipeline that have a network."""
    return ServingSession(folder)
