"""Photos in splits, and the rules that divide them."""

import hashlib
import os
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal, TypeVar, get_args, overload

import numpy as np

from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.images import Box

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
# Names of folders, and words in the names of shards, that stand for a split.
SPLIT_WORDS: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}

_SETTLED_SECONDS = 2.0  # a file that changed more recently may change again within the clock's resolution

_T = TypeVar("_T")
_S = TypeVar("_S")


@dataclass(frozen=True, slots=True)
class Version:
    """The size in bytes and the time of change in nanoseconds by which another version of a file is known."""

    size: int
    modified: int

    @property
    def settled(self) -> bool:
        """Tell whether a later change would show: the file has not changed in the last two seconds."""
        return time.time_ns() - self.modified >= _SETTLED_SECONDS * 1e9


@dataclass(frozen=True)
class Photo:
    """One photo, or one part of it.

    Attributes:
        path: the file, or None for a record of a TFDS data set, which only `Source.open` delivers, or of a shard.
        name: relative to the source and unique in it; messages print it.
        box: (top, left, bottom, right) of the part as shares of the photo's sides in [0, 1]; None is the whole photo.
    """

    path: Path | None
    name: str
    box: Box | None = None

    def file(self) -> Path | BytesIO:
        """Return the file that `read_photo` takes.

        Raises:
            ColorizeError: the photo is a record that holds no photo.
            OSError: the photo is a record of a shard that cannot be read.
        """
        assert self.path is not None
        return self.path

    def version(self) -> Version | None:
        """Return the version of the file that holds the photo; None where it cannot be told."""
        if self.path is None:
            return None
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        return Version(status.st_size, status.st_mtime_ns)

    def key(self) -> bytes:
        """Name the photo, or the part of it, by its path from the root: the same whatever the source."""
        assert self.path is not None
        key = os.fsencode(os.path.abspath(self.path))
        return key if self.box is None else key + b"\0" + " ".join(map(repr, self.box)).encode()


class Packed(Sequence[_T]):
    """A sequence that keeps only row numbers, and makes an item of its row when it is asked for the item.

    Args:
        rows: integers (N,), one for each item.
        make: makes the item of a row.
    """

    def __init__(self, rows: np.ndarray, make: Callable[[int], _T]) -> None:
        self.rows = rows
        self._make = make

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> _T: ...
    @overload
    def __getitem__(self, index: slice) -> "Packed[_T]": ...
    def __getitem__(self, index: int | slice) -> "_T | Packed[_T]":
        if isinstance(index, slice):
            return Packed(self.rows[index], self._make)
        return self._make(int(self.rows[index]))

    def take(self, indices: np.ndarray) -> "Packed[_T]":
        """Return the items at some indices; they stay packed."""
        return Packed(self.rows[indices], self._make)

    def map(self, function: Callable[[_T], _S]) -> "Packed[_S]":
        """Return the results of a function of the items; each is computed when it is asked for."""
        return Packed(self.rows, lambda row: function(self._make(row)))


def subset(photos: Sequence[Photo], indices: np.ndarray) -> Sequence[Photo]:
    """Return the photos at some indices; packed photos stay packed."""
    return photos.take(indices) if isinstance(photos, Packed) else [photos[n] for n in indices]


