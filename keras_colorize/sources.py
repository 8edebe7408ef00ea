"""What `--data` means: the packaged sample, a folder, a list file or a TFDS data set → photos, divided into splits.

A photo's split depends on its name alone (SHA-256), so it stays where it is when photos are added, on every machine.
Nothing is decoded here; `keras_colorize.data` does that. TensorFlow Datasets is imported only for `tfds:` sources.
"""

import csv
import hashlib
import importlib.util
import math
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, get_args

from PIL import Image

from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.photos import PHOTO_SUFFIXES, Box

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
LIST_SUFFIXES = (".txt", ".csv")

_SPLIT_FOLDERS: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_COLOR_FOLDERS = ("color", "colour")
_GREY_FOLDERS = ("gray", "grey")

# The colour photos that scikit-image packages. Tiles of one photo overlap, and the motorcycles are a stereo pair, so
# whole photos go to one split. The medical and the deep-sky picture are no everyday photos: they only train. Coffee's
# reds and browns occur in training too (early stopping has something to follow); the test is a cat and a night sky.
_SAMPLE: dict[Split, tuple[str, ...]] = {
    "train": (
        *("astronaut.png", "motorcycle_left.png", "motorcycle_right.png"),
        *("hubble_deep_field.jpg", "ihc.png", "retina.jpg"),
    ),
    "validation": ("coffee.png",),
    "test": ("chelsea.png", "rocket.jpg"),
}
_TILE_SIDES = (1.0, 0.6, 0.4)  # of the photo's short side
# Distance of neighbouring tiles in tile sides: training tiles overlap by two thirds, so that few photos make many;
# the others only as much as it takes to cover the photo.
_TILE_STEP: dict[Split, float] = {"train": 1 / 3, "validation": 1.0, "test": 1.0}


@dataclass(frozen=True)
class Photo:
    """One photo, or one part of it.

    path: the file, or `None` for a record of a TFDS data set, which only `Source.open` delivers.
    name: relative to the source, unique in it, what messages print.
    box: relative (top, left, bottom, right) of the part; `None` is the whole photo.
    """

    path: Path | None
    name: str
    box: Box | None = None


class Source:
    """Photos divided into splits.

    description: one line for the log, such as `landscapes: 7,128 photos`.
    notes: one-line remarks for the log: what was left out, how the splits came about.
    reopens: whether any photo can be opened at any time, or only in one pass over all of them.
    """

    reopens = True

    def __init__(self, description: str, splits: dict[Split, list[Photo]], notes: Sequence[str] = ()) -> None:
        self.description = description
        self.notes = list(notes)
        self._splits = splits

    def items(self, split: Split) -> list[Photo]:
        """The photos of a split, in a fixed order; may be empty.

        Raises:
            ColorizeError: there is no such split.
        """
        if split not in SPLITS:
            raise ColorizeError(f"unknown split '{split}'{did_you_mean(split, SPLITS)} (known: {', '.join(SPLITS)})")
        return list(self._splits[split])

    def open(self, split: Split, photos: Sequence[Photo]) -> Iterator[tuple[Photo, Path | BytesIO]]:
        """One pass over some of a split's photos, in their order, each with what `read_photo` takes."""
        for photo in photos:
            assert photo.path is not None
            yield photo, photo.path


def open_source(spec: str, *, validation_fraction: float, test_fraction: float) -> Source:
    """Find the photos that `spec` means, and divide them.

    Args:
        spec: `sample`, a folder, a list file (.txt or .csv) or `tfds:NAME[/CONFIG][:VERSION]`.
        validation_fraction: share of the photos for validation, where the source has no such split of its own.
        test_fraction: the same for the test.

    Raises:
        ColorizeError: nothing of that name, no photos in it, or impossible fractions.
    """
    fractions = {"validation": validation_fraction, "test": test_fraction}
    for name, fraction in fractions.items():
        if not 0 <= fraction < 1:
            raise ColorizeError(f"{name}_fraction is {fraction}; expected a number in [0, 1)")
    if sum(fractions.values()) >= 1:
        raise ColorizeError(
            f"validation_fraction {validation_fraction} and test_fraction {test_fraction} leave nothing to train on;"
            " their sum must be below 1"
        )
    if spec == "sample":
        return _sample()
    if spec.startswith("tfds:"):
        return TfdsSource(spec.removeprefix("tfds:"), validation_fraction, test_fraction)
    path = Path(spec).expanduser()
    if path.is_dir():
        return _folder(path, validation_fraction, test_fraction)
    if path.is_file() and path.suffix.lower() in LIST_SUFFIXES:
        return _list_file(path, validation_fraction, test_fraction)
    if path.is_file():
        raise ColorizeError(
            f"data '{spec}' is a single file; expected a folder of photos or a list of them"
            f" ({' or '.join(LIST_SUFFIXES)})"
        )
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = did_you_mean(path.name, [*beside, "sample"])
    raise ColorizeError(
        f"no data at '{spec}'{near} (expected a folder, a list file, 'tfds:NAME', or 'sample' for the packaged photos)"
    )


