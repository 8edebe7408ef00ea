"""Pages that are generated from the code: the commands from argparse, the fields of recipes from the dataclasses."""

import argparse
import dataclasses
import inspect
import re
import types
import typing
from typing import Any, Literal

from keras_colorize.cli import COMMANDS
from keras_colorize.recipes import Recipe

COMMANDS_INTRO = """# Commands

This page lists every option of every command. It is made from the program itself, so it is what `--help` says.
`python train.py` and `python evaluate.py` in a checkout are `keras-colorize train` and `keras-colorize evaluate`.

All commands end with exit code 0 if all went well, 2 for a mistake, which one line explains, and 130 if Ctrl-C stopped
them. `colorize` ends with 1 if some photos failed.
"""
RECIPES_INTRO = """# Recipe fields

A recipe is a TOML file that describes a system and its training. This page lists every field, its default and its
range. It is made from the code.

You can set any field on the command line: `python train.py --model unet_skip --set optimizer.learning_rate=1e-4`. A
file that begins with `extends = "unet_skip"` takes all other values from that recipe. `keras-colorize zoo NAME` shows
the recipe of a system.
"""


def commands_page() -> str:
    """Write the page of all commands as Markdown."""
    parts = [COMMANDS_INTRO]
    for name, command in COMMANDS.items():
        parser = argparse.ArgumentParser(prog=f"keras-colorize {name}", add_help=False)
        command.add_arguments(parser)
        usage = re.sub(r"\s+", " ", parser.format_usage().removeprefix("usage: ")).strip()
        parts.append(f"## {name}\n\n{command.SUMMARY}\n\n```text\n{_wrapped(usage)}\n```\n")
        untitled, *titled = [group for group in parser._action_groups if group.title != "options"]
        (options,) = [group for group in parser._action_groups if group.title == "options"]
        parts.append(_options_table(parser, [*untitled._group_actions, *options._group_actions]))
        for group in titled:
            parts.append(f"**{group.title[0].upper()}{group.title[1:]}**\n")
            parts.append(_options_table(parser, group._group_actions))
    return "\n".join(parts)


def recipes_page() -> str:
    """Write the page of all recipe fields as Markdown."""
    parts = [RECIPES_INTRO, "## The recipe itself", _summary(Recipe), _fields_table(Recipe)]
    for field in dataclasses.fields(Recipe):
        section = _dataclass_of(typing.get_type_hints(Recipe)[field.name])
        if section is not None and field.name != "discriminator_optimizer":
            title = field.name if field.name not in ("generator", "discriminator") else "generator, discriminator"
            title = "optimizer, discriminator_optimizer" if field.name == "optimizer" else title
            if field.name != "discriminator":
                parts += [f"## {title}", _summary(section), _fields_table(section)]
    return "\n\n".join(parts) + "\n"


def meanings(cls: type) -> dict[str, str]:
    """Return field → meaning, from the section `Attributes:` of a dataclass's docstring."""
    _, _, section = inspect.getdoc(cls).partition("\nAttributes:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.M)
    return {name: re.sub(r"\s+", " ", text) for name, text in found}


def _options_table(parser: argparse.ArgumentParser, actions: list[argparse.Action]) -> str:
    rows = [_option_row(parser, action) for action in actions if action.help is not argparse.SUPPRESS]
    return "\n".join(["| option | meaning |", "|---|---|", *rows]) + "\n"


def _option_row(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    formatter = parser._get_formatter()
    if action.option_strings:
        value = "" if action.nargs == 0 else f" {formatter._format_args(action, action.dest.upper())}"
        names = ", ".join(f"`{option}{value}`" for option in action.option_strings)
    else:
        names = f"`{formatter._format_args(action, action.metavar or action.dest)}`"
    text = formatter._expand_help(action) if action.help else ""
    if action.choices and not text:
        text = f"one of {', '.join(map(str, action.choices))}"
    return f"| {names} | {_cell(text)} |"


def _summary(cls: type) -> str:
    """Return the docstring of a dataclass without its `Attributes:`."""
    return inspect.getdoc(cls).partition("\nAttributes:\n")[0].strip()


def _fields_table(cls: type) -> str:
    hints, known = typing.get_type_hints(cls), meanings(cls)
    rows = ["| field | value | default | meaning |", "|---|---|---|---|"]
    for field in dataclasses.fields(cls):
        section = _dataclass_of(hints[field.name])
        if section is not None:
            value, default = "a table, see below", "" if field.default is dataclasses.MISSING else "none"
        else:
            value, default = _range(hints[field.name], field.metadata), _default(field)
        rows.append(f"| `{field.name}` | {value} | {default} | {_cell(known[field.name])} |")
    return "\n".join(rows)


def _dataclass_of(hint: Any) -> type | None:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return next((option for option in options if dataclasses.is_dataclass(option)), None)


def _range(hint: Any, metadata: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return ", ".join(f'`"{option}"`' for option in typing.get_args(hint))
    name = {bool: "`true`, `false`", int: "whole number", float: "number", str: "text"}.get(hint, "table")
    if "low" not in metadata:
        return name
    low, high = metadata["low"], metadata["high"]
    return f"{name}, {low:g} or more" if high is None else f"{name}, {low:g} to {high:g}"


def _default(field: dataclasses.Field) -> str:
    if field.default is dataclasses.MISSING:
        return "empty"
    if isinstance(field.default, str):
        return f'`"{field.default}"`' if field.default else "empty"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def _cell(text: str) -> str:
    """Escape what Markdown would read as a link, an element or the end of the cell, outside code spans."""
    parts = re.split(r"(`[^`]*`)", text.replace("|", "\\|"))
    return "".join(part if part.startswith("`") else re.sub(r"([\[\]<*_])", r"\\\1", part) for part in parts)


def _wrapped(usage: str) -> str:
    """Break a usage line between its options."""
    lines, line = [], ""
    for part in re.findall(r"\[[^\]]*(?:\[[^\]]*\][^\]]*)*\]|\([^)]*\)|\S+", usage):
        if len(line) + len(part) > 88:
            lines.append(line)
            line = "    " + part
        else:
            line = f"{line} {part}".strip() if not line.startswith("    ") else f"{line} {part}"
    return "\n".join([*lines, line]).replace(" ]", "]")
