"""Folders of photos, and lists of them."""

import csv
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from keras_colorize.data.shards import names_shards
from keras_colorize.data.splits import SPLIT_WORDS, SPLITS, Photo, Source, Split, carve, counted, divide
from keras_colorize.data.walk import walk_photos
from keras_colorize.errors import ColorizeError
from keras_colorize.files import printable
from keras_colorize.images import readable_suffixes

LIST_SUFFIXES = (".txt", ".csv")

_COLOR_FOLDERS = ("color", "colour")
_GREY_FOLDERS = ("gray", "grey")


def _grey_copies(folders: Sequence[Path]) -> list[Path]:
    """Choose folders of grey copies, which lie beside a folder of the same photos in colour."""
    if not any(folder.name.lower() in _COLOR_FOLDERS for folder in folders):
        return []
    return [folder for folder in folders if folder.name.lower() in _GREY_FOLDERS]


def folder_source(root: Path, validation_fraction: float, test_fraction: float) -> Source:
    """Collect the photos of a folder and of the folders in it; folders named like splits are splits.

    Raises:
        ColorizeError: there are no photos.
    """
    notes: list[str] = []

    def leave_out(folders: Sequence[Path]) -> list[Path]:
        grey = _grey_copies(folders)
        for folder in grey:
            color = next(other for other in folders if other.name.lower() in _COLOR_FOLDERS)
            notes.append(f"{folder.name}/ beside {color.name}/ left out: {len(walk_photos(folder).photos):,} files")
        return grey

    walk = walk_photos(root, leave_out=leave_out)
    notes += [f"{folder} leads to a folder that is searched already: skipped" for folder in walk.repeated]
    notes += [f"{folder} cannot be searched ({why}): left out" for folder, why in walk.unreadable.items()]
    if walk.others:
        suffixes = Counter(file.suffix.lower() or "without suffix" for file in walk.others)
        kinds = ", ".join(f"{count:,} {suffix}" for suffix, count in suffixes.most_common(5))
        notes.append(f"files that are no photos ignored: {len(walk.others):,} ({kinds})")
    if not walk.photos:
        shard = next((file for file in walk.others if names_shards(file.name)), None)
        if shard is not None:
            raise ColorizeError(
                f"no photos in folder '{root}', but shards; give a pattern of them, such as"
                f" '{shard.parent}/*{shard.suffix}'"
            )
        raise ColorizeError(
            f"no photos in folder '{root}' or the folders in it (looked for {' '.join(readable_suffixes())};"
            f" other files: {len(walk.others):,})"
        )
    photos = [Photo(path, printable(path.relative_to(root).as_posix())) for path in walk.photos]
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
    """Divide photos into those whose folder at `depth` is named like a split, by split, and the others."""
    own: dict[Split, list[Photo]] = {split: [] for split in SPLITS}
    elsewhere: list[Photo] = []
    for photo in photos:
        folders = photo.name.split("/")[:-1]
        split = SPLIT_WORDS.get(folders[depth].lower()) if len(folders) > depth else None
        (own[split] if split else elsewhere).append(photo)
    return own, elsewhere


def list_source(path: Path, validation_fraction: float, test_fraction: float) -> Source:
    """Read a list of photos: a text file with a path in each line, or a CSV file with paths in its first column.

    Raises:
        ColorizeError: a photo does not exist, the list names none, or it is not UTF-8.
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