# Dividing


def position(name: str) -> float:
    """Where a name lies in [0, 1): uniform over names, and the same on every machine and for ever."""
    digest = hashlib.sha256(unicodedata.normalize("NFC", name).encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _divide(
    photos: Sequence[Photo], validation_fraction: float, test_fraction: float, notes: list[str]
) -> dict[Split, list[Photo]]:
    """Test photos have the lowest positions, then validation, then training."""
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
            f"few photos, {' and '.join(empty)} would be empty: split by rank instead of by threshold"
            " (a photo may change its split when photos are added)"
        )
    return splits


def _carve(
    own: dict[Split, list[Photo]], validation_fraction: float, test_fraction: float, notes: list[str]
) -> dict[Split, list[Photo]]:
    """Keep the validation and test photos that a source sets apart; take missing ones out of its training photos."""
    fractions = {"validation": 0.0 if own["validation"] else validation_fraction}
    fractions["test"] = 0.0 if own["test"] else test_fraction
    carved = _divide(own["train"], fractions["validation"], fractions["test"], notes)
    if own["train"] and (own["validation"] or own["test"]):
        notes.extend(
            f"no {split} split of its own: {fraction:.0%} of the training photos are kept for it"
            for split, fraction in fractions.items()
            if fraction
        )
    return {"train": carved["train"], **{split: own[split] or carved[split] for split in ("validation", "test")}}


# The sample


def _sample() -> Source:
    package = importlib.util.find_spec("skimage")  # finds the folder without importing scikit-image
    if package is None or package.origin is None:
        raise ColorizeError("data 'sample' needs scikit-image, which packages the photos: pip install scikit-image")
    folder = Path(package.origin).parent / "data"
    splits: dict[Split, list[Photo]] = {}
    for split, files in _SAMPLE.items():
        splits[split] = []
        for file in files:
            if not (folder / file).is_file():
                raise ColorizeError(
                    f"data 'sample': this scikit-image packages no {file}; update it: pip install -U scikit-image"
                )
            with Image.open(folder / file) as image:
                boxes = list(_tiles(*image.size, step=_TILE_STEP[split]))
            splits[split] += [Photo(folder / file, f"{file}#{n:02d}", box) for n, box in enumerate(boxes, 1)]
    count = sum(map(len, _SAMPLE.values()))
    notes = [
        "sample tiles: "
        + ", ".join(f"{split} {len(splits[split])} of {len(_SAMPLE[split])} photos" for split in SPLITS)
    ]
    return Source(f"sample: {count} photos packaged with scikit-image", splits, notes)


def _tiles(width: int, height: int, step: float) -> Iterator[Box]:
    """Square tiles that cover a photo at several scales, as relative boxes."""
    short = min(width, height)
    for side in _TILE_SIDES:
        tops, lefts = (_starts(length / short, side, step * side) for length in (height, width))
        for top in tops:
            for left in lefts:
                yield (
                    top * short / height,
                    left * short / width,
                    (top + side) * short / height,
                    (left + side) * short / width,
                )


def _starts(length: float, side: float, step: float) -> list[float]:
    """Even starts of tiles from one end to the other, at most `step` apart."""
    gaps = math.ceil((length - side) / step - 1e-9)
    return [(length - side) * n / gaps for n in range(gaps + 1)] if gaps else [0.0]


# Folders and list files


@dataclass
class _Found:
    photos: list[Path] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)  # suffix → files that are no photos
    notes: list[str] = field(default_factory=list)
    seen: set[tuple[int, int]] = field(default_factory=set)  # folders by device and inode


