"""`keras-colorize pack`: write the generator of a run, or the average of several, into one small file.

With `--tflite` it converts the packaged weights of a system for LiteRT instead.
"""

import argparse
from pathlib import Path

from keras_colorize.cli.startup import load_tensorflow

SUMMARY = "Pack the weights of a run, or of several as their average, into one file of half the size."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--model", help="the newest run of this model (default: the newest run)")
    what.add_argument(
        "--run",
        metavar="DIR",
        action="append",
        help="a run folder; the weights of several, where each continues another, are averaged",
    )
    what.add_argument(
        "--tflite",
        metavar="NAME",
        help="instead convert the packaged weights of a system of the zoo for LiteRT, into --out or beside them",
    )
    parser.add_argument(
        "--shares", metavar="X,Y,…", help="weight of each run in the average, such as 0.3,0.7 (default: all alike)"
    )
    parser.add_argument("--runs", default="runs", metavar="DIR", help="where run folders are (default: %(default)s)")
    parser.add_argument("--out", metavar="FILE", help="where the weights go (.npz); with --tflite a folder")


def run(options: argparse.Namespace) -> None:
    """Load the weights, write the file and print its size and digest."""
    from keras_colorize.errors import ColorizeError
    from keras_colorize.runs.folder import RunFolder

    if options.tflite:
        _convert(options)
        return
    if not options.out:
        raise ColorizeError("--out is missing: expected a name that ends in .npz, in a folder that exists")
    out = Path(options.out)
    if out.suffix != ".npz" or not out.parent.is_dir():
        raise ColorizeError(f"--out is {out}: expected a name that ends in .npz, in a folder that exists")
    folders = [RunFolder.open(run) for run in options.run or []]
    folders = folders or [RunFolder.newest(options.runs, options.model)]
    try:
        shares = [float(share) for share in options.shares.split(",")] if options.shares else [1.0] * len(folders)
    except ValueError:
        raise ColorizeError(f"`shares` is {options.shares}: expected numbers with commas between them") from None

    load_tensorflow()
    from keras_colorize.models.weights import average_weights, pack_weights
    from keras_colorize.runs.generator import load_generator

    generators = [load_generator(folder, folder.recipe()) for folder in folders]
    average_weights(generators, shares)
    sha256 = pack_weights(generators[0], out)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, SHA-256 {sha256}")


def _convert(options: argparse.Namespace) -> None:
    """Make the network file of a system of the zoo, and print its size."""
    from keras_colorize.errors import ColorizeError
    from keras_colorize.lazy import quiet_stderr
    from keras_colorize.recipes import Recipe, packaged_sha256, zoo_folder

    packaged_sha256(options.tflite)  # complains of an unknown system and of one without weights
    folder = Path(options.out or str(zoo_folder()))
    if not folder.is_dir():
        raise ColorizeError(f"--out is {folder}: expected a folder that exists")
    load_tensorflow()
    from keras_colorize.inference.network_cache import make_network_file

    with quiet_stderr():  # the converter's messages
        network = make_network_file(Recipe.load(options.tflite).with_values(backbone_weights="random"))
    file = network.write(folder, options.tflite)
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")
