"""Threads that take photos through decoding, network and encoding side by side, in bounded memory.

A thread takes one photo at a time through all steps in order. The threads share the network, which serves several of
them with one batch, and the budget of pixels that may be in memory.
"""

import functools
import itertools
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_colorize.batch.batcher import Batcher
from keras_colorize.batch.hints import PhotoSettings
from keras_colorize.batch.memory import PixelBudget
from keras_colorize.batch.plan import FolderSettings, Job
from keras_colorize.batch.write import Written, reason, tone_of, write_photo
from keras_colorize.hardware import processors
from keras_colorize.images import Picture, count_pixels, read_pictures
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.frame import Frame
from keras_colorize.inference.hint_files import HintSet

if TYPE_CHECKING:
    from keras_colorize.inference.reference import ReferencePhoto

_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Result:
    """The result of one photo.

    outputs: the files that this run wrote for it.
    error: why it could not be colorized, in one line, or None.
    in_color: whether it had colours of its own. With `skip_color` such a photo has no outputs.
    remarks: what its owner should know, such as what the format could not keep.
    seconds: from its turn to its last file, with all waiting for others.
    skipped: whether an earlier run had written everything.
    """

    source: Path
    outputs: tuple[Path, ...] = ()
    error: str | None = None
    in_color: bool = False
    remarks: tuple[str, ...] = ()
    seconds: float = 0.0
    skipped: bool = False


class _Stopped(Exception):
    """The work was called off between two steps of a photo."""


class Workers:
    """The threads of a run, with the network and the budget of memory that they share.

    Args:
        jobs: taken in this order.
        stop: once it returns true, no photo is begun, and only files that are half written are finished.
        reference: whose palette all photos take on, or None.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        jobs: Sequence[Job],
        settings: FolderSettings,
        stop: Callable[[], bool],
        reference: "ReferencePhoto | None" = None,
    ) -> None:
        self._colorizer = colorizer
        self._reference = reference
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
        """Take one photo from beginning to end; whatever goes wrong with it is its own result."""
        if not job.missing:
            return Result(job.source, skipped=True)
        began = time.monotonic()
        written = Written()
        error = None
        try:
            if self._settings.skip_color:
                written.tone = tone_of(next(self._read(job)).pixels)
            if not (self._settings.skip_color and written.tone == "color"):
                photo = PhotoSettings.of(job, self._settings)
                write_photo(job, self._settings, self._samples(job, photo), written)
        except _Stopped:
            raise
        except Exception as failure:  # a damaged file or a full memory can raise anything: reported, never swallowed
            error = reason(job.source, failure)
        return Result(
            job.source,
            tuple(written.files),
            error,
            error is None and written.tone == "color",
            tuple(written.remarks),
            time.monotonic() - began,
        )

    def _samples(self, job: Job, photo: PhotoSettings) -> Iterator[Iterator[tuple[Picture, Picture]]]:
        """Yield for each sample the photo's pages, each with the page in colour.

        The samples of a page are drawn once. A photo with one page is read once too; one with several is read again
        for each sample, so that few pages are in memory at a time.
        """
        kept: list[Picture] = []
        drawn: dict[int, tuple[Frame, Callable[[int], np.ndarray]]] = {}
        for sample in range(len(job.colored)):
            if len(job.colored) == 1:
                pair = functools.partial(self._next_pair, self._read(job), photo.hints_of_pages(), photo.vividness)
            else:
                pages = enumerate(self._read_again(job, kept))
                pair = functools.partial(self._next_sample, pages, photo, sample, drawn)
            yield iter(pair, None)

    def _read(self, job: Job) -> Iterator[Picture]:
        return read_pictures(job.source, max_pixels=self._settings.max_pixels, name=str(job.source))

    def _read_again(self, job: Job, kept: list[Picture]) -> Iterator[Picture]:
        """Yield the pages of a photo, and keep the page of one that has no other."""
        if kept:
            yield kept[0]
            return
        pages = self._read(job)
        first = next(pages)
        yield first
        second = next(pages, None)
        if second is None:
            kept.append(first)
            return
        del first
        yield second
        yield from pages

    def _next_pair(
        self, pages: Iterator[Picture], hints: Iterator[HintSet], vividness: float
    ) -> tuple[Picture, Picture] | None:
        """Return the next page and the page in colour; None after the last."""
        with self._batcher.request() as ask:
            page = next(pages, None)
            if page is None:
                return None
            self._go_on()
            frame = self._colorizer.frame(page.pixels, next(hints))
            if self._reference is None:
                ab = ask((frame, vividness), (frame.shape, vividness))
        if self._reference is not None:
            ab = self._colorizer.predict_like(frame, self._reference, vividness)
        return self._colored(page, frame, ab)

    def _next_sample(
        self,
        pages: Iterator[tuple[int, Picture]],
        photo: PhotoSettings,
        sample: int,
        drawn: dict[int, tuple[Frame, Callable[[int], np.ndarray]]],
    ) -> tuple[Picture, Picture] | None:
        """Return the next page and one of its samples; None after the last.

        Args:
            drawn: the frame and the samples of each page, filled when the page comes for the first time.
        """
        number, page = next(pages, (None, None))
        if number is None or page is None:
            return None
        self._go_on()
        if number not in drawn:
            hints = next(itertools.islice(photo.hints_of_pages(), number, None))
            frame = self._colorizer.frame(page.pixels, hints)
            settings = self._settings
            drawn[number] = frame, self._colorizer.sampler(frame, settings.samples, settings.seed, photo.vividness)
        frame, draw = drawn[number]
        return self._colored(page, frame, draw(sample))

    def _colored(self, page: Picture, frame: Frame, ab: np.ndarray) -> tuple[Picture, Picture]:
        self._go_on()
        return page, replace(page, pixels=self._colorizer.finish(page.pixels, frame, ab, self._settings.edges))

    def _predict(self, asked: list[tuple[Frame, float]]) -> list[np.ndarray]:
        """Predict the chroma of frames that are asked for with one vividness."""
        return self._colorizer.predict([frame for frame, _ in asked], asked[0][1])

    def _go_on(self) -> None:
        if self._stopping():
            raise _Stopped