def _walk(folder: Path, found: _Found) -> None:
    """Collect the photos under a folder, hidden ones aside. A folder is entered once, whatever links to it."""
    status = folder.stat()
    if (status.st_dev, status.st_ino) in found.seen:
        found.notes.append(f"{folder} leads to a folder that is searched already: skipped")
        return
    found.seen.add((status.st_dev, status.st_ino))
    try:
        entries = [Path(entry) for entry in os.scandir(folder) if not entry.name.startswith(".")]
    except OSError as error:
        found.notes.append(f"{folder} cannot be searched ({error.strerror}): left out")
        return
    entries.sort(key=lambda entry: (entry.is_symlink(), entry.name))  # real folders before links to them
    folders = [entry for entry in entries if os.path.isdir(entry)]
    color = next((entry for entry in folders if entry.name.lower() in _COLOR_FOLDERS), None)
    for entry in folders:
        if color and entry.name.lower() in _GREY_FOLDERS:
            grey = _Found()
            _walk(entry, grey)
            found.notes.append(f"{entry.name}/ beside {color.name}/ left out: {len(grey.photos):,} files")
        else:
            _walk(entry, found)
    for entry in set(entries) - set(folders):
        if entry.suffix.lower() in PHOTO_SUFFIXES and os.path.isfile(entry):
            found.photos.append(entry)
        else:
            found.ignored[entry.suffix.lower() or "without suffix"] += 1


def _folder(root: Path, validation_fraction: float, test_fraction: float) -> Source:
    found = _Found()
    _walk(root, found)
    notes = found.notes
    if found.ignored:
        kinds = ", ".join(f"{count:,} {suffix}" for suffix, count in found.ignored.most_common(5))
        notes.append(f"files that are no photos ignored: {found.ignored.total():,} ({kinds})")
    if not found.photos:
        raise ColorizeError(
            f"no photos in folder '{root}' or the folders in it (looked for {' '.join(PHOTO_SUFFIXES)};"
            f" other files: {found.ignored.total():,})"
        )
    photos = [Photo(path, _printable(path.relative_to(root).as_posix())) for path in found.photos]
    photos.sort(key=lambda photo: photo.name)

    own, elsewhere = _split_folders(photos, depth=0)
    if not own["train"]:
        # Several data sets side by side, each with a train folder of its own.
        sets, beside = _split_folders(photos, depth=1)
        folders = {photo.name.split("/")[0] for photo in photos}
        if not beside and {photo.name.split("/")[0] for photo in sets["train"]} == folders:
            own, elsewhere = sets, []
            notes.append(f"{len(folders)} data sets side by side: {', '.join(sorted(folders))}")
    if own["train"] and elsewhere:
        notes.append(f"photos beside train/ left out: {len(elsewhere):,} (such as {elsewhere[0].name})")
    splits = _carve({**own, "train": own["train"] or elsewhere}, validation_fraction, test_fraction, notes)
    return Source(f"{_printable(root.resolve().name) or root}: {_counted(splits)}", splits, notes)


def _split_folders(photos: Sequence[Photo], depth: int) -> tuple[dict[Split, list[Photo]], list[Photo]]:
    """Photos whose folder at `depth` is named like a split, by split, and the others."""
    own: dict[Split, list[Photo]] = {split: [] for split in SPLITS}
    elsewhere: list[Photo] = []
    for photo in photos:
        folders = photo.name.split("/")[:-1]
        split = _SPLIT_FOLDERS.get(folders[depth].lower()) if len(folders) > depth else None
        (own[split] if split else elsewhere).append(photo)
    return own, elsewhere


