"""Layers that the architectures share. They use `keras` and `keras.ops` only, for any Keras backend."""

from collections.abc import Callable, Sequence

import keras

from keras_colorize.errors import ColorizeError
from keras_colorize.models.checks import check_choice
from keras_colorize.tensor import Tensor


def kernel_initializer(init: str) -> keras.initializers.Initializer:
    """Make an initializer of kernels.

    Each call makes a new object, since a Keras initializer returns the same values each time it is used.

    Args:
        init: "glorot" (uniform, Keras' default), "he_normal", "normal" (N(0, 0.02), as pix2pix), or "zeros" for weights
            that are loaded afterwards.

    Raises:
        ColorizeError: another word.
    """
    check_choice("init", init, _INITIALIZERS)
    return _INITIALIZERS[init]()


_INITIALIZERS: dict[str, Callable[[], keras.initializers.Initializer]] = {
    "glorot": keras.initializers.GlorotUniform,
    "he_normal": keras.initializers.HeNormal,
    "normal": lambda: keras.initializers.RandomNormal(0.0, 0.02),
    "zeros": keras.initializers.Zeros,
}


def activation(kind: str, name: str) -> keras.layers.Layer:
    """Make an activation layer: "relu", or "leaky_relu" with slope 0.2.

    Raises:
        ColorizeError: another kind.
    """
    check_choice("activation", kind, ("relu", "leaky_relu"))
    if kind == "relu":
        return keras.layers.ReLU(name=name)
    return keras.layers.LeakyReLU(negative_slope=0.2, name=name)


@keras.saving.register_keras_serializable(package="keras_colorize")
class PixelShuffle(keras.layers.Layer):
    """Sub-pixel upsampling (B, H, W, C·r²) → (B, H·r, W·r, C), with PyTorch's order of channels.

    Output channel c at row i and column j of an r×r block reads input channel c·r² + i·r + j. TensorFlow's
    `depth_to_space` reads (i·r + j)·C + c instead, so weights trained in PyTorch need this layer.

    Args:
        scale: r, the factor by which height and width grow.

    Raises:
        ValueError: the number of channels is not a multiple of r² when the layer is built.

    Source: Shi et al. 2016, https://arxiv.org/abs/1609.05158, equation 4.
    """

    def __init__(self, scale: int = 2, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.scale = scale

    def build(self, input_shape: tuple) -> None:
        if input_shape[-1] % self.scale**2:
            raise ValueError(
                f"PixelShuffle({self.scale}) needs channels in a multiple of {self.scale**2}, got {input_shape[-1]}"
            )

    def call(self, x: Tensor) -> Tensor:
        r = self.scale
        _, height, width, channels = keras.ops.shape(x)
        channels = channels // r**2
        # On a CPU one transpose of six axes is faster than reordering the channels for `depth_to_space`.
        x = keras.ops.reshape(x, (-1, height, width, channels, r, r))
        x = keras.ops.transpose(x, (0, 1, 4, 2, 5, 3))  # (B, H, r, W, r, C)
        return keras.ops.reshape(x, (-1, height * r, width * r, channels))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, height, width, channels = input_shape
        r = self.scale
        return (batch, height and height * r, width and width * r, channels // r**2)

    def get_config(self) -> dict:
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="keras_colorize")
class ICNR(keras.initializers.Initializer):
    """Initializer for a convolution before `PixelShuffle`: the r² filters of one output channel start equal.

    Convolution and shuffle then begin as nearest-neighbour upsampling, without the checkerboard that independent
    filters produce. The filters are He normal, as in fastai.

    Args:
        scale: the r of the `PixelShuffle` that follows.
        seed: seed of the values; random by default.

    Source: Aitken et al. 2017, https://arxiv.org/abs/1707.02937.
    """

    def __init__(self, scale: int = 2, seed: int | None = None) -> None:
        self.scale = scale
        self.he_normal = keras.initializers.HeNormal(seed)

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Tensor:
        *kernel, filters = shape
        one_of_each = self.he_normal((*kernel, filters // self.scale**2), dtype)
        return keras.ops.repeat(one_of_each, self.scale**2, axis=-1)

    def get_config(self) -> dict:
        return {"scale": self.scale, "seed": self.he_normal.seed}


@keras.saving.register_keras_serializable(package="keras_colorize")
class NearestUp(keras.layers.Layer):
    """Nearest-neighbour upsampling (B, H, W, C) → (B, 2H, 2W, C).

    `keras.layers.UpSampling2D` computes the same with `repeat`, but the TFLite converter then loses height and width
    and refuses the convolution that follows.
    """

    def call(self, x: Tensor) -> Tensor:
        _, height, width, channels = keras.ops.shape(x)
        # Each pixel is written twice, side by side in memory: a reshape makes a row of twice the width of that.
        x = keras.ops.concatenate([x, x], axis=3)
        x = keras.ops.reshape(x, (-1, height, 2 * width, channels))
        x = keras.ops.concatenate([x, x], axis=2)
        return keras.ops.reshape(x, (-1, 2 * height, 2 * width, channels))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, height, width, channels = input_shape
        return (batch, height and 2 * height, width and 2 * width, channels)


@keras.saving.register_keras_serializable(package="keras_colorize")
class Fusion(keras.layers.Layer):
    """Concatenation of a vector with features at every position: [(B, H, W, C), (B, V)] → (B, H, W, C + V).

    Source: Baldassarre et al. 2017 (Deep Koalarization), https://arxiv.org/abs/1712.03400, section 2.3.
    """

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        features, vector = inputs
        batch, height, width, _ = keras.ops.shape(features)
        vector = keras.ops.expand_dims(vector, (1, 2))
        repeated = keras.ops.broadcast_to(vector, (batch, height, width, vector.shape[-1]))
        return keras.ops.concatenate([features, repeated], axis=-1)

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> tuple:
        features, vector = input_shape
        return (*features[:-1], features[-1] + vector[-1])


@keras.saving.register_keras_serializable(package="keras_colorize")
class Channels(keras.layers.Layer):
    """Some of the channels: (B, H, W, C) → (B, H, W, stop − start)."""

    def __init__(self, start: int, stop: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.start = start
        self.stop = stop

    def call(self, x: Tensor) -> Tensor:
        return x[..., self.start : self.stop]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], self.stop - self.start)

    def get_config(self) -> dict:
        return {**super().get_config(), "start": self.start, "stop": self.stop}


@keras.saving.register_keras_serializable(package="keras_colorize")
class PooledHints(keras.layers.Layer):
    """Hints (B, H, W, 3) in the unit range (a, b, mask) → (B, H/scale, W/scale, 3), in float32.

    A block's colour is the mean of the hints in it, however few of its pixels have one, and its mask is near 1 with the
    first pixel: both are divided by the share of the block that has hints. Without hints all three are 0.

    Args:
        scale: side of a block in pixels.
    """

    # So much of a block counts as empty: one pixel of a block of 4×4 gives a mask of 0.86.
    floor = 0.01

    def __init__(self, scale: int, **kwargs: object) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, hints: Tensor) -> Tensor:
        pooled = keras.ops.average_pool(hints, self.scale, self.scale)
        return pooled / (pooled[..., 2:] + self.floor)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, height, width, channels = input_shape
        return (batch, height and height // self.scale, width and width // self.scale, channels)

    def get_config(self) -> dict:
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="keras_colorize")
class Resize(keras.layers.Layer):
    """Bilinear resizing (B, H, W, C) → (B, height, width, C) without antialiasing, which TFLite supports.

    `keras.layers.Resizing` runs in training mode by default and passes this mode on to the layers after it. This layer
    has no mode.
    """

    def __init__(self, height: int, width: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.height = height
        self.width = width

    def call(self, x: Tensor) -> Tensor:
        return keras.ops.image.resize(x, (self.height, self.width), interpolation="bilinear", antialias=False)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], self.height, self.width, input_shape[-1])

    def get_config(self) -> dict:
        return {**super().get_config(), "height": self.height, "width": self.width}


