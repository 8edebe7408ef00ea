"""A step of a pipeline in a thread of its own."""

import queue
import threading
from collections.abc import Generator, Iterable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


def in_thread(items: Iterable[T], waiting: int, name: str) -> Generator[T]:
    """Yield the items of an iterable that runs ahead in a thread of its own, by at most `waiting` items.

    What it raises is raised here. Whoever closes the generator stops the thread at its next item.
    """
    passed: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(waiting)  # None is the end
    closed = threading.Event()

    def give(item: tuple[T] | BaseException | None) -> bool:
        while not closed.is_set():
            with suppress(queue.Full):
                passed.put(item, timeout=0.1)
                return True
        return False

    def run() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                if not give((item,)):
                    break
            else:
                give(None)
        except BaseException as error:
            give(error)
        finally:
            if isinstance(iterator, Generator):
                iterator.close()

    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        thread.start()  # Ctrl-C may come as soon as the thread runs
        while True:
            item = passed.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item[0]
    finally:
        closed.set()
        if thread.ident is not None:  # it has begun
            thread.join()
