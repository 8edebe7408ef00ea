"""One photo and the files that it becomes, whoever has computed its colours."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from keras_colorize.batch.batching import PIXELS_IN_FLIGHT
from keras_colorize.batch.contact_sheet import compared, compared_side, side_by_side
from keras_colorize.batch.plan import Job
from keras_colorize.images import DEFAULT_MAX_PIXELS, Picture, read_pictures, to_8_bits, write_pictures
from keras_colorize.images.photos import is_grey

IN_COLOR = "not black and white, but in colour or tinted; recoloured from the lightness alone"
_GREY_TEST_PIXELS = 1_000_000


@dataclass(frozen=True)
class Settings:
    """How photos are colorized and written; see `keras_colorize.batch.folder.colorize_folder`."""

    vividness: float = 1.0
    seed: int = 0
    edges: bool = True
    quality: int = 95
    overwrite: bool = False
    batch_size: int = 8
    max_pixels: int = DEFAULT_MAX_PIXELS
    pixels_in_flight: int = PIXELS_IN_FLIGHT


@dataclass
class FirstPage:
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


def write_photo(
    job: Job,
    settings: Settings,
    next_colored: Callable[[Iterator[Picture], int | None, FirstPage], Picture | None],
    written: list[Path],
) -> tuple[str, ...]:
    """Write what is missing of a photo's files; returns remarks about the photo.

    The photo is read again for each sample: only one page is in memory at a time, and decoding is the small part.

    Args:
        next_colored: takes the next of a photo's pages, the number of the sample (`None` where there is only one), and
            what is to see the page and what it became; returns the page in colour, `None` after the last.
        written: the files, as they are written.
    """
    first = FirstPage(job.comparison in job.missing, compared_side(len(job.colored) + 1))
    remarks: dict[str, None] = {}  # in order, each once
    for sample, file in enumerate(job.colored):
        source = read_pictures(job.source, max_pixels=settings.max_pixels, name=str(job.source))
        number = sample if len(job.colored) > 1 else None
        pages = iter(functools.partial(next_colored, source, number, first), None)
        if file in job.missing:
            remarks.update(dict.fromkeys(_write(file, pages, settings)))
            written.append(file)
        elif first.compare:
            next(pages)  # an earlier run wrote it; it is wanted beside the others
    if first.compare and job.comparison is not None:
        _write(job.comparison, [Picture(side_by_side(first.tiles))], settings)
        written.append(job.comparison)
    return (IN_COLOR, *remarks) if first.in_color else tuple(remarks)


def _write(file: Path, pages: Iterable[Picture], settings: Settings) -> list[str]:
    file.parent.mkdir(parents=True, exist_ok=True)
    return write_pictures(file, pages, quality=settings.quality, overwrite=settings.overwrite)


def _in_color(pixels: np.ndarray) -> bool:
    """Whether a photo has colours of its own; a large one is looked at in every so many rows and columns."""
    if pixels.ndim == 2:
        return False
    step = max(math.isqrt(pixels.shape[0] * pixels.shape[1] // _GREY_TEST_PIXELS), 1)
    return not is_grey(to_8_bits(pixels[::step, ::step]))
