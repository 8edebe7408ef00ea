"""The compiled steps of a schedule, and how many of them had finite losses."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_colorize.training.devices import Parallel
from keras_colorize.training.gan import GANTrainer
from keras_colorize.training.stages import Stage
from keras_colorize.training.supervised import SupervisedTrainer


class CompiledSteps:
    """`train_step` of every stage and `test_step` of the last, each one compiled function on every replica.

    Whether the losses are finite is noted on the device in every step and read when somebody asks (`take_finite`),
    since reading waits for the device. A running mean that has become infinite or NaN stays so, which makes the count
    of finite steps the number of the last good one.

    Args:
        stages: as `build_stages` made them, in the strategy's scope.
        parallel: where they run.
        jit: compile the steps with XLA; with several replicas they are not.
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
        """All that training changes, in a fixed order."""
        self._all_finite = tf.function(self._look_at_state, autograph=False)

    def train(self, stage: int, rgb_u8: Any) -> dict[str, Any]:
        """One training step on photos (B, S, S, 3); the stage's running means on this process's first replica."""
        return self._train[stage](rgb_u8)

    def test(self, *batch: Any) -> None:
        """Adds photos (B, S, S, 3) to the running means of validation; with their weights (B,) on several replicas."""
        self._test(*batch)

    def means(self, stage: int, names: Sequence[str]) -> dict[str, float]:
        """Running means of a stage's trainer over all replicas; a meeting of the workers. Waits for the device."""
        means = self._trainers[stage].means
        return {name: float(means[name].result()) for name in names}

    def take_finite(self) -> int:
        """How many training steps since the last call had finite losses before the first that had not; a meeting.

        On several replicas a step counts if it was finite on all: what is not on one is on none in the next step, as
        they share their gradients.
        """
        count = int(tf.convert_to_tensor(self._finite)) // self._parallel.replicas
        self._finite.assign(0)
        return count

    def state_is_finite(self) -> bool:
        """Whether every weight and every moment of the optimizers is; a meeting."""
        return bool(self._all_finite())

    def reset_means(self) -> None:
        """All running means start over."""
        for trainer in self._trainers:
            for metric in trainer.metrics:
                metric.reset_state()

    def _compiled_training(self, trainer: SupervisedTrainer, jit: bool) -> Callable[[Any], dict[str, Any]]:
        if self._parallel.replicas == 1 or not isinstance(trainer, GANTrainer) or trainer.discriminator_every == 1:
            return self._compiled(self._counting(trainer.train_step), jit)
        return self._alternating(trainer)

    def _alternating(self, trainer: GANTrainer) -> Callable[[Any], dict[str, Any]]:
        """A step with D's turn and one without; replicas cannot exchange gradients within a branch on the device."""

        def with_turn(due: bool) -> Callable[[Any], dict[str, Any]]:
            def step(rgb_u8: Any) -> dict[str, Any]:
                trainer.discriminator_due = due
                try:
                    return trainer.train_step(rgb_u8)
                finally:
                    trainer.discriminator_due = None

            return self._compiled(self._counting(step), jit=False)

        turns = {due: with_turn(due) for due in (True, False)}
        numbers: Iterator[int] | None = None

        def train(rgb_u8: Any) -> dict[str, Any]:
            nonlocal numbers
            numbers = numbers or itertools.count(int(trainer.optimizer.iterations.numpy()))  # after a restore
            return turns[next(numbers) % trainer.discriminator_every == 0](rgb_u8)

        return train

    def _counting(self, train_step: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
        def step(rgb_u8: Any) -> dict[str, Any]:
            means = train_step(rgb_u8)
            finite = tf.reduce_all(tf.math.is_finite(tf.stack(list(means.values()))))
            self._finite.assign_add(tf.cast(finite, tf.int64))
            return means

        return step

    def _look_at_state(self) -> Any:
        floats = [variable.value for variable in self.state if variable.value.dtype.is_floating]
        return tf.reduce_all([tf.reduce_all(tf.math.is_finite(tf.convert_to_tensor(value))) for value in floats])

    def _compiled(self, function: Callable[..., Any], jit: bool) -> Callable[..., Any]:
        if self._parallel.replicas > 1:
            return self._parallel.run(function)  # gradients cross replicas, which XLA does not compile
        return tf.function(function, jit_compile=jit, autograph=False)
