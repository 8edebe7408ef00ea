"""Folders of photos, colorized into folders of photos in colour."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from keras_colorize.batch.contact_sheet import write_contact_sheet
from keras_colorize.batch.hints import check_hints_taken
from keras_colorize.batch.plan import FolderSettings, Job, Plan, plan_jobs
from keras_colorize.batch.workers import Result, Workers
from keras_colorize.batch.write import RunLists, clear_leftovers
from keras_colorize.inference.colorizer import Colorizer

if TYPE_CHECKING:
    from keras_colorize.inference.reference import ReferencePhoto

LEFT_ALONE = "is in colour: left alone"


def colorize_folder(
    colorizer: Colorizer,
    paths: str | Path | Sequence[str | Path],
    out: str | Path,
    settings: FolderSettings | None = None,
) -> Iterator[Result]:
    """Colorize files, folders and patterns into a folder; yields a result for each photo as soon as it is done.

    Results come in the order of completion. A photo takes the hints that lie beside it, in `photo.jpg.hints.json` or
    `photo.hints.json`. A photo that fails is listed in `errors.csv` in `out`, and the others are done. Photos that were
    in colour are listed in `in_color.csv`. Whoever leaves the loop early stops the work; the files that exist are whole
    at any time.

        for result in colorize_folder(colorizer, "scans", "colour", FolderSettings(recursive=True, resume=True)):
            print(result.source, result.error or result.outputs)

    Args:
        colorizer: of any system; several samples need one that `Colorizer.check_samples` takes.
        paths: one or several files, folders, or patterns such as `scans/*.tif`. Of a folder or a pattern, files with
            the suffix of a photo are taken; `keras_colorize.batch.plan.plan_jobs` tells which others there are.
        out: the folder for the results, which is made where there is none.
        settings: see `FolderSettings`; the default settings if not given.

    Raises:
        ColorizeError: nothing to colorize, results that exist, samples of a network with one answer, hints for a
            network that takes none, or a reference that is grey or that the network cannot use; at once.
        OSError: the disk of `out` is full or may not be written; in the loop.
    """
    settings = settings or FolderSettings()
    plan = plan_jobs([paths] if isinstance(paths, (str, Path)) else paths, out, settings)
    if settings.samples > 1:
        colorizer.check_samples()
    check_hints_taken(plan.jobs, settings, colorizer.space.takes_hints, colorizer.name)
    reference = read_reference(colorizer, settings)
    return _results(colorizer, plan, Path(out).expanduser(), settings, reference)


def read_reference(colorizer: Colorizer, settings: FolderSettings) -> "ReferencePhoto | None":
    """Read the photo whose palette all photos of a run take on, once for all of them.

    Raises:
        ColorizeError: it is grey or no photo, or the network takes no reference.
    """
    return None if settings.reference is None else colorizer.reference(Path(settings.reference).expanduser())


def colorize_jobs(
    colorizer: Colorizer,
    jobs: Sequence[Job],
    out: Path,
    settings: FolderSettings,
    stop: Callable[[], bool] = lambda: False,
    reference: "ReferencePhoto | None" = None,
) -> Iterator[Result]:
    """Do the jobs of a plan as `colorize_folder` does; once `stop()` is true, only files half written are finished.

    reference: what `read_reference` read.
    """
    lists = RunLists(out)
    clear_leftovers(jobs)
    with closing(Workers(colorizer, jobs, settings, stop, reference).results()) as results:
        for result in results:
            if result.error is not None:
                lists.add_error(result.source, result.error)
            if result.in_color:
                lists.add_in_color(result.source, colorized=bool(result.outputs))
            yield result


def _results(
    colorizer: Colorizer, plan: Plan, out: Path, settings: FolderSettings, reference: "ReferencePhoto | None"
) -> Iterator[Result]:
    notes: dict[Path, str] = {}
    for result in colorize_jobs(colorizer, plan.jobs, out, settings, reference=reference):
        if result.error is not None:
            notes[result.source] = result.error
        elif result.in_color and not result.outputs:
            notes[result.source] = LEFT_ALONE
        yield result
    for _ in write_contact_sheet(plan, notes):
        pass
