"""`keras-colorize colorize --runner`: the same command on the workers of an Apache Beam runner."""

import argparse
import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from keras_colorize.files import printable

if TYPE_CHECKING:
    from rich.console import Console

    from keras_colorize.batch.plan import FolderSettings, Job
    from keras_colorize.beam.run import Outcome
    from keras_colorize.inference.colorizer import Colorizer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that go with a runner."""
    group = parser.add_argument_group("on many machines, with Apache Beam")
    group.add_argument("--runner", metavar="NAME", help="DirectRunner (this machine), FlinkRunner, SparkRunner, …")
    group.add_argument("--saved-model", metavar="DIR", help="what export wrote, instead of exporting a system first")
    group.add_argument(
        "--beam-option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of Beam's or of the runner's, such as direct_num_workers=4; several times for several",
    )


def check(options: argparse.Namespace) -> None:
    """Refuse what does not go together, and runners, options and models that do not exist."""
    from keras_colorize.errors import ColorizeError

    if not options.runner:
        for value, name in ((options.saved_model, "--saved-model"), (options.beam_option, "--beam-option")):
            if value:
                raise ColorizeError(f"{name} goes with --runner, such as --runner DirectRunner: give both")
        return
    if options.samples != 1 or options.seed != 0:
        raise ColorizeError(
            "--samples and --seed do not go with --runner, where an exported network gives one result: leave one away"
        )
    if options.reference:
        raise ColorizeError("--reference does not go with --runner: leave one of the two away")
    from keras_colorize.beam.options import pipeline_options
    from keras_colorize.export.servable import find_saved_model

    with _quiet():
        pipeline_options(options.runner, options.beam_option)
    if options.saved_model:
        for value, name in ((options.run, "--run"), (options.weights, "--weights"), (options.model, "--model")):
            if value:
                raise ColorizeError(f"--saved-model and {name} name different systems: give one of the two")
        find_saved_model(options.saved_model)


def colorize(
    options: argparse.Namespace,
    jobs: "Sequence[Job]",
    out: Path,
    settings: "FolderSettings",
    colorizer: "Callable[[], Colorizer]",
    console: "Console",
) -> "Outcome":
    """Run the pipeline and wait for it; `colorizer` is called where a system has to be exported first."""
    with _quiet(), _interruptible(out):
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


@contextmanager
def _interruptible(out: Path) -> Iterator[None]:
    """End the block at Ctrl-C or SIGTERM, let it clean up, and say how to go on."""
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
        raise KeyboardInterrupt(
            f"stopped; every file in {printable(str(out))} is whole, and the same command with --resume goes on"
        ) from None
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
