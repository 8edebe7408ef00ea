"""The plan of a run over many photos: which photos, how, and which files they become.

Planning finds out, and refuses, all that can be known before the first photo is decoded.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from keras_colorize.batch.search import find_photos
from keras_colorize.color.vividness import check_vividness
from keras_colorize.errors import ColorizeError
from keras_colorize.files import printable
from keras_colorize.images import DEFAULT_MAX_PIXELS, color_suffix, format_of, suffix_for
from keras_colorize.inference.hint_files import HINTS_SUFFIX, Hints, HintSet

PHOTOS_PER_SHEET = 24

# Four photos of 12 megapixels, or one of any size: at 10 to 16 bytes a pixel, read, coloured and encoded.
PIXELS_IN_FLIGHT = 48_000_000

# Lists beside the results, by the first line of each: photos that failed, and photos that were in colour already.
ERRORS_FILE, ERRORS_HEADER = "errors.csv", "file,error"
IN_COLOR_FILE, IN_COLOR_HEADER = "in_color.csv", "file,colorized"


@dataclass(frozen=True)
class FolderSettings:
    """The settings of `colorize_folder`: how photos are colorized and written.

    Every value is checked when the settings are made.

    Args:
        recursive: also search folders within folders; results keep their folder below `out`.
        skip_color: leave photos alone that have colours of their own. Tinted ones, such as sepia, are colorized.
        vividness: 1 is the system's own, 0 grey, above 1 stronger; up to 10. By default as the photo's hints say, or 1.
        hints: colours at places of the only photo, for a network that takes them. A file has them on its first page.
        ignore_hints: do not read the files of hints beside the photos, which are `photo.jpg.hints.json` or
            `photo.hints.json` for `photo.jpg`. `hints` take their place anyway.
        reference: a photo in colour whose palette all photos take on: see `Colorizer.__call__`.
        samples: results for each photo; several are numbered. See `Colorizer.samples`.
        seed: of the samples, at least 0.
        edges: let colour follow the photo's edges; otherwise it is spread smoothly.
        format: of the results, such as `png`; by default each photo's own.
        quality: of JPEG, WebP and AVIF, 1 to 100.
        compare: write a second file for each photo, grey beside colour.
        contact_sheet: write pages of all photos, grey beside colour.
        resume: keep results that exist and write those that are missing. A result that is older than the hints beside
            its photo is written again.
        overwrite: replace results that exist, even the photos that they are made from.
        batch_size: photos that go through the network at once.
        max_pixels: a photo with more pixels fails.
        pixels_in_flight: pixels of all photos that are in memory at one time; a larger photo is alone there.

    Raises:
        ColorizeError: a value out of range, an unknown format, or `resume` and `overwrite` together.
    """

    recursive: bool = False
    skip_color: bool = False
    vividness: float | None = None
    hints: Hints = ()
    ignore_hints: bool = False
    reference: str | Path | None = None
    samples: int = 1
    seed: int = 0
    edges: bool = True
    format: str | None = None
    quality: int = 95
    compare: bool = False
    contact_sheet: bool = False
    resume: bool = False
    overwrite: bool = False
    batch_size: int = 8
    max_pixels: int = DEFAULT_MAX_PIXELS
    pixels_in_flight: int = PIXELS_IN_FLIGHT

    def __post_init__(self) -> None:
        if self.vividness is not None:
            check_vividness(self.vividness)
        _ = self.hint_set  # checks them
        ranges = {
            "samples": (1, 1000),
            "seed": (0, 2**31 - 1),
            "quality": (1, 100),
            "batch_size": (1, 4096),
            "max_pixels": (1, 10**12),
            "pixels_in_flight": (1, 10**12),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value <= high:  # NaN is not within either
                raise ColorizeError(f"`{name}` is {value:g}: expected {low:g} to {high:g}")
        if self.resume and self.overwrite:
            raise ColorizeError("`resume` keeps results that exist and `overwrite` replaces them: give one of the two")
        if self.samples > 1 and self.reference is not None:
            raise ColorizeError("`samples` guess colours and `reference` gives them: give one of the two")
        if self.format is not None:
            suffix_for(self.format)

    @property
    def hint_set(self) -> HintSet:
        """The hints of the only photo."""
        return self.hints if isinstance(self.hints, HintSet) else HintSet(self.hints)


@dataclass(frozen=True)
class Job:
    """One photo file and the files that are written for it.

    name: relative to `out`; messages and contact sheets call the photo so.
    colored: one file per sample.
    comparison: grey beside colour, or None.
    missing: those of the files that have to be written; empty where an earlier run has written them all.
    hints_file: the hints beside the photo, or None.
    """

    source: Path
    name: str
    colored: tuple[Path, ...]
    comparison: Path | None
    missing: frozenset[Path]
    hints_file: Path | None = None

    def is_outdated(self, file: Path) -> bool:
        """Tell whether the photo's hints have changed since a file of this job was written."""
        if self.hints_file is None:
            return False
        try:
            return file.stat().st_mtime_ns < self.hints_file.stat().st_mtime_ns
        except OSError:  # one of them is gone
            return False


