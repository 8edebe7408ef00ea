"""The account of a folder of results: nothing lost, nothing twice, nothing half written, nothing left behind."""

import csv
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.soak_photos import Entry
from keras_colorize.batch.plan import ERRORS_FILE, IN_COLOR_FILE
from keras_colorize.errors import ColorizeError
from keras_colorize.files import printable
from keras_colorize.images import Picture, read_pictures

# Another batch of the network may round otherwise, and a lossy format makes a little more of that.
MOST_APART, MEAN_APART = 12, 0.2  # of 255 levels


class Stamp(NamedTuple):
    """A file as the file system knows it; one that was written again has another."""

    inode: int
    modified: int
    size: int


class Ledger:
    """The account of the results of one folder of photos, over all runs that write into it.

    Args:
        entries: the photos, and files that are none.
        photos: their folder.
        out: the folder of the results.
    """

    def __init__(self, entries: Sequence[Entry], photos: Path, out: Path) -> None:
        self.photos, self.out = photos, out
        self.entries = [entry for entry in entries if entry.fate != "passed"]
        self.problems: list[str] = []
        self.stamps: dict[str, Stamp] = {}
        """Of every result at the last look, by its path below `out`."""
        self._by_result = {entry.result: entry for entry in self.entries}
        if len(self._by_result) < len(self.entries):
            raise ValueError("two photos would have one result")

    def look(self) -> int:
        """Note which results there are, and return their number.

        A result that was there at the last look and is gone, or was written again since then, is a problem.
        """
        found = {name: stamp for name, stamp in _files(self.out) if name in self._by_result}
        for name, stamp in self.stamps.items():
            if name not in found:
                self._problem(name, "was there and is gone")
            elif found[name] != stamp:
                self._problem(name, "was whole and was made again")
        self.stamps = found
        return len(found)

    def close(self, finished: bool, leftovers: bool = True) -> None:
        """Check all that can be known at the end.

        Args:
            finished: whether the last run has come to its end, so that every photo must be accounted for.
            leftovers: whether temporary files are a problem. A run that was killed may leave some; the next removes
                them.
        """
        self.look()
        for name, _ in _files(self.out):
            if name in self._by_result or name in (ERRORS_FILE, IN_COLOR_FILE):
                continue
            if not name.endswith(".part"):
                self._problem(name, "belongs to no photo")
            elif leftovers:
                self._problem(name, "is a temporary file that was left")
        failures = self.failures()
        for name in sorted(set(failures)):
            if failures.count(name) > 1:
                self._problem(name, f"is listed {failures.count(name)} times among the failures")
        listed = set(failures)
        known = {printable(str(self.photos / entry.name)) for entry in self.entries}
        for name in sorted(listed - known):
            self._problem(name, "is listed among the failures and is no photo")
        for entry in self.entries:
            has_failed = printable(str(self.photos / entry.name)) in listed
            self._check(entry, entry.result in self.stamps, has_failed, finished)

    def failures(self) -> list[str]:
        """Return the photos that the last run lists as failed."""
        file = self.out / ERRORS_FILE
        if not file.is_file():
            return []
        with file.open(encoding="utf-8", newline="") as stream:
            return [row[0] for row in csv.reader(stream)][1:]

    def _check(self, entry: Entry, has_result: bool, has_failed: bool, finished: bool) -> None:
        if has_result and has_failed:
            self._problem(entry.name, "has a result and is listed among the failures")
        elif finished and not has_result and not has_failed:
            self._problem(entry.name, "is lost: no result and no failure")
        if entry.fate == "colored" and has_failed:
            self._problem(entry.name, "is a whole photo and has failed")
        if entry.fate == "failed" and has_result:
            self._problem(entry.name, "holds no photo and has a result")
        if has_result:
            try:
                shapes = tuple((page.height, page.width) for page in _pages(self.out / entry.result))
            except ColorizeError as error:
                self._problem(entry.result, f"cannot be read: {error}")
                return
            if entry.shapes and shapes != entry.shapes:
                self._problem(entry.result, f"has the pages {shapes}, and the photo has {entry.shapes}")

    def compare(self, other: Path, names: Iterable[str]) -> tuple[int, int]:
        """Compare results with those of another run that nobody disturbed.

        Args:
            other: its folder.
            names: of the results, below both folders; those that are not there yet are passed over.

        Returns:
            how many were compared, and how many of these have the same bytes. Others may differ by rounding; more than
            that is a problem.
        """
        compared = same = 0
        for name in names:
            if name not in self.stamps:
                continue
            compared += 1
            if (self.out / name).read_bytes() == (other / name).read_bytes():
                same += 1
            elif apart := _difference(self.out / name, other / name):
                self._problem(name, f"is not what an undisturbed run makes: {apart}")
        return compared, same

    def _problem(self, name: str, what: str) -> None:
        self.problems.append(f"{printable(name)}: {what}")


def _files(folder: Path) -> Iterable[tuple[str, Stamp]]:
    """Yield each file below a folder, by its path with slashes; files that vanish meanwhile are passed over."""
    for path, _, names in os.walk(folder):
        below = os.path.relpath(path, folder).replace(os.sep, "/")
        prefix = "" if below == "." else f"{below}/"
        for name in names:
            try:
                status = os.stat(os.path.join(path, name))
            except FileNotFoundError:  # a temporary file
                continue
            yield prefix + name, Stamp(status.st_ino, status.st_mtime_ns, status.st_size)


def _pages(file: Path) -> list[Picture]:
    return list(read_pictures(file, max_pixels=sys.maxsize))


def _difference(one: Path, other: Path) -> str:
    """Describe how two results differ; empty where it is rounding."""
    try:
        pages, others = _pages(one), _pages(other)
    except ColorizeError as error:
        return str(error)
    if [page.pixels.shape for page in pages] != [page.pixels.shape for page in others]:
        return "other sizes"
    for page, second in zip(pages, others, strict=True):
        levels = 1 if page.depth == 8 else 257
        apart = np.abs(page.pixels.astype(np.int32) - second.pixels.astype(np.int32)) / levels
        if apart.max() > MOST_APART or apart.mean() > MEAN_APART:
            return f"{apart.max():.1f} levels at most and {apart.mean():.2f} on average"
    return ""
