"""Progress of long work: the interface that the library reports to, and a default that shows nothing."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Advance = Callable[[int, int], None]
"""Called with the number of items done and the number of items in all."""


class Progress(Protocol):
    """Shows how far work has come."""

    def counting(self, description: str) -> AbstractContextManager[Advance]:
        """Open one piece of work; the context manager yields the function to call after each item.

        Args:
            description: a few words for a person, such as "reading train photos".
        """
        ...


class SilentProgress:
    """Shows nothing."""

    def counting(self, description: str) -> AbstractContextManager[Advance]:
        """Ignore the progress."""
        return nullcontext(lambda done, total: None)
