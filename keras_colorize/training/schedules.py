"""Learning rates that change over a run."""

import keras
from keras import ops

from keras_colorize.tensor import Tensor

# [choice] A warm-up takes at most this share of a stage: a short fine-tuning would otherwise end before it.
WARMUP_SHARE = 0.1


@keras.saving.register_keras_serializable(package="keras_colorize")
class WarmupAndDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises from 0 to `peak`, then stays there or falls linearly to 0 at `total_steps`.

    Args:
        peak: the highest learning rate.
        warmup_steps: steps that the rise takes, but at most a tenth of `total_steps`.
        decay: whether the rate falls afterwards.
        total_steps: steps of the stage, set before its first step; 0 while they are not known.
    """

    def __init__(self, peak: float, warmup_steps: int, *, decay: bool, total_steps: int = 0) -> None:
        super().__init__()
        self.peak = peak
        self.warmup_steps = warmup_steps
        self.decay = decay
        self.total_steps = total_steps

    @property
    def warmup(self) -> int:
        """Steps that the rise takes in a stage of `total_steps`."""
        if not self.total_steps:
            return self.warmup_steps
        return min(self.warmup_steps, int(WARMUP_SHARE * self.total_steps))

    def __call__(self, step: Tensor) -> Tensor:
        """Return the learning rate of a step, counted from 0."""
        t = ops.cast(step, "float32") + 1.0
        warmup = self.warmup
        factor = ops.minimum(1.0, t / max(1, warmup))
        if self.decay and self.total_steps:
            left = ops.maximum(0.0, self.total_steps + 1.0 - t)
            factor = ops.minimum(factor, left / max(1.0, self.total_steps + 1.0 - warmup))
        return self.peak * factor

    def get_config(self) -> dict[str, object]:
        """Return the arguments of the constructor."""
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "decay": self.decay,
            "total_steps": self.total_steps,
        }
