"""Which photos, and which files they become: all that can be known, and refused, before the first one is decoded."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.files import printable
from keras_colorize.images import color_suffix, format_of, suffix_for
from keras_colorize.images.photos import PHOTO_SUFFIXES

ERRORS_FILE = "errors.csv"
ERRORS_HEADER = "file,error"
PHOTOS_PER_SHEET = 60


@dataclass(frozen=True)
class Job:
    """One photo file and what is to be written for it.

    name: relative to --out, what messages and contact sheets call the photo.
    colored: one file per sample.
    comparison: grey beside colour, or None.
    missing: those of them that have to be written; empty where an earlier run has done them all.
    """

    source: Path
    name: str
    colored: tuple[Path, ...]
    comparison: Path | None
    missing: frozenset[Path]


def plan_jobs(
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    recursive: bool = False,
    format: str | None = None,
    samples: int = 1,
    compare: bool = False,
    contact_sheet: bool = False,
    resume: bool = False,
    overwrite: bool = False,
) -> list[Job]:
    """Find the photos and name the files that they become; nothing is written, and no photo is opened.

    Args:
        paths: files, folders, or patterns such as `scans/*.tif`. A file is taken whatever it is called; of a folder
            those with the suffix of a photo.
        out: the folder for the results; left out where it lies in a folder that is searched.
        recursive: folders within folders too, kept below `out`.
        format: of the results, such as `png`; that of each photo unless given.
        samples: results for each photo; several are numbered.
        compare: a second file for each photo, grey beside colour.
        contact_sheet: keep the names of its pages free.
        resume: results that exist are left out of `Job.missing`.
        overwrite: results may replace files, even the photos that they are made from.

    Raises:
        ColorizeError: a path that does not exist, no photos, two photos for one result, or a result that exists.
    """
    if resume and overwrite:
        raise ColorizeError("--resume keeps results that exist and --overwrite replaces them: give one of the two")
    if samples < 1:
        raise ColorizeError(f"--samples is {samples}: expected at least 1")
    out = Path(out).expanduser()
    if out.exists() and not out.is_dir():
        raise ColorizeError(f"--out '{out}' is a file; expected a folder, which is made where there is none")
    photos = _find(paths, out, recursive)
    jobs = [_job(source, relative, out, format, samples, compare) for source, relative in photos]
    pages = sheet_pages(out, len(jobs)) if contact_sheet else []
    _refuse_clashes(jobs, pages, overwrite)
    existing = {file for job in jobs for file in job.missing if os.path.lexists(file)}
    if not (resume or overwrite):
        _refuse_existing(existing | {page for page in pages if os.path.lexists(page)}, out)
    if not overwrite:
        _refuse_foreign_errors(out)
    if not resume:
        return jobs
    return [Job(job.source, job.name, job.colored, job.comparison, job.missing - existing) for job in jobs]


def sheet_pages(out: Path, photos: int) -> list[Path]:
    """The contact sheet's files: a page for every 60 photos."""
    return [out / f"contact-sheet-{number + 1:03d}.jpg" for number in range(-(-photos // PHOTOS_PER_SHEET))]


# Finding


def _find(paths: Sequence[str | Path], out: Path, recursive: bool) -> list[tuple[Path, Path]]:
    """Each photo once: (file, path below --out)."""
    if not paths:
        raise ColorizeError("no photos given; expected files, folders, or patterns such as 'scans/*.tif'")
    found: dict[str, tuple[Path, Path]] = {}
    for given in paths:
        for source, relative in _expand(str(given), out, recursive):
            found.setdefault(os.path.realpath(source), (source, relative))
    return list(found.values())


def _expand(given: str, out: Path, recursive: bool) -> Iterable[tuple[Path, Path]]:
    path = Path(given).expanduser()
    if path.is_dir():
        return _folder(path, out, recursive)
    if path.exists():
        return [(path, Path(path.name))]
    if glob.has_magic(given):
        return _pattern(path, out, recursive)
    try:
        beside = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        beside = []
    raise ColorizeError(
        f"no file or folder '{given}'{did_you_mean(path.name, beside)}"
        " (expected photos, folders of photos, or patterns such as 'scans/*.tif')"
    )


def _pattern(pattern: Path, out: Path, recursive: bool) -> list[tuple[Path, Path]]:
    """What the shell would have made of it, without files that are no photos."""
    matches = [Path(match) for match in sorted(glob.glob(str(pattern), recursive=True))]
    photos: list[tuple[Path, Path]] = []
    for match in matches:
        if match.is_dir():
            photos += _search(match, out, recursive)
        elif _is_photo(match):
            photos.append((match, Path(match.name)))
    if not photos:
        others = f"; it matches {len(matches):,} others" if matches else ""
        raise ColorizeError(f"no photos match '{pattern}' (looked for {' '.join(PHOTO_SUFFIXES)}{others})")
    return photos


def _folder(folder: Path, out: Path, recursive: bool) -> list[tuple[Path, Path]]:
    photos = list(_search(folder, out, recursive))
    if photos:
        return photos
    deeper = 0 if recursive else sum(1 for _ in _search(folder, out, recursive=True))
    hint = f"; the folders in it hold {deeper:,}: add --recursive" if deeper else ""
    within = " or the folders in it" if recursive else ""
    raise ColorizeError(f"no photos in folder '{folder}'{within} (looked for {' '.join(PHOTO_SUFFIXES)}){hint}")


def _search(folder: Path, out: Path, recursive: bool) -> Iterator[tuple[Path, Path]]:
    """Photos in a folder by name, hidden ones aside; links are followed, but no folder is entered twice."""
    seen = {os.path.realpath(out)} - {os.path.realpath(folder)}  # results of an earlier run are no photos to colorize
    for parent, folders, files in os.walk(folder, followlinks=True, onerror=_refuse_unreadable):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if recursive else []
        for name in sorted(files):
            path = Path(parent, name)
            if _is_photo(path) and not name.startswith("."):
                yield path, path.relative_to(folder)


def _refuse_unreadable(error: OSError) -> None:
    raise ColorizeError(f"folder '{error.filename}' cannot be searched ({error.strerror})")


def _is_photo(path: Path) -> bool:
    return path.suffix.lower() in PHOTO_SUFFIXES and path.is_file()


# Naming


def _job(source: Path, relative: Path, out: Path, format: str | None, samples: int, compare: bool) -> Job:
    stem, folder = _stem(relative.name), out / relative.parent
    suffix = suffix_for(format) if format else color_suffix(relative)
    names = [stem] if samples == 1 else [f"{stem}-{number}" for number in range(1, samples + 1)]
    colored = tuple(folder / f"{name}{suffix}" for name in names)
    comparison = folder / f"{stem}-compare{suffix}" if compare else None
    files = frozenset(colored if comparison is None else (*colored, comparison))
    return Job(source, printable(relative.as_posix()), colored, comparison, files)


def _stem(name: str) -> str:
    """A photo's name without its suffix; "scan.1950" keeps its year."""
    try:
        format_of(Path(name).suffix)
    except ColorizeError:
        return name
    return Path(name).stem


# Refusing


def _refuse_clashes(jobs: list[Job], pages: list[Path], overwrite: bool) -> None:
    """Raise where a result would have two photos, or would replace a photo."""
    photos = {os.path.realpath(job.source): job.source for job in jobs}
    owners: dict[str, str] = {_key(page): "the contact sheet" for page in pages}
    for job in jobs:
        for file in sorted(job.missing):
            other = owners.setdefault(_key(file), f"'{job.source}'")
            if other != f"'{job.source}'":
                raise ColorizeError(
                    f"{other} and '{job.source}' would both become '{file}': rename one, colorize them into different"
                    " folders, or give the folder that holds both with --recursive"
                )
            replaced = photos.get(os.path.realpath(file))
            if replaced is not None and replaced != job.source:
                raise ColorizeError(
                    f"'{job.source}' would become '{file}', which is another of the photos: choose another --out"
                )
            if replaced is not None and not overwrite:
                raise ColorizeError(
                    f"'{file}' would replace the photo it is made from: choose another --out"
                    " (or --overwrite, which loses the photos as they are)"
                )


def _key(file: Path) -> str:
    return os.path.normcase(os.path.realpath(file))


def _refuse_existing(existing: set[Path], out: Path) -> None:
    if existing:
        first = min(existing)
        count = "1 result exists" if len(existing) == 1 else f"{len(existing):,} results exist"
        raise ColorizeError(
            f"{count} in '{out}' already, first '{first.relative_to(out)}':"
            " --resume keeps them and does the rest, --overwrite replaces them"
        )


def _refuse_foreign_errors(out: Path) -> None:
    """Every run writes its own list of failures; a file of that name from elsewhere stays."""
    file = out / ERRORS_FILE
    if not file.is_file():
        return
    with file.open(encoding="utf-8", errors="replace") as stream:
        if stream.readline().strip() != ERRORS_HEADER:
            raise ColorizeError(
                f"'{file}' is no list of failures of an earlier run, and this run's goes there:"
                " rename it, choose another --out, or --overwrite it"
            )
