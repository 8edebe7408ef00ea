"""Facts about the structure: levels, no circles of imports, names that occur once, words that belong to the command."""

import argparse
import ast
import configparser
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import keras_colorize
from keras_colorize.cli import COMMANDS
from keras_colorize.cli.messages import ACTIONS, flags_of

PACKAGE = Path(keras_colorize.__file__).parent
ROOT = PACKAGE.parent

# A package imports only from packages of lower levels, and from itself.
LEVELS = {
    **dict.fromkeys(("errors", "lazy", "files", "hardware", "defaults", "progress", "tensor"), 0),
    **dict.fromkeys(("packages", "recipes"), 1),
    "color": 2,
    "images": 3,
    "data": 4,
    **dict.fromkeys(("metrics", "models"), 5),
    "runs": 6,
    **dict.fromkeys(("training", "video"), 7),
    **dict.fromkeys(("convert", "inference"), 8),
    **dict.fromkeys(("batch", "evaluation"), 9),
    **dict.fromkeys(("export", "studio"), 10),
    "beam": 11,
    "cli": 12,
}
# These import no TensorFlow, neither themselves nor through others: they run on any Keras backend.
ANY_BACKEND = ("color", "data.augment", "models", "training.losses", "metrics.image")
# Takes TensorFlow's own kernel where that is the backend.
OWN_KERNEL = {"models.normalization"}
# These load neither TensorFlow nor Keras, so that a mistake in the arguments of a command is answered at once.
LIGHT = (
    "cli", "recipes", "recipes.shrink", "runs.folder", "batch.plan", "beam.options", "beam.jobs",
    "convert.destinations", "export.request", "evaluation.lookup", "evaluation.protocols",
    "evaluation.report.quiz", "studio.site", "studio.runtime", "studio.server", "images",
    "video.settings", "batch.folder", "inference.colorizer", "studio.model",
)  # fmt: skip
# Of modules that are not named like it. Protocol buffers and flat buffers come with TensorFlow.
DISTRIBUTIONS = {
    "PIL": "pillow", "cv2": "opencv-python-headless", "flatbuffers": "tensorflow", "google": "tensorflow",
}  # fmt: skip
# Modules are nouns of the field: no adjectives, participles or gerunds.
NO_NOUNS = {"served", "packed", "extras", "cheap_color", "quiet", "deep", "opened", "finished"}
# Names of a field's own, and a package of the design.
GERUNDS = {"training", "early_stopping"}


