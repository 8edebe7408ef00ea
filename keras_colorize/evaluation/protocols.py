"""Which photos are measured, cut how and at what size: a protocol, by name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path, PurePosixPath

from keras_colorize.data import Photo, Source, Split, open_source
from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.images import Resize
from keras_colorize.recipes import Data


@dataclass(frozen=True)
class Protocol:
    """How photos are chosen and prepared.

    name: for `--protocol`.
    summary: one line for people.
    image_size: side S at which everything is measured; None takes the largest of the systems' own sizes.
    resize: "crop" or "squash"; None takes the recipe's.
    drop_grey: whether photos without colour are left out; None takes the recipe's.
    whole: the data's own validation set (else its test set, else all photos) instead of the recipe's test split.
    count: at most so many photos, the first by file name.
    """

    name: str
    summary: str
    image_size: int | None = None
    resize: Resize | None = None
    drop_grey: bool | None = None
    whole: bool = False
    count: int | None = None

    def data(self, data: Data) -> Data:
        """A recipe's table of data as this protocol has it."""
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
    """The protocol of that name.

    Raises:
        ColorizeError: no such protocol.
    """
    if name not in PROTOCOLS:
        raise ColorizeError(f"unknown protocol '{name}'{did_you_mean(name, PROTOCOLS)} (known: {', '.join(PROTOCOLS)})")
    return PROTOCOLS[name]


class Selection(Source):
    """Some photos of one split of a source, as the test split of a source of their own.

    taken_from: the split that they come from.
    """

    def __init__(self, source: Source, split: Split, photos: Sequence[Photo]) -> None:
        super().__init__(source.description, {"train": [], "validation": [], "test": list(photos)})
        self.taken_from: Split = split
        self.reopens = source.reopens
        self._source = source

    def open(self, split: Split, photos: Sequence[Photo]) -> Iterator[tuple[Photo, Path | BytesIO]]:
        """One pass over some of the photos; see `Source.open`."""
        return self._source.open(self.taken_from, photos)


@dataclass(frozen=True)
class Chosen:
    """What a protocol chose.

    photos: to measure, as a source whose test split they are.
    training: photos of the same data that are not measured; empty where it has none.
    """

    photos: Selection
    training: Selection


def choose(protocol: Protocol, data: Data) -> Chosen:
    """The photos that a protocol measures of `data.source`; nothing is decoded yet.

    Raises:
        ColorizeError: there are no such data, or no photos in them.
    """
    if not protocol.whole:
        source = open_source(
            data.source, validation_fraction=data.validation_fraction, test_fraction=data.test_fraction
        )
        return _chosen(source, "test", source.items("test"))
    # With fractions of 0 only photos that the data themselves set apart are in these splits.
    source = open_source(data.source, validation_fraction=0.0, test_fraction=0.0)
    held_out: tuple[Split, ...] = ("validation", "test", "train")
    split = next(split for split in held_out if source.items(split))
    photos = source.items(split)
    if source.reopens:  # records have no file names; they stay in their own order
        # By file name and not by path: ImageNet's validation photos are often sorted into a folder per class, and the
        # first 5,000 paths hold only a tenth of the classes.
        photos.sort(key=lambda photo: (PurePosixPath(photo.name).name, photo.name))
    return _chosen(source, split, photos[: protocol.count])


def _chosen(source: Source, split: Split, photos: list[Photo]) -> Chosen:
    training = source.items("train") if split != "train" else []
    return Chosen(Selection(source, split, photos), Selection(source, "train", training))