@dataclass(frozen=True)
class Plan:
    """The photos of a run and all files that it writes.

    jobs: one for each photo.
    pages: the contact sheet's files; none unless it is wanted.
    others: files that were passed over since they are of kinds that are not read, and are no hints of a photo.
    closed: folders that were passed over since `recursive` is off.
    """

    jobs: tuple[Job, ...]
    pages: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()
    closed: tuple[Path, ...] = ()

    @property
    def is_done(self) -> bool:
        """Tell whether earlier runs have written everything."""
        return not any(job.missing for job in self.jobs) and all(page.is_file() for page in self.pages)


def plan_jobs(paths: Sequence[str | Path], out: str | Path, settings: FolderSettings | None = None) -> Plan:
    """Find the photos and name the files that they become. No photo is opened, and nothing is written.

    Args:
        paths: files, folders, or patterns such as `scans/*.tif`. A file is taken whatever it is called; of a folder
            or a pattern those with the suffix of a photo.
        out: the folder for the results; left out where it lies in a folder that is searched.
        settings: which photos are taken, and which files are written; the default settings if not given.

    Raises:
        ColorizeError: a path that does not exist, no photos, two photos for one result, a result that exists, or
            `hints` for several photos, or a `reference` that does not exist.
    """
    settings = settings or FolderSettings()
    if settings.reference is not None and not Path(settings.reference).expanduser().is_file():
        raise ColorizeError(f"`reference` '{settings.reference}' is no file; expected a photo in colour")
    out = Path(out).expanduser()
    if out.exists() and not out.is_dir():
        raise ColorizeError(f"`out` '{out}' is a file; expected a folder, which is made where there is none")
    found = find_photos(paths, out, settings.recursive)
    jobs = [_job(source, relative, out, settings) for source, relative in found.photos.values()]
    if settings.hint_set.hints and len(jobs) > 1:
        raise ColorizeError(
            f"`hints` are for one photo, and there are {len(jobs):,}: put a file NAME{HINTS_SUFFIX} beside each photo"
        )
    pages = sheet_pages(out, len(jobs)) if settings.contact_sheet else []
    _refuse_clashes(jobs, pages, settings.overwrite)
    existing = {file for job in jobs for file in job.missing if os.path.lexists(file)}
    if not (settings.resume or settings.overwrite):
        _refuse_existing(existing | {page for page in pages if os.path.lexists(page)}, out)
    if not settings.overwrite:
        _refuse_foreign_list(out / ERRORS_FILE, ERRORS_HEADER, "failures")
        _refuse_foreign_list(out / IN_COLOR_FILE, IN_COLOR_HEADER, "photos in colour")
    if settings.resume:
        jobs = [replace(job, missing=job.missing - _kept(job, existing)) for job in jobs]
    hints = {os.path.realpath(job.hints_file) for job in jobs if job.hints_file is not None}
    others = tuple(path for real, path in found.others.items() if real not in hints)
    return Plan(tuple(jobs), tuple(pages), others, tuple(found.closed.values()))


