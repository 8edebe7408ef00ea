"""`keras-colorize zoo`: list the packaged systems, or show the recipe of one."""

import argparse
from typing import Literal

from keras_colorize.defaults import DEFAULT_MODEL

SUMMARY = "List the packaged systems, or show the recipe of one in full."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("name", nargs="?", help="show this recipe with all its values")
    parser.add_argument("--names", action="store_true", help="names only, for scripts")
    parser.add_argument("--with-weights", action="store_true", help="only systems that come with weights")


def run(options: argparse.Namespace) -> None:
    """Print names, a table, or one recipe."""
    from keras_colorize.recipes import Recipe, load_card, packaged_names, recipe_texts, zoo_names

    if options.name:
        for name, text in recipe_texts(options.name):
            print(f"# zoo/{name}.toml\n\n{text}")
        print(f"# Every value of {options.name}\n\n{Recipe.load(options.name).to_toml()}", end="")
        return
    packaged = packaged_names()
    names = packaged if options.with_weights else zoo_names()
    if options.names:
        print("\n".join(names))
        return

    from rich.table import Table

    from keras_colorize.cli.console import make_console

    table = Table(box=None, pad_edge=False)
    for heading in ("name", "weights", "report", "space", "size", "parameters", "summary", "downloads once"):
        justify: Literal["left", "right"] = "right" if heading in ("size", "parameters") else "left"
        table.add_column(heading, justify=justify, no_wrap=heading == "name")
    for name in names:
        recipe, card = Recipe.load(name), load_card(name)
        table.add_row(
            name,
            "yes" if name in packaged else "",
            recipe.report,
            recipe.space,
            str(recipe.data.image_size),
            f"{card.parameters:,}",
            recipe.summary,
            ", ".join(card.needs),
        )
    console = make_console()
    console.print(table, highlight=False)
    for line in (
        "",
        f"Systems with weights colorize at once: keras-colorize colorize PHOTO --model {DEFAULT_MODEL} --out DIR",
        "The others have to be trained first: train.py --model NAME",
        "One recipe with its reasons and all its values: keras-colorize zoo NAME",
    ):
        console.print(line, highlight=False, soft_wrap=True)
