"""Recipe files: those of the packaged zoo and a user's own, read as tables with everything that they extend."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.recipes.toml import merge

# A network of another name has arguments of its own: it replaces the one that it comes over, arguments and all.
NETWORKS = ("generator", "discriminator")


def zoo_folder() -> Any:
    """Where the packaged recipes are: `keras_colorize.zoo` when installed, `zoo/` beside the package in a checkout."""
    checkout = Path(__file__).resolve().parents[2] / "zoo"
    return checkout if checkout.is_dir() else resources.files("keras_colorize.zoo")


def zoo_names() -> list[str]:
    """Names of the packaged recipes, sorted."""
    return sorted(entry.name.removesuffix(".toml") for entry in zoo_folder().iterdir() if entry.name.endswith(".toml"))


def recipe_texts(name_or_file: str) -> list[tuple[str, str]]:
    """Name and TOML text, comments and all, of a recipe and of those that it extends, itself first."""
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
        # A file is looked for beside the recipe that names it, anything else in the zoo.
        reference = str(Path(reference).parent / parent) if parent.endswith(".toml") else parent or None
    return texts


def read_table(name_or_file: str) -> dict[str, Any]:
    """The recipe over those that it extends, as one table."""
    table: dict[str, Any] = {}
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


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ColorizeError(f"recipe '{name}' is not valid TOML: {error}") from error
