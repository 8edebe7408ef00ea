"""Adam through TensorFlow's one kernel for it."""

import keras
import tensorflow as tf

from keras_colorize.tensor import Tensor


@keras.saving.register_keras_serializable(package="keras_colorize")
class Adam(keras.optimizers.Adam):
    """Keras' Adam with the same arguments, variables and update, in one pass over a variable and its two moments.

    Keras composes the update of some ten operations, each of which reads and writes the whole variable. A network of
    fifty million parameters is larger than any cache, so each operation waits for the memory.
    """

    def update_step(self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor) -> None:
        """Update one variable and its two moments."""
        index = self._get_variable_index(variable)
        moments = self._momentums[index].value, self._velocities[index].value
        dense = not isinstance(gradient, tf.IndexedSlices)
        if not dense or self.amsgrad or variable.dtype != tf.float32 or moments[0].dtype != tf.float32:
            super().update_step(gradient, variable, learning_rate)
            return
        step = tf.cast(self.iterations.value + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=moments[0].handle,
            v=moments[1].handle,
            beta1_power=tf.pow(tf.constant(self.beta_1, tf.float32), step),
            beta2_power=tf.pow(tf.constant(self.beta_2, tf.float32), step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, tf.float32),
        )
