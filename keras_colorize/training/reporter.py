"""The interfaces between the training loop and a person: what it reports, and how it is asked to stop.

The defaults are silent, so that training needs no terminal. The command line has its own (`cli.console`,
`cli.interruption`).
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from keras_colorize.progress import Progress, SilentProgress
from keras_colorize.tensor import Tensor


class EpochProgress(Protocol):
    """Follows the steps of an epoch."""

    def begin(self, title: str, done: int) -> None:
        """Start an epoch of which `done` steps have been taken already."""
        ...

    def advance(self, losses: Mapping[str, Tensor], images_per_second: float) -> None:
        """Count one step.

        Args:
            losses: running means as tensors; reading one waits for the device.
            images_per_second: since the last row of the log.
        """
        ...


class Reporter(Progress, Protocol):
    """Shows how a training goes."""

    def header(self, lines: Sequence[tuple[str, str]]) -> None:
        """Show the name and the value of each line of a run's header."""
        ...

    def line(self, text: str) -> None:
        """Show one line: an epoch's figures, or a remark."""
        ...

    def training(self, steps_per_epoch: int) -> AbstractContextManager[EpochProgress]:
        """Open the display of the training steps."""
        ...


class SilentReporter(SilentProgress):
    """A `Reporter` and an `EpochProgress` that show nothing."""

    def header(self, lines: Sequence[tuple[str, str]]) -> None:
        """Show nothing."""

    def line(self, text: str) -> None:
        """Show nothing."""

    def training(self, steps_per_epoch: int) -> AbstractContextManager[EpochProgress]:
        """Return this object, which ignores the steps."""
        return nullcontext(self)

    def begin(self, title: str, done: int) -> None:
        """Show nothing."""

    def advance(self, losses: Mapping[str, Tensor], images_per_second: float) -> None:
        """Show nothing."""


class StopRequest(Protocol):
    """Asks a training to stop after the step in progress. The loop enters it for as long as steps run."""

    reason: str
    """The origin of the request, in words; empty while there is none."""

    def __enter__(self) -> object: ...

    def __exit__(self, *_: object) -> None: ...


class StopFlag:
    """A `StopRequest` for Python: another thread sets `reason` to stop the training at a checkpoint."""

    def __init__(self) -> None:
        self.reason = ""

    def __enter__(self) -> "StopFlag":
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: the flag needs no clean-up."""
