"""`keras-colorize prior`: photos become a colour prior."""

import argparse
from pathlib import Path

from keras_colorize.cli.quiet import load_tensorflow

SUMMARY = "Count how often photos use each colour: the prior that balances training over quantized chroma."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--data", required=True, help="photos as train.py takes them; only the training split counts")
    parser.add_argument("--out", required=True, metavar="FILE", help="where the prior goes (JSON)")
    parser.add_argument("--image-size", type=int, default=96, metavar="PIXELS", help="default: %(default)s")
    parser.add_argument("--limit", type=int, metavar="N", help="count N photos at most")


def run(options: argparse.Namespace) -> None:
    """Count, write, say what was found."""
    from keras_colorize.errors import ColorizeError

    if options.image_size < 1:
        raise ColorizeError(f"--image-size is {options.image_size}: expected at least 1")
    out = Path(options.out)
    if not out.parent.is_dir():
        raise ColorizeError(f"--out {out}: there is no folder {out.parent}")
    load_tensorflow()
    from keras_colorize.runs.console import make_console
    from keras_colorize.runs.prior import build_prior

    console = make_console()
    bins = build_prior(options.data, out, console, image_size=options.image_size, limit=options.limit)
    used = int((bins.prior > 0).sum())
    console.print(f"{bins.provenance}", highlight=False, soft_wrap=True)
    console.print(f"{used} of {len(bins)} colour classes occur: {out}", highlight=False, soft_wrap=True)
