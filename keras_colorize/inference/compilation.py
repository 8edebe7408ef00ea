"""Networks as TensorFlow graphs, at every size that their layers take."""

import functools
from collections.abc import Callable
from typing import TypeVar, cast

import keras
import tensorflow as tf

from keras_colorize.tensor import Tensor

Function = TypeVar("Function", bound=Callable[..., Tensor])


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
    shapes, so that photos of almost the same shape share a call of the network. A size is tried in some hundredths of
    a second; the first one serves most networks.
    """
    multiple = 1
    while 8 * multiple < size:
        multiple *= 2
    while multiple < size:
        if _fits(network, size, size + multiple):
            return multiple
        multiple *= 2
    return None


def _fits(network: keras.Model, height: int, width: int) -> bool:
    try:
        rows, columns = over_size(network, height, width).output_shape[1:3]
    except (ValueError, TypeError):
        return False
    return rows * width == columns * height