def module_name(path: Path) -> str:
    """`training.loop` for keras_colorize/training/loop.py, `color` for keras_colorize/color/__init__.py."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def nodes_at_run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes but those for the type checker only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        yield node
        yield from nodes_at_run_time(node)


@cache
def lazy_homes(module: str) -> dict[str, str]:
    """Return name → module for the public names that a package imports at first use."""
    for node in tree_of(module).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "_HOMES":
            return {name: f"{module}.{home}".lstrip(".") for name, home in ast.literal_eval(node.value).items()}
    return {}


def typed_homes(module: str) -> dict[str, str]:
    """Return name → module for the public names that a package imports for editors and type checkers."""
    return {
        alias.name: (node.module or "").removeprefix("keras_colorize.")
        for block in tree_of(module).body
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@cache
def imports_of(module: str) -> frozenset[str]:
    """Return all modules that a module imports, at its top or in a function.

    Modules of this package are named as in `MODULES`, others in full. A name from a package stands for the package
    where it is defined or imported there, and for its own module where the package imports it at first use.
    """
    found = set()
    for node in nodes_at_run_time(tree_of(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "LateModule":
            found.add(ast.literal_eval(node.args[0]))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            source = node.module or ""
            own = source.removeprefix("keras_colorize").lstrip(".")
            if source.partition(".")[0] != "keras_colorize":
                found.add(source)
                continue
            assert own in MODULES, f"{module} imports {source}, which does not exist"
            for alias in node.names:
                inner = f"{own}.{alias.name}".lstrip(".")
                found.add(inner if inner in MODULES else lazy_homes(own).get(alias.name, own))
    return frozenset(found)


def texts_of(module: str) -> Iterator[str]:
    """Yield the strings of a module but for its docstrings."""
    tree = tree_of(module)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def circles(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    """Yield circles until the graph has none, taking one edge away after each."""
    graph = {name: set(others) for name, others in graph.items()}
    while True:
        try:
            TopologicalSorter(graph).prepare()
            return
        except CycleError as error:
            circle = error.args[1]  # each is imported by the next
            graph[circle[1]].discard(circle[0])
            yield circle


def test_modules_import_each_other_in_no_circle():
    graph = {module: {name for name in imports_of(module) if name in MODULES} for module in MODULES}
    assert list(circles(graph)) == []


def test_a_circle_is_found():
    assert list(circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}))
    assert not list(circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}))


@pytest.mark.parametrize("module", [module for module in MODULES if module not in ("", "__main__")])
def test_imports_point_downwards(module):
    own = module.partition(".")[0]
    assert own in LEVELS, f"{own} has no level: give it one here and in docs/architecture.md"
    for name in imports_of(module):
        other = name.partition(".")[0]
        if name in MODULES and other not in (own, ""):
            assert LEVELS[other] < LEVELS[own], f"{module} (level {LEVELS[own]}) imports {name} ({LEVELS[other]})"


def test_packages_that_are_imported_are_asked_for():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lists = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    lines = [line for each in lists for line in each.splitlines() if line and not line.startswith("#")]
    asked = {re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in lines}
    imported = {name.partition(".")[0] for module in MODULES for name in imports_of(module) if name not in MODULES}
    others = imported - set(sys.stdlib_module_names) - {"keras_colorize"}
    assert {"tensorflow", "keras", "PIL"} <= others
    assert {module for module in others if DISTRIBUTIONS.get(module, module).replace("_", "-") not in asked} == set()


@pytest.mark.parametrize("part", ANY_BACKEND)
def test_these_run_on_any_keras_backend(part):
    todo = [module for module in MODULES if f"{module}.".startswith(f"{part}.")]
    assert todo
    seen = set(OWN_KERNEL)
    while todo:
        module = todo.pop()
        if module in seen:
            continue
        seen.add(module)
        assert not any(name.partition(".")[0] == "tensorflow" for name in imports_of(module)), module
        todo += [name for name in imports_of(module) if name in MODULES]


def test_these_load_neither_tensorflow_nor_keras():
    code = (
        "import sys, json, importlib\n"
        f"for name in {LIGHT!r}:\n"
        "    importlib.import_module('keras_colorize.' + name)\n"
        "    print(json.dumps([name, sorted({'tensorflow', 'keras'} & set(sys.modules))]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == [[name, []] for name in LIGHT]


def test_no_two_classes_share_a_name():
    classes = Counter(
        node.name for module in MODULES for node in ast.walk(tree_of(module)) if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in classes.items() if count > 1] == []


def test_modules_are_named_by_nouns():
    found = set()
    for module in MODULES:
        last = module.rpartition(".")[2]
        if last in NO_NOUNS or (last.endswith("ing") and last not in GERUNDS):
            found.add(module)
    assert found == set()


def test_docstrings_say_what_a_thing_is():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno if hasattr(node, 'lineno') else 1}"
        for path in (*PACKAGE.rglob("*.py"), *(ROOT / "tests").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and (ast.get_docstring(node) or "").startswith("What ")
    ]
    assert found == []


def our_flags() -> set[str]:
    flags = set()
    for command in COMMANDS.values():
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        flags |= set(flags_of(parser).values())
    return flags


def test_only_the_command_line_speaks_of_flags_and_commands():
    words = "|".join(re.escape(flag) for flag in sorted(our_flags()))
    spoken = re.compile(
        rf"(?<![\w-])(?:{words})(?![\w-])|\b(?:train|evaluate)\.py|keras-colorize (?:{'|'.join(COMMANDS)})\b"
    )
    found = {
        module
        for module in MODULES
        if module.partition(".")[0] != "cli" and any(spoken.search(text) for text in texts_of(module))
    }
    assert found == set()


def test_every_action_of_an_error_has_its_command():
    used = {
        keyword.value.value
        for module in MODULES
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "action" and isinstance(keyword.value, ast.Constant) and module.partition(".")[0] != "cli"
    }
    assert used - {"ignore"} == set(ACTIONS)  # filters of warnings have actions too


def test_the_table_of_levels_in_the_docs_is_this_one():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", text, re.MULTILINE)
    assert {name: int(level) for level, names in rows for name in re.findall(r"`(\w+)`", names)} == LEVELS


def test_public_names_come_from_where_they_are_defined():
    homes = lazy_homes("")
    assert set(keras_colorize.__all__) == {"__version__", *homes}
    for name, home in homes.items():
        assert getattr(keras_colorize, name).__module__ == f"keras_colorize.{home}", name
    with pytest.raises(AttributeError, match="no attribute 'Recipes'"):
        _ = keras_colorize.Recipes


@pytest.mark.parametrize("module", ["", "evaluation", "inference", "metrics"])
def test_editors_and_type_checkers_see_the_lazy_names(module):
    homes = lazy_homes(module)
    assert typed_homes(module) == homes
    (listed,) = [
        ast.literal_eval(node.value)
        for node in tree_of(module).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"
    ]
    assert set(listed) - {"__version__"} == set(homes)
