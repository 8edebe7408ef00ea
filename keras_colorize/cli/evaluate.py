"""`keras-colorize evaluate`: a run becomes figures."""

import argparse

from keras_colorize.cli.quiet import load_tensorflow

SUMMARY = "Measure a trained system on held-out photos, beside the unchanged grey photos."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--model", help="the newest run of this model (default: the newest run)")
    what.add_argument("--run", metavar="DIR", help="a run folder")
    parser.add_argument("--out", default="runs", help="where run folders are (default: %(default)s)")
    parser.add_argument("--data", help="other photos than the run's: sample, a folder, a list file, tfds:NAME[/CONFIG]")
    parser.add_argument("--image-size", type=int, metavar="PIXELS", help="another size than the run's")
    parser.add_argument("--limit", type=int, metavar="N", help="measure on N photos at most")


def run(options: argparse.Namespace) -> None:
    """Find the run, measure it, say where the results are."""
    from keras_colorize.errors import ColorizeError
    from keras_colorize.runs.folder import RunFolder

    for option in ("image_size", "limit"):
        value = getattr(options, option)
        if value is not None and value < 1:
            raise ColorizeError(f"--{option.replace('_', '-')} is {value}: expected at least 1")
    folder = RunFolder.open(options.run) if options.run else RunFolder.newest(options.out, options.model)

    load_tensorflow()
    from keras_colorize.runs.console import make_console
    from keras_colorize.runs.evaluate import evaluate

    console = make_console()
    evaluate(folder, console, data=options.data, image_size=options.image_size, limit=options.limit)
    console.print(f"figures: {folder.evaluation / 'metrics.json'}", highlight=False, soft_wrap=True)
    console.print(f"picture: {folder.evaluation / 'grid.png'}", highlight=False, soft_wrap=True)
