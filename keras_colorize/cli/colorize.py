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
from keras_colorize.cli.startup import load_tensorflow
from keras_colorize.defaults import DEFAULT_MODEL
from keras_colorize.files import printable

if TYPE_CHECKING:
    from rich.console import Console

    from keras_colorize.batch.plan import FolderSettings, Plan
    from keras_colorize.batch.workers import Result
    from keras_colorize.cli.interruption import Interruption
    from keras_colorize.inference.colorizer import Colorizer

SUMMARY = "Colorize photos: files, folders of thousands, any format, at full resolution."
SOME_PHOTOS_FAILED = 1
LINE_EVERY = 100  # photos, where no bar can be drawn
NAMES_SHOWN = 50  # of photos that failed or were in colour; lists in the folder have the rest
KINDS_SHOWN, FOLDERS_SHOWN = 8, 5  # of what was passed over


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
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
    from keras_colorize.batch.plan import plan_jobs
    from keras_colorize.batch.write import make_out

    settings = _settings(options)
    _check_system(options)
    out = Path(options.out).expanduser()
    plan = plan_jobs(options.paths, out, settings)
    if plan.is_done:
        print(f"nothing to do: the results of all {len(plan.jobs):,} photos are in {out}")
        return 0

    jobs = plan.jobs
    if options.runner:
        from keras_colorize.beam.jobs import absolute_jobs

        jobs = tuple(absolute_jobs(jobs))
    load_tensorflow()
    colorizer = None if options.runner else _load_colorizer(options)
    if colorizer is not None and settings.samples > 1:
        colorizer.check_stochastic()
    make_out(out)
    # Threads that meet while a graph is made for the first time are taken for retracing, and warned of.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    from keras_colorize.batch.folder import colorize_jobs
    from keras_colorize.cli.console import make_console
    from keras_colorize.cli.interruption import Interruption

    console = make_console()
    tally = Tally(len(jobs))
    drawn: list[Path] = []
    if options.runner:
        outcome = beam.colorize(options, jobs, out, settings, lambda: _load_colorizer(options), console)
        tally.done, tally.errors, tally.remarks = outcome.done, outcome.errors, outcome.remarks
        tally.in_color = outcome.in_color
        tally.skipped = sum(not job.missing for job in jobs)
    with Interruption() as stop:
        try:
            if colorizer is not None:
                with _progress(console, sum(bool(job.missing) for job in jobs)) as show:
                    for result in colorize_jobs(colorizer, jobs, out, settings, lambda: bool(stop.reason)):
                        tally.add(result)
                        show(tally)
            if not stop.reason:
                drawn = _draw_sheet(console, plan, tally, stop)
        except KeyboardInterrupt:  # the second Ctrl-C
            raise KeyboardInterrupt(tally.stopped(f"{stop.reason} at once", out)) from None
    if stop.reason and (tally.left or len(drawn) < len(plan.pages)):
        raise KeyboardInterrupt(tally.stopped(stop.reason, out))
    _report(console, plan, tally, out, drawn)
    return SOME_PHOTOS_FAILED if tally.errors else 0


@dataclass
class Tally:
    """Counts of the photos so far.

    errors: photo → why it failed.
    in_color: photos that were in colour → whether they were colorized all the same.
    remarks: → number of photos.
    """

    photos: int
    done: int = 0
    skipped: int = 0
    errors: dict[Path, str] = field(default_factory=dict)
    in_color: dict[Path, bool] = field(default_factory=dict)
    remarks: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)

    def add(self, result: "Result") -> None:
        """Count one more result."""
        if result.skipped:
            self.skipped += 1
        elif result.error is not None:
            self.errors[result.source] = result.error
        elif result.outputs:
            self.done += 1
        if result.in_color:
            self.in_color[result.source] = bool(result.outputs)
        self.remarks.update(result.remarks)

    @property
    def left_alone(self) -> list[Path]:
        """Photos that were not colorized since they are in colour, by name."""
        return sorted(source for source, colorized in self.in_color.items() if not colorized)

    @property
    def recolored(self) -> list[Path]:
        """Photos that were colorized although they were in colour, by name."""
        return sorted(source for source, colorized in self.in_color.items() if colorized)

    @property
    def tried(self) -> int:
        """Photos that this run has been through."""
        return self.done + len(self.errors) + len(self.left_alone)

    @property
    def left(self) -> int:
        """Photos whose turn has not come yet."""
        return self.photos - self.skipped - self.tried

    @property
    def seconds(self) -> float:
        """Seconds since the first photo was begun."""
        return max(time.monotonic() - self.began, 1e-3)

    def speed(self) -> str:
        """Format the photos per second."""
        speed = self.tried / self.seconds
        return f"{speed:.1f} photos/s" if speed >= 1 else f"{speed:.2f} photos/s"

    def stopped(self, by: str, out: Path) -> str:
        """Say what is done after somebody has stopped the work, and how to go on."""
        others = f", {self.skipped:,} were done before" if self.skipped else ""
        others += f", {len(self.errors):,} failed" if self.errors else ""
        return (
            f"stopped by {by}: {self.done:,} of {self.photos:,} photos are done{others}, and every file"
            f" in {printable(str(out))} is whole; the same command with --resume goes on"
        )


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


