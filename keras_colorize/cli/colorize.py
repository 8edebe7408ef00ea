"""`keras-colorize colorize`: photos become colour photos."""

import argparse
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from keras_colorize.cli import beam
from keras_colorize.cli.quiet import load_tensorflow
from keras_colorize.defaults import DEFAULT_MODEL, LARGEST_VIVIDNESS
from keras_colorize.files import printable

if TYPE_CHECKING:
    from rich.console import Console

    from keras_colorize.batch.plan import Job
    from keras_colorize.batch.workers import Result
    from keras_colorize.inference.colorizer import Colorizer
    from keras_colorize.training.interruption import StopRequest

SUMMARY = "Colorize photos: files, folders of thousands, any format, at full resolution."
SOME_PHOTOS_FAILED = 1
LINE_EVERY = 100  # photos, where no bar can be drawn
FAILURES_SHOWN = 50  # the rest is in errors.csv


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="photos, folders of photos, or patterns: 'scans/*.tif'"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder for the results")
    what = parser.add_argument_group("which system")
    what.add_argument("--model", help=f"a system of the zoo that comes with weights (default: {DEFAULT_MODEL})")
    what.add_argument("--run", metavar="DIR", help="a run folder of your own training")
    what.add_argument("--weights", metavar="FILE", help="a file of weights; of --model unless recipe.toml is beside it")
    look = parser.add_argument_group("how it looks")
    look.add_argument(
        "--vividness", type=float, default=1.0, metavar="X", help="0 grey, 1 the system's own, more: stronger colours"
    )
    look.add_argument(
        "--samples", type=int, default=1, metavar="N", help="N different results, of a network with dropout"
    )
    look.add_argument("--seed", type=int, default=0, metavar="N", help="of the samples (default: %(default)s)")
    look.add_argument("--no-edges", action="store_true", help="spread colour smoothly instead of along edges")
    files = parser.add_argument_group("which files")
    files.add_argument("--recursive", action="store_true", help="folders within folders too, kept below --out")
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
    """Find the photos, colorize them, say what became of them; 1 where some failed."""
    from keras_colorize.batch.plan import plan_jobs, sheet_pages
    from keras_colorize.beam.jobs import absolute_jobs

    _check(options)
    out = Path(options.out).expanduser()
    jobs = plan_jobs(
        options.paths,
        out,
        recursive=options.recursive,
        format=options.format,
        samples=options.samples,
        compare=options.compare,
        contact_sheet=options.contact_sheet,
        resume=options.resume,
        overwrite=options.overwrite,
    )
    pages = sheet_pages(out, len(jobs)) if options.contact_sheet else []
    if not any(job.missing for job in jobs) and all(page.is_file() for page in pages):
        print(f"nothing to do: the results of all {len(jobs):,} photos are in {out}")
        return 0

    if options.runner:
        jobs = absolute_jobs(jobs)
    load_tensorflow()
    # Threads that meet while a graph is made for the first time are taken for retracing, and warned of.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    from keras_colorize.batch.folder import colorize_jobs
    from keras_colorize.batch.write import Settings
    from keras_colorize.runs.console import make_console
    from keras_colorize.training.interruption import StopRequest

    settings = Settings(
        vividness=options.vividness,
        seed=options.seed,
        edges=not options.no_edges,
        quality=options.quality,
        overwrite=options.overwrite,
        batch_size=options.batch_size,
        **({} if options.max_megapixels is None else {"max_pixels": int(options.max_megapixels * 1e6)}),
    )
    console = make_console()
    tally = Tally(len(jobs))
    drawn: list[Path] = []
    if options.runner:
        outcome = beam.colorize(options, jobs, out, settings, lambda: _colorizer(options), console)
        tally.done, tally.errors, tally.remarks = outcome.done, outcome.errors, outcome.remarks
        tally.skipped = sum(not job.missing for job in jobs)
    else:
        colorizer = _colorizer(options)
        if options.samples > 1:
            colorizer.check_stochastic()
    with StopRequest() as stop:
        try:
            if not options.runner:
                with _progress(console, sum(bool(job.missing) for job in jobs)) as show:
                    for result in colorize_jobs(colorizer, jobs, out, settings, lambda: bool(stop.reason)):
                        tally.add(result)
                        show(tally)
            if not stop.reason:
                drawn = _draw_sheet(console, jobs, tally, out, len(pages), stop)
        except KeyboardInterrupt:  # the second Ctrl-C
            raise KeyboardInterrupt(tally.stopped(f"{stop.reason} at once", out)) from None
    if stop.reason and (tally.left or len(drawn) < len(pages)):
        raise KeyboardInterrupt(tally.stopped(stop.reason, out))
    _report(console, tally, out, drawn)
    return SOME_PHOTOS_FAILED if tally.errors else 0


