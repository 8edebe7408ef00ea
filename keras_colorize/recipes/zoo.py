"""The model cards of the packaged zoo, and the systems that come with weights."""

from dataclasses import dataclass, field
from pathlib import Path

from keras_colorize.errors import ColorizeError
from keras_colorize.recipes.files import read_table, zoo_names
from keras_colorize.recipes.toml import from_table


@dataclass(frozen=True)
class ModelCard:
    """Facts about a system of the zoo that no run needs.

    Attributes:
        parameters: number of the generator's parameters at the recipe's own size, as Keras counts them.
        needs: names of pretrained weights that are downloaded at first use.
        sha256: of the packaged weights, 64 hexadecimal digits; empty where the system comes without weights.
    """

    parameters: int = 0
    needs: list[str] = field(default_factory=list)
    sha256: str = ""


def load_card(name_or_file: str | Path) -> ModelCard:
    """Read the `[card]` of a recipe, or of the recipe that it extends.

    Raises:
        ColorizeError: there is no such recipe, or its card has an unknown field.
    """
    return from_table(ModelCard, read_table(str(name_or_file)).get("card", {}), path="card")


def packaged_names() -> list[str]:
    """Return the names of the systems that come with weights, sorted."""
    return [name for name in zoo_names() if load_card(name).sha256]


def packaged_sha256(name: str) -> str:
    """Return the SHA-256 of the packaged weights of a system.

    Raises:
        ColorizeError: there is no such system, or it comes without weights.
    """
    sha256 = load_card(name).sha256
    if not sha256:
        raise ColorizeError(
            f"'{name}' comes without weights (with weights: {', '.join(packaged_names())})",
            action="bring_weights",
            model=name,
        )
    return sha256
