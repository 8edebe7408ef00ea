"""A system is a recipe: frozen dataclasses read from TOML, every field checked, every typo answered.

A recipe names the architecture, the space, the data, the losses, the optimizers and the schedule;
whatever a report varied is a field here. `Recipe.load("unet_skip")` reads one from the zoo,
`Recipe.load("mine.toml")` a file, and `extends = "…"` in a file starts from another recipe.
"""

import dataclasses
import tomllib
import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import tomli_w

from keras_colorize.errors import ColorizeError, did_you_mean


def _bounded(default: float, low: float, high: float | None = None) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True)
class Network:
    """An architecture of the registry and its builder's own arguments."""

    name: str = ""
    args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Data:
    """Which photos, at what size, in which splits. `limit` is photos per split, 0 for all."""

    source: str = "sample"
    image_size: int = _bounded(256, 1)
    resize: Literal["crop", "squash"] = "crop"
    batch_size: int = _bounded(16, 1)
    validation_fraction: float = _bounded(0.05, 0, 1)
    test_fraction: float = _bounded(0.05, 0, 1)
    drop_grey: bool = True
    limit: int = _bounded(0, 0)
    memory_gib: float = _bounded(2.0, 0)


@dataclass(frozen=True)
class Augment:
    """On the device, each photo of a batch on its own; `noise` is the half width of uniform noise on the condition."""

    flip_horizontal: bool = True
    flip_vertical: bool = False
    quarter_turns: bool = False
    noise: float = _bounded(0.0, 0, 1)


@dataclass(frozen=True)
class Loss:
    """Terms of the generator's loss, and how the discriminator's two parts are joined."""

    reconstruction: Literal["l1", "l2"] = "l1"
    reconstruction_weight: float = _bounded(100.0, 0)
    adversarial: Literal["vanilla", "lsgan"] = "vanilla"
    discriminator_reduction: Literal["mean", "sum"] = "mean"


@dataclass(frozen=True)
class Optimizer:
    """`beta_1` and `beta_2` are Adam's, `momentum` is SGD's; `weight_decay` is decoupled (Adam's makes it AdamW)."""

    name: Literal["adam", "sgd"] = "adam"
    learning_rate: float = _bounded(2e-4, 0)
    beta_1: float = _bounded(0.9, 0, 1)
    beta_2: float = _bounded(0.999, 0, 1)
    weight_decay: float = _bounded(0.0, 0)
    momentum: float = _bounded(0.0, 0, 1)


@dataclass(frozen=True)
class Schedule:
    """How long, and when something is written.

    `steps_per_epoch` 0 is one pass over the photos; the discriminator learns once per `discriminator_every`
    steps; a row goes to the log every `log_every` steps and at an epoch's end, pictures every `preview_every`
    epochs, a checkpoint every `checkpoint_minutes` and at the end.
    """

    epochs: int = _bounded(50, 1)
    steps_per_epoch: int = _bounded(0, 0)
    discriminator_every: int = _bounded(1, 1)
    log_every: int = _bounded(50, 1)
    preview_every: int = _bounded(1, 1)
    checkpoint_minutes: float = _bounded(5.0, 0)


@dataclass(frozen=True)
class Runtime:
    """How it runs, not what it computes: `auto` looks at the hardware (docs/numerics.md)."""

    seed: int = _bounded(0, 0)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    jit: Literal["auto", "on", "off"] = "auto"
    deterministic: bool = False


@dataclass(frozen=True)
class Recipe:
    """All that a run needs to be run again."""

    name: str = ""
    report: str = ""
    summary: str = ""
    space: Literal["lab", "rgb", "rgb01"] = "lab"
    generator: Network = field(default_factory=Network)
    discriminator: Network | None = None
    data: Data = field(default_factory=Data)
    augment: Augment = field(default_factory=Augment)
    loss: Loss = field(default_factory=Loss)
    optimizer: Optimizer = field(default_factory=Optimizer)
    discriminator_optimizer: Optimizer | None = None
    schedule: Schedule = field(default_factory=Schedule)
    runtime: Runtime = field(default_factory=Runtime)

    @classmethod
    def load(cls, name_or_file: str | Path, overrides: Iterable[str] = ()) -> "Recipe":
        """The recipe of the zoo or of a file, with `section.field=value` overrides applied.

        Raises:
            ColorizeError: no such recipe, a field that does not exist, or a value that does not fit.
        """
        table = _read_table(str(name_or_file), seen=())
        for override in overrides:
            table = _merge(table, _parse_override(override))
        return cls.from_dict(table)

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> "Recipe":
        """Check a table of plain values, as TOML gives it, field by field."""
        recipe = _from_table(cls, table, path="")
        if not recipe.generator.name:
            raise ColorizeError('the recipe names no generator: expected generator.name = "…"')
        if recipe.data.validation_fraction + recipe.data.test_fraction >= 1:
            raise ColorizeError(
                f"data.validation_fraction + data.test_fraction is "
                f"{recipe.data.validation_fraction + recipe.data.test_fraction:g}: nothing would be left to train on"
            )
        return recipe

    def to_toml(self) -> str:
        """Every value, defaults too, as TOML that `Recipe.load` reads back unchanged."""
        return tomli_w.dumps(_drop_none(dataclasses.asdict(self)))

    def with_values(self, **dotted: Any) -> "Recipe":
        """A checked copy with fields replaced: `recipe.with_values(**{"data.image_size": 64})`."""
        table = _drop_none(dataclasses.asdict(self))
        for path, value in dotted.items():
            table = _merge(table, _nested(path, value))
        return Recipe.from_dict(table)


