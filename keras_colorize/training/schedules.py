"""Learning rates that change over a run."""

from typing import Any

import keras
from keras import ops


class WarmupAndDecay(keras.optimizers.schedules.LearningRateSchedule):
    """From 0 up to `peak` over `warmup_steps`, then constant, or falling linearly to 0 at `total_steps`.

    Args:
        peak: the highest learning rate.
        warmup_steps: steps that it takes to get there.
        decay: whether it falls afterwards; `total_steps` must then be set before the first step.
    """

    def __init__(self, peak: float, warmup_steps: int, *, decay: bool, total_steps: int = 0) -> None:
        super().__init__()
        self.peak = peak
        self.warmup_steps = warmup_steps
        self.decay = decay
        self.total_steps = total_steps

    def __call__(self, step: Any) -> Any:
        t = ops.cast(step, "float32") + 1.0
        factor = ops.minimum(1.0, t / max(1, self.warmup_steps))
        if self.decay and self.total_steps:
            left = ops.maximum(0.0, self.total_steps + 1.0 - t)
            factor = ops.minimum(factor, left / max(1.0, self.total_steps + 1.0 - self.warmup_steps))
        return self.peak * factor

    def get_config(self) -> dict[str, Any]:
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "decay": self.decay,
            "total_steps": self.total_steps,
        }