@keras.saving.register_keras_serializable(package="keras_colorize")
class Frozen(keras.layers.Layer):
    """A network in inference mode without trainable variables, whatever mode the model around it has.

    A functional model passes `training=True` on to models inside it, even if they were called with `training=False`,
    and `model.trainable = True` makes all of its layers trainable. This layer stops both. Gradients still flow through
    it to its input.

    Args:
        network: the model to wrap.
    """

    def __init__(self, network: keras.Model, **kwargs: object) -> None:
        kwargs["trainable"] = False
        super().__init__(**kwargs)
        network.trainable = False
        # Under TensorFlow, setting an attribute to its present value does nothing. In a network read from a file the
        # outer models are frozen already, so the line above may not reach the layers inside.
        for variable in network.variables:
            variable.trainable = False
        self.network = network

    @property
    def trainable(self) -> bool:
        return False

    @trainable.setter
    def trainable(self, value: bool) -> None:
        """Ignore the value: this layer is never trainable."""

    def call(self, inputs: Tensor) -> Tensor:
        return self.network(inputs, training=False)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return self.network.compute_output_shape(input_shape)

    def get_config(self) -> dict:
        return {**super().get_config(), "network": keras.saving.serialize_keras_object(self.network)}

    @classmethod
    def from_config(cls, config: dict) -> "Frozen":
        network = keras.saving.deserialize_keras_object(config.pop("network"))
        return cls(network, **config)


@keras.saving.register_keras_serializable(package="keras_colorize")
class StochasticDropout(keras.layers.Dropout):
    """Dropout that is active in inference too: the noise of a pix2pix generator (Isola et al. 2017, section 3.2)."""

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        return super().call(inputs, training=True)


def keep_dropout_on(network: keras.Model) -> keras.Model:
    """Make a second model on the same layers and weights whose dropout stays active in inference.

    Two calls on one condition give two predictions. `keras.utils.set_random_seed` before this call decides which.

    Raises:
        ColorizeError: the network has no dropout, so all its predictions would be the same.
    """
    if not any(isinstance(layer, keras.layers.Dropout) and layer.rate > 0 for layer in network.layers):
        raise ColorizeError(
            f"'{network.name}' has no dropout, so it cannot be stochastic: set stochastic = false, or give it dropout"
        )

    def twin(layer: keras.Layer) -> keras.Layer:
        if not isinstance(layer, keras.layers.Dropout):
            return layer  # shared, weights and all
        return StochasticDropout(layer.rate, name=layer.name, dtype=layer.dtype_policy)

    return keras.models.clone_model(network, clone_function=twin)