class Source:
    """Photos divided into splits.

    Attributes:
        description: one line for the log, such as `landscapes: 7,128 photos`.
        notes: one-line remarks for the log: what was left out, how the photos were divided.
        reopens: whether any photo can be opened at any time; otherwise only one pass over all of them is possible.
    """

    reopens = True

    def __init__(self, description: str, splits: Mapping[Split, Sequence[Photo]], notes: Sequence[str] = ()) -> None:
        self.description = description
        self.notes = list(notes)
        self._splits = splits

    def items(self, split: Split) -> Sequence[Photo]:
        """Return the photos of a split in a fixed order; there may be none. Those of shards are packed.

        Raises:
            ColorizeError: there is no such split.
        """
        if split not in SPLITS:
            raise ColorizeError(f"unknown split '{split}'{did_you_mean(split, SPLITS)} (known: {', '.join(SPLITS)})")
        photos = self._splits[split]
        return photos if isinstance(photos, Packed) else list(photos)

    def open(self, split: Split, photos: Sequence[Photo]) -> Iterator[tuple[Photo, Path | BytesIO]]:
        """Pass once over some of a split's photos, in their order; yield each with the file that `read_photo` takes."""
        for photo in photos:
            yield photo, photo.file()

    def checked(self, drop_grey: bool) -> bool:
        """Tell whether every photo was looked at when it was written here, so that a scan would find nothing.

        Args:
            drop_grey: whether the scan would leave out grey photos.
        """
        return False


def position(name: str) -> float:
    """Map a name to [0, 1): uniformly over names, the same on every machine and in every version."""
    digest = hashlib.sha256(unicodedata.normalize("NFC", name).encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def divide(
    photos: Sequence[Photo], validation_fraction: float, test_fraction: float, notes: list[str]
) -> dict[Split, Sequence[Photo]]:
    """Divide photos by their positions: the lowest are for the test, the next for validation, the rest for training."""
    if not validation_fraction and not test_fraction:  # a million names take seconds
        return {"train": photos, "validation": [], "test": []}
    positions = np.fromiter((position(photo.name) for photo in photos), np.float64, len(photos))
    tested = positions < test_fraction
    held_out = positions < test_fraction + validation_fraction
    chosen: dict[Split, np.ndarray] = {"train": ~held_out, "validation": held_out & ~tested, "test": tested}

    wanted = {"train": 1.0, "validation": validation_fraction, "test": test_fraction}
    empty = [split for split in SPLITS if wanted[split] and not chosen[split].any()]
    if empty and len(photos) >= 3:
        # The same order by position, cut by count instead of by threshold.
        ranks = np.empty(len(photos), int)
        ranks[np.argsort(positions, kind="stable")] = np.arange(len(photos))
        tests = min(max(round(test_fraction * len(photos)), 1), len(photos) - 2) if test_fraction else 0
        most = len(photos) - 1 - tests
        validations = min(max(round(validation_fraction * len(photos)), 1), most) if validation_fraction else 0
        tested, held_out = ranks < tests, ranks < tests + validations
        chosen = {"train": ~held_out, "validation": held_out & ~tested, "test": tested}
        notes.append(
            f"few photos: {' and '.join(empty)} would be empty, so the photos are divided by rank instead of by"
            " threshold (a photo may change its split when photos are added)"
        )
    return {split: subset(photos, np.flatnonzero(rows)) for split, rows in chosen.items()}


def carve(
    own: Mapping[Split, Sequence[Photo]], validation_fraction: float, test_fraction: float, notes: list[str]
) -> dict[Split, Sequence[Photo]]:
    """Keep a source's own validation and test photos; take missing splits out of its training photos."""
    fractions = {"validation": 0.0 if own["validation"] else validation_fraction}
    fractions["test"] = 0.0 if own["test"] else test_fraction
    carved = divide(own["train"], fractions["validation"], fractions["test"], notes)
    if own["train"] and (own["validation"] or own["test"]):
        notes.extend(
            f"no {split} split of its own: {fraction:.0%} of the training photos are kept for it"
            for split, fraction in fractions.items()
            if fraction
        )
    return {
        "train": carved["train"],
        "validation": own["validation"] or carved["validation"],
        "test": own["test"] or carved["test"],
    }


def counted(splits: Mapping[Split, Sequence[Photo]]) -> str:
    """Describe the splits: `1,000 photos (train 900, validation 50, test 50)`."""
    each = ", ".join(f"{split} {len(splits[split]):,}" for split in SPLITS)
    return f"{sum(map(len, splits.values())):,} photos ({each})"
