"""`keras-colorize colorize`: colour photos, and folders of thousands."""

import argparse
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from keras_colorize.cli import beam, hints, system
from keras_colorize.cli.startup import load_tensorflow
from keras_colorize.cli.tally import Tally, print_report

if TYPE_CHECKING:
    from rich.console import Console

    from keras_colorize.batch.plan import FolderSettings, Plan
    from keras_colorize.cli.interruption import Interruption

SUMMARY = "Colorize photos: files, folders of thousands, any format, at full resolution."
SOME_PHOTOS_FAILED = 1
LINE_EVERY = 100  # photos, where no bar can be drawn


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="photos, folders of photos, or patterns: 'scans/*.tif'"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder for the results")
    system.add_arguments(parser)
    system.add_runtime(parser)
    look = parser.add_argument_group("how it looks")
    look.add_argument(
        "--vividness", type=float, metavar="X", help="0 grey, 1 the system's own (the default), more: stronger colours"
    )
    look.add_argument(
        "--samples", type=int, default=1, metavar="N", help="N different results for each photo, the likeliest first"
    )
    look.add_argument("--seed", type=int, default=0, metavar="N", help="of the samples (default: %(default)s)")
    look.add_argument("--reference", metavar="FILE", help="a photo in colour whose palette all photos take on")
    look.add_argument("--no-edges", action="store_true", help="spread colour smoothly instead of along edges")
    hints.add_arguments(look)
    files = parser.add_argument_group("which files")
    files.add_argument("--recursive", action="store_true", help="folders within folders too, kept below --out")
    files.add_argument("--skip-color", action="store_true", help="leave photos alone that have colours of their own")
    files.add_argument("--resume", action="store_true", help="skip photos whose results exist")
    files.add_argument("--overwrite", action="store_true", help="replace results that exist")
    files.add_argument("--format", metavar="F", help="of the results: jpeg, png, tiff, webp, … (default: the photo's)")
    files.add_argument("--quality", type=int, default=95, metavar="Q", help="of JPEG and WebP, 1 to 100 (default: 95)")
    files.add_argument("--compare", action="store_true", help="also write grey | colour, side by side")
    files.add_argument("--contact-sheet", action="store_true", help="also write pages of all photos, grey and colour")
    limits = parser.add_argument_group("limits")
    limits.add_argument("--batch-size", type=int, default=8, metavar="N", help="photos at once (default: %(default)s)")
    limits.add_argument(
        "--max-megapixels", type=float, metavar="N", help="the largest photo that is read (default: 250)"
    )
    beam.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Find the photos, colorize them, report what became of them; return 1 where some failed."""
    from keras_colorize.batch.hints import check_hints_taken
    from keras_colorize.batch.plan import plan_jobs
    from keras_colorize.batch.write import make_out
    from keras_colorize.color.largest_chroma import largest_chroma

    settings = _settings(options)
    beam.check(options)
    if not options.saved_model:
        system.check(options)
    runtime = system.choose_runtime(options)
    out = Path(options.out).expanduser()
    plan = plan_jobs(options.paths, out, settings)
    if plan.is_done:
        print(f"nothing to do: the results of all {len(plan.jobs):,} photos are in {out}")
        return 0
    settings = hints.with_hints(options, settings, plan)

    jobs = plan.jobs
    if options.runner:
        from keras_colorize.beam.jobs import absolute_jobs

        jobs = tuple(absolute_jobs(jobs))
    # A runtime keeps one core busy while it starts; the tables of the gamut are made on another meanwhile.
    threading.Thread(target=largest_chroma, daemon=True).start()
    if runtime == "tensorflow":
        load_tensorflow()
    from keras_colorize.batch.folder import colorize_jobs, read_reference

    colorizer = None if options.runner else system.load(options, runtime)
    reference = None
    if colorizer is not None:
        if settings.samples > 1:
            colorizer.check_samples()
        check_hints_taken(jobs, settings, colorizer.space.takes_hints, colorizer.name)
        reference = read_reference(colorizer, settings)
    make_out(out)
    # Threads that meet while a graph is made for the first time are taken for retracing, and warned of.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    from keras_colorize.cli.console import make_console
    from keras_colorize.cli.interruption import Interruption

    console = make_console()
    tally = Tally(len(jobs))
    drawn: list[Path] = []
    if options.runner:
        outcome = beam.colorize(options, jobs, out, settings, lambda: system.load(options), console)
        tally.done, tally.errors, tally.remarks = outcome.done, outcome.errors, outcome.remarks
        tally.in_color = outcome.in_color
        tally.skipped = sum(not job.missing for job in jobs)
    with Interruption() as stop:
        try:
            if colorizer is not None:
                with _progress(console, sum(bool(job.missing) for job in jobs)) as show:
                    for result in colorize_jobs(colorizer, jobs, out, settings, lambda: bool(stop.reason), reference):
                        tally.add(result)
                        show(tally)
            if not stop.reason:
                drawn = _draw_sheet(console, plan, tally, stop)
        except KeyboardInterrupt:  # the second Ctrl-C
            raise KeyboardInterrupt(tally.stopped(f"{stop.reason} at once", out)) from None
    if stop.reason and (tally.left or len(drawn) < len(plan.pages)):
        raise KeyboardInterrupt(tally.stopped(stop.reason, out))
    print_report(console, plan, tally, out, drawn)
    return SOME_PHOTOS_FAILED if tally.errors else 0


@contextmanager
def _progress(console: "Console", todo: int) -> "Iterator[Callable[[Tally], None]]":
    """Show a bar with photos per second and time left; where the output is no terminal, print a line now and then."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if not console.is_terminal:
        every = max(min(todo // 10, LINE_EVERY), 1)

        def line(tally: Tally) -> None:
            if tally.tried and tally.tried % every == 0 and tally.left:
                left = timedelta(seconds=round(tally.seconds / tally.tried * tally.left))
                console.print(f"{tally.tried:,}/{todo:,} photos  {tally.speed()}  {left} left", highlight=False)

        yield line
        return
    columns = (
        TextColumn("colorizing"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=todo, speed="")
        yield lambda tally: progress.update(task, completed=tally.tried, speed=tally.speed() if tally.tried else "")


def _draw_sheet(console: "Console", plan: "Plan", tally: Tally, stop: "Interruption") -> list[Path]:
    """Draw the contact sheet's pages until somebody stops it."""
    from keras_colorize.batch.contact_sheet import write_contact_sheet
    from keras_colorize.batch.folder import LEFT_ALONE
    from keras_colorize.cli.console import counting_progress

    drawn: list[Path] = []
    if not plan.pages:
        return drawn
    notes = tally.errors | dict.fromkeys(tally.left_alone, LEFT_ALONE)
    with counting_progress(console, "contact sheet") as progress:
        for page in write_contact_sheet(plan, notes):
            drawn.append(page)
            progress(len(drawn), len(plan.pages))
            if stop.reason:
                break
    return drawn


def _settings(options: argparse.Namespace) -> "FolderSettings":
    """Make the settings of the options, which checks them."""
    from keras_colorize.batch.plan import FolderSettings
    from keras_colorize.errors import ColorizeError
    from keras_colorize.images import DEFAULT_MAX_PIXELS

    megapixels = options.max_megapixels
    if megapixels is not None and not 0.001 <= megapixels <= 100_000:  # NaN is not within either
        raise ColorizeError(f"--max-megapixels is {megapixels:g}: expected 0.001 to 100000")
    names = ("recursive", "skip_color", "vividness", "samples", "seed", "format", "quality", "compare", "contact_sheet")
    given = {name: getattr(options, name) for name in (*names, "reference", "resume", "overwrite", "batch_size")}
    given["ignore_hints"] = options.ignore_hints or hints.are_given(options)
    max_pixels = DEFAULT_MAX_PIXELS if megapixels is None else int(megapixels * 1e6)
    return FolderSettings(edges=not options.no_edges, max_pixels=max_pixels, **given)