def _report(console: "Console", plan: "Plan", tally: Tally, out: Path, drawn: list[Path]) -> None:
    """Print how many photos are done, skipped, in colour and failed, what was passed over, and where everything is."""
    from keras_colorize.batch.plan import ERRORS_FILE, IN_COLOR_FILE

    def say(text: str) -> None:
        console.print(printable(text), highlight=False, markup=False, soft_wrap=True)

    def say_names(lines: Sequence[str]) -> None:
        for line in lines[:NAMES_SHOWN]:
            say(f"  {line}")
        if len(lines) > NAMES_SHOWN:
            say(f"  and {len(lines) - NAMES_SHOWN:,} more")

    took = timedelta(seconds=round(tally.seconds))
    say(f"done     {tally.done:,} of {tally.photos:,} photos in {took}, {tally.speed()}: {out}")
    if tally.skipped:
        say(f"skipped  {tally.skipped:,}, whose results exist")
    if tally.left_alone:
        say(f"left     {_photos(len(tally.left_alone))} in colour, not colorized; listed in {out / IN_COLOR_FILE}:")
        say_names([str(source) for source in tally.left_alone])
    if tally.recolored:
        say(
            f"colour   {_photos(len(tally.recolored))} had colours, which were replaced (--skip-color leaves them as"
            f" they are); listed in {out / IN_COLOR_FILE}:"
        )
        say_names([str(source) for source in tally.recolored])
    if tally.errors:
        say(f"failed   {len(tally.errors):,}, listed in {out / ERRORS_FILE}:")
        say_names([f"{source}: {reason}" for source, reason in sorted(tally.errors.items())])
    for remark, count in tally.remarks.items():
        say(f"{_photos(count)}: {remark}")
    for line in passed_over(plan):
        say(line)
    if drawn:
        say(f"contact sheet: {drawn[0]}" + (f" … {drawn[-1].name}" if len(drawn) > 1 else ""))


def passed_over(plan: "Plan") -> list[str]:
    """Say which files and folders were not taken, and why: a line for each kind of file, and one for folders."""
    lines = []
    kinds: dict[str, list[Path]] = {}
    for file in plan.others:
        kinds.setdefault(file.suffix.lower(), []).append(file)
    if kinds:
        count = f"{len(plan.others):,} {'file' if len(plan.others) == 1 else 'files'}"
        lines.append(f"passed   {count} over, of kinds that are not read:")
        ordered = sorted(kinds.items(), key=lambda kind: (-len(kind[1]), kind[0]))
        for suffix, files in ordered[:KINDS_SHOWN]:
            names = str(files[0]) if len(files) == 1 else f"{files[0]} … {files[-1].name}"
            lines.append(f"  {len(files):,} {suffix or 'without suffix'}: {names}{_ADVICE.get(suffix, '')}")
        if len(ordered) > KINDS_SHOWN:
            lines.append(f"  and {len(ordered) - KINDS_SHOWN:,} more kinds")
    if plan.closed:
        count = f"{len(plan.closed):,} {'folder' if len(plan.closed) == 1 else 'folders'}"
        names = ", ".join(map(str, plan.closed[:FOLDERS_SHOWN])) + (", …" if len(plan.closed) > FOLDERS_SHOWN else "")
        lines.append(f"passed   {count} over, which --recursive searches: {names}")
    return lines


_ADVICE = dict.fromkeys((".heic", ".heif", ".hif"), " (pip install 'keras-colorize[heif]' reads them)")


def _photos(count: int) -> str:
    return f"{count:,} {'photo' if count == 1 else 'photos'}"


def _load_colorizer(options: argparse.Namespace) -> "Colorizer":
    from keras_colorize.inference.colorizer import Colorizer

    if options.run:
        return Colorizer.from_run(options.run)
    if options.weights:
        return Colorizer.from_file(Path(options.weights).expanduser(), options.model)
    return Colorizer.from_zoo(options.model or DEFAULT_MODEL)


def _settings(options: argparse.Namespace) -> "FolderSettings":
    """Make the settings of the options, which checks them."""
    from keras_colorize.batch.plan import FolderSettings
    from keras_colorize.errors import ColorizeError
    from keras_colorize.images import DEFAULT_MAX_PIXELS

    megapixels = options.max_megapixels
    if megapixels is not None and not 0.001 <= megapixels <= 100_000:  # NaN is not within either
        raise ColorizeError(f"--max-megapixels is {megapixels:g}: expected 0.001 to 100000")
    names = ("recursive", "skip_color", "vividness", "samples", "seed", "format", "quality", "compare", "contact_sheet")
    given = {name: getattr(options, name) for name in (*names, "resume", "overwrite", "batch_size")}
    max_pixels = DEFAULT_MAX_PIXELS if megapixels is None else int(megapixels * 1e6)
    return FolderSettings(edges=not options.no_edges, max_pixels=max_pixels, **given)


def _check_system(options: argparse.Namespace) -> None:
    """Refuse systems that do not exist, and options that do not go together, without TensorFlow."""
    from keras_colorize.errors import ColorizeError
    from keras_colorize.recipes import Recipe, packaged_sha256
    from keras_colorize.runs.folder import RunFolder

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
