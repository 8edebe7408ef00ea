"""A generator alone: photos in, reconstruction loss, one optimizer."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_colorize.color.inputs import HINT_CHANNELS, Inputs
from keras_colorize.color.lab import rgb_from_u8, rgb_to_u8
from keras_colorize.color.spaces import BinnedLabSpace, Space, space_from_config
from keras_colorize.data.augment import augment_photos, uniform_noise
from keras_colorize.data.hints import paint_hints, random_places, recolor_things
from keras_colorize.data.wear import age_lightness
from keras_colorize.metrics import ab_mae, pixel_accuracy, psnr
from keras_colorize.recipes import Augment, Loss
from keras_colorize.tensor import Tensor
from keras_colorize.training.average import AveragedWeights
from keras_colorize.training.devices import draw_apart
from keras_colorize.training.losses import RECONSTRUCTION, perceptual, rebalanced_cross_entropy

MOST_HINTS = 256  # of a photo

# `test_step` measures these besides the reconstruction loss.
VALIDATION_MEANS = ("ab_mae", "psnr", "pixel_accuracy_5")


@keras.saving.register_keras_serializable(package="keras_colorize")
class SupervisedTrainer(keras.Model):
    """Trains a generator on uint8 photos (B, S, S, 3); augmentation and colour conversion are part of the step.

    It is a whole Keras model. `fit` and `evaluate` take photos alone, as an array or as a data set of batches. A call,
    and `predict`, return the generator's output for photos. `save` writes networks, losses, optimizers with their
    moments, and seeds, so that a loaded trainer trains on as this one would.

    The logs of `fit` have `g_reconstruction` and `g_total`, and `g_perceptual` where the loss has that term. The
    figures of `evaluate`, and the `val_…` of `fit`, are `g_reconstruction`, `ab_mae` (CIE units), `psnr` (dB) and
    `pixel_accuracy_5` (share of pixels within 5 %). The last three measure the photo's own lightness with the
    predicted chroma, which is what a user gets.

    Args:
        generator: condition (B, S, S, c) → prediction (B, S, S, d), as the architectures build it.
        space: converts photos to the generator's condition and target, and predictions back.
        augment: random changes of the photos of training batches.
        loss: the reconstruction loss, and its weight.
        perceptual_features: rgb (B, H, W, 3) in [0, 1] → features, where `loss.perceptual_weight` is not 0.
        seed: of augmentation; dropout's seeds are Keras's own.
        jit_color: compile the colour conversion with XLA on its own. This pays on a CPU, where the whole step is not.
    """

    def __init__(
        self,
        generator: keras.Model,
        space: Space,
        *,
        augment: Augment | None = None,
        loss: Loss | None = None,
        perceptual_features: keras.Model | None = None,
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
        self.seed = seed
        self.augment_seed = draw_apart(keras.random.SeedGenerator(seed))
        self.jit_color = jit_color
        self.split = tf.function(space.split, jit_compile=True, autograph=False) if jit_color else space.split
        self.averages: AveragedWeights | None = None
        names = [*self.loss_names(), *VALIDATION_MEANS]
        self.means = {name: keras.metrics.Mean(name=name) for name in names}
        self.built = True  # the networks are

    def loss_names(self) -> list[str]:
        """Return the names of the losses in the order in which a log shows them."""
        perceptual = ["g_perceptual"] if self.perceptual_features is not None else []
        return ["g_reconstruction", *perceptual, "g_total"]

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means of losses and validation figures."""
        return list(self.means.values())

    def compile(self, optimizer: keras.Optimizer | str, **kwargs: Any) -> None:
        """Set the optimizer, and further arguments of `keras.Model.compile` such as `jit_compile`.

        The optimizer is built at once: one that is built late is not restored from a checkpoint.
        """
        super().compile(optimizer=optimizer, **{"jit_compile": False, **kwargs})
        self.optimizer.build(self.generator.trainable_variables)

    def call(self, rgb_u8: Tensor, training: bool = False) -> Tensor:
        """Return the generator's output for photos uint8 (B, S, S, 3), in the units of the space: (B, h, w, d).

        `space.colorize` makes colours of it. With `training`, dropout and normalization work as in training; photos are
        not augmented.
        """
        _, condition, _ = self.prepare(rgb_u8, training=False)
        return self.generator(condition, training=training)

    def get_config(self) -> dict[str, Any]:
        """Return all that `from_config` needs: the networks' own configurations, space, augmentation and losses."""
        features = self.perceptual_features
        return {
            "generator": keras.saving.serialize_keras_object(self.generator),
            "space": self.space.get_config(),
            "augment": asdict(self.augment),
            "loss": asdict(self.loss_options),
            "perceptual_features": features and keras.saving.serialize_keras_object(features),
            "seed": self.seed,
            "jit_color": self.jit_color,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "SupervisedTrainer":
        """Make a trainer with fresh weights from the result of `get_config`."""
        config = dict(config)
        for role in ("generator", "discriminator", "perceptual_features"):
            if config.get(role) is not None:
                config[role] = keras.saving.deserialize_keras_object(config[role], custom_objects=custom_objects)
        space = space_from_config(config.pop("space"))
        augment, loss = Augment(**config.pop("augment")), Loss(**config.pop("loss"))
        return cls(**config, space=space, augment=augment, loss=loss)

    def get_compile_config(self) -> dict[str, Any]:
        """Return the arguments of `compile`; empty where it was not called."""
        if not self.compiled:
            return {}
        return {
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "jit_compile": self.jit_compile,
            "steps_per_execution": self.steps_per_execution,
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Call `compile` with the result of `get_compile_config`."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    def save_own_variables(self, store: Any) -> None:
        """Add the seeds of augmentation and dropout to a saved model, which Keras leaves out."""
        for number, state in enumerate(self._seed_states()):
            store[str(number)] = state

    def load_own_variables(self, store: Any) -> None:
        """Restore the seeds from a saved model."""
        for number, state in enumerate(self._seed_states()):
            state.assign(store[str(number)])

    def state_variables(self) -> list[keras.Variable]:
        """Return all that a resumed run needs: weights, seeds, running means, optimizers and averages."""
        means = [variable for metric in self.metrics for variable in metric.variables]
        averages = self.averages.variables if self.averages is not None else []
        return [*self.variables, *means, *self.optimizer.variables, *averages]

    def follow_average(self, keep: float) -> None:
        """Average the generator's weights in every further step, unless that is done already.

        Args:
            keep: as for `AveragedWeights`.
        """
        if self.averages is None:
            with self.distribute_strategy.scope():
                self.averages = AveragedWeights(self.generator.trainable_variables, keep)
            self.train_function = None  # `fit` traces its step again

    def drop_average(self) -> None:
        """Forget the average and let the generator keep the weights that it has now."""
        self.averages = None
        self.train_function = None

    @contextmanager
    def averaged_generator(self) -> Iterator[keras.Model]:
        """Give the generator its averaged weights, where it has them, inside the `with` block."""
        with self.averages.in_place() if self.averages is not None else nullcontext():
            yield self.generator

    def last_weights(self) -> AbstractContextManager[None]:
        """Give the generator the weights of its last step, which training goes on from, inside the `with` block."""
        return self.averages.in_place(False) if self.averages is not None else nullcontext()

    def _seed_states(self) -> list[keras.Variable]:
        others = {id(variable) for variable in self.weights}
        others |= {id(variable) for metric in self.metrics for variable in metric.variables}
        return [variable for variable in self.variables if id(variable) not in others]

    def prepare(self, rgb_u8: Tensor, *, training: bool) -> tuple[Inputs, Tensor, Tensor]:
        """Make inputs, condition and target of photos uint8 (B, S, S, 3), which are augmented when training.

        Marks of age, hints and noise are in the condition only: the inputs are the photo's, and so is the target, but
        for the things that hints give another colour.
        """
        if training:
            rgb_u8 = augment_photos(rgb_u8, self.augment_seed, self.augment)
        inputs, target = self.split(rgb_from_u8(rgb_u8))
        if not training:
            return inputs, self.space.condition(inputs), target
        aged, target = self.disturb(inputs, target)
        condition = self.space.condition(aged)
        if self.augment.noise > 0:
            channels = condition.shape[-1] - (HINT_CHANNELS if self.space.takes_hints else 0)
            noisy = uniform_noise(condition[..., :channels], self.augment_seed, self.augment.noise)
            condition = ops.concatenate([noisy, condition[..., channels:]], axis=-1)
        return inputs, condition, target

    def disturb(self, inputs: Inputs, target: Tensor) -> tuple[Inputs, Tensor]:
        """Age what the network sees of photos in training, and draw the hints that it gets.

        Returns:
            What the network sees, and the target. The target is changed where hints give a thing another colour.
        """
        augment, seed = self.augment, self.augment_seed
        seen = inputs
        if augment.aging > 0:
            seen = seen._replace(lightness=age_lightness(inputs.lightness, seed, augment.aging))
        if augment.hints > 0:
            ab = self.space.target_chroma(target)
            places = random_places(
                ops.shape(ab)[:3],
                seed,
                share=augment.hints,
                mean=augment.hint_mean,
                patch=augment.hint_patch,
                most=MOST_HINTS,
                recolored=augment.hint_recolor,
            )
            if augment.hint_recolor > 0:
                ab = recolor_things(inputs.lightness, ab, places, seed)
                target = self.space.target(inputs, ab)
            seen = seen._replace(hints=paint_hints(ab, places))
        return seen, target

    def train_step(self, rgb_u8: Tensor) -> dict[str, Tensor]:
        """Learn from photos uint8 (B, S, S, 3); return the means of the losses since the last reset."""
        inputs, condition, target = self.prepare(rgb_u8, training=True)
        with tf.GradientTape() as tape:
            prediction = self.generator(condition, training=True)
            losses = self.generator_losses(inputs, target, prediction)
        self.learn_generator(tape, losses["g_total"])
        return self.update_means(**losses)

    def learn_generator(self, tape: tf.GradientTape, loss: Tensor) -> None:
        """Update the generator, and the average of its weights."""
        self.learn(self.optimizer, tape, loss, self.generator.trainable_variables)
        if self.averages is not None:
            self.averages.update(self.optimizer.iterations)

    def generator_losses(self, inputs: Inputs, target: Tensor, prediction: Tensor) -> dict[str, Tensor]:
        """Return the terms that need no discriminator, and their weighted sum `g_total`."""
        losses = {"g_reconstruction": global_mean(self.reconstruction_loss(target, prediction))}
        total = self.loss_options.reconstruction_weight * losses["g_reconstruction"]
        if self.perceptual_features is not None:
            chroma = self.space.target_chroma(target), self.space.chroma(inputs, prediction)
            losses["g_perceptual"] = global_mean(perceptual(self.perceptual_features, *chroma))
            total += self.loss_options.perceptual_weight * losses["g_perceptual"]
        return {**losses, "g_total": total}

    def test_step(self, rgb_u8: Tensor, weights: Tensor | None = None) -> dict[str, Tensor]:
        """Add photos uint8 (B, S, S, 3) to the validation means, and return these.

        `weights` (B,) are 0 for photos that only fill a batch.
        """
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
        """Update `variables` down the gradient of `loss`."""
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    def update_means(self, weights: Tensor | None = None, **values: Any) -> dict[str, Tensor]:
        """Add values to their running means and return those means.

        A value is one number, this replica's share of a `global_mean`, or one number per photo (B,).
        """
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        for name, value in values.items():
            # A replica's share of the mean over the global batch, times their number, is the mean over its own photos.
            self.means[name].update_state(value if len(value.shape) else value * replicas, weights)
        return {name: self.means[name].result() for name in values}


def global_mean(per_photo: Tensor) -> Tensor:
    """Return this replica's share of the mean over the global batch: (B,) → ().

    Keras sums the gradients of several replicas, so each divides by the number of all photos.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    photos = tf.cast(tf.shape(per_photo)[0] * replicas, per_photo.dtype)
    return tf.reduce_sum(per_photo) / photos
