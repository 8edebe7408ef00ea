"""Batch normalization with the constants of Keras or PyTorch, in the backend's fastest kernel."""

import keras

from keras_colorize.models.checks import check_choice
from keras_colorize.tensor import Tensor

# PyTorch's momentum is the weight of the new value, Keras' that of the old average: PyTorch's 0.1 is 0.9 here.
BATCH_NORMS: dict[str, dict[str, float]] = {
    "keras": {"epsilon": 1e-3, "momentum": 0.99},
    "torch": {"epsilon": 1e-5, "momentum": 0.9},
}


@keras.saving.register_keras_serializable(package="keras_colorize")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' batch normalization with a faster training step: the same arguments, variables and values.

    Keras 3 computes mean, variance, scale and shift in separate operations, each of which passes over memory.
    TensorFlow has one kernel for all of them. This layer uses it in training on (B, H, W, C) under TensorFlow. It
    calls Keras' own code in inference, on other backends, and where replicas share statistics (`synchronized`).
    """

    def call(self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None) -> Tensor:
        fuses = (
            training is True
            and self.trainable
            and mask is None
            and not self.synchronized
            and len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and self.scale
            and self.center
            and self.variable_dtype == "float32"
            and keras.backend.backend() == "tensorflow"
        )
        return self._fused(inputs) if fuses else super().call(inputs, training=training, mask=mask)

    def _fused(self, inputs: Tensor) -> Tensor:
        import tensorflow as tf  # only where it is the backend

        inputs = tf.cast(inputs, self.compute_dtype)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma),
            offset=tf.convert_to_tensor(self.beta),
            mean=tf.zeros([0]),
            variance=tf.zeros([0]),
            epsilon=self.epsilon,
            is_training=True,
        )
        # The kernel returns the unbiased variance, n / (n − 1) times the batch's.
        n = tf.cast(tf.size(inputs) // inputs.shape[-1], "float32")
        variance *= (n - 1.0) / n
        self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1.0 - self.momentum))
        self.moving_variance.assign(self.moving_variance * self.momentum + variance * (1.0 - self.momentum))
        return outputs


def batch_norm(kind: str, init: str, name: str) -> BatchNormalization:
    """Make batch normalization with the constants of one framework.

    Args:
        kind: "keras" (ε 1e-3, momentum 0.99) or "torch" (ε 1e-5, momentum 0.9).
        init: "glorot" starts the scale at 1, "normal" draws it from N(1, 0.02), as pix2pix.
        name: the layer's name.

    Raises:
        ColorizeError: the kind is unknown.
    """
    check_choice("batch_norm", kind, BATCH_NORMS)
    scale = keras.initializers.RandomNormal(1.0, 0.02) if init == "normal" else keras.initializers.Ones()
    return BatchNormalization(gamma_initializer=scale, name=name, **BATCH_NORMS[kind])
