"""The structure is a fact too: imports point downwards only, and some modules know no TensorFlow."""

import ast
from pathlib import Path

import pytest

import keras_colorize

PACKAGE = Path(keras_colorize.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent.name != "zoo")

# A module imports only from lower levels, or from its own package.
LEVELS = {
    **dict.fromkeys(
        (
            "errors",
            "lazy",
            "registry",
            "color",
            "recipe",
            "sizes",
            "hardware",
            "profiles",
            "defaults",
            "files",
            "tables",
        ),
        0,
    ),
    **dict.fromkeys(
        (
            "bins",
            "layers",
            "normalization",
            "spaces",
            "augment",
            "losses",
            "metrics",
            "photos",
            "sources",
            "data",
            "backbones",
            "weights",
            "packed",
            "pictures",
        ),
        1,
    ),
    "architectures": 2,
    "training": 3,
    **dict.fromkeys(("runs", "convert"), 4),
    "inference": 5,
    **dict.fromkeys(("evaluation", "report", "export", "demo_server", "beam"), 6),
    "cli": 7,
}
# Within a level, only these may import each other, in this direction.
SAME_LEVEL = {
    ("registry", "errors"), ("recipe", "errors"), ("sizes", "recipe"), ("color", "errors"),
    ("recipe", "tables"), ("tables", "errors"),
    ("spaces", "bins"), ("losses", "bins"), ("sources", "photos"), ("data", "photos"), ("data", "sources"),
    ("pictures", "photos"), ("backbones", "layers"), ("beam", "export"), ("normalization", "layers"),
}  # fmt: skip
ANY_BACKEND = ("color", "bins", "spaces", "augment", "layers", "losses", "architectures", "metrics/image")


def name_of(path: Path) -> str:
    """`runs` for keras_colorize/runs/train.py, `color` for keras_colorize/color.py."""
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
        lower = LEVELS[parts[1]] < LEVELS[own]
        assert lower or (own, parts[1]) in SAME_LEVEL, f"{own} (level {LEVELS[own]}) imports {parts[1]}"


@pytest.mark.parametrize("part", ANY_BACKEND)
def test_these_run_on_any_keras_backend(part):
    paths = [path for path in MODULES if str(path.relative_to(PACKAGE)).startswith(part)]
    assert paths
    for path in paths:
        assert not any(name.split(".")[0] == "tensorflow" for name in imports_of(path)), path


def test_the_table_of_levels_in_the_docs_is_this_one():
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    for name, level in LEVELS.items():
        assert any(line.startswith(f"| {level} |") and f"`{name}`" in line for line in text.splitlines()), name


def test_public_names_come_from_where_they_live():
    for name in keras_colorize.__all__:
        assert getattr(keras_colorize, name) is not None
    assert keras_colorize.Recipe.__module__ == "keras_colorize.recipe"
    with pytest.raises(AttributeError, match="no attribute 'Recipes'"):
        _ = keras_colorize.Recipes
