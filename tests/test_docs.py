"""The documentation: code blocks parse, commands and flags exist, links lead somewhere, tables and fields are found.

`pytest -m slow` also runs the blocks that are marked with `<!-- run -->`.
"""

import argparse
import ast
import base64
import dataclasses
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import typing
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

import keras_colorize
from keras_colorize.cli import COMMANDS
from keras_colorize.recipes import Recipe
from tests.markdown import ROOT, Block, anchors, blocks, links, markdown_files, prose, spans

FILES = markdown_files()
NAMES = [str(file.relative_to(ROOT)) for file in FILES]
NOTEBOOKS = ("compare", "train", "vivid", "tflite")
OTHER_PROGRAMS = {"pip", "python", "npm", "docker", "pytest", "ruff", "mkdocs", "coverage", "pre-commit", "."}
OUR_SCRIPTS = {"train.py": "train", "evaluate.py": "evaluate"}
# Flags of other programs that pages mention.
OTHER_FLAGS = {"--help", "--version", "--strict", "--model_config_file", "--no-deps"}


class WrongUsageError(Exception):
    """A command that the program refuses."""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise WrongUsageError(message)


def parser_of(command: str) -> Parser:
    parser = Parser(prog=command, exit_on_error=False)
    COMMANDS[command].add_arguments(parser)
    return parser


def flags_of(command: str) -> set[str]:
    return {flag for action in parser_of(command)._actions for flag in action.option_strings}


def is_shell(block: Block) -> bool:
    first = re.sub(r"^(?:\w+=(?:'[^']*'|\S+) *(?:\\\n)?\s*)*", "", block.text.lstrip()).split(maxsplit=1)
    known = OTHER_PROGRAMS | {"keras-colorize", *OUR_SCRIPTS}
    return block.language in ("bash", "sh", "shell") or (block.language == "" and bool(first) and first[0] in known)


