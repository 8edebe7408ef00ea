"""What keeps many threads on many photos in bounds: a budget of pixels, and one network that serves them all."""

import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_colorize.images.pillow import open_image

# Four photos of 12 megapixels, or one of any size: at 10 to 16 bytes a pixel, read, coloured and encoded.
PIXELS_IN_FLIGHT = 48_000_000
# How long a request waits for others of its shape while some are still on their way: about as long as a photo of
# one megapixel takes in all, so that an odd shape costs no more than that.
LINGER_SECONDS = 0.1


class PixelBudget:
    """Bounds the pixels that are in memory at one time; a photo larger than the whole budget is alone with them.

    limit: pixels, of all photos that are held.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._changed = threading.Condition()

    @contextmanager
    def room_for(self, pixels: int) -> Iterator[None]:
        """`acquire` and, at the end of the block, `release`."""
        self.acquire(pixels)
        try:
            yield
        finally:
            self.release(pixels)

    def acquire(self, pixels: int) -> None:
        """Wait until there is room for so many, or until nothing else is held."""
        with self._changed:
            self._changed.wait_for(lambda: self.held == 0 or self.held + pixels <= self.limit)
            self.held += pixels

    def release(self, pixels: int) -> None:
        """Give back what was acquired."""
        with self._changed:
            self.held -= pixels
            self._changed.notify_all()


def count_pixels(file: Path) -> int:
    """Pixels of a photo, of its largest page, as the header says; 0 where it says nothing, and reading it will fail."""
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


@dataclass(eq=False)  # items are arrays
class _Request:
    item: Any
    kind: Hashable
    asked: float
    answered: threading.Event = field(default_factory=threading.Event)
    answer: Any = None
    error: Exception | None = None


class Batcher:
    """Threads ask for one item each; the network is asked for several of the same kind at once.

    A request waits until there is a full batch of its kind, until nobody else is expected, or for a tenth of a second.

    Args:
        predict: items of one kind, at most `size` → one answer for each, in order.
        size: items in a batch.
        linger: the longest that a request waits for company, seconds.
    """

    def __init__(
        self, predict: Callable[[list[Any]], Sequence[Any]], size: int, linger: float = LINGER_SECONDS
    ) -> None:
        self._predict = predict
        self._size = size
        self._linger = linger
        self._changed = threading.Condition()
        self._waiting: list[_Request] = []
        self._expected = 0
        self._closed = False
        # A daemon: a second Ctrl-C must not wait for the network.
        self._thread = threading.Thread(target=self._serve, name="network", daemon=True)
        self._thread.start()

    @contextmanager
    def request(self) -> Iterator[Callable[[Any, Hashable], Any]]:
        """Announce a request while it is being prepared: `with batcher.request() as ask: answer = ask(item, kind)`.

        `ask` blocks until the answer is there, and raises what `predict` raised for this item alone. A block that
        ends without asking takes its announcement back.
        """
        asked = False

        def ask(item: Any, kind: Hashable) -> Any:
            nonlocal asked
            asked = True
            return self._ask(item, kind)

        self._expect(1)
        try:
            yield ask
        finally:
            if not asked:
                self._expect(-1)

    def _expect(self, requests: int) -> None:
        with self._changed:
            self._expected += requests
            self._changed.notify_all()

    def _ask(self, item: Any, kind: Hashable) -> Any:
        request = _Request(item, kind, time.monotonic())
        with self._changed:
            self._expected -= 1
            self._waiting.append(request)
            self._changed.notify_all()
        request.answered.wait()
        if request.error is not None:
            raise request.error
        return request.answer

    def close(self) -> None:
        """Answer what is waiting, then end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not (batch := self._take()):
                    if self._closed:
                        return
                    oldest = self._waiting[0].asked if self._waiting else None
                    self._changed.wait(None if oldest is None else max(oldest + self._linger - time.monotonic(), 0.0))
            self._answer(batch)

    def _take(self) -> list[_Request]:
        """The oldest request with others of its kind if it may wait no longer, else a full batch of any kind."""
        kinds: dict[Hashable, list[_Request]] = {}
        for request in self._waiting:
            kinds.setdefault(request.kind, []).append(request)
        if not kinds:
            return []
        oldest = self._waiting[0]
        if self._closed or self._expected <= 0 or time.monotonic() >= oldest.asked + self._linger:
            batch = kinds[oldest.kind][: self._size]
        else:
            batch = next((each[: self._size] for each in kinds.values() if len(each) >= self._size), [])
        self._waiting = [request for request in self._waiting if request not in batch]
        return batch

    def _answer(self, batch: list[_Request]) -> None:
        try:
            for request, answer in zip(batch, self._predict([each.item for each in batch]), strict=True):
                request.answer = answer
        except Exception as error:
            if len(batch) > 1:  # too large for the memory, or one spoils it for all: each on its own
                for request in batch:
                    self._answer([request])
                return
            batch[0].error = error
        for request in batch:
            request.answered.set()
