"""The way of a user's photo as one TensorFlow graph: a photo of any size in, the same photo in colour out.

It computes what the Colorizer computes, in operators that every runtime has: lightness, the network's frame, hints,
chroma, the guided filter, enlargement to the photo's size, gamut, sRGB. Exported files and `PhotoModel` hold it.
"""

from collections.abc import Callable
from typing import Any, Protocol

import keras
import tensorflow as tf

from keras_colorize.color.gamut import clip_chroma
from keras_colorize.color.inputs import Inputs
from keras_colorize.color.lab import lab_to_rgb, rgb_to_lab
from keras_colorize.color.spaces import BinnedLabSpace, Space
from keras_colorize.defaults import LARGEST_VIVIDNESS
from keras_colorize.inference import planes
from keras_colorize.inference.compilation import over_size
from keras_colorize.inference.finish import guided_coefficients
from keras_colorize.inference.geometry import FrameGeometry
from keras_colorize.inference.hint_table import draw_table
from keras_colorize.tensor import Tensor

# The scope of the network's operators: a quantizer tells them by it from everything around the network.
NETWORK_SCOPE = "generator"

# Pixels of a photo that are converted at a time, by whole rows. Each takes some ten floats of memory.
STRIP_PIXELS = 1 << 20


class PhotoSystem(Protocol):
    """A trained network with all that a graph must know about it; the Colorizer is one.

    Attributes:
        space: the units in which it sees and predicts.
        image_size: side in pixels at which it works.
        multiple: both sides of its input must be multiples of it; None where it takes squares of `image_size` only.
    """

    space: Space
    image_size: int
    multiple: int | None

    @property
    def generator(self) -> keras.Model:
        """The network, float32; dropout is off."""


