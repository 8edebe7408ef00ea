"""The budget of memory that all threads of a run share, in pixels."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class PixelBudget:
    """A limit on the pixels that are in memory at one time; a photo larger than the whole budget is alone there.

    limit: pixels of all photos that are held.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._changed = threading.Condition()

    @contextmanager
    def room_for(self, pixels: int) -> Iterator[None]:
        """Hold so many pixels during the block; waits as `acquire` does."""
        self.acquire(pixels)
        try:
            yield
        finally:
            self.release(pixels)

    def acquire(self, pixels: int) -> None:
        """Wait until there is room for so many pixels, or until nothing else is held, and hold them."""
        with self._changed:
            self._changed.wait_for(lambda: self.held == 0 or self.held + pixels <= self.limit)
            self.held += pixels

    def release(self, pixels: int) -> None:
        """Give back pixels that were acquired."""
        with self._changed:
            self.held -= pixels
            self._changed.notify_all()
