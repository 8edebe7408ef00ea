"""The packaged zoo: what a recipe says of itself, and which systems come with weights."""

from dataclasses import dataclass, field
from pathlib import Path

from keras_colorize.errors import ColorizeError
from keras_colorize.recipes.files import read_table, zoo_names
from keras_colorize.recipes.toml import from_table


@dataclass(frozen=True)
class ModelCard:
    """What a recipe of the zoo says of itself and no run needs.

    parameters: of the generator at the recipe's own size, as Keras counts them.
    needs: weights of others, fetched at first use.
    sha256: of the packaged weights, where there are some.
    """

    parameters: int = 0
    needs: list[str] = field(default_factory=list)
    sha256: str = ""


def load_card(name_or_file: str | Path) -> ModelCard:
    """The `[card]` of a recipe, or of the one that it extends."""
    return from_table(ModelCard, read_table(str(name_or_file)).get("card", {}), path="card")


def packaged_names() -> list[str]:
    """Systems of the zoo that come with weights, sorted."""
    return [name for name in zoo_names() if load_card(name).sha256]


def packaged_sha256(name: str) -> str:
    """The digest of the weights that the package has for a system of the zoo.

    Raises:
        ColorizeError: no such system, or it comes without weights.
    """
    sha256 = load_card(name).sha256
    if not sha256:
        raise ColorizeError(
            f"'{name}' comes without weights (with weights: {', '.join(packaged_names()) or 'none'}):"
            f" train it, train.py --model {name}, and use --run, or give a file with --weights"
        )
    return sha256
