"""`keras-colorize share`: write a run as a folder for others, with a card."""

import argparse
from pathlib import Path

from keras_colorize.cli.startup import load_tensorflow

SUMMARY = "Write the system of a run as a folder for others: recipe, weights, checksum and a card with its figures."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("run_folder", metavar="RUN", help="the run folder")
    parser.add_argument("--out", required=True, metavar="DIR", help="a new folder, which --model DIR then takes")
    parser.add_argument("--license", default="", metavar="TEXT", help="of the weights, in words, for the card")


def run(options: argparse.Namespace) -> None:
    """Load the run, write the folder and say what is in it."""
    from keras_colorize.runs.card import card_text, read_figures, read_training
    from keras_colorize.runs.folder import RunFolder

    source = RunFolder.open(options.run_folder)
    source.check_weights()
    out = RunFolder.make_empty(options.out)

    load_tensorflow()
    from keras_colorize.inference.colorizer import Colorizer

    colorizer = Colorizer.from_run(source.path)
    figures = read_figures(source)
    card = card_text(
        colorizer.recipe,
        colorizer.generator.count_params(),
        training=read_training(source),
        figures=figures,
        license=options.license,
        command=f"keras-colorize colorize old.jpg --model {Path(options.out).name} --out colored",
    )
    colorizer.save(out.path, card=card)
    for file in sorted(out.path.iterdir()):
        print(f"{file}  {file.stat().st_size / 1e6:,.2f} MB")
    if figures is None:
        print("the card has no figures: evaluate the run alone first, and share it again, to have some")
