"""Threads that take photos through decoding, network and encoding side by side, in bounded memory.

A thread takes one photo at a time through all of it, in the order in which one would write it down. What they share
is the network, which serves several threads with one batch, and the budget of pixels that may be in memory.
"""

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from keras_colorize.batch.batching import Batcher, PixelBudget, count_pixels
from keras_colorize.batch.failures import reason
from keras_colorize.batch.plan import Job
from keras_colorize.batch.write import FirstPage, Settings, write_photo
from keras_colorize.hardware import processors
from keras_colorize.images import Picture
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.frame import Frame

_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Result:
    """What became of one photo.

    outputs: the files that this run wrote for it.
    error: why it could not be colorized, in one line, or None.
    remarks: what its owner should know, such as what the format could not keep.
    seconds: from its turn to its last file, waiting for others included.
    skipped: an earlier run had done it.
    """

    source: Path
    outputs: tuple[Path, ...] = ()
    error: str | None = None
    remarks: tuple[str, ...] = ()
    seconds: float = 0.0
    skipped: bool = False


class _Stopped(Exception):
    """The work was called off between two steps of a photo."""


class Workers:
    """The threads, and what they share.

    Args:
        jobs: taken in this order.
        stop: once it is true no photo is begun, and of those begun only files half written are finished.
    """

    def __init__(self, colorizer: Colorizer, jobs: Sequence[Job], settings: Settings, stop: Callable[[], bool]) -> None:
        self._colorizer = colorizer
        self._settings = settings
        self._stop = stop
        self._ended = False
        self._jobs = iter(jobs)
        self._turn = threading.Lock()
        self._budget = PixelBudget(settings.pixels_in_flight)
        self._batcher = Batcher(self._predict, settings.batch_size)
        self._results: queue.SimpleQueue[Result | OSError | None] = queue.SimpleQueue()
        # Twice the batch, so that one can fill while another is written. Daemons: a second Ctrl-C waits for none.
        count = min(len(jobs), max(2 * settings.batch_size, processors()))
        self._threads = [threading.Thread(target=self._work, name=f"photo-{n}", daemon=True) for n in range(count)]

    def results(self) -> Generator[Result]:
        """Start the threads; yield in the order of completion until all photos are done or the work was stopped."""
        for thread in self._threads:
            thread.start()
        running = len(self._threads)
        try:
            while running:
                try:
                    result = self._results.get(timeout=_LOOK_SECONDS)  # Ctrl-C is heard between two looks only
                except queue.Empty:
                    continue
                if result is None:
                    running -= 1
                elif isinstance(result, OSError):
                    raise result
                else:
                    yield result
        except KeyboardInterrupt:  # the second Ctrl-C: wait for nothing
            self._ended = True
            raise
        except BaseException:
            self._end()
            raise
        self._end()

    def _end(self) -> None:
        self._ended = True
        for thread in self._threads:
            thread.join()
        self._batcher.close()

    def _work(self) -> None:
        try:
            while True:
                with self._turn:  # in order: a large photo that waits for room is not overtaken
                    job = None if self._stopping() else next(self._jobs, None)
                    if job is None:
                        return
                    pixels = count_pixels(job.source) if job.missing else 0
                    self._budget.acquire(pixels)
                try:
                    self._results.put(self._done(job))
                finally:
                    self._budget.release(pixels)
        except _Stopped:
            pass
        except OSError as error:
            self._ended = True
            self._results.put(error)
        finally:
            self._results.put(None)

    def _stopping(self) -> bool:
        return self._ended or self._stop()

    def _done(self, job: Job) -> Result:
        """One photo from beginning to end; whatever goes wrong with it is its own result."""
        if not job.missing:
            return Result(job.source, skipped=True)
        began = time.monotonic()
        written: list[Path] = []
        remarks: tuple[str, ...] = ()
        error = None
        try:
            remarks = write_photo(job, self._settings, self._next_colored, written)
        except _Stopped:
            raise
        except Exception as failure:  # a damaged file or a full memory can raise anything: reported, never swallowed
            error = reason(job.source, failure)
        return Result(job.source, tuple(written), error, remarks, time.monotonic() - began)

    def _next_colored(self, source: Iterator[Picture], sample: int | None, first: FirstPage) -> Picture | None:
        """The next page of a photo in colour; `None` after the last."""
        settings, colorizer = self._settings, self._colorizer
        with self._batcher.request() as ask:
            page = next(source, None)
            if page is None:
                return None
            self._go_on()
            frame = colorizer.frame(page.pixels)
            if sample is None:
                ab = ask(frame, frame.shape)
            else:
                ab = colorizer.predict_sample(frame, sample, settings.seed, settings.vividness)
        self._go_on()
        colored = replace(page, pixels=colorizer.finish(page.pixels, frame, ab, settings.edges))
        first.look(page, colored, sample)
        return colored

    def _predict(self, frames: list[Frame]) -> list[np.ndarray]:
        return self._colorizer.predict(frames, self._settings.vividness)

    def _go_on(self) -> None:
        if self._stopping():
            raise _Stopped
