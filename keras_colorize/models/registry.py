"""The registry of architectures.

A builder registers itself with `@architecture("unet")`, a recipe names it, and `build` calls it. The registry imports
no architecture: `keras_colorize.models` imports them all.
"""

import inspect
import types
import typing
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from keras_colorize.errors import ColorizeError, did_you_mean

if TYPE_CHECKING:
    import keras

Kind = Literal["generator", "discriminator"]
Builder = Callable[..., "keras.Model"]

_BUILDERS: dict[Kind, dict[str, Builder]] = {"generator": {}, "discriminator": {}}


def architecture(name: str, kind: Kind = "generator") -> Callable[[Builder], Builder]:
    """Register a builder `(image_size, condition_channels, target_channels, **args) -> keras.Model`.

    Raises:
        ValueError: a builder of that name is registered already.
    """

    def register(builder: Builder) -> Builder:
        if name in _BUILDERS[kind]:
            raise ValueError(f"{kind} '{name}' is registered already, by {_BUILDERS[kind][name].__module__}")
        _BUILDERS[kind][name] = builder
        return builder

    return register


def names(kind: Kind = "generator") -> list[str]:
    """Return the registered names of one kind, sorted."""
    return sorted(_BUILDERS[kind])


def arguments(name: str, kind: Kind = "generator") -> list[str]:
    """Return the names of the arguments that the builder `name` takes.

    Raises:
        ColorizeError: the name is unknown.
    """
    return list(inspect.signature(_builder(name, kind)).parameters)


def build(name: str, kind: Kind = "generator", **args: object) -> "keras.Model":
    """Build the network `name`.

    Args:
        name: of a registered architecture.
        kind: "generator" or "discriminator".
        args: arguments of the builder, such as `image_size`; a list stands for any sequence.

    Returns:
        A functional `keras.Model` with fresh weights.

    Raises:
        ColorizeError: the name of the architecture or of an argument is unknown, or a value has another type than the
            annotation of its argument says.
    """
    builder = _builder(name, kind)
    known = inspect.signature(builder).parameters
    hints = _hints(builder)
    for arg, value in args.items():
        if arg not in known:
            raise ColorizeError(
                f"{kind} '{name}' has no argument '{arg}'{did_you_mean(arg, known)} (known: {', '.join(known)})"
            )
        if arg in hints and not _fits(hints[arg], value):
            wanted = inspect.formatannotation(known[arg].annotation).removeprefix("collections.abc.")
            raise ColorizeError(f"{kind} '{name}' cannot take {arg} = {value!r}: expected {wanted}")
    return builder(**args)


def _builder(name: str, kind: Kind) -> Builder:
    builders = _BUILDERS[kind]
    if name not in builders:
        raise ColorizeError(f"unknown {kind} '{name}'{did_you_mean(name, builders)} (known: {', '.join(names(kind))})")
    return builders[name]


def _hints(builder: Builder) -> dict[str, object]:
    """Return the types of the arguments that have an annotation; none where one is known to type checkers only."""
    try:
        return typing.get_type_hints(builder)
    except NameError:
        return {}


def _fits(hint: object, value: object) -> bool:
    """Say whether a plain value from TOML has the annotated type of an argument.

    A type that cannot be checked here is left to the builder.
    """
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return any(_fits(option, value) for option in options)
    if origin is Literal:
        return value in options
    if origin in (Sequence, list):
        return isinstance(value, (list, tuple)) and all(_fits(options[0], item) for item in value)
    if hint is int or hint is float:
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return hint is Any or not isinstance(hint, type) or isinstance(value, hint)
