"""A step of a pipeline in a thread of its own."""

import queue
import threading
from collections.abc import Generator, Iterable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


def in_thread(items: Iterable[T], waiting: int, name: str) -> Generator[T]:
    """Yield the items of an iterable that runs ahead in a thread of its own, by at most `waiting` items.

    What it raises is raised here. Whoever closes the generator stops the thread at its next item.
    """
    passed: queue.Queue[tuple[bool, Any]] = queue.Queue(waiting)
    closed = threading.Event()

    def give(done: bool, item: Any) -> bool:
        while not closed.is_set():
            with suppress(queue.Full):
                passed.put((done, item), timeout=0.1)
                return True
        return False

    def run() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                if not give(False, item):
                    break
            else:
                give(True, None)
        except BaseException as error:
            give(True, error)
        finally:
            if isinstance(iterator, Generator):
                iterator.close()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        while True:
            done, item = passed.get()
            if not done:
                yield item
            elif item is None:
                return
            else:
                raise item
    finally:
        closed.set()
        thread.join()
