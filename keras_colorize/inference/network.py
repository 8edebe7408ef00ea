"""The network: fed with frames, those of one shape in one call, in TensorFlow or in another runtime.

Nothing here loads TensorFlow or Keras.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from keras_colorize.color.inputs import Inputs
from keras_colorize.color.spaces import Space
from keras_colorize.errors import ColorizeError
from keras_colorize.inference.frame import Frame
from keras_colorize.tensor import Tensor

if TYPE_CHECKING:
    from keras_colorize.inference.keras_network import KerasNetwork

# Photos in one call of the network, at its own size.
LARGEST_BATCH = 16

# A network computes the same in every runtime, up to the order of sums: the largest mean difference in CIE units.
CORE_TOLERANCE = 0.05


class ChromaNetwork(ABC):
    """A trained network that predicts chroma, in some runtime. It may be used from several threads at once.

    Attributes:
        runtime: name of the runtime, for messages.
        space: the units in which the network sees and predicts.
        multiple: both sides of its input must be multiples of it; None where it takes squares of one size only.
        stochastic: whether it has dropout, so that samples can differ.
    """

    runtime: ClassVar[str]
    space: Space
    multiple: int | None
    stochastic: bool = False

    def predict_ab(self, inputs: Inputs, vividness: float = 1.0) -> np.ndarray:
        """Predict chroma.

        Args:
            inputs: (B, h, w, …) at a size that the network takes.
            vividness: 1 is the system's own.

        Returns:
            ab (B, h, w, 2) in CIE units.

        Raises:
            ColorizeError: the network answers with values that are not finite.
        """
        return self.decode(inputs, self.run(inputs), vividness)

    @abstractmethod
    def run(self, inputs: Inputs) -> Tensor:
        """Run the network alone: inputs (B, h, w, …) → its prediction (B, h', w', C), for `decode`."""

    @abstractmethod
    def decode(self, inputs: Inputs, prediction: Tensor, vividness: float = 1.0) -> np.ndarray:
        """Decode what `run` returned for these inputs into ab (B, h, w, 2) in CIE units.

        Raises:
            ColorizeError: the network answers with values that are not finite.
        """

    def with_keras(self, purpose: str) -> "KerasNetwork":
        """Return this network where TensorFlow runs it, with its layers.

        Args:
            purpose: what needs the layers, in the plural, for the message.

        Raises:
            ColorizeError: another runtime runs it.
        """
        raise ColorizeError(
            f"{purpose} need TensorFlow, and this network runs in {self.runtime}: choose the `runtime` tensorflow"
        )


def predict_frames(frames: Sequence[Frame], predict_ab: Callable[[Inputs], np.ndarray]) -> list[np.ndarray]:
    """Ask a network for the chroma ab (h, w, 2) of each frame; frames of one shape share a call.

    Args:
        predict_ab: Inputs (B, h, w, …) → ab (B, h, w, 2) in CIE units.

    Raises:
        ColorizeError: the network answers with values that are not finite.
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


def finite(ab: Tensor) -> np.ndarray:
    """Return chroma as it came, after a check: values that are not finite would make a grey or black photo.

    Raises:
        ColorizeError: there are such values.
    """
    ab = np.asarray(ab)
    if not np.isfinite(ab).all():
        raise ColorizeError("the network answers with values that are no finite numbers: its weights are broken")
    return ab
