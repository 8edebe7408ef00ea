"""A generator alone: photos in, reconstruction loss, one optimizer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_colorize.color.inputs import HINT_CHANNELS, Inputs
from keras_colorize.color.lab import rgb_from_u8, rgb_to_u8
from keras_colorize.color.spaces import BinnedLabSpace, Space
from keras_colorize.data.augment import augment_photos, uniform_noise
from keras_colorize.data.hints import random_hints
from keras_colorize.data.wear import age_lightness
from keras_colorize.metrics import ab_mae, pixel_accuracy, psnr
from keras_colorize.recipes import Augment, Loss
from keras_colorize.tensor import Tensor
from keras_colorize.training.average import AveragedWeights
from keras_colorize.training.devices import draw_apart
from keras_colorize.training.losses import RECONSTRUCTION, perceptual, rebalanced_cross_entropy

MOST_HINTS = 256  # of a photo

# What `test_step` measures besides the reconstruction loss.
VALIDATION_MEANS = ("ab_mae", "psnr", "pixel_accuracy_5")


class SupervisedTrainer(keras.Model):
    """Trains a generator on uint8 photos (B, S, S, 3); augmentation and colour conversion are part of the step.

    Works with `fit` and `evaluate`. `train_step` returns the means since the last reset of
    `g_reconstruction` and `g_total`; `test_step` adds `ab_mae` (CIE units), `psnr` (dB) and `pixel_accuracy_5`
    (share within 5 %) of the photo's own lightness with the predicted chroma, which is what the user will get.

    Args:
        generator: condition (B, S, S, c) → prediction (B, S, S, d), as the architectures build it.
        space: converts photos to the generator's condition and target, and predictions back.
        augment: what happens to each photo of a training batch.
        loss: which reconstruction loss, and its weight.
        perceptual_features: rgb (B, H, W, 3) in [0, 1] → features, where `loss.perceptual_weight` is not 0.
        seed: of augmentation; dropout's seeds are Keras's own.
        average: share that the running average of the generator's weights keeps at each step; 0 keeps none.
        jit_color: compile the colour conversion with XLA on its own; pays on a CPU, where the whole step is not.
    """

    def __init__(
        self,
        generator: keras.Model,
        space: Space,
        *,
        augment: Augment | None = None,
        loss: Loss | None = None,
        perceptual_features: keras.Model | None = None,
        average: float = 0.0,
        seed: int = 0,
        jit_color: bool = False,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.space = space
        self.augment = augment or Augment()
        self.loss_options = loss or Loss()
        if isinstance(space, BinnedLabSpace):
            self.reconstruction_loss = rebalanced_cross_entropy(space.bins, self.loss_options.rebalancing)
        else:
            self.reconstruction_loss = RECONSTRUCTION[self.loss_options.reconstruction]
        self.perceptual_features = perceptual_features
        self.augment_seed = draw_apart(keras.random.SeedGenerator(seed))
        self.split = tf.function(space.split, jit_compile=True, autograph=False) if jit_color else space.split
        self.averages = AveragedWeights(generator.trainable_variables, average) if average else None
        names = [*self.loss_names(), *VALIDATION_MEANS]
        self.means = {name: keras.metrics.Mean(name=name) for name in names}
        self.built = True  # the trainer itself is never called

    def loss_names(self) -> list[str]:
        """Names of what `train_step` returns, in the order in which a log shows them."""
        perceptual = ["g_perceptual"] if self.perceptual_features is not None else []
        return ["g_reconstruction", *perceptual, "g_total"]

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
        averages = self.averages.variables if self.averages is not None else []
        return [*self.variables, *means, *self.optimizer.variables, *averages]

    @contextmanager
    def averaged_generator(self) -> Iterator[keras.Model]:
        """The generator as it is to be used: inside, with its averaged weights where it has them."""
        if self.averages is None:
            yield self.generator
        else:
            with self.averages.in_place():
                yield self.generator

    def prepare(self, rgb_u8: Tensor, *, training: bool) -> tuple[Inputs, Tensor, Tensor]:
        """Make inputs, condition and target of photos uint8 (B, S, S, 3), which are augmented when training.

        Marks of age, hints and noise are in the condition only: inputs and target are the photo's.
        """
        if training:
            rgb_u8 = augment_photos(rgb_u8, self.augment_seed, self.augment)
        inputs, target = self.split(rgb_from_u8(rgb_u8))
        if not training:
            return inputs, self.space.condition(inputs), target
        condition = self.space.condition(self.disturb(inputs, target))
        if self.augment.noise > 0:
            channels = condition.shape[-1] - (HINT_CHANNELS if self.space.takes_hints else 0)
            noisy = uniform_noise(condition[..., :channels], self.augment_seed, self.augment.noise)
            condition = ops.concatenate([noisy, condition[..., channels:]], axis=-1)
        return inputs, condition, target

    def disturb(self, inputs: Inputs, target: Tensor) -> Inputs:
        """Age what the network sees of photos in training, and draw the hints that it gets."""
        augment, seed = self.augment, self.augment_seed
        if augment.aging > 0:
            inputs = inputs._replace(lightness=age_lightness(inputs.lightness, seed, augment.aging))
        if augment.hints > 0:
            hints = random_hints(
                self.space.target_chroma(target),
                seed,
                share=augment.hints,
                mean=augment.hint_mean,
                patch=augment.hint_patch,
                most=MOST_HINTS,
            )
            inputs = inputs._replace(hints=hints)
        return inputs

    def train_step(self, rgb_u8: Tensor) -> dict[str, Tensor]:
        inputs, condition, target = self.prepare(rgb_u8, training=True)
        with tf.GradientTape() as tape:
            prediction = self.generator(condition, training=True)
            losses = self.generator_losses(inputs, target, prediction)
        self.learn_generator(tape, losses["g_total"])
        return self.update_means(**losses)

    def learn_generator(self, tape: tf.GradientTape, loss: Tensor) -> None:
        """One update of the generator, and of the average of its weights."""
        self.learn(self.optimizer, tape, loss, self.generator.trainable_variables)
        if self.averages is not None:
            self.averages.update(self.optimizer.iterations)

    def generator_losses(self, inputs: Inputs, target: Tensor, prediction: Tensor) -> dict[str, Tensor]:
        """The weighted sum `g_total` of what does not need a discriminator, and its parts."""
        losses = {"g_reconstruction": global_mean(self.reconstruction_loss(target, prediction))}
        total = self.loss_options.reconstruction_weight * losses["g_reconstruction"]
        if self.perceptual_features is not None:
            chroma = self.space.target_chroma(target), self.space.chroma(inputs, prediction)
            losses["g_perceptual"] = global_mean(perceptual(self.perceptual_features, *chroma))
            total += self.loss_options.perceptual_weight * losses["g_perceptual"]
        return {**losses, "g_total": total}

    def test_step(self, rgb_u8: Tensor, weights: Tensor | None = None) -> dict[str, Tensor]:
        """Adds photos to the validation means. `weights` (B,) is 0 for those that only fill a batch."""
        inputs, condition, target = self.prepare(rgb_u8, training=False)
        prediction = self.generator(condition, training=False)
        truth_ab, predicted_ab = self.space.target_chroma(target), self.space.chroma(inputs, prediction)
        return self.update_means(
            weights,
            g_reconstruction=self.reconstruction_loss(target, prediction),
            ab_mae=ab_mae(truth_ab, predicted_ab),
            psnr=psnr(rgb_u8, rgb_to_u8(self.space.colorize(inputs, prediction))),
            pixel_accuracy_5=pixel_accuracy(truth_ab, predicted_ab, 0.05),
        )

    @staticmethod
    def learn(optimizer: keras.Optimizer, tape: tf.GradientTape, loss: Tensor, variables: list[Tensor]) -> None:
        """One update of `variables` down the gradient of `loss`."""
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    def update_means(self, weights: Tensor | None = None, **values: Any) -> dict[str, Tensor]:
        """Add values, shares of a `global_mean` or one per photo, to their running means and return those means."""
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        for name, value in values.items():
            # A replica's share of the mean over the global batch, times their number, is the mean over its own photos.
            self.means[name].update_state(value if len(value.shape) else value * replicas, weights)
        return {name: self.means[name].result() for name in values}


def global_mean(per_photo: Tensor) -> Tensor:
    """Mean over the global batch: several replicas' gradients are summed, so each divides by all photos."""
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    photos = tf.cast(tf.shape(per_photo)[0] * replicas, per_photo.dtype)
    return tf.reduce_sum(per_photo) / photos