def zoo_folder() -> Any:
    """Where the packaged recipes are: `keras_colorize.zoo` when installed, `zoo/` beside the package in a checkout."""
    checkout = Path(__file__).resolve().parent.parent / "zoo"
    return checkout if checkout.is_dir() else resources.files("keras_colorize.zoo")


def zoo_names() -> list[str]:
    """Names of the packaged recipes, sorted."""
    return sorted(entry.name.removesuffix(".toml") for entry in zoo_folder().iterdir() if entry.name.endswith(".toml"))


def _read_table(name_or_file: str, seen: tuple[str, ...]) -> dict[str, Any]:
    if name_or_file in seen:
        raise ColorizeError(f"recipe '{name_or_file}' extends itself: {' -> '.join((*seen, name_or_file))}")
    path = Path(name_or_file)
    if name_or_file.endswith(".toml"):
        if not path.is_file():
            raise ColorizeError(f"no recipe file '{name_or_file}'; `keras-colorize zoo` lists the packaged recipes")
        text = path.read_text(encoding="utf-8")
    elif name_or_file in zoo_names():
        text = (zoo_folder() / f"{name_or_file}.toml").read_text(encoding="utf-8")
    else:
        raise ColorizeError(
            f"unknown model '{name_or_file}'{did_you_mean(name_or_file, zoo_names())} (`keras-colorize zoo` lists them)"
        )
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ColorizeError(f"recipe '{name_or_file}' is not valid TOML: {error}") from error
    table.setdefault("name", path.stem)
    parent = table.pop("extends", None)
    if parent is None:
        return table
    if str(parent).endswith(".toml"):
        parent = path.parent / parent  # beside the recipe that names it
    return _merge(_read_table(str(parent), (*seen, name_or_file)), table)


def _parse_override(override: str) -> dict[str, Any]:
    path, equals, text = override.partition("=")
    if not equals or not path.strip():
        raise ColorizeError(f"cannot read --set '{override}': expected section.field=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a bare word is a string: --set space=rgb
    return _nested(path.strip(), value)


def _nested(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both_tables = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both_tables else value
    return merged


def _drop_none(table: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _drop_none(value) if isinstance(value, dict) else value
        for key, value in table.items()
        if value is not None
    }


def _from_table(cls: Any, table: Any, path: str) -> Any:
    if not isinstance(table, dict):
        raise ColorizeError(f"{path or 'the recipe'} is {table!r}: expected a table of fields")
    fields = {f.name: f for f in dataclasses.fields(cls)}
    hints = typing.get_type_hints(cls)
    values = {}
    for key, value in table.items():
        full = f"{path}.{key}" if path else key
        if key not in fields:
            raise ColorizeError(
                f"unknown recipe field '{full}'{did_you_mean(key, fields)} (known: {', '.join(fields)})"
            )
        values[key] = _checked(hints[key], fields[key].metadata, value, full)
    return cls(**values)


def _checked(hint: Any, metadata: Any, value: Any, path: str) -> Any:
    if isinstance(hint, types.UnionType):  # X | None
        hint = next(option for option in typing.get_args(hint) if option is not type(None))
    if dataclasses.is_dataclass(hint):
        return _from_table(hint, value, path)
    hint, options = typing.get_origin(hint) or hint, typing.get_args(hint)
    if hint is Literal:
        if value not in options:
            raise ColorizeError(
                f"{path} is {value!r}{did_you_mean(value, options)} (expected one of {', '.join(options)})"
            )
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, hint) or (hint is not bool and isinstance(value, bool)):
        raise ColorizeError(f"{path} is {value!r}: expected {_TYPE_NAMES[hint]}")
    if (low := metadata.get("low")) is not None:
        high = metadata["high"]
        if value < low or (high is not None and value > high) or value != value:
            expected = f"at least {low:g}" if high is None else f"between {low:g} and {high:g}"
            raise ColorizeError(f"{path} is {value:g}: expected {expected}")
    return value


_TYPE_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", dict: "a table"}
