"""`keras-colorize zoo`: which systems there are."""

import argparse

SUMMARY = "List the packaged recipes, or show one in full."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("name", nargs="?", help="show this recipe with all its values")
    parser.add_argument("--names", action="store_true", help="names only, for scripts")


def run(options: argparse.Namespace) -> None:
    """Print names, a table, or one recipe."""
    from keras_colorize.recipes import Recipe, load_card, recipe_texts, zoo_names

    if options.name:
        for name, text in recipe_texts(options.name):
            print(f"# zoo/{name}.toml\n\n{text}")
        print(f"# Every value of {options.name}\n\n{Recipe.load(options.name).to_toml()}", end="")
        return
    if options.names:
        print("\n".join(zoo_names()))
        return

    from rich.table import Table

    from keras_colorize.runs.console import make_console

    table = Table(box=None, pad_edge=False)
    for heading in ("name", "report", "space", "size", "parameters", "summary", "needs once"):
        table.add_column(heading, justify="right" if heading in ("size", "parameters") else "left")
    for name in zoo_names():
        recipe, card = Recipe.load(name), load_card(name)
        table.add_row(
            name,
            recipe.report,
            recipe.space,
            str(recipe.data.image_size),
            f"{card.parameters:,}",
            recipe.summary,
            ", ".join(card.needs),
        )
    console = make_console()
    console.print(table, highlight=False)
    console.print(
        "\nkeras-colorize zoo NAME shows one with its choices; train.py --model NAME trains it", highlight=False
    )
