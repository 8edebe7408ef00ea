"""The structure is a fact too: imports point downwards only, and some modules know no TensorFlow."""

import ast
from pathlib import Path

import pytest

import keras_colorize
from keras_colorize.cli.messages import ACTIONS

PACKAGE = Path(keras_colorize.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent.name != "zoo")

# A package imports only from packages of lower levels, and from itself.
LEVELS = {
    **dict.fromkeys(("errors", "lazy", "files", "hardware", "defaults"), 0),
    "recipes": 1,
    "color": 2,
    "images": 3,
    "data": 4,
    **dict.fromkeys(("metrics", "models"), 5),
    "runs": 6,
    "training": 7,
    **dict.fromkeys(("convert", "inference"), 8),
    **dict.fromkeys(("batch", "evaluation"), 9),
    **dict.fromkeys(("export", "demo_server"), 10),
    "beam": 11,
    "cli": 12,
}
ANY_BACKEND = ("color", "data/augment", "models", "training/losses", "metrics/image")


def name_of(path: Path) -> str:
    """`runs` for keras_colorize/training/loop.py, `color` for keras_colorize/color/lab.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path):
    own = name_of(path)
    if own in ("__init__", "__main__"):
        return
    assert own in LEVELS, f"{own} has no level: give it one here and in docs/architecture.md"
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] != "keras_colorize" or len(parts) < 2 or parts[1] not in LEVELS or parts[1] == own:
            continue
        assert LEVELS[parts[1]] < LEVELS[own], f"{own} (level {LEVELS[own]}) imports {parts[1]}"


@pytest.mark.parametrize("part", ANY_BACKEND)
def test_these_run_on_any_keras_backend(part):
    paths = [path for path in MODULES if str(path.relative_to(PACKAGE)).startswith(part)]
    assert paths
    for path in paths:
        if path.name == "normalization.py":  # takes TensorFlow's own kernel where that is the backend
            continue
        assert not any(name.split(".")[0] == "tensorflow" for name in imports_of(path)), path


def test_the_table_of_levels_in_the_docs_is_this_one():
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    for name, level in LEVELS.items():
        assert any(line.startswith(f"| {level} |") and f"`{name}`" in line for line in text.splitlines()), name


def test_every_action_of_an_error_has_its_command():
    used = {
        keyword.value.value
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "action" and name_of(path) != "cli" and isinstance(keyword.value, ast.Constant)
    }
    assert used - {""} <= set(ACTIONS)


def test_public_names_come_from_where_they_live():
    for name in keras_colorize.__all__:
        assert getattr(keras_colorize, name) is not None
    assert keras_colorize.Recipe.__module__ == "keras_colorize.recipes.schema"
    with pytest.raises(AttributeError, match="no attribute 'Recipes'"):
        _ = keras_colorize.Recipes
