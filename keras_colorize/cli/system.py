"""The system that a command colorizes with: `--model`, `--run` or `--weights`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from keras_colorize.defaults import DEFAULT_MODEL
from keras_colorize.packages import RUNTIMES

if TYPE_CHECKING:
    from keras_colorize.inference.colorizer import Colorizer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a system."""
    group = parser.add_argument_group("which system")
    group.add_argument(
        "--model",
        help=f"a system of the zoo with packaged weights, or a folder that somebody shared (default: {DEFAULT_MODEL})",
    )
    group.add_argument("--run", metavar="DIR", help="a run folder of your own training")
    group.add_argument(
        "--weights", metavar="FILE", help="a file of weights; of --model unless recipe.toml is beside it"
    )


def add_runtime(parser: argparse.ArgumentParser) -> None:
    """Add the option that names what runs the network."""
    parser.add_argument(
        "--runtime",
        choices=RUNTIMES,
        default="auto",
        help="auto: TensorFlow where it is installed. litert starts sooner, and needs no TensorFlow",
    )


def choose_runtime(options: argparse.Namespace) -> str:
    """Choose what runs the network, "tensorflow" or "litert", and refuse what LiteRT cannot do.

    Raises:
        ColorizeError: the runtime is not installed, or an option needs TensorFlow.
    """
    from keras_colorize import packages
    from keras_colorize.errors import ColorizeError
    from keras_colorize.recipes import zoo_names

    runtime = packages.choose_runtime(options.runtime)
    if runtime == "tensorflow":
        return runtime
    is_folder = bool(options.model) and options.model not in zoo_names() and Path(options.model).expanduser().is_dir()
    given = {
        "--runner": options.runner,
        "--run": options.run,
        "--weights": options.weights,
        "--model with a folder": is_folder,
        "--samples": options.samples > 1,
        "--reference": options.reference,
    }
    refused = next((flag for flag, value in given.items() if value), None)
    if refused:
        has_both = packages.is_installed("tensorflow")
        advice = "choose --runtime tensorflow" if has_both else packages.install("tensorflow")
        raise ColorizeError(f"{refused} needs TensorFlow: {advice}")
    return runtime


def check(options: argparse.Namespace) -> None:
    """Refuse systems that do not exist, and options that do not go together, without TensorFlow.

    Raises:
        ColorizeError: there is no such system, or two are named.
    """
    from keras_colorize.errors import ColorizeError
    from keras_colorize.recipes import Recipe
    from keras_colorize.runs.folder import RunFolder, find_model

    if options.run and (options.model or options.weights):
        other = "--model" if options.model else "--weights"
        raise ColorizeError(f"--run and {other} name different systems: give one of the two")
    if options.run:
        RunFolder.open(options.run)
    elif options.weights and options.model:
        Recipe.load(options.model)
    elif not options.weights:
        find_model(options.model or DEFAULT_MODEL)
    if options.weights and not Path(options.weights).expanduser().is_file():
        raise ColorizeError(f"no file '{options.weights}'; expected weights, or --run with a run folder")


def load(options: argparse.Namespace, runtime: str = "tensorflow") -> "Colorizer":
    """Load the system that the options name.

    Args:
        options: of the command.
        runtime: what runs it: of `choose_runtime`.

    Raises:
        ColorizeError: its weights are missing, damaged or of another network.
    """
    from keras_colorize.inference.colorizer import Colorizer

    if options.run:
        return Colorizer.from_run(options.run)
    if options.weights:
        return Colorizer.from_file(Path(options.weights).expanduser(), options.model)
    return Colorizer.from_zoo(options.model or DEFAULT_MODEL, runtime)
