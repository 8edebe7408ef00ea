"""The budget of memory that all threads of a run share, in pixels."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keras_colorize.images.pillow import open_image


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


def count_pixels(file: Path) -> int:
    """Read from a file's header how many pixels its largest page has; 0 where reading the photo will fail."""
    if not file.is_file():  # a pipe would wait for ever
        return 0
    try:
        with file.open("rb") as stream:
            image = open_image(stream)
            pixels = image.width * image.height
            # Of other formats only the first frame is read, and counting the frames of an animation decodes it.
            for page in range(1, getattr(image, "n_frames", 1) if image.format == "TIFF" else 1):
                image.seek(page)
                pixels = max(pixels, image.width * image.height)
            return pixels
    except Exception:
        return 0