def _list_file(path: Path, validation_fraction: float, test_fraction: float) -> Source:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ColorizeError(f"list '{path}' is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    photos: dict[str, Photo] = {}
    missing: list[str] = []
    entries = 0
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        cell = next(csv.reader([line]))[0].strip() if path.suffix.lower() == ".csv" else line.strip()
        file = path.parent / Path(cell).expanduser()
        is_header = path.suffix.lower() == ".csv" and entries == 0 and not Path(cell).suffix
        if is_header and not file.is_file():
            continue
        entries += 1
        name = unicodedata.normalize("NFC", os.path.normpath(cell).replace(os.sep, "/"))
        if not file.is_file():
            missing.append(f"line {number}: '{cell}'")
        photos.setdefault(name, Photo(file, name))
    if missing:
        raise ColorizeError(
            f"list '{path}' names {len(missing):,} of {entries:,} files that do not exist, first {missing[0]}"
            " (paths are relative to the list's folder)"
        )
    if not photos:
        raise ColorizeError(f"list '{path}' names no photos; expected one path per line")
    notes = [f"lines that repeat a photo ignored: {entries - len(photos):,}"] if entries > len(photos) else []
    splits = _divide(list(photos.values()), validation_fraction, test_fraction, notes)
    return Source(f"{path.name}: {_counted(splits)}", splits, notes)


def _printable(path: str) -> str:
    """NFC, since macOS stores decomposed names; bytes that are no UTF-8 become '?', so that a log can print them."""
    return unicodedata.normalize("NFC", path).encode("utf-8", "replace").decode()


def _counted(splits: dict[Split, list[Photo]]) -> str:
    each = ", ".join(f"{split} {len(splits[split]):,}" for split in SPLITS)
    return f"{sum(map(len, splits.values())):,} photos ({each})"


# TensorFlow Datasets


class TfdsSource(Source):
    """A TFDS data set with an "image" feature; downloaded and prepared at first use.

    Its own train, validation and test splits are used; a missing one is taken out of train. Records can be read in one
    pass only, and come encoded, so that the same decoder reads them as every other photo.
    """

    reopens = False

    def __init__(self, spec: str, validation_fraction: float, test_fraction: float) -> None:
        try:
            import tensorflow_datasets as tfds
        except ImportError:
            raise ColorizeError(
                f"data 'tfds:{spec}' needs TensorFlow Datasets: pip install tensorflow-datasets"
            ) from None
        self._tfds = tfds
        try:
            self._builder = tfds.builder(spec)
        except tfds.core.DatasetNotFoundError:
            known = tfds.list_builders(with_community_datasets=False)
            raise ColorizeError(
                f"TensorFlow Datasets has no '{spec}'{did_you_mean(spec.partition('/')[0], known)}"
                " (the catalogue: https://www.tensorflow.org/datasets/catalog)"
            ) from None
        except Exception as error:  # a wrong configuration or version: ValueError, AssertionError, …
            raise ColorizeError(f"data 'tfds:{spec}': {_one_line(error)}") from error
        features = dict(self._builder.info.features.items())
        if not isinstance(features.get("image"), tfds.features.Image):
            raise ColorizeError(
                f"data 'tfds:{spec}' has no feature 'image' that holds photos (its features: {', '.join(features)})"
            )
        try:
            self._builder.download_and_prepare()
        except Exception as error:  # network, disk, data that must be downloaded by hand
            raise ColorizeError(f"data 'tfds:{spec}' could not be prepared: {_one_line(error)}") from error

        own: dict[Split, list[Photo]] = {split: [] for split in SPLITS}
        available = self._builder.info.splits
        has = [split for split in SPLITS if split in available]
        if not has:
            raise ColorizeError(
                f"data 'tfds:{spec}' has none of the splits {', '.join(SPLITS)} (it has: {', '.join(available)})"
            )
        for split in has:
            # The names that TFDS gives its records (`tfds_id`), known without reading any.
            shards = zip(available[split].filenames, available[split].shard_lengths, strict=True)
            own[split] = [Photo(None, f"{shard}__{n}") for shard, length in shards for n in range(length)]
        notes: list[str] = []
        self._holds = {split: split if own[split] else "train" for split in SPLITS}
        splits = _carve(own, validation_fraction, test_fraction, notes)
        super().__init__(f"tfds:{self._builder.info.full_name}: {_counted(splits)}", splits, notes)

    def open(self, split: Split, photos: Sequence[Photo]) -> Iterator[tuple[Photo, Path | BytesIO]]:
        """One pass over the records, yielding those asked for; see `Source.open`."""
        tfds: Any = self._tfds
        wanted = {photo.name: photo for photo in photos}
        if not wanted:
            return
        records = self._builder.as_dataset(
            split=self._holds[split],
            shuffle_files=False,
            decoders=tfds.decode.PartialDecoding({"image": True}, decoders={"image": tfds.decode.SkipDecoding()}),
            read_config=tfds.ReadConfig(add_tfds_id=True, interleave_cycle_length=1, try_autocache=False),
        )
        for record in records.as_numpy_iterator():
            photo = wanted.pop(record["tfds_id"].decode(), None)
            if photo is not None:
                yield photo, BytesIO(record["image"])
            if not wanted:
                return


def _one_line(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):  # what some data sets need, TensorFlow Datasets does not install
        return f"needs the package '{error.name}': pip install {error.name}"
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
