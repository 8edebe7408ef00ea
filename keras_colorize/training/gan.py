"""A conditional GAN on photographs: generator and patch discriminator in one step (Isola et al. 2017)."""

import keras
import tensorflow as tf

from keras_colorize.color.spaces import Space
from keras_colorize.recipes import Augment, Loss
from keras_colorize.tensor import Tensor
from keras_colorize.training.losses import ADVERSARIAL
from keras_colorize.training.supervised import SupervisedTrainer, global_mean


@keras.saving.register_keras_serializable(package="keras_colorize")
class GANTrainer(SupervisedTrainer):
    """Trains generator G and discriminator D; x is the condition, y the target.

    It is a whole Keras model as `SupervisedTrainer` is. `compile` takes an optimizer for each network, and the logs of
    `fit` also have `d_real`, `d_fake` and `g_adversarial`.

    A step runs in the order of the reference code: G forward; D learns from (x, y) and the detached
    (x, G(x)); G learns through the D just updated. The objectives, equations (1)–(4) of the paper with
    the non-saturating generator loss:

        L_D = join(ℓ(D(x, y), real), ℓ(D(x, G(x)), generated))     join: mean (halves it) or sum
        L_G = ℓ(D(x, G(x)), real) + λ · reconstruction(y, G(x)) + λ_perc · perceptual(y, G(x))

    With `loss.saturating` the first term is −ℓ(D(x, G(x)), generated), the minimax form.

    Args:
        discriminator: [condition, target] → patch logits (B, h, w, 1).
        discriminator_every: D learns once per so many steps, beginning with the first.
        augment, loss, perceptual_features, seed, jit_color: as for `SupervisedTrainer`.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        space: Space,
        *,
        augment: Augment | None = None,
        loss: Loss | None = None,
        discriminator_every: int = 1,
        perceptual_features: keras.Model | None = None,
        seed: int = 0,
        jit_color: bool = False,
    ) -> None:
        super().__init__(
            generator,
            space,
            augment=augment,
            loss=loss,
            perceptual_features=perceptual_features,
            seed=seed,
            jit_color=jit_color,
        )
        self.discriminator = discriminator
        self.discriminator_every = discriminator_every
        self.discriminator_due: bool | None = None
        """Tell whether D learns in the step that is traced; None leaves that to the device."""
        self.adversarial_loss = ADVERSARIAL[self.loss_options.adversarial]
        self.discriminator_weight = 0.5 if self.loss_options.discriminator_reduction == "mean" else 1.0

    def loss_names(self) -> list[str]:
        """Return the names of the losses in the order in which a log shows them."""
        return ["d_real", "d_fake", "g_adversarial", *super().loss_names()]

    def compile(  # type: ignore[override]
        self, optimizer: keras.Optimizer | str, discriminator_optimizer: keras.Optimizer | str, **kwargs: object
    ) -> None:
        """Set the optimizers of both networks, and further arguments of `keras.Model.compile`."""
        super().compile(optimizer, **kwargs)
        self.discriminator_optimizer = keras.optimizers.get(discriminator_optimizer)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)

    def get_config(self) -> dict[str, object]:
        """Return all that `from_config` needs."""
        discriminator = keras.saving.serialize_keras_object(self.discriminator)
        every = self.discriminator_every
        return {**super().get_config(), "discriminator": discriminator, "discriminator_every": every}

    def get_compile_config(self) -> dict[str, object]:
        """Return the arguments of `compile`; empty where it was not called."""
        config = super().get_compile_config()
        if config:
            config["discriminator_optimizer"] = keras.saving.serialize_keras_object(self.discriminator_optimizer)
        return config

    def state_variables(self) -> list[keras.Variable]:
        """Return all that a resumed run needs: weights, seeds, running means, both optimizers and averages."""
        return [*super().state_variables(), *self.discriminator_optimizer.variables]

    def train_step(self, rgb_u8: Tensor) -> dict[str, Tensor]:
        """Learn from photos uint8 (B, S, S, 3), D first; return the means of the losses since the last reset."""
        inputs, x, y = self.prepare(rgb_u8, training=True)
        with tf.GradientTape() as tape:
            fake = self.generator(x, training=True)
            with tape.stop_recording():
                self.discriminator_turn(x, y, fake)
            adversarial = self.generator_adversarial(self.discriminator([x, fake], training=True))
            losses = self.generator_losses(inputs, y, fake)
            losses["g_total"] += adversarial
        self.learn_generator(tape, losses["g_total"])
        means = self.update_means(g_adversarial=adversarial, **losses)
        return {"d_real": self.means["d_real"].result(), "d_fake": self.means["d_fake"].result(), **means}

    def generator_adversarial(self, logits: Tensor) -> Tensor:
        """Return the adversarial loss of the generator, from D's logits of its output."""
        if self.loss_options.saturating:
            return -global_mean(self.adversarial_loss(logits, real=False))
        return global_mean(self.adversarial_loss(logits, real=True))

    def discriminator_turn(self, x: Tensor, y: Tensor, fake: Tensor) -> None:
        """Let D learn now, or not, as `discriminator_every` says."""
        if self.discriminator_every == 1 or self.discriminator_due:
            self.learn_discriminator(x, y, fake)
        elif self.discriminator_due is None:
            due = self.optimizer.iterations.value % self.discriminator_every == 0
            tf.cond(due, lambda: self.learn_discriminator(x, y, fake), lambda: None)

    def learn_discriminator(self, x: Tensor, y: Tensor, fake: Tensor) -> None:
        """Update D on real pairs and on generated ones; no gradient reaches G."""
        with tf.GradientTape() as tape:
            real = global_mean(self.adversarial_loss(self.discriminator([x, y], training=True), real=True))
            generated = global_mean(self.adversarial_loss(self.discriminator([x, fake], training=True), real=False))
            loss = self.discriminator_weight * (real + generated)
        self.learn(self.discriminator_optimizer, tape, loss, self.discriminator.trainable_variables)
        self.update_means(d_real=real, d_fake=generated)