def our_commands(text: str) -> list[tuple[str, list[str]]]:
    """Return (command, arguments) for every command of this project in a shell text."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(re.sub(r"(^|\s)#.*", "", line))  # a colour such as #b22222 within a word is no comment
        for part in " ".join("\0" if word in ("&&", "||", ";", "|") else shlex.quote(word) for word in words).split(
            "\0"
        ):
            words = [word for word in shlex.split(part)]
            while words and re.match(r"\w+=", words[0]):
                words = words[1:]
            if words[:1] == ["python"]:
                words = words[1:]
            if words[:2] == ["-m", "keras_colorize"]:
                words = ["keras-colorize", *words[2:]]
            if words and words[0] in OUR_SCRIPTS:
                found.append((OUR_SCRIPTS[words[0]], words[1:]))
            elif words and words[0] == "keras-colorize":
                found.append((words[1], words[2:]))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_code_blocks_parse(name):
    for block in blocks(ROOT / name):
        if block.language == "python" or (block.language == "" and re.match(r"(from|import) \w", block.text)):
            try:
                ast.parse(block.text)
            except SyntaxError as error:
                pytest.fail(f"{block.place}: {error}")
        elif is_shell(block):
            done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True)
            assert done.returncode == 0, f"{block.place}: {done.stderr}"


@pytest.mark.parametrize("name", NAMES)
def test_commands_in_blocks_are_understood(name):
    for block in blocks(ROOT / name):
        if not is_shell(block):
            continue
        for command, arguments in our_commands(block.text):
            if arguments == ["--version"] or command == "--version":
                continue
            assert command in COMMANDS, f"{block.place}: keras-colorize {command}"
            try:
                parser_of(command).parse_args(arguments)
            except (WrongUsageError, argparse.ArgumentError) as error:
                pytest.fail(f"{block.place}: {command} {shlex.join(arguments)}: {error}")


def test_wrong_commands_are_found():
    ((command, arguments),) = our_commands("A=1 python train.py --modell \\\n  unet_skip  # a remark")
    assert (command, arguments) == ("train", ["--modell", "unet_skip"])
    with pytest.raises((WrongUsageError, argparse.ArgumentError)):
        parser_of("evaluate").parse_args(["--no-such-flag"])
    assert our_commands("pip install . && keras-colorize zoo pix2pix") == [("zoo", ["pix2pix"])]


@pytest.mark.parametrize("name", NAMES)
def test_flags_in_the_text_exist(name):
    known = set().union(*(flags_of(command) for command in COMMANDS)) | OTHER_FLAGS
    for file in (ROOT / "benchmarks").rglob("*.py"):
        known |= set(re.findall(r'add_argument\(\s*"(--[\w-]+)"', file.read_text(encoding="utf-8")))
    for span in spans(ROOT / name):
        words = span.split()
        if words[0] == "keras-colorize" and len(words) > 1 and words[1] in COMMANDS:
            allowed = flags_of(words[1]) | OTHER_FLAGS
        elif words[0] in OUR_SCRIPTS:
            allowed = flags_of(OUR_SCRIPTS[words[0]]) | OTHER_FLAGS
        elif words[0] == "keras-colorize" or words[0].startswith("--"):
            allowed = known
        else:
            continue
        wrong = {flag for flag in re.findall(r"(?<!\S)--[a-z][\w-]*", span)} - allowed
        assert not wrong, f"{name}: `{span}`"


@pytest.mark.parametrize("name", NAMES)
def test_links_inside_the_repository(name):
    file = ROOT / name
    for target in links(file):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        wanted = (file.parent / path).resolve() if path else file
        generated = wanted.relative_to(ROOT).as_posix() in ("docs/reference/commands.md", "docs/reference/recipes.md")
        assert wanted.exists() or generated, f"{name}: {target}"
        if anchor and wanted.suffix == ".md":
            assert anchor in anchors(wanted), f"{name}: {target}"


@pytest.mark.parametrize("name", NAMES)
def test_included_tables_exist(name):
    site_module("tables").include_tables(prose(ROOT / name), ROOT, name)  # raises where one is missing


def test_every_recipe_field_has_a_meaning():
    reference = site_module("reference")
    sections = [Recipe, *(reference._dataclass_of(hint) for hint in typing.get_type_hints(Recipe).values())]
    for section in filter(None, sections):
        fields = [field.name for field in dataclasses.fields(section)]
        assert list(reference.meanings(section)) == fields, section.__name__
    page = reference.recipes_page()
    assert "| `image_size` | whole number, 1 or more | `256` |" in page
    assert '| `decay` | `"none"`, `"linear"` | `"none"` |' in page


def test_the_page_of_commands_has_every_flag():
    page = site_module("reference").commands_page()
    for command in COMMANDS:
        section = re.search(rf"^## {command}$(.*?)(?=^## |\Z)", page, re.M | re.S)[1]
        missing = {flag for flag in flags_of(command) - {"-h", "--help"} if f"`{flag}" not in section}
        assert not missing, command


def test_the_reference_has_every_public_name():
    text = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    listed = re.findall(r"^::: keras_colorize\.(\w+)$", text, re.M)
    assert sorted(listed) == sorted(set(keras_colorize.__all__) - {"__version__"})


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebooks_call_commands_that_exist(name):
    cells = json.loads((ROOT / "docs" / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    for line in re.findall(r"^!((?:.*\\\n)*.*)$", source, re.M):
        ((command, arguments),) = our_commands(re.sub(r"\{\w+\}", "1", line))
        parser_of(command).parse_args(arguments)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebooks_keep_small_pictures(name):
    """GitHub and the site show the outputs that the files keep, those of one run from top to bottom."""
    file = ROOT / "docs" / "notebooks" / f"{name}.ipynb"
    cells = [cell for cell in json.loads(file.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert "error" not in {output["output_type"] for output in outputs}
    shown = [(kind, data) for output in outputs for kind, data in output.get("data", {}).items()]
    pictures = [base64.b64decode(data) for kind, data in shown if kind.startswith("image/")]
    assert pictures and max(map(len, pictures)) < 100_000 and file.stat().st_size < 300_000
    texts = ["".join(output.get("text", "")) for output in outputs]
    texts += ["".join(data) for kind, data in shown if kind.startswith("text/")]
    assert not [text for text in texts if re.search(r"(?<![\w.-])/(?:home|root|tmp|Users)/|Warning", text)]


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebooks_run(name):
    pytest.importorskip("nbclient")
    if name == "tflite":
        pytest.importorskip("ai_edge_litert")
    parameters = {"train": {"EPOCHS": 1, "STEPS": 2, "SIZE": 32}, "tflite": {"SIZE": 64}}.get(name, {})
    file = ROOT / "docs" / "notebooks" / f"{name}.ipynb"
    notebook = load_module(file.with_name("execute.py")).execute(file, **parameters)
    assert any(cell.get("outputs") for cell in notebook.cells)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if any(block.run for block in blocks(ROOT / name))])
def test_marked_blocks_run(name, tmp_path):
    (tmp_path / "my-photos").mkdir()
    for photo in ("camera", "chelsea"):
        Image.fromarray(getattr(skimage.data, photo)()).resize((96, 64)).save(tmp_path / "my-photos" / f"{photo}.png")
    for script in ("train.py", "evaluate.py"):
        shutil.copy(ROOT / script, tmp_path)
    marked = [block for block in blocks(ROOT / name) if block.run]
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    # All Python blocks of a page run in one process, each in a namespace of its own.
    scripts = [block.text for block in marked if block.language == "python"]
    (tmp_path / "blocks.py").write_text(f"for block in {scripts!r}:\n    exec(block, {{'__name__': 'block'}})\n")
    runs = [["bash", "-e", "-c", block.text] for block in marked if block.language != "python"]
    for command in [*runs, *([[sys.executable, "blocks.py"]] if scripts else [])]:
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, f"{name}: {command[-1]}\n{done.stdout}\n{done.stderr}"


def site_module(name: str):
    return load_module(ROOT / "docs" / "site" / f"{name}.py")


def load_module(file: Path):
    """Import a module of docs/, which is not a package."""
    spec = importlib.util.spec_from_file_location(f"docs_{file.stem}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