@dataclass
class Tally:
    """What became of the photos so far."""

    photos: int
    done: int = 0
    skipped: int = 0
    errors: dict[Path, str] = field(default_factory=dict)
    remarks: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)

    def add(self, result: "Result") -> None:
        """Count one more."""
        if result.skipped:
            self.skipped += 1
        elif result.error is not None:
            self.errors[result.source] = result.error
        else:
            self.done += 1
        self.remarks.update(result.remarks)

    @property
    def tried(self) -> int:
        """Photos that this run has been through."""
        return self.done + len(self.errors)

    @property
    def left(self) -> int:
        """Photos whose turn has not come."""
        return self.photos - self.skipped - self.tried

    @property
    def seconds(self) -> float:
        """Since the first photo was begun."""
        return max(time.monotonic() - self.began, 1e-3)

    def speed(self) -> str:
        """Photos per second."""
        speed = self.tried / self.seconds
        return f"{speed:.1f} photos/s" if speed >= 1 else f"{speed:.2f} photos/s"

    def stopped(self, by: str, out: Path) -> str:
        """What is done when somebody has stopped the work, and how to go on."""
        others = f", {self.skipped:,} were done before" if self.skipped else ""
        others += f", {len(self.errors):,} failed" if self.errors else ""
        return (
            f"stopped by {by}: {self.done:,} of {self.photos:,} photos are done{others}, and every file"
            f" in {printable(str(out))} is whole; the same command with --resume goes on"
        )


@contextmanager
def _progress(console: "Console", todo: int) -> "Iterator[Callable[[Tally], None]]":
    """A bar with photos per second and time left; where the output is no terminal, a line now and then."""
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


def _draw_sheet(
    console: "Console", jobs: "Sequence[Job]", tally: Tally, out: Path, pages: int, stop: "StopRequest"
) -> list[Path]:
    """The contact sheet's pages, as far as nobody stops it."""
    from keras_colorize.batch.contact_sheet import write_contact_sheet
    from keras_colorize.runs.console import counting_progress

    drawn: list[Path] = []
    if not pages:
        return drawn
    with counting_progress(console, "contact sheet") as progress:
        for page in write_contact_sheet(jobs, tally.errors, out):
            drawn.append(page)
            progress(len(drawn), pages)
            if stop.reason:
                break
    return drawn


def _report(console: "Console", tally: Tally, out: Path, drawn: list[Path]) -> None:
    """How many are done, skipped and failed, each failure by name, and where everything is."""
    from keras_colorize.batch.plan import ERRORS_FILE

    def say(text: str) -> None:
        console.print(printable(text), highlight=False, markup=False, soft_wrap=True)

    took = timedelta(seconds=round(tally.seconds))
    say(f"done     {tally.done:,} of {tally.photos:,} photos in {took}, {tally.speed()}: {out}")
    if tally.skipped:
        say(f"skipped  {tally.skipped:,}, whose results exist")
    if tally.errors:
        say(f"failed   {len(tally.errors):,}, listed in {out / ERRORS_FILE}:")
        for source, reason in sorted(tally.errors.items())[:FAILURES_SHOWN]:
            say(f"  {source}: {reason}")
        if len(tally.errors) > FAILURES_SHOWN:
            say(f"  and {len(tally.errors) - FAILURES_SHOWN:,} more")
    for remark, count in tally.remarks.items():
        say(f"{count:,} {'photo' if count == 1 else 'photos'}: {remark}")
    if drawn:
        say(f"contact sheet: {drawn[0]}" + (f" … {drawn[-1].name}" if len(drawn) > 1 else ""))


def _colorizer(options: argparse.Namespace) -> "Colorizer":
    from keras_colorize.inference.colorizer import Colorizer

    if options.run:
        return Colorizer.from_run(options.run)
    if options.weights:
        return Colorizer.from_file(Path(options.weights).expanduser(), options.model)
    return Colorizer.from_zoo(options.model or DEFAULT_MODEL)


def _check(options: argparse.Namespace) -> None:
    """Refuse what can be seen to be wrong without TensorFlow: numbers out of range, and systems that do not exist."""
    from keras_colorize.errors import ColorizeError
    from keras_colorize.recipes import Recipe, packaged_sha256
    from keras_colorize.runs.folder import RunFolder

    ranges = {
        "vividness": (0, LARGEST_VIVIDNESS),
        "samples": (1, 1000),
        "seed": (0, 2**31 - 1),
        "quality": (1, 100),
        "batch_size": (1, 4096),
        "max_megapixels": (0.001, 100_000),
    }
    for option, (low, high) in ranges.items():
        value = getattr(options, option)
        if value is not None and not low <= value <= high:  # NaN is not within either
            raise ColorizeError(f"--{option.replace('_', '-')} is {value:g}: expected {low:g} to {high:g}")
    beam.check(options)
    if options.saved_model:
        return
    if options.run and (options.model or options.weights):
        other = "--model" if options.model else "--weights"
        raise ColorizeError(f"--run and {other} name different systems: give one of the two")
    if options.run:
        RunFolder.open(options.run)
    elif options.weights and options.model:
        Recipe.load(options.model)
    elif not options.weights:
        packaged_sha256(options.model or DEFAULT_MODEL)
    if options.weights and not Path(options.weights).expanduser().is_file():
        raise ColorizeError(f"no file '{options.weights}'; expected weights, or --run with a run folder")
