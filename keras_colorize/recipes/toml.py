"""TOML tables and frozen dataclasses: merging, checks of every field, and suggestions for typos."""

import dataclasses
import tomllib
import types
import typing
from collections.abc import Collection, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from keras_colorize.errors import ColorizeError, did_you_mean

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# A table of TOML: texts, numbers, booleans, lists and tables by key.
Table: TypeAlias = dict[str, Any]

Number = TypeVar("Number", int, float)
Fields = TypeVar("Fields", bound="DataclassInstance")


def bounded(default: Number, low: float, high: float | None = None) -> Number:
    """Make a dataclass field for numbers from `low` to `high`, both included; None means no upper bound."""
    return field(default=default, metadata={"low": low, "high": high})


def from_table(cls: type[Fields], table: object, path: str = "") -> Fields:
    """Make a dataclass of a table of plain values; missing fields keep their defaults.

    Args:
        cls: a dataclass whose fields are texts, numbers, lists, tables, literals, or such dataclasses (`X | None` too).
        table: values by field.
        path: dotted name of the table, for messages.

    Raises:
        ColorizeError: a field is unknown, or a value has the wrong type or is out of range.
    """
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


def plain_table(instance: "DataclassInstance") -> Table:
    """Return the table of all fields that are not None; `from_table` makes an equal dataclass of it."""
    return _drop_none(dataclasses.asdict(instance))


def merge(base: Table, over: Table, named: Collection[str] = ()) -> Table:
    """Merge the table `over` into a copy of `base`, field by field.

    Args:
        base: the table with the values of lower precedence.
        over: the table with the values of higher precedence.
        named: keys of tables that depend on their `name`: if the names differ, the table replaces the other.
    """
    merged = dict(base)
    for key, value in over.items():
        before = merged.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            another = key in named and value.get("name", before.get("name")) != before.get("name")
            merged[key] = value if another else merge(before, value, named)
        else:
            merged[key] = value
    return merged


def nested(path: str, value: object) -> Table:
    """Return `{"data": {"image_size": 64}}` for `data.image_size` and 64."""
    *outer, last = path.split(".")
    table: Table = {last: value}
    for key in reversed(outer):
        table = {key: table}
    return table


def parse_override(override: str) -> Table:
    """Return the table of an override `section.field=value`; the value is TOML, or a word without quotes.

    Raises:
        ColorizeError: there is no field or no equals sign.
    """
    path, equals, text = override.partition("=")
    if not equals or not path.strip():
        raise ColorizeError(f"cannot read the override '{override}': expected section.field=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a bare word is a string: space=rgb
    return nested(path.strip(), value)


def _drop_none(table: Table) -> Table:
    return {
        key: _drop_none(value) if isinstance(value, dict) else value
        for key, value in table.items()
        if value is not None
    }


def _checked(hint: Any, metadata: Mapping[str, float | None], value: Any, path: str) -> object:
    if isinstance(hint, types.UnionType):  # X | None
        hint = next(option for option in typing.get_args(hint) if option is not type(None))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return from_table(hint, value, path)
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
        high = metadata.get("high")
        if value < low or (high is not None and value > high) or value != value:
            expected = f"at least {low:g}" if high is None else f"between {low:g} and {high:g}"
            raise ColorizeError(f"{path} is {value:g}: expected {expected}")
    return value


_TYPE_NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    dict: "a table",
    list: "a list",
}
