"""Recipe files of the packaged zoo and of users, read as tables together with the recipes that they extend."""

import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.recipes.toml import Table, merge

# A network of another name has other arguments: it replaces the table below it instead of being merged with it.
NETWORKS = ("generator", "discriminator")


def zoo_folder() -> Traversable:
    """Return the folder of the packaged recipes, weights and results.

    An installed package carries it as `keras_colorize/zoo`; in a checkout it is `zoo/` beside the package.
    """
    installed = resources.files("keras_colorize") / "zoo"
    # This order matters: `zoo` beside an installed package may belong to any other distribution.
    return installed if installed.is_dir() else Path(__file__).resolve().parents[2] / "zoo"


def zoo_names() -> list[str]:
    """Return the names of the packaged recipes, sorted."""
    return sorted(entry.name.removesuffix(".toml") for entry in zoo_folder().iterdir() if entry.name.endswith(".toml"))


def recipe_texts(name_or_file: str) -> list[tuple[str, str]]:
    """Read a recipe and the recipes that it extends.

    Args:
        name_or_file: a name of the zoo, or a path that ends in `.toml`.

    Returns:
        Pairs of name and TOML text, with its comments; the recipe itself comes first.

    Raises:
        ColorizeError: there is no such recipe, its TOML is broken, or it extends itself.
    """
    texts: list[tuple[str, str]] = []
    seen: list[str] = []
    reference: str | None = name_or_file
    while reference is not None:
        if reference in seen:
            raise ColorizeError(f"recipe '{reference}' extends itself: {' -> '.join((*seen, reference))}")
        seen.append(reference)
        text = _read_text(reference)
        texts.append((Path(reference).stem, text))
        parent = str(_parse(text, reference).get("extends", ""))
        # A file name is relative to the recipe that names it; any other name is one of the zoo.
        reference = str(Path(reference).parent / parent) if parent.endswith(".toml") else parent or None
    return texts


def read_table(name_or_file: str) -> Table:
    """Merge a recipe over the recipes that it extends, and return one table.

    Raises:
        ColorizeError: as `recipe_texts`.
    """
    table: Table = {}
    for name, text in reversed(recipe_texts(name_or_file)):
        table = merge(table, {"name": name} | _parse(text, name), NETWORKS)
    table.pop("extends", None)
    return table


def _read_text(reference: str) -> str:
    if reference.endswith(".toml"):
        if not Path(reference).is_file():
            raise ColorizeError(f"no recipe file '{reference}'", action="list_recipes")
        return Path(reference).read_text(encoding="utf-8")
    if reference not in zoo_names():
        raise ColorizeError(f"unknown model '{reference}'{did_you_mean(reference, zoo_names())}", action="list_models")
    return (zoo_folder() / f"{reference}.toml").read_text(encoding="utf-8")


def _parse(text: str, name: str) -> Table:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ColorizeError(f"recipe '{name}' is not valid TOML: {error}") from error
