"""`keras-colorize prior`: count the colours of photos for a colour prior."""

import argparse
from pathlib import Path

from keras_colorize.cli.startup import load_tensorflow

SUMMARY = "Count how often photos use each colour: the prior that balances training over quantized chroma."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("--data", required=True, help="photos as for training; only the training split counts")
    parser.add_argument("--out", required=True, metavar="FILE", help="where the prior goes (JSON)")
    parser.add_argument("--image-size", type=int, default=96, metavar="PIXELS", help="default: %(default)s")
    parser.add_argument("--limit", type=int, metavar="N", help="count at most N photos")


def run(options: argparse.Namespace) -> None:
    """Count the colours, write the prior and print what was found."""
    from keras_colorize.errors import ColorizeError

    if options.image_size < 1:
        raise ColorizeError(f"--image-size is {options.image_size}: expected at least 1")
    out = Path(options.out)
    if not out.parent.is_dir():
        raise ColorizeError(f"--out {out}: there is no folder {out.parent}")
    load_tensorflow()
    from keras_colorize.cli.console import ConsoleReporter, make_console
    from keras_colorize.data.prior import build_prior

    console = make_console()
    bins = build_prior(
        options.data, out, image_size=options.image_size, limit=options.limit, progress=ConsoleReporter(console)
    )
    used = int((bins.prior > 0).sum())
    console.print(f"{bins.provenance}", highlight=False, soft_wrap=True)
    console.print(f"{used} of {len(bins)} colour classes occur: {out}", highlight=False, soft_wrap=True)
