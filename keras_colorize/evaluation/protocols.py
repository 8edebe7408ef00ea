"""Protocols: the choice of photos to measure, their cut and their size, by name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path, PurePosixPath

from keras_colorize.data import Packed, Photo, Source, Split, open_source
from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.images import Resize
from keras_colorize.recipes import Data


@dataclass(frozen=True)
class Protocol:
    """A way to choose and prepare photos.

    name: its name for users.
    summary: one line for people.
    image_size: side S in pixels at which everything is measured; None takes the largest of the systems' own sizes.
    resize: "crop" or "squash"; None takes the recipe's.
    drop_grey: whether photos without colour are left out; None takes the recipe's.
    whole: measure the data's own validation set (else test set, else all photos) instead of the recipe's test split.
    count: the largest number of photos, taken in the order of their file names.
    """

    name: str
    summary: str
    image_size: int | None = None
    resize: Resize | None = None
    drop_grey: bool | None = None
    whole: bool = False
    count: int | None = None

    def data(self, data: Data) -> Data:
        """Return a recipe's table of data with the protocol's own values."""
        resize = data.resize if self.resize is None else self.resize
        drop_grey = data.drop_grey if self.drop_grey is None else self.drop_grey
        return replace(data, resize=resize, drop_grey=drop_grey)


RECIPE = "recipe"
PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(RECIPE, "the test split, cut and resized as the recipe has it, grey photos left out"),
        Protocol(
            "val5k",
            "the first 5,000 photos by file name, centre square of the short side at 256×256, grey photos too",
            image_size=256,
            resize="crop",
            drop_grey=False,
            whole=True,
            count=5000,
        ),
        Protocol(
            "squash",
            "all photos squashed to 256×256, grey photos too",
            image_size=256,
            resize="squash",
            drop_grey=False,
            whole=True,
        ),
    )
}


def get_protocol(name: str) -> Protocol:
    """Return the protocol of that name.

    Raises:
        ColorizeError: there is no such protocol.
    """
    if name not in PROTOCOLS:
        raise ColorizeError(f"unknown protocol '{name}'{did_you_mean(name, PROTOCOLS)} (known: {', '.join(PROTOCOLS)})")
    return PROTOCOLS[name]


class Selection(Source):
    """Some photos of one split of a source, as the test split of a source of their own.

    Args:
        source: the whole source.
        split: the split that the photos come from.
        photos: the chosen photos.
    """

    def __init__(self, source: Source, split: Split, photos: Sequence[Photo]) -> None:
        super().__init__(source.description, {"train": [], "validation": [], "test": photos})
        self.taken_from: Split = split
        self.reopens = source.reopens
        self._source = source

    def open(self, split: Split, photos: Sequence[Photo]) -> Iterator[tuple[Photo, Path | BytesIO]]:
        """Pass over some of the photos once; see `Source.open`."""
        return self._source.open(self.taken_from, photos)

    def checked(self, drop_grey: bool) -> bool:
        """Tell whether the photos need no scan; see `Source.checked`."""
        return self._source.checked(drop_grey)


@dataclass(frozen=True)
class PhotoChoice:
    """The photos that a protocol chose.

    photos: a source whose test split is to be measured.
    training: photos of the same data that are not measured; empty where the data have none.
    """

    photos: Selection
    training: Selection


def choose(protocol: Protocol, data: Data) -> PhotoChoice:
    """Choose the photos of `data.source` that a protocol measures. Nothing is decoded yet.

    Raises:
        ColorizeError: there are no such data, or no photos in them.
    """
    if not protocol.whole:
        source = open_source(
            data.source, validation_fraction=data.validation_fraction, test_fraction=data.test_fraction
        )
        return _chosen(source, "test", source.items("test"))
    # With fractions of 0 these splits hold only the photos that the data themselves set apart.
    source = open_source(data.source, validation_fraction=0.0, test_fraction=0.0)
    held_out: tuple[Split, ...] = ("validation", "test", "train")
    split = next(split for split in held_out if source.items(split))
    photos = source.items(split)
    if source.reopens and not isinstance(photos, Packed):  # records have no file names and stay in their own order
        # Sorted by file name and not by path: ImageNet's validation photos often lie in a folder per class, so that the
        # first 5,000 paths hold only a tenth of the classes.
        photos = sorted(photos, key=lambda photo: (PurePosixPath(photo.name).name, photo.name))
    return _chosen(source, split, photos[: protocol.count])


def _chosen(source: Source, split: Split, photos: Sequence[Photo]) -> PhotoChoice:
    training = source.items("train") if split != "train" else []
    return PhotoChoice(Selection(source, split, photos), Selection(source, "train", training))
