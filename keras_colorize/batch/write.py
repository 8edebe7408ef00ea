"""The files of a run: those of one photo, whoever has computed its colours, and the lists beside the results."""

import csv
import errno
import io
import itertools
import math
import operator
import os
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from keras_colorize.batch.contact_sheet import join_tiles, make_tile, tile_side
from keras_colorize.batch.plan import (
    ERRORS_FILE,
    ERRORS_HEADER,
    IN_COLOR_FILE,
    IN_COLOR_HEADER,
    FolderSettings,
    Job,
)
from keras_colorize.errors import ColorizeError
from keras_colorize.files import printable
from keras_colorize.images import Picture, is_grey, remove_abandoned, to_8_bits, write_pictures

Tone = Literal["grey", "tinted", "color"]

TINTED = "tinted, such as sepia: colorized from the lightness, and the tint is gone"

# A tint is a curve from dark to light. A photo that lies, on average, so near to one (in levels of R − G and B − G) has
# no colours of its own. Of 145 photographs in colour 98 % lie further away, of as many made sepia all lie nearer.
_TINT_DISTANCE = 2.0
_TINT_SIDE = 32  # pixels; a reduced photo shows neither grain nor what JPEG does to colour
_TONE_PIXELS = 1_000_000

# The disk of the results is full or locked: the next photo would fail as this one did.
_FATAL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


@dataclass
class Written:
    """The files that were written for one photo.

    files: in the order in which they were written.
    tone: whether the photo was grey, tinted, or in colour before; None while nobody has looked.
    remarks: what its owner should know, such as what the format could not keep; each once.
    """

    files: list[Path] = field(default_factory=list)
    tone: Tone | None = None
    remarks: dict[str, None] = field(default_factory=dict)


def write_photo(
    job: Job, settings: FolderSettings, samples: Iterable[Iterator[tuple[Picture, Picture]]], written: Written
) -> None:
    """Write the files of a photo that are missing.

    Args:
        samples: for each file of `job.colored` the pages of the photo in order, each with the page in colour. Pages are
            asked for one by one, so only one needs to be in memory; of a file that exists none is asked for, unless
            the comparison shows it.
        written: filled on the way, so that it also tells what a photo that failed has become.
    """
    compare = job.comparison in job.missing
    side = tile_side(len(job.colored) + 1)
    tiles: list[np.ndarray] = []

    def look(pair: tuple[Picture, Picture]) -> Picture:
        """Keep of a first page what the comparison and the remarks need; returns it in colour."""
        page, colored = pair
        written.tone = written.tone or tone_of(page.pixels)
        if compare:
            if not tiles:
                tiles.append(make_tile(page, side, with_color=False))
            tiles.append(make_tile(colored, side))
        return colored

    for file, pairs in zip(job.colored, samples, strict=True):
        # Iterators, not a loop, which would hold a page while the next one is made.
        pages = itertools.chain(map(look, itertools.islice(pairs, 1)), map(operator.itemgetter(1), pairs))
        if file in job.missing:
            written.remarks |= dict.fromkeys(_write(job, file, pages, settings))
            written.files.append(file)
        elif compare:
            next(pages)  # an earlier run wrote the file; it is shown beside the others
    if compare and job.comparison is not None:
        _write(job, job.comparison, [Picture(join_tiles(tiles))], settings)
        written.files.append(job.comparison)
    if written.tone == "tinted":
        written.remarks = {TINTED: None} | written.remarks


def _write(job: Job, file: Path, pages: Iterable[Picture], settings: FolderSettings) -> list[str]:
    file.parent.mkdir(parents=True, exist_ok=True)
    overwrite = settings.overwrite or job.is_outdated(file)
    return write_pictures(file, pages, quality=settings.quality, overwrite=overwrite)


def tone_of(pixels: np.ndarray) -> Tone:
    """Tell whether a photo is grey, tinted in the colours of one curve from dark to light, or in colour.

    Args:
        pixels: `(H, W)` or `(H, W, 3)`, uint8 or uint16; of a large photo every so many rows and columns are looked at.
    """
    if pixels.ndim == 2:
        return "grey"
    step = max(math.isqrt(pixels.shape[0] * pixels.shape[1] // _TONE_PIXELS), 1)
    rgb_u8 = to_8_bits(pixels[::step, ::step])
    if is_grey(rgb_u8):
        return "grey"
    image = Image.fromarray(np.ascontiguousarray(rgb_u8))
    image.thumbnail((_TINT_SIDE, _TINT_SIDE), Image.Resampling.BOX)
    red, green, blue = np.moveaxis(np.asarray(image, np.float32), -1, 0).reshape(3, -1)
    tint = np.stack([red - green, blue - green], axis=-1)
    curve = np.stack([((red + green + blue) / 765.0) ** power for power in range(5)], axis=-1)
    fitted = curve @ np.linalg.lstsq(curve, tint, rcond=None)[0]
    return "tinted" if np.abs(tint - fitted).max(axis=-1).mean() <= _TINT_DISTANCE else "color"


# Lists beside the results


def make_out(out: Path) -> None:
    """Make the folder of the results where there is none.

    Raises:
        ColorizeError: it cannot be made, or nothing may be written into it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ColorizeError(f"`out` '{out}' cannot be made ({error.strerror}); choose another folder") from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise ColorizeError(f"`out` '{out}' may not be written; choose another folder")


def clear_leftovers(jobs: Iterable[Job]) -> None:
    """Remove what runs that were killed have left half written in the folders of the results."""
    for folder in {file.parent for job in jobs for file in job.colored}:
        remove_abandoned(folder)


class RunLists:
    """The lists of a run: photos that failed, and photos that were in colour already.

    Making them removes those of an earlier run. A list exists once there is a photo in it, and each photo is on the
    disk at once: a run that is killed leaves its lists so far.

    Args:
        out: the folder of the results, which is made where there is none.

    Raises:
        ColorizeError: the folder cannot be made or written.
    """

    def __init__(self, out: Path) -> None:
        make_out(out)
        self.errors_file, self.in_color_file = out / ERRORS_FILE, out / IN_COLOR_FILE
        for file in (self.errors_file, self.in_color_file):
            file.unlink(missing_ok=True)

    def add_error(self, source: Path, error: str) -> None:
        """List a photo that failed, with the reason."""
        _append(self.errors_file, ERRORS_HEADER, list_row(source, error))

    def add_in_color(self, source: Path, colorized: bool) -> None:
        """List a photo that was in colour, and whether it was colorized all the same."""
        _append(self.in_color_file, IN_COLOR_HEADER, list_row(source, "yes" if colorized else "no"))


def list_row(source: Path, value: str) -> str:
    """Format a photo's row of a list, with its line break."""
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow([printable(str(source)), value])
    return row.getvalue()


def _append(file: Path, header: str, row: str) -> None:
    is_new = not file.exists()
    with file.open("a", newline="", encoding="utf-8") as stream:
        if is_new:
            stream.write(f"{header}\n")
        stream.write(row)


# Reasons


def reason(source: Path, failure: Exception) -> str:
    """Say in one line why a photo failed; the photo's name stands beside it.

    Raises:
        OSError: it is not the photo's fault: the disk of the results is full or may not be written.
    """
    cause = failure.__cause__ or failure
    if isinstance(cause, OSError) and cause.errno in _FATAL:
        raise cause from None
    if isinstance(failure, MemoryError):
        return "is too large for the memory of this machine"
    text = " ".join(str(failure).split())
    if isinstance(failure, ColorizeError):
        return text.removeprefix(f"{source}: ")
    return f"{type(failure).__name__}: {textwrap.shorten(text, 300)}"
