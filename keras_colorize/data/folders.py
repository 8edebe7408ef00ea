"""Folders of photos, and lists of them."""

import csv
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from keras_colorize.data.splits import SPLITS, Photo, Source, Split, carve, counted, divide
from keras_colorize.errors import ColorizeError
from keras_colorize.files import printable
from keras_colorize.images.photos import PHOTO_SUFFIXES

LIST_SUFFIXES = (".txt", ".csv")

_SPLIT_FOLDERS: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_COLOR_FOLDERS = ("color", "colour")
_GREY_FOLDERS = ("gray", "grey")


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


def folder_source(root: Path, validation_fraction: float, test_fraction: float) -> Source:
    """A folder of photos, those in the folders in it too; folders named like splits are splits.

    Raises:
        ColorizeError: there are none.
    """
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
    photos = [Photo(path, printable(path.relative_to(root).as_posix())) for path in found.photos]
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
    splits = carve({**own, "train": own["train"] or elsewhere}, validation_fraction, test_fraction, notes)
    return Source(f"{printable(root.resolve().name) or root}: {counted(splits)}", splits, notes)


def _split_folders(photos: Sequence[Photo], depth: int) -> tuple[dict[Split, list[Photo]], list[Photo]]:
    """Photos whose folder at `depth` is named like a split, by split, and the others."""
    own: dict[Split, list[Photo]] = {split: [] for split in SPLITS}
    elsewhere: list[Photo] = []
    for photo in photos:
        folders = photo.name.split("/")[:-1]
        split = _SPLIT_FOLDERS.get(folders[depth].lower()) if len(folders) > depth else None
        (own[split] if split else elsewhere).append(photo)
    return own, elsewhere


def list_source(path: Path, validation_fraction: float, test_fraction: float) -> Source:
    """The photos whose paths a text file names, one a line, or a CSV file in its first column.

    Raises:
        ColorizeError: a file that does not exist, no file at all, or no UTF-8.
    """
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
        name = printable(os.path.normpath(cell).replace(os.sep, "/"))
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
    splits = divide(list(photos.values()), validation_fraction, test_fraction, notes)
    return Source(f"{path.name}: {counted(splits)}", splits, notes)
