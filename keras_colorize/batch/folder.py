"""A folder of photos → a folder of colour photos."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from keras_colorize.batch.batching import PIXELS_IN_FLIGHT
from keras_colorize.batch.contact_sheet import write_contact_sheet
from keras_colorize.batch.failures import error_row, open_out
from keras_colorize.batch.plan import ERRORS_HEADER, Job, plan_jobs
from keras_colorize.batch.workers import Result, Workers
from keras_colorize.batch.write import Settings
from keras_colorize.images import DEFAULT_MAX_PIXELS
from keras_colorize.inference.colorizer import Colorizer


def colorize_folder(
    colorizer: Colorizer,
    paths: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    recursive: bool = False,
    vividness: float = 1.0,
    samples: int = 1,
    seed: int = 0,
    edges: bool = True,
    compare: bool = False,
    contact_sheet: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    format: str | None = None,
    quality: int = 95,
    batch_size: int = 8,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    pixels_in_flight: int = PIXELS_IN_FLIGHT,
) -> Iterator[Result]:
    """Colorize files, folders and patterns into a folder; yields a result for each photo once it is done.

    The order is that of completion. A photo that fails is listed in `errors.csv` in `out`, and the others are done.
    Leaving the loop early stops the work; the files that exist are whole at any time.

    Args:
        paths, out, recursive, samples, compare, contact_sheet, resume, overwrite, format:
            as for `keras_colorize.batch.plan.plan_jobs`; one path may come without a list.
        vividness: 1 is the system's own, 0 grey, more is stronger.
        seed: of the samples.
        edges: colour follows the edges of the photo; else it is spread smoothly.
        quality: of JPEG and WebP, 1 to 100.
        batch_size: photos that go through the network at once.
        max_pixels: a larger photo fails.
        pixels_in_flight: of the photos that are in memory at one time; a larger photo is alone there.

    Raises:
        ColorizeError: nothing to colorize, results that exist, or samples of a network without dropout; at once.
        OSError: the disk of `out` is full or may not be written; in the loop.
    """
    jobs = plan_jobs(
        [paths] if isinstance(paths, (str, Path)) else paths,
        out,
        recursive=recursive,
        format=format,
        samples=samples,
        compare=compare,
        contact_sheet=contact_sheet,
        resume=resume,
        overwrite=overwrite,
    )
    if samples > 1:
        colorizer.check_stochastic()
    settings = Settings(
        vividness=vividness,
        seed=seed,
        edges=edges,
        quality=quality,
        overwrite=overwrite,
        batch_size=batch_size,
        max_pixels=max_pixels,
        pixels_in_flight=pixels_in_flight,
    )
    return _results(colorizer, jobs, Path(out).expanduser(), settings, contact_sheet)


def colorize_jobs(
    colorizer: Colorizer,
    jobs: Sequence[Job],
    out: Path,
    settings: Settings,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Result]:
    """Do what was planned, as `colorize_folder` does; once `stop()` is true, only files half written are finished."""
    errors_file = open_out(out)
    with closing(Workers(colorizer, jobs, settings, stop).results()) as results:
        for result in results:
            if result.error is not None:
                _list_error(errors_file, error_row(result.source, result.error))
            yield result


def _results(
    colorizer: Colorizer, jobs: Sequence[Job], out: Path, settings: Settings, contact_sheet: bool
) -> Iterator[Result]:
    errors: dict[Path, str] = {}
    for result in colorize_jobs(colorizer, jobs, out, settings):
        if result.error is not None:
            errors[result.source] = result.error
        yield result
    if contact_sheet:
        for _ in write_contact_sheet(jobs, errors, out):
            pass


def _list_error(file: Path, row: str) -> None:
    """One row more, on the disk at once: a run that is killed leaves the list so far."""
    is_new = not file.exists()
    with file.open("a", newline="", encoding="utf-8") as stream:
        if is_new:
            stream.write(f"{ERRORS_HEADER}\n")
        stream.write(row)
