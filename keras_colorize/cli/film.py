"""`keras-colorize film`: colour a film, steady from frame to frame."""

import argparse
import functools
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from keras_colorize.cli import beam, system
from keras_colorize.cli.startup import load_tensorflow

if TYPE_CHECKING:
    from rich.console import Console

    from keras_colorize.progress import Advance
    from keras_colorize.video.output import FilmResult

SUMMARY = "Colorize a film: steady colours, its own sound, and no work lost in a crash."
LINE_SECONDS = 30.0  # between two lines, where no bar can be drawn
STRETCHES_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("path", metavar="FILM", help="a film, or a folder of numbered frames")
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="the film in colour: .mp4, .mov, .mkv, or a folder for frames"
    )
    system.add_arguments(parser)
    look = parser.add_argument_group("how it looks")
    look.add_argument(
        "--vividness", type=float, metavar="X", help="0 grey, 1 the system's own (default), more: stronger colours"
    )
    look.add_argument(
        "--hints", metavar="FILE", help="colours at places of frames (.hints.json), kept through the shot"
    )
    look.add_argument("--reference", metavar="FILE", help="a photo in colour whose palette the film takes on")
    look.add_argument("--no-edges", action="store_true", help="spread colour smoothly instead of along edges")
    look.add_argument("--no-steady", action="store_true", help="colour each frame on its own, which flickers")
    files = parser.add_argument_group("the new film")
    files.add_argument("--codec", help="h264, hevc, av1, prores, ffv1 (default: h264, or hevc for more than 8 bits)")
    files.add_argument("--quality", type=int, default=75, metavar="Q", help="of the film, 1 to 100 (default: 75)")
    files.add_argument("--fps", type=float, metavar="N", help="frames per second of a folder of frames (default: 24)")
    files.add_argument("--preview", type=float, metavar="SECONDS", help="only so many seconds from the beginning")
    files.add_argument("--resume", action="store_true", help="go on where an earlier run was stopped")
    files.add_argument("--overwrite", action="store_true", help="replace a film that exists")
    beam.add_film_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Colorize the film, and report what became of it."""
    from keras_colorize.inference.hint_files import HintSet, read_hints
    from keras_colorize.video.settings import FilmSettings, check_installed

    check_installed()
    hints = read_hints(options.hints) if options.hints else HintSet()
    vividness = next((value for value in (options.vividness, hints.vividness) if value is not None), 1.0)
    names = ("codec", "quality", "fps", "preview", "resume", "overwrite")
    given = {name: getattr(options, name) for name in names}
    reference = Path(options.reference).expanduser() if options.reference else None
    settings = FilmSettings(
        reference=reference,
        vividness=vividness,
        edges=not options.no_edges,
        steady=not options.no_steady,
        hints=hints,
        **given,
    )
    system.check(options)
    with_runner = beam.is_asked(options)
    load_tensorflow()
    # Threads that meet while a graph is made for the first time are taken for retracing, and warned of.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    from keras_colorize.cli.console import make_console
    from keras_colorize.cli.interruption import Interruption
    from keras_colorize.video.film import colorize_film
    from keras_colorize.video.frames import clock

    console = make_console()
    colorizer = system.load(options)
    began = time.monotonic()
    if with_runner:
        result = beam.film(options, settings, colorizer, functools.partial(_progress, console))
        _report(console, result, time.monotonic() - began)
        return 0
    with Interruption() as stop, _progress(console) as advance:
        result = colorize_film(colorizer, options.path, options.out, settings, advance, lambda: bool(stop.reason))
    if result.stopped:
        played = f", which play in {result.out}" if result.frames else ""
        raise KeyboardInterrupt(
            f"stopped by {stop.reason}: {clock(result.seconds)} of the film are done{played};"
            " the same command with --resume goes on"
        )
    _report(console, result, time.monotonic() - began)
    return 0


def _report(console: "Console", result: "FilmResult", seconds: float) -> None:
    from keras_colorize.video.frames import clock

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    took = timedelta(seconds=round(seconds))
    say(f"done     {result.frames:,} frames, {clock(result.seconds)}, in {took}: {result.out}")
    for remark in result.remarks:
        say(f"note     {remark}")
    if result.damaged:
        say("damaged  these stretches of the film are damaged, and stay grey:")
        for start, end in result.damaged[:STRETCHES_SHOWN]:
            say(f"  {clock(start)} to {clock(end)}")
        if len(result.damaged) > STRETCHES_SHOWN:
            say(f"  and {len(result.damaged) - STRETCHES_SHOWN:,} more")
    if result.lost:
        times = ", ".join(map(clock, result.lost[:STRETCHES_SHOWN]))
        more = (
            f" and at {len(result.lost) - STRETCHES_SHOWN:,} more times" if len(result.lost) > STRETCHES_SHOWN else ""
        )
        say(f"lost     nothing decodes at {times}{more}; the frame before stays on the screen, in grey")


@contextmanager
def _progress(console: "Console", description: str = "colorizing") -> "Iterator[Advance]":
    """Show a bar with frames per second and time left; where the output is no terminal, print a line now and then."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    began = first = shown = 0.0

    def speed_of(done: int) -> float:
        """Count from the first frame of this run, since those before it were done earlier."""
        nonlocal began, first
        now = time.monotonic()
        if not began:
            began, first = now, done
        return (done - first) / max(now - began, 1e-3)

    if not console.is_terminal:

        def line(done: int, total: int) -> None:
            nonlocal shown
            speed, now = speed_of(done), time.monotonic()
            if not shown:
                shown = now
            elif now - shown >= LINE_SECONDS and speed:
                shown = now
                left = f"  {timedelta(seconds=round((total - done) / speed))} left" if total else ""
                console.print(f"{description}  {done:,}/{total:,} frames  {speed:.1f} frames/s{left}", highlight=False)

        yield line
        return
    columns = (
        TextColumn(description), BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None, speed="")

        def update(done: int, total: int) -> None:
            speed = speed_of(done)
            progress.update(task, completed=done, total=total or None, speed=f"{speed:.1f} frames/s" if speed else "")

        yield update
