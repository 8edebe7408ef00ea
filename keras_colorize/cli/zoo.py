"""`keras-colorize zoo`: which systems there are."""

import argparse

SUMMARY = "List the packaged recipes, or show one in full."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("name", nargs="?", help="show this recipe with all its values")
    parser.add_argument("--names", action="store_true", help="names only, for scripts")


def run(options: argparse.Namespace) -> None:
    """Print names, a table, or one recipe."""
    from keras_colorize.recipe import Recipe, zoo_names

    if options.name:
        print(Recipe.load(options.name).to_toml(), end="")
        return
    if options.names:
        print("\n".join(zoo_names()))
        return

    from rich.table import Table

    from keras_colorize.runs.console import make_console

    table = Table(box=None, pad_edge=False)
    for heading in ("name", "report", "space", "size", "summary"):
        table.add_column(heading)
    for name in zoo_names():
        recipe = Recipe.load(name)
        table.add_row(name, recipe.report, recipe.space, str(recipe.data.image_size), recipe.summary)
    make_console().print(table, highlight=False)
