"""A generator alone: photos in, reconstruction loss, one optimizer."""

from typing import Any

import keras
import tensorflow as tf

from keras_colorize.augment import augment_photos, uniform_noise
from keras_colorize.color import rgb_from_u8, rgb_to_u8
from keras_colorize.losses import RECONSTRUCTION
from keras_colorize.metrics import ab_mae, psnr
from keras_colorize.recipe import Augment, Loss
from keras_colorize.spaces import Space


class SupervisedTrainer(keras.Model):
    """Trains a generator on uint8 photos (B, S, S, 3); augmentation and colour conversion are part of the step.

    Works with `fit` and `evaluate`. `train_step` returns the means since the last reset of
    `g_reconstruction` and `g_total`; `test_step` adds `ab_mae` (CIE units) and `psnr` (dB) of the
    photo's own lightness with the predicted chroma, which is what the user will get.

    Args:
        generator: condition (B, S, S, c) → prediction (B, S, S, d), as the architectures build it.
        space: converts photos to the generator's condition and target, and predictions back.
        augment: what happens to each photo of a training batch.
        loss: which reconstruction loss, and its weight.
        seed: of augmentation; dropout's seeds are Keras's own.
        jit_color: compile the colour conversion with XLA on its own; pays on a CPU, where the whole step is not.
    """

    def __init__(
        self,
        generator: keras.Model,
        space: Space,
        *,
        augment: Augment | None = None,
        loss: Loss | None = None,
        seed: int = 0,
        jit_color: bool = False,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.space = space
        self.augment = augment or Augment()
        self.loss_options = loss or Loss()
        self.reconstruction_loss = RECONSTRUCTION[self.loss_options.reconstruction]
        self.augment_seed = keras.random.SeedGenerator(seed)
        self.split = tf.function(space.split, jit_compile=True, autograph=False) if jit_color else space.split
        self.means = {name: keras.metrics.Mean(name=name) for name in self.mean_names()}
        self.built = True  # the trainer itself is never called

    @staticmethod
    def mean_names() -> tuple[str, ...]:
        """Names of all running means, in the order in which a log shows them."""
        return ("g_reconstruction", "g_total", "ab_mae", "psnr")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self.means.values())

    def compile(self, optimizer: keras.Optimizer, **kwargs: Any) -> None:
        """Builds the optimizer at once: one that is built late is not restored from a checkpoint."""
        super().compile(optimizer=optimizer, **{"jit_compile": False, **kwargs})
        self.optimizer.build(self.generator.trainable_variables)

    def state_variables(self) -> list[keras.Variable]:
        """Everything that a resumed run needs: weights, seeds, running means, optimizers."""
        means = [variable for metric in self.metrics for variable in metric.variables]
        return [*self.variables, *means, *self.optimizer.variables]

    def prepare(self, rgb_u8: Any, *, training: bool) -> tuple[Any, Any]:
        """Photos uint8 (B, S, S, 3) → condition, target, augmented when training."""
        if training:
            rgb_u8 = augment_photos(rgb_u8, self.augment_seed, self.augment)
        condition, target = self.split(rgb_from_u8(rgb_u8))
        if training and self.augment.noise > 0:
            condition = uniform_noise(condition, self.augment_seed, self.augment.noise)
        return condition, target

    def train_step(self, rgb_u8: Any) -> dict[str, Any]:
        condition, target = self.prepare(rgb_u8, training=True)
        with tf.GradientTape() as tape:
            prediction = self.generator(condition, training=True)
            reconstruction = global_mean(self.reconstruction_loss(target, prediction))
            total = self.loss_options.reconstruction_weight * reconstruction
        self.learn(self.optimizer, tape, total, self.generator.trainable_variables)
        return self.update_means(g_reconstruction=reconstruction, g_total=total)

    def test_step(self, rgb_u8: Any) -> dict[str, Any]:
        condition, target = self.prepare(rgb_u8, training=False)
        prediction = self.generator(condition, training=False)
        colored_u8 = rgb_to_u8(self.space.colorize(condition, prediction))
        truth_ab = self.space.chroma(condition, target)
        return self.update_means(
            g_reconstruction=self.reconstruction_loss(target, prediction),
            ab_mae=ab_mae(truth_ab, self.space.chroma(condition, prediction)),
            psnr=psnr(rgb_u8, colored_u8),
        )

    @staticmethod
    def learn(optimizer: keras.Optimizer, tape: tf.GradientTape, loss: Any, variables: list[Any]) -> None:
        """One update of `variables` down the gradient of `loss`."""
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    def update_means(self, **values: Any) -> dict[str, Any]:
        """Add values, scalars or one per photo, to their running means and return those means."""
        for name, value in values.items():
            self.means[name].update_state(value)
        return {name: self.means[name].result() for name in values}


def global_mean(per_photo: Any) -> Any:
    """Mean over the global batch: several replicas' gradients are summed, so each divides by all photos."""
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    photos = tf.cast(tf.shape(per_photo)[0] * replicas, per_photo.dtype)
    return tf.reduce_sum(per_photo) / photos