class ColorGraph(tf.Module):
    """The functions of a graph. Only the network's variables are saved with them.

    Args:
        system: the Colorizer, or another system.
        vividness: the default of the functions.
        square: fit the whole photo into one square of the network's size, so that all shapes inside the network are
            known. Otherwise frames are the Colorizer's, if the network can be a graph for any size.

    Attributes:
        multiple: as `Colorizer.multiple`, of this graph's frames.
        takes_hints: whether the network takes hints.
    """

    def __init__(self, system: PhotoSystem, vividness: float = 1.0, square: bool = False) -> None:
        super().__init__(name="colorize")
        self.image_size = system.image_size
        self.multiple = None if square else system.multiple
        self.vividness = vividness
        space = system.space
        self.takes_hints = space.takes_hints
        self._distribution = space.distribution if isinstance(space, BinnedLabSpace) else None
        self.network_variables = [variable.value for variable in system.generator.variables]
        # In a function, out of which `tf.Module` does not collect Keras's objects.
        self._predict = _predictor(system.generator, space)
        if self.multiple is not None:
            try:
                self._predict = _predictor(over_any_size(system.generator), space)
                any_size = Inputs(tf.TensorSpec((None, None, None, 1)))
                tf.function(self.chroma, autograph=False).get_concrete_function(any_size)
            except (ValueError, TypeError, NotImplementedError):  # DeepLab has to know the size
                self._predict, self.multiple = _predictor(system.generator, space), None

    def chroma(self, inputs: Inputs, vividness: Tensor | None = None) -> Tensor:
        """Run the network: inputs (B, h, w, …) at a size that it takes → ab (B, h, w, 2) in CIE units."""
        return self._run(inputs, vividness)[0]

    def core(self, L: Tensor, hints: Tensor | None = None, distribution: bool = False) -> dict[str, Tensor]:
        """Run the network, with the names that files give to its tensors.

        Args:
            L: lightness (B, h, w, 1) in [0, 100], at a size that the network takes.
            hints: (B, h, w, 3), as `Inputs.hints`.
            distribution: whether to return the distribution too. The network must predict one.

        Returns:
            "ab" → (B, h, w, 2) in CIE units; "distribution" → the probability of each class of chroma
            (B, h', w', classes), at the size of the network's own output.
        """
        ab, prediction = self._run(Inputs(L, hints), None)
        if not distribution:
            return {"ab": ab}
        if self._distribution is None:
            raise ValueError("the network predicts no distribution")  # `ExportRequest.check` has refused it
        return {"ab": ab, "distribution": self._distribution(prediction)}

    def frame(self, images: Tensor) -> FrameGeometry:
        """Return the frame of images (B, H, W, C)."""
        height, width = images.shape[1:3]
        if height is None or width is None:
            height, width = tf.unstack(tf.shape(images)[1:3])
        return FrameGeometry.of(height, width, self.image_size, self.multiple)

    def _run(self, inputs: Inputs, vividness: Tensor) -> tuple[Tensor, Tensor]:
        if vividness is None:
            return self._predict(inputs, tf.constant(self.vividness))
        return self._predict(inputs, tf.clip_by_value(vividness, 0.0, LARGEST_VIVIDNESS))

    def coefficients(self, inputs: Inputs, frame: FrameGeometry, vividness: Tensor | None = None) -> Tensor:
        """Compute the guided filter's lines over the photo, (B, rows, columns, 4), from inputs in the frame."""
        return frame.content(guided_coefficients(inputs.lightness, self.chroma(inputs, vividness)))

    def predict_ab(self, L: Tensor, vividness: Tensor | None = None) -> Tensor:
        """Predict ab (B, H, W, 2) in CIE units, not clipped, from the lightness (B, H, W, 1) of photos of any size."""
        return planes.interleaved(self._chroma_of(L, self.frame(L), vividness, None))

    def colorize(
        self,
        photos: Tensor,
        vividness: Tensor | None = None,
        hints: Tensor | None = None,
        lookup: bool = True,
        gather: bool = True,
    ) -> Tensor:
        """Colorize photos uint8 (B, H, W, 3) of any size: uint8 (B, H, W, 3), their lightness kept.

        hints: a table (B, K, 6) of `inference.hint_table`, for a network that takes hints.
        lookup: whether levels are decoded by a table: see `planes.lightness`.
        gather: whether only pixels outside the gamut are brought into it: see `planes.colorized`. Without, there are
            only operators that XNNPACK takes.
        """
        L = planes.lightness(photos, lookup)
        frame = self.frame(photos)
        return planes.colorized(L, *self._chroma_of(tf.expand_dims(L, -1), frame, vividness, hints, gather), gather)

    def colorize_floats(self, photos: Tensor) -> Tensor:
        """Colorize photos float32 (B, H, W, 3) in [0, 1] of any size: float32 (B, H, W, 3), their lightness kept."""
        L = rgb_to_lab(photos)[..., :1]
        a, b = self._chroma_of(L, self.frame(photos), None, None)
        return lab_to_rgb(clip_chroma(tf.stack([tf.squeeze(L, axis=-1), a, b], axis=-1)))

    def _chroma_of(
        self, L: Tensor, frame: FrameGeometry, vividness: Tensor, hints: Tensor, products: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Compute a and b (B, H, W) of photos from their lightness (B, H, W, 1).

        products: enlarge by matrix products: see `FrameGeometry.enlarged`.
        """
        lines = self.coefficients(_inputs(frame.fitted(L), frame, hints), frame, vividness)
        if products:
            slope_a, slope_b, offset_a, offset_b = frame.enlarged(lines)
        else:
            if not frame.is_whole:
                lines = tf.image.resize(lines, (frame.height, frame.width))
            slope_a, slope_b, offset_a, offset_b = planes.split(lines)
        L = tf.squeeze(L, axis=-1)
        return slope_a * L + offset_a, slope_b * L + offset_b

    def colorize_in_strips(
        self, photos: Tensor, vividness: Tensor | None = None, hints: Tensor | None = None
    ) -> Tensor:
        """Colorize as `colorize` does, strip by strip in loops, with little memory beside the photos: for servers."""
        batch, height, width = tf.unstack(tf.shape(photos)[:3])
        frame = FrameGeometry.of(height, width, self.image_size, self.multiple)
        rows = tf.clip_by_value(STRIP_PIXELS // width, 1, height)
        count = -(-height // rows)
        padded = tf.pad(photos, [[0, 0], [0, count * rows - height], [0, 0], [0, 0]])
        strips = tf.reshape(padded, (batch, count, rows, width, 3))

        vertical = tf.pad(frame.vertical(), [[0, 0], [0, count * rows - height]])
        vertical = tf.transpose(tf.reshape(vertical, (frame.padded_rows, count, rows)), (1, 0, 2))
        horizontal = frame.horizontal()

        def framed(photo_strips: Tensor) -> Tensor:
            L = tf.foldl(
                lambda total, part: total + tf.matmul(part[0], planes.lightness(part[1])),
                (vertical, photo_strips),
                initializer=tf.zeros((frame.padded_rows, width)),
                parallel_iterations=1,
            )
            return tf.matmul(L, horizontal, transpose_b=True)[..., None]

        L = tf.map_fn(framed, strips, fn_output_signature=tf.TensorSpec((None, None, 1), tf.float32))
        lines = self.coefficients(_inputs(frame.shaped(L), frame, hints), frame, vividness)

        def recolored(photo: Tensor) -> Tensor:
            photo_strips, photo_lines = photo
            columns = tf.image.resize(photo_lines[None], (frame.rows, width))[0]  # (rows, W, 4)

            def strip_in_color(strip: Tensor) -> Tensor:
                number, pixels = strip
                known = _rows_of(columns, number * rows + tf.range(rows), height)
                slope_a, slope_b, offset_a, offset_b = planes.split(known)
                L = planes.lightness(pixels)
                return planes.colorized(L, slope_a * L + offset_a, slope_b * L + offset_b)

            colored = tf.map_fn(
                strip_in_color,
                (tf.range(count), photo_strips),
                fn_output_signature=tf.TensorSpec((None, None, 3), tf.uint8),
                parallel_iterations=2,
            )
            return tf.reshape(colored, (count * rows, width, 3))[:height]

        return tf.map_fn(recolored, (strips, lines), fn_output_signature=tf.TensorSpec((None, None, 3), tf.uint8))


def _inputs(L: Tensor, frame: FrameGeometry, hints: Tensor) -> Inputs:
    """Join lightness in a frame (B, h, w, 1) with a table of hints (B, K, 6), or with None."""
    return Inputs(L) if hints is None else Inputs(L, tf.ensure_shape(draw_table(hints, frame), (*L.shape[:3], 3)))


def over_any_size(network: keras.Model) -> keras.Model:
    """Return the same layers and weights over an input of any height and width, also in graphs."""

    def any_size(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, keras.layers.UpSampling2D) and layer.interpolation == "bilinear":
            return _BilinearUp(layer.size, name=layer.name)
        return layer

    return keras.models.clone_model(over_size(network, None, None), clone_function=any_size)


class _BilinearUp(keras.layers.Layer):
    """`UpSampling2D(interpolation="bilinear")` for heights and widths that are tensors, which Keras's layer refuses."""

    def __init__(self, factors: tuple[int, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factors = factors

    def call(self, x: Tensor) -> Tensor:
        return tf.image.resize(x, tf.shape(x)[1:3] * tf.constant(self.factors))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, height, width, channels = input_shape
        return (batch, height and height * self.factors[0], width and width * self.factors[1], channels)


def _predictor(network: keras.Model, space: Space) -> Callable[[Inputs, Tensor], tuple[Tensor, Tensor]]:
    """Return a function of inputs and vividness that returns ab at the frame's size, and the network's prediction."""

    def predict(inputs: Inputs, vividness: Tensor) -> tuple[Tensor, Tensor]:
        condition = space.condition(inputs)
        with tf.name_scope(NETWORK_SCOPE):
            prediction = network(condition, training=False)
        if (
            isinstance(space, BinnedLabSpace) and None in condition.shape[1:3]
        ):  # Keras cannot enlarge to a tensor's size
            ab = space.annealed_mean(prediction, vividness, space.unknown_share(inputs))
            ab = tf.image.resize(ab, tf.shape(condition)[1:3])
            return space.with_hints(ab, inputs, vividness), prediction
        return space.chroma(inputs, prediction, vividness), prediction

    return tf.function(predict, autograph=False)  # traced once for all that call it with one shape


def _rows_of(lines: Tensor, rows: Tensor, height: Tensor) -> Tensor:
    """Enlarge lines (h, W, 4) bilinearly to `height` and return some of the rows: (number of rows, W, 4)."""
    known = tf.shape(lines)[0]
    known_f = tf.cast(known, tf.float32)
    place = (tf.cast(rows, tf.float32) + 0.5) * (known_f / tf.cast(height, tf.float32)) - 0.5
    place = tf.clip_by_value(place, 0.0, known_f - 1.0)
    before = tf.cast(tf.floor(place), tf.int32)
    share = (place - tf.floor(place))[:, None, None]
    after = tf.gather(lines, tf.minimum(before + 1, known - 1))
    return tf.gather(lines, before) * (1.0 - share) + after * share
