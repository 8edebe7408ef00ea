"""The search for the photos of a run: what files, folders and patterns lead to."""

import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from keras_colorize.data.walk import is_photo, walk_photos
from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.images import readable_suffixes


@dataclass
class Found:
    """The files and folders to which paths lead, each once, by its real path.

    photos: each with its path below the folder of the results.
    others: files of kinds that are not read.
    closed: folders that were not searched.
    searched: the real paths of those that were.
    """

    photos: dict[str, tuple[Path, Path]] = field(default_factory=dict)
    others: dict[str, Path] = field(default_factory=dict)
    closed: dict[str, Path] = field(default_factory=dict)
    searched: set[str] = field(default_factory=set)

    def add(self, photos: Iterable[tuple[Path, Path]], others: Iterable[Path], closed: Iterable[Path]) -> None:
        """Add what a path leads to; what is there already stays as it was found first."""
        for source, relative in photos:
            self.photos.setdefault(os.path.realpath(source), (source, relative))
        for kept, paths in ((self.others, others), (self.closed, closed)):
            for path in paths:
                kept.setdefault(os.path.realpath(path), path)


def find_photos(paths: Sequence[str | Path], out: Path, recursive: bool) -> Found:
    """Find the photos to which paths lead.

    Args:
        paths: files, folders, or patterns such as `scans/*.tif`. A file is taken whatever it is called; of a folder or
            a pattern those with the suffix of a photo.
        out: the folder of the results, which is not searched.
        recursive: search the folders in folders too.

    Raises:
        ColorizeError: there is no path, one does not exist or cannot be searched, or it leads to no photos.
    """
    if not paths:
        raise ColorizeError("no photos given; expected files, folders, or patterns such as 'scans/*.tif'")
    found = Found()
    for given in paths:
        path = Path(given).expanduser()
        if path.is_dir():
            if not _search(path, out, recursive, found):
                raise _no_photos_in(path, out, recursive)
        elif path.exists():
            found.add([(path, Path(path.name))], (), ())
        elif glob.has_magic(str(given)):
            _match(path, out, recursive, found)
        else:
            raise _no_such_path(path, given)
    for real in found.photos:  # named on its own, or found by another path
        found.others.pop(real, None)
    for real in found.searched:
        found.closed.pop(real, None)
    return found


def _match(pattern: Path, out: Path, recursive: bool, found: Found) -> None:
    """Take what the shell would have made of a pattern, without files that are not photos."""
    matches = [Path(match) for match in sorted(glob.glob(str(pattern), recursive=True))]
    files = [match for match in matches if not match.is_dir()]
    photos = [match for match in files if is_photo(match)]
    found.add([(photo, Path(photo.name)) for photo in photos], set(files) - set(photos), ())
    count = sum([_search(match, out, recursive, found) for match in matches if match.is_dir()]) + len(photos)
    if not count:
        others = f"; it matches {len(matches):,} others" if matches else ""
        raise ColorizeError(f"no photos match '{pattern}' (looked for {' '.join(readable_suffixes())}{others})")


def _search(folder: Path, out: Path, recursive: bool, found: Found) -> int:
    """Take the photos in a folder; returns how many there are."""
    results = os.path.realpath(out)  # of an earlier run: no photos to colorize

    def leave_out(folders: Sequence[Path]) -> list[Path]:
        return [inner for inner in folders if os.path.realpath(inner) == results]

    found.searched.add(os.path.realpath(folder))
    walk = walk_photos(folder, recursive=recursive, leave_out=leave_out)
    for unreadable, why in walk.unreadable.items():
        raise ColorizeError(f"folder '{unreadable}' cannot be searched ({why})")
    found.add([(photo, photo.relative_to(folder)) for photo in walk.photos], walk.others, walk.closed)
    return len(walk.photos)


def _no_photos_in(folder: Path, out: Path, recursive: bool) -> ColorizeError:
    deeper = 0 if recursive else _search(folder, out, True, Found())
    hint = f"; the folders in it hold {deeper:,}: add `recursive`" if deeper else ""
    within = " or the folders in it" if recursive else ""
    return ColorizeError(f"no photos in folder '{folder}'{within} (looked for {' '.join(readable_suffixes())}){hint}")


def _no_such_path(path: Path, given: str | Path) -> ColorizeError:
    try:
        beside = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        beside = []
    return ColorizeError(
        f"no file or folder '{given}'{did_you_mean(path.name, beside)}"
        " (expected photos, folders of photos, or patterns such as 'scans/*.tif')"
    )