def sheet_pages(out: Path, photos: int) -> list[Path]:
    """Name the contact sheet's files, one for every `PHOTOS_PER_SHEET` photos."""
    return [out / f"contact-sheet-{number + 1:03d}.jpg" for number in range(-(-photos // PHOTOS_PER_SHEET))]


# Naming


def _job(source: Path, relative: Path, out: Path, settings: FolderSettings) -> Job:
    stem, folder = _stem(relative.name), out / relative.parent
    suffix = suffix_for(settings.format) if settings.format else color_suffix(relative)
    count = settings.samples
    names = [stem] if count == 1 else [f"{stem}-{number}" for number in range(1, count + 1)]
    colored = tuple(folder / f"{name}{suffix}" for name in names)
    comparison = folder / f"{stem}-compare{suffix}" if settings.compare else None
    files = frozenset(colored if comparison is None else (*colored, comparison))
    hints_file = None if settings.ignore_hints or settings.hint_set.hints else _hints_file(source)
    return Job(source, printable(relative.as_posix()), colored, comparison, files, hints_file)


def _hints_file(source: Path) -> Path | None:
    """Find the hints beside a photo; a file with the photo's suffix in its name comes first."""
    names = (source.name, _stem(source.name))
    return next((file for name in names if (file := source.with_name(name + HINTS_SUFFIX)).is_file()), None)


def _stem(name: str) -> str:
    """Return a photo's name without its suffix; "scan.1950" keeps its year."""
    try:
        format_of(Path(name).suffix)
    except ColorizeError:
        return name
    return Path(name).stem


def _kept(job: Job, existing: set[Path]) -> set[Path]:
    """Return the files of a job that exist and stay as they are when a run is resumed."""
    return {file for file in existing & job.missing if not job.is_outdated(file)}


# Refusing


def _refuse_clashes(jobs: Sequence[Job], pages: Sequence[Path], overwrite: bool) -> None:
    """Raise where two photos would become one result, or a result would replace a photo."""
    photos = {os.path.realpath(job.source): job.source for job in jobs}
    owners: dict[str, str] = {_key(page): "the contact sheet" for page in pages}
    for job in jobs:
        for file in sorted(job.missing):
            other = owners.setdefault(_key(file), f"'{job.source}'")
            if other != f"'{job.source}'":
                raise ColorizeError(
                    f"{other} and '{job.source}' would both become '{file}': rename one, colorize them into different"
                    " folders, or give the folder that holds both with `recursive`"
                )
            replaced = photos.get(os.path.realpath(file))
            if replaced is not None and replaced != job.source:
                raise ColorizeError(
                    f"'{job.source}' would become '{file}', which is another of the photos: choose another `out`"
                )
            if replaced is not None and not overwrite:
                raise ColorizeError(
                    f"'{file}' would replace the photo it is made from: choose another `out`"
                    " (or `overwrite`, which loses the photos as they are)"
                )


def _key(file: Path) -> str:
    return os.path.normcase(os.path.realpath(file))


def _refuse_existing(existing: set[Path], out: Path) -> None:
    if existing:
        first = min(existing)
        count = "1 result exists" if len(existing) == 1 else f"{len(existing):,} results exist"
        raise ColorizeError(
            f"{count} in '{out}' already, first '{first.relative_to(out)}':"
            " `resume` keeps them and does the rest, `overwrite` replaces them"
        )


def _refuse_foreign_list(file: Path, header: str, what: str) -> None:
    """Raise where a file of somebody else has the name of a list that every run writes anew."""
    if not file.is_file():
        return
    with file.open(encoding="utf-8", errors="replace") as stream:
        if stream.readline().strip() != header:
            raise ColorizeError(
                f"'{file}' is no list of {what} of an earlier run, and this run's goes there:"
                " rename it, choose another `out`, or `overwrite` it"
            )
