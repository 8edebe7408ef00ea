"""`--runner`: photos and films on the workers of an Apache Beam runner."""

import argparse
import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from keras_colorize.files import printable

if TYPE_CHECKING:
    from rich.console import Console

    from keras_colorize.batch.plan import FolderSettings, Job
    from keras_colorize.beam.outcome import Outcome
    from keras_colorize.inference.colorizer import Colorizer
    from keras_colorize.progress import Advance
    from keras_colorize.video.output import FilmResult
    from keras_colorize.video.settings import FilmSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that go with a runner, for photos."""
    group = _add_runner(parser)
    group.add_argument("--saved-model", metavar="DIR", help="what export wrote, instead of exporting a system first")


def add_film_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that go with a runner, for films."""
    _add_runner(parser)


def _add_runner(parser: argparse.ArgumentParser) -> "argparse._ArgumentGroup":
    group = parser.add_argument_group("on many machines, with Apache Beam")
    group.add_argument("--runner", metavar="NAME", help="DirectRunner (this machine), FlinkRunner, SparkRunner, …")
    group.add_argument(
        "--beam-option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of Beam's or of the runner's, such as direct_num_workers=4; several times for several",
    )
    return group


def check(options: argparse.Namespace) -> None:
    """Refuse what does not go together, and runners, options and models that do not exist."""
    from keras_colorize.errors import ColorizeError

    if not options.runner and options.saved_model:
        raise ColorizeError("--saved-model goes with --runner, such as --runner DirectRunner: give both")
    if options.runner and (options.samples != 1 or options.seed != 0):
        raise ColorizeError(
            "--samples and --seed do not go with --runner, where an exported network gives one result: leave one away"
        )
    if options.runner and options.reference:
        raise ColorizeError("--reference does not go with --runner: leave one of the two away")
    if not is_asked(options):
        return
    from keras_colorize.export.servable import find_saved_model

    if options.saved_model:
        for value, name in ((options.run, "--run"), (options.weights, "--weights"), (options.model, "--model")):
            if value:
                raise ColorizeError(f"--saved-model and {name} name different systems: give one of the two")
        find_saved_model(options.saved_model)


def is_asked(options: argparse.Namespace) -> bool:
    """Tell whether a runner is asked for; refuse runners and options of Beam that do not exist."""
    from keras_colorize.errors import ColorizeError

    if not options.runner:
        if options.beam_option:
            raise ColorizeError("--beam-option goes with --runner, such as --runner DirectRunner: give both")
        return False
    from keras_colorize.beam.options import pipeline_options

    with _quiet():
        pipeline_options(options.runner, options.beam_option)
    return True


def colorize(
    options: argparse.Namespace,
    jobs: "Sequence[Job]",
    out: Path,
    settings: "FolderSettings",
    colorizer: "Callable[[], Colorizer]",
    console: "Console",
) -> "Outcome":
    """Run the pipeline and wait for it; `colorizer` is called where a system has to be exported first."""
    with _quiet(), _interruptible(f"every file in {printable(str(out))} is whole"):
        from keras_colorize.batch.hints import check_hints_taken
        from keras_colorize.beam.model import export_network
        from keras_colorize.beam.options import pipeline_options
        from keras_colorize.beam.run import run_pipeline, work_folder
        from keras_colorize.export.servable import find_saved_model

        todo = sum(bool(job.missing) for job in jobs)
        beam_options = pipeline_options(options.runner, options.beam_option)
        with work_folder(out) as work:
            if options.saved_model:
                model = find_saved_model(options.saved_model)
                check_hints_taken(jobs, settings, model.frame.takes_hints, options.saved_model)
            else:
                system = colorizer()
                check_hints_taken(jobs, settings, system.space.takes_hints, system.name)
                with console.status("exporting the network"):
                    model = export_network(system, work / "model")
            with console.status(f"colorizing {todo:,} photos with {options.runner}"):
                return run_pipeline(jobs, out, work, model, settings, beam_options)


def film(
    options: argparse.Namespace,
    settings: "FilmSettings",
    colorizer: "Colorizer",
    progress: "Callable[[str], AbstractContextManager[Advance]]",
) -> "FilmResult":
    """Find the scenes of a film, run the pipeline, wait for it, and join the film.

    progress: opens a bar with this description.
    """
    with _quiet(), _interruptible(f"whole segments stay beside {printable(options.out)}"):
        from keras_colorize.beam.film import run_film
        from keras_colorize.beam.options import pipeline_options

        beam_options = pipeline_options(options.runner, options.beam_option)
        with ExitStack() as bars:
            found = _opened_late(bars, progress, "finding shots")
            advance = _opened_late(bars, progress, f"colorizing with {options.runner}")
            return run_film(colorizer, options.path, options.out, settings, beam_options, found, advance)


def _opened_late(
    bars: ExitStack, progress: "Callable[[str], AbstractContextManager[Advance]]", description: str
) -> "Advance":
    """Return a function that opens a bar when it is called first, in place of the bar before."""
    shown: list[Advance] = []

    def advance(done: int, total: int) -> None:
        if not shown:
            bars.close()
            shown.append(bars.enter_context(progress(description)))
        shown[0](done, total)

    return advance


@contextmanager
def _interruptible(kept: str) -> Iterator[None]:
    """End the block at Ctrl-C or SIGTERM, let it clean up, and say what is kept and how to go on."""
    asked = False

    def interrupt(*_: object) -> None:
        nonlocal asked
        asked = True
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except BaseException:
        if not asked:
            raise
        # A runner may have made anything of it.
        raise KeyboardInterrupt(f"stopped; {kept}, and the same command with --resume goes on") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Beam, which warns of packages for clouds and logs tracebacks; the last line of those is in the error."""
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
