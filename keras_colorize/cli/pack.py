"""`keras-colorize pack`: a run's generator becomes one small file."""

import argparse
from pathlib import Path

from keras_colorize.cli.startup import load_tensorflow

SUMMARY = "Pack a run's weights into one file of half the size, to share or to colorize with (--weights)."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--model", help="the newest run of this model (default: the newest run)")
    what.add_argument("--run", metavar="DIR", help="a run folder")
    parser.add_argument("--runs", default="runs", metavar="DIR", help="where run folders are (default: %(default)s)")
    parser.add_argument("--out", required=True, metavar="FILE", help="where the weights go (.npz)")


def run(options: argparse.Namespace) -> None:
    """Load, write, say what was written."""
    from keras_colorize.errors import ColorizeError
    from keras_colorize.runs.folder import RunFolder

    out = Path(options.out)
    if out.suffix != ".npz" or not out.parent.is_dir():
        raise ColorizeError(f"--out is {out}: expected a name that ends in .npz, in a folder that exists")
    folder = RunFolder.open(options.run) if options.run else RunFolder.newest(options.runs, options.model)

    load_tensorflow()
    from keras_colorize.models.weights import pack_weights
    from keras_colorize.runs.generator import load_generator

    sha256 = pack_weights(load_generator(folder, folder.recipe()), out)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, SHA-256 {sha256}")
