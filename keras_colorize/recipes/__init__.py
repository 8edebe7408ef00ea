"""Recipes: fields (`schema`), TOML (`toml`, `files`), cards of the packaged ones (`zoo`), small runs (`shrink`)."""

from keras_colorize.recipes.files import recipe_texts, zoo_folder, zoo_names
from keras_colorize.recipes.schema import (
    Augment,
    Data,
    Decoding,
    EarlyStopping,
    Loss,
    Network,
    Optimizer,
    Pretrain,
    Recipe,
    Runtime,
    Schedule,
)
from keras_colorize.recipes.zoo import ModelCard, load_card, packaged_names, packaged_sha256

__all__ = [
    "Augment",
    "Data",
    "Decoding",
    "EarlyStopping",
    "Loss",
    "ModelCard",
    "Network",
    "Optimizer",
    "Pretrain",
    "Recipe",
    "Runtime",
    "Schedule",
    "load_card",
    "packaged_names",
    "packaged_sha256",
    "recipe_texts",
    "zoo_folder",
    "zoo_names",
]
