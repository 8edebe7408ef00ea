"""The walk through a folder of photos, the same for training and for colorizing."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from keras_colorize.images import readable_suffixes


@dataclass
class Walk:
    """The photos that a walk found, and all that it passed over.

    photos: files with the suffix of a photo; those of a folder by name, before those of the folders in it.
    others: files of kinds that are not read.
    closed: folders that were not entered, since the walk was not recursive.
    repeated: folders that lead to a folder that the walk was in already.
    unreadable: folder → why it cannot be searched.
    """

    photos: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    closed: list[Path] = field(default_factory=list)
    repeated: list[Path] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)


def walk_photos(
    folder: Path, *, recursive: bool = True, leave_out: Callable[[Sequence[Path]], Iterable[Path]] | None = None
) -> Walk:
    """Search a folder for photos by their names. Hidden files and folders are passed over without a word.

    Links are followed, and no folder is entered twice.

    Args:
        folder: where to begin.
        recursive: search the folders in it too.
        leave_out: given the folders within one folder, returns those that are not to be entered.
    """
    walk = Walk()
    _enter(folder, walk, recursive, leave_out or (lambda folders: ()), set())
    return walk


def is_photo(path: Path) -> bool:
    """Tell whether a path is a file with the suffix of a photo that is read here."""
    return path.suffix.lower() in readable_suffixes() and path.is_file()


def _enter(
    folder: Path,
    walk: Walk,
    recursive: bool,
    leave_out: Callable[[Sequence[Path]], Iterable[Path]],
    seen: set[tuple[int, int]],
) -> None:
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            walk.repeated.append(folder)
            return
        seen.add((status.st_dev, status.st_ino))
        entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
    except OSError as error:
        walk.unreadable[folder] = error.strerror or type(error).__name__
        return
    entries.sort(key=lambda entry: (entry.is_symlink(), entry.name))  # real folders before links to them
    suffixes = readable_suffixes()
    folders: list[Path] = []
    files: list[str] = []
    for entry in entries:
        kind = _kind(entry)
        if kind == "folder":
            folders.append(Path(entry))
        elif kind == "file" and os.path.splitext(entry.name)[1].lower() in suffixes:
            files.append(entry.path)
        else:
            walk.others.append(Path(entry))
    walk.photos.extend(map(Path, sorted(files)))
    left_out = set(leave_out(folders))
    for inner in folders:
        if inner in left_out:
            continue
        if recursive:
            _enter(inner, walk, recursive, leave_out, seen)
        else:
            walk.closed.append(inner)


def _kind(entry: os.DirEntry[str]) -> Literal["folder", "file", "other"]:
    """Tell what an entry is or leads to. An entry knows this, where a path has to ask the system a million times."""
    try:
        return "folder" if entry.is_dir() else "file" if entry.is_file() else "other"
    except OSError:  # links that lead in a circle
        return "other"
