"""The compiled steps of a schedule, with a count of those whose losses were finite."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import keras
import tensorflow as tf

from keras_colorize.tensor import Tensor
from keras_colorize.training.devices import Parallel
from keras_colorize.training.gan import GANTrainer
from keras_colorize.training.stages import Stage
from keras_colorize.training.supervised import SupervisedTrainer

Result = TypeVar("Result")


class CompiledSteps:
    """The `train_step` of every stage and the `test_step` of the last, compiled for every replica.

    Each step notes on the device whether its losses are finite. `take_finite` reads the count, which waits for the
    device. A running mean that has become infinite or NaN stays so; the count of finite steps is therefore the number
    of the last good step.

    Args:
        stages: made by `build_stages` in the strategy's scope.
        parallel: the devices.
        jit: compile the steps with XLA; ignored with several replicas.
    """

    def __init__(self, stages: Sequence[Stage], parallel: Parallel, *, jit: bool) -> None:
        self._parallel = parallel
        self._trainers = [stage.trainer for stage in stages]
        with parallel.strategy.scope():
            self._finite = tf.Variable(
                0,
                dtype=tf.int64,  # int32 would live on the host
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.SUM,
            )
        self._train = [self._compiled_training(trainer, jit) for trainer in self._trainers]
        self._test = self._compiled(self._trainers[-1].test_step, jit)
        variables = {id(variable): variable for trainer in self._trainers for variable in trainer.state_variables()}
        self.state: list[keras.Variable] = list(variables.values())
        """Everything that training changes, in a fixed order."""
        self._all_finite = tf.function(self._look_at_state, autograph=False)

    def train(self, stage: int, rgb_u8: Tensor) -> dict[str, Tensor]:
        """Take one training step on rgb_u8 (B, S, S, 3); return the running means of this process's first replica."""
        return self._train[stage](rgb_u8)

    def test(self, *batch: Tensor) -> None:
        """Add photos rgb_u8 (B, S, S, 3) to the validation means; on several replicas with their weights (B,)."""
        self._test(*batch)

    def means(self, stage: int, names: Sequence[str]) -> dict[str, float]:
        """Return running means of a stage's trainer over all replicas; a collective that waits for the device."""
        means = self._trainers[stage].means
        return {name: float(means[name].result()) for name in names}

    def take_finite(self) -> int:
        """Return the number of steps with finite losses since the last call, up to the first other one; a collective.

        On several replicas a step counts if its losses were finite on all. Replicas share their gradients: losses that
        are not finite on one replica are finite on none in the next step.
        """
        count = int(tf.convert_to_tensor(self._finite)) // self._parallel.replicas
        self._finite.assign(0)
        return count

    def state_is_finite(self) -> bool:
        """Return whether every weight and every moment of the optimizers is finite; a collective."""
        return bool(self._all_finite())

    def reset_means(self) -> None:
        """Reset all running means."""
        for trainer in self._trainers:
            for metric in trainer.metrics:
                metric.reset_state()

    def _compiled_training(self, trainer: SupervisedTrainer, jit: bool) -> Callable[[Tensor], dict[str, Tensor]]:
        if self._parallel.replicas == 1 or not isinstance(trainer, GANTrainer) or trainer.discriminator_every == 1:
            return self._compiled(self._counting(trainer.train_step), jit)
        return self._alternating(trainer)

    def _alternating(self, trainer: GANTrainer) -> Callable[[Tensor], dict[str, Tensor]]:
        """Compile a step with D's update and one without: replicas cannot exchange gradients within a branch."""

        def with_turn(due: bool) -> Callable[[Tensor], dict[str, Tensor]]:
            def step(rgb_u8: Tensor) -> dict[str, Tensor]:
                trainer.discriminator_due = due
                try:
                    return trainer.train_step(rgb_u8)
                finally:
                    trainer.discriminator_due = None

            return self._compiled(self._counting(step), jit=False)

        turns = {due: with_turn(due) for due in (True, False)}
        numbers: Iterator[int] | None = None

        def train(rgb_u8: Tensor) -> dict[str, Tensor]:
            nonlocal numbers
            numbers = numbers or itertools.count(int(trainer.optimizer.iterations.numpy()))  # after a restore
            return turns[next(numbers) % trainer.discriminator_every == 0](rgb_u8)

        return train

    def _counting(self, train_step: Callable[[Tensor], dict[str, Tensor]]) -> Callable[[Tensor], dict[str, Tensor]]:
        def step(rgb_u8: Tensor) -> dict[str, Tensor]:
            means = train_step(rgb_u8)
            finite = tf.reduce_all(tf.math.is_finite(tf.stack(list(means.values()))))
            self._finite.assign_add(tf.cast(finite, tf.int64))
            return means

        return step

    def _look_at_state(self) -> Tensor:
        floats = [variable.value for variable in self.state if variable.value.dtype.is_floating]
        return tf.reduce_all([tf.reduce_all(tf.math.is_finite(tf.convert_to_tensor(value))) for value in floats])

    def _compiled(self, function: Callable[..., Result], jit: bool) -> Callable[..., Result]:
        if self._parallel.replicas > 1:
            return self._parallel.run(function)  # gradients cross replicas, which XLA does not compile
        return tf.function(function, jit_compile=jit, autograph=False)
