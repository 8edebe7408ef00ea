"""The network: fed with frames, those of one shape in one call, at every size that its layers take."""

import functools
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import keras
import numpy as np
import tensorflow as tf

from keras_colorize.color.inputs import Inputs
from keras_colorize.color.spaces import Space
from keras_colorize.errors import ColorizeError
from keras_colorize.inference.frame import Frame
from keras_colorize.tensor import Tensor

# Photos in one call of the network, at its own size.
LARGEST_BATCH = 16

Function = TypeVar("Function", bound=Callable[..., Tensor])


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


def chroma_graphs(network: keras.Model, space: Space) -> Callable[[Inputs, float], Tensor]:
    """Compile a network for calls with inputs (B, h, w, …) and a vividness, which return ab (B, h, w, 2)."""

    def predict(inputs: Inputs, vividness: Tensor) -> Tensor:
        prediction = network(space.condition(inputs), training=False)
        return space.chroma(inputs, prediction, vividness)

    return graphs(predict)


def prediction_graphs(network: keras.Model, space: Space) -> Callable[[Inputs], Tensor]:
    """Compile the first half of `chroma_graphs`: inputs (B, h, w, …) → the network's own prediction, as it is."""
    return graphs(lambda inputs: network(space.condition(inputs), training=False))


def decoding_graphs(space: Space) -> Callable[[Inputs, Tensor, float], Tensor]:
    """Compile the second half: inputs, prediction and a vividness → ab (B, h, w, 2) in CIE units."""
    return graphs(lambda inputs, prediction, vividness: space.chroma(inputs, prediction, vividness))


def graphs(function: Function) -> Function:
    """Compile a function of tensors with a batch axis, of structures of them, such as `Inputs`, of None and of scalars.

    Each shape gets a graph of its own, at its first call, for batches of any length. One graph for all shapes is out
    of reach: `keras.ops.image.resize` and DeepLab must know the size.
    """

    @functools.lru_cache(maxsize=64)
    def graph(*specs: object) -> Callable[..., Tensor]:
        return tf.function(function, autograph=False).get_concrete_function(*specs)

    def tensor(value: Tensor) -> Tensor:
        return None if value is None else tf.convert_to_tensor(value, tf.float32)

    def spec(value: Tensor) -> tf.TensorSpec | None:
        return (
            None if value is None else tf.TensorSpec((None, *value.shape[1:]) if value.shape.rank else (), tf.float32)
        )

    def call(*arguments: Tensor) -> Tensor:
        tensors = tf.nest.map_structure(tensor, arguments)
        return graph(*tf.nest.map_structure(spec, tensors))(*tensors)

    return cast(Function, call)


def over_size(network: keras.Model, height: int | None, width: int | None) -> keras.Model:
    """Put the same layers and weights over an input of another size, or of any size where that is None.

    Raises:
        ValueError: the layers do not fit together at that size.
    """

    def call(layer: keras.Layer, inputs: Tensor, **kwargs: object) -> Tensor:
        if isinstance(inputs, (list, tuple)) and isinstance(layer, _JOINING):  # built layers do not check this
            for sides in zip(*(tensor.shape[1:3] for tensor in inputs), strict=True):
                if len(set(sides) - {1}) > 1:
                    raise ValueError(f"{layer.name} joins maps with sides of {sides}")
        return layer(inputs, **kwargs)

    condition = keras.Input((height, width, network.input_shape[-1]), name="condition")
    return keras.models.clone_model(
        network, input_tensors=condition, clone_function=lambda layer: layer, call_function=call
    )


_JOINING = (keras.layers.Concatenate, keras.layers.Add, keras.layers.Multiply, keras.layers.Average)


def side_multiple(network: keras.Model, size: int) -> int | None:
    """Find the number of pixels by which the sides may grow, an eighth of `size` or more; None where they must stay.

    A network that halves its maps n times may grow by multiples of 2ⁿ. The layers tell: at a wrong size skips do not
    meet, dense layers do not fit, or the picture has another size than the condition. Steps of an eighth leave few
    shapes, so that photos of almost the same shape share a call of the network.
    """
    multiple = 1
    while multiple < size:
        if size % multiple == 0 and _fits(network, size, size + multiple):
            while 8 * multiple < size:
                multiple *= 2
            return multiple
        multiple *= 2
    return None


def _fits(network: keras.Model, height: int, width: int) -> bool:
    try:
        rows, columns = over_size(network, height, width).output_shape[1:3]
    except (ValueError, TypeError):
        return False
    return rows * width == columns * height
