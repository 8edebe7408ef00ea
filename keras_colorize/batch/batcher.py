"""Batches for the network, made of the requests of many threads."""

import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

# How long a request waits for others of its shape while some are still on their way: about as long as a photo of
# one megapixel takes in all, so that an odd shape costs no more than that.
LINGER_SECONDS = 0.1

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(eq=False)  # items are arrays
class _Request(Generic[Item, Answer]):
    item: Item
    kind: Hashable
    asked: float
    answer: Future[Answer] = field(default_factory=Future)


class Batcher(Generic[Item, Answer]):
    """A queue between many threads, which ask for one item each, and the network, which takes several of one kind.

    A request waits until there is a full batch of its kind, until nobody else is expected, or for a tenth of a second.

    Args:
        predict: items of one kind, at most `size` → one answer for each, in order.
        size: items in a batch.
        linger: the longest that a request waits for company, seconds.
    """

    def __init__(
        self, predict: Callable[[list[Item]], Sequence[Answer]], size: int, linger: float = LINGER_SECONDS
    ) -> None:
        self._predict = predict
        self._size = size
        self._linger = linger
        self._changed = threading.Condition()
        self._waiting: list[_Request[Item, Answer]] = []
        self._expected = 0
        self._closed = False
        # A daemon: a second Ctrl-C must not wait for the network.
        self._thread = threading.Thread(target=self._serve, name="network", daemon=True)
        self._thread.start()

    @contextmanager
    def request(self) -> Iterator[Callable[[Item, Hashable], Answer]]:
        """Announce a request while it is being prepared: `with batcher.request() as ask: answer = ask(item, kind)`.

        `ask` blocks until the answer is there, and raises what `predict` raised for this item alone. A block that
        ends without asking takes its announcement back.
        """
        asked = False

        def ask(item: Item, kind: Hashable) -> Answer:
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

    def _ask(self, item: Item, kind: Hashable) -> Answer:
        request: _Request[Item, Answer] = _Request(item, kind, time.monotonic())
        with self._changed:
            self._expected -= 1
            self._waiting.append(request)
            self._changed.notify_all()
        return request.answer.result()

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

    def _take(self) -> list[_Request[Item, Answer]]:
        """Take the oldest request with others of its kind if it may wait no longer, else a full batch of any kind."""
        kinds: dict[Hashable, list[_Request[Item, Answer]]] = {}
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

    def _answer(self, batch: list[_Request[Item, Answer]]) -> None:
        try:
            answers = list(zip(batch, self._predict([each.item for each in batch]), strict=True))
        except Exception as error:
            if len(batch) > 1:  # too large for the memory, or one spoils it for all: each on its own
                for request in batch:
                    self._answer([request])
            else:
                batch[0].answer.set_exception(error)
            return
        for request, answer in answers:
            request.answer.set_result(answer)
