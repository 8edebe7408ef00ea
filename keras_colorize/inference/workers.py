"""Threads that take photos through decoding, network and encoding side by side, in bounded memory.

A thread takes one photo at a time through all of it, in the order in which one would write it down. What they share
is the network, which serves several threads with one batch, and the budget of pixels that may be in memory.
"""

import errno
import functools
import math
import queue
import textwrap
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from keras_colorize.errors import ColorizeError
from keras_colorize.hardware import processors
from keras_colorize.inference.batching import PIXELS_IN_FLIGHT, Batcher, PixelBudget, count_pixels
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.framing import Frame
from keras_colorize.inference.jobs import Job
from keras_colorize.inference.sheet import compared, compared_side, side_by_side
from keras_colorize.photos import is_grey
from keras_colorize.pictures import DEFAULT_MAX_PIXELS, Picture, read_pictures, write_pictures

IN_COLOR = "not black and white, but in colour or tinted; recoloured from the lightness alone"
# The disk of the results is full or locked: the next photo would fail as this one did.
_FATAL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_LOOK_SECONDS = 0.2
_GREY_TEST_PIXELS = 1_000_000


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


@dataclass(frozen=True)
class Settings:
    """How photos are colorized and written; see `keras_colorize.inference.folder.colorize_folder`."""

    vividness: float = 1.0
    seed: int = 0
    edges: bool = True
    quality: int = 95
    overwrite: bool = False
    batch_size: int = 8
    max_pixels: int = DEFAULT_MAX_PIXELS
    pixels_in_flight: int = PIXELS_IN_FLIGHT


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
            remarks = self._colorize(job, written)
        except _Stopped:
            raise
        except Exception as failure:  # a damaged file or a full memory can raise anything: reported, never swallowed
            cause = failure.__cause__ or failure
            if isinstance(cause, OSError) and cause.errno in _FATAL:
                raise cause from None
            error = _reason(job.source, failure)
        return Result(job.source, tuple(written), error, remarks, time.monotonic() - began)

    def _colorize(self, job: Job, written: list[Path]) -> tuple[str, ...]:
        """Write what is missing of a photo's files, and name it in `written`; returns remarks about the photo.

        The photo is read again for each sample: only one page is in memory at a time, and decoding is the small part.
        """
        first = _FirstPage(job.comparison in job.missing, compared_side(len(job.colored) + 1))
        remarks: dict[str, None] = {}  # in order, each once
        for sample, file in enumerate(job.colored):
            source = read_pictures(job.source, max_pixels=self._settings.max_pixels, name=str(job.source))
            number = sample if len(job.colored) > 1 else None
            pages = iter(functools.partial(self._next_colored, source, number, first), None)
            if file in job.missing:
                remarks.update(dict.fromkeys(self._write(file, pages)))
                written.append(file)
            elif first.compare:
                next(pages)  # an earlier run wrote it; it is wanted beside the others
        if first.compare and job.comparison is not None:
            self._write(job.comparison, [Picture(side_by_side(first.tiles))])
            written.append(job.comparison)
        return (IN_COLOR, *remarks) if first.in_color else tuple(remarks)

    def _next_colored(self, source: Iterator[Picture], sample: int | None, first: "_FirstPage") -> Picture | None:
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
                ab = _finite(colorizer.predict_sample(frame, sample, settings.seed, settings.vividness))
        self._go_on()
        colored = replace(page, pixels=colorizer.finish(page.pixels, frame, ab, settings.edges))
        first.look(page, colored, sample)
        return colored

    def _predict(self, frames: list[Frame]) -> list[np.ndarray]:
        return [_finite(ab) for ab in self._colorizer.predict(frames, self._settings.vividness)]

    def _write(self, file: Path, pages: Iterable[Picture]) -> list[str]:
        file.parent.mkdir(parents=True, exist_ok=True)
        return write_pictures(file, pages, quality=self._settings.quality, overwrite=self._settings.overwrite)

    def _go_on(self) -> None:
        if self._stopping():
            raise _Stopped


@dataclass
class _FirstPage:
    """What is kept of a photo's first page: whether it was in colour, and reduced copies for a comparison."""

    compare: bool
    side: int
    in_color: bool = False
    tiles: list[np.ndarray] = field(default_factory=list)
    seen: set[int | None] = field(default_factory=set)

    def look(self, page: Picture, colored: Picture, sample: int | None) -> None:
        """See a page and what it became; the first of each sample counts."""
        if sample in self.seen:
            return
        if not self.seen:
            self.in_color = _in_color(page.pixels)
        self.seen.add(sample)
        if self.compare:
            if not self.tiles:
                self.tiles.append(compared(page, self.side, with_color=False))
            self.tiles.append(compared(colored, self.side))


def _finite(ab: np.ndarray) -> np.ndarray:
    """Chroma as it came; what is no number would become a grey or black photo."""
    if not np.isfinite(ab).all():
        raise ColorizeError("the network answers with values that are no finite numbers: its weights are broken")
    return ab


def _in_color(pixels: np.ndarray) -> bool:
    """Whether a photo has colours of its own; a large one is looked at in every so many rows and columns."""
    if pixels.ndim == 2:
        return False
    step = max(math.isqrt(pixels.shape[0] * pixels.shape[1] // _GREY_TEST_PIXELS), 1)
    seen = pixels[::step, ::step]
    return not is_grey(seen if seen.dtype == np.uint8 else (seen // 257).astype(np.uint8))


def _reason(source: Path, failure: Exception) -> str:
    """One line for the user; the photo's name is said beside it."""
    if isinstance(failure, MemoryError):
        return "is too large for the memory of this machine"
    text = " ".join(str(failure).split())
    if isinstance(failure, ColorizeError):
        return text.removeprefix(f"{source}: ")
    return f"{type(failure).__name__}: {textwrap.shorten(text, 300)}"
