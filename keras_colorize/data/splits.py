"""Photos in splits, and the rules that divide them."""

import hashlib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal, get_args

from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.images import Box

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True)
class Photo:
    """One photo, or one part of it.

    Attributes:
        path: the file, or None for a record of a TFDS data set, which only `Source.open` delivers.
        name: relative to the source and unique in it; messages print it.
        box: (top, left, bottom, right) of the part as shares of the photo's sides in [0, 1]; None is the whole photo.
    """

    path: Path | None
    name: str
    box: Box | None = None


class Source:
    """Photos divided into splits.

    Attributes:
        description: one line for the log, such as `landscapes: 7,128 photos`.
        notes: one-line remarks for the log: what was left out, how the photos were divided.
        reopens: whether any photo can be opened at any time; otherwise only one pass over all of them is possible.
    """

    reopens = True

    def __init__(self, description: str, splits: dict[Split, list[Photo]], notes: Sequence[str] = ()) -> None:
        self.description = description
        self.notes = list(notes)
        self._splits = splits

    def items(self, split: Split) -> list[Photo]:
        """Return the photos of a split in a fixed order; there may be none.

        Raises:
            ColorizeError: there is no such split.
        """
        if split not in SPLITS:
            raise ColorizeError(f"unknown split '{split}'{did_you_mean(split, SPLITS)} (known: {', '.join(SPLITS)})")
        return list(self._splits[split])

    def open(self, split: Split, photos: Sequence[Photo]) -> Iterator[tuple[Photo, Path | BytesIO]]:
        """Pass once over some of a split's photos, in their order; yield each with the file that `read_photo` takes."""
        for photo in photos:
            assert photo.path is not None
            yield photo, photo.path


def position(name: str) -> float:
    """Map a name to [0, 1): uniformly over names, the same on every machine and in every version."""
    digest = hashlib.sha256(unicodedata.normalize("NFC", name).encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def divide(
    photos: Sequence[Photo], validation_fraction: float, test_fraction: float, notes: list[str]
) -> dict[Split, list[Photo]]:
    """Divide photos by their positions: the lowest are for the test, the next for validation, the rest for training."""
    splits: dict[Split, list[Photo]] = {split: [] for split in SPLITS}
    for photo in photos:
        at = position(photo.name)
        in_validation = at < test_fraction + validation_fraction
        splits["test" if at < test_fraction else "validation" if in_validation else "train"].append(photo)

    wanted = {"train": 1.0, "validation": validation_fraction, "test": test_fraction}
    empty = [split for split in SPLITS if wanted[split] and not splits[split]]
    if empty and len(photos) >= 3:
        # The same order by position, cut by count instead of by threshold.
        ranked = sorted(photos, key=lambda photo: position(photo.name))
        tests = min(max(round(test_fraction * len(photos)), 1), len(photos) - 2) if test_fraction else 0
        held_out = len(photos) - 1 - tests
        validations = min(max(round(validation_fraction * len(photos)), 1), held_out) if validation_fraction else 0
        chosen = {photo: "test" for photo in ranked[:tests]}
        chosen |= {photo: "validation" for photo in ranked[tests : tests + validations]}
        splits = {split: [photo for photo in photos if chosen.get(photo, "train") == split] for split in SPLITS}
        notes.append(
            f"few photos: {' and '.join(empty)} would be empty, so the photos are divided by rank instead of by"
            " threshold (a photo may change its split when photos are added)"
        )
    return splits


def carve(
    own: dict[Split, list[Photo]], validation_fraction: float, test_fraction: float, notes: list[str]
) -> dict[Split, list[Photo]]:
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
    return {"train": carved["train"], **{split: own[split] or carved[split] for split in ("validation", "test")}}


def counted(splits: dict[Split, list[Photo]]) -> str:
    """Describe the splits: `1,000 photos (train 900, validation 50, test 50)`."""
    each = ", ".join(f"{split} {len(splits[split]):,}" for split in SPLITS)
    return f"{sum(map(len, splits.values())):,} photos ({each})"
