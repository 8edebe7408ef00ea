"""The types that editors and type checkers see."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CALLS = """
from collections.abc import Iterator
from pathlib import Path
from typing import assert_type

import numpy as np
from PIL import Image

from keras_colorize import Colorizer, Recipe, colorize, zoo_names
from keras_colorize.images import Picture
from keras_colorize.inference.session import Session

def calls(array: np.ndarray, image: Image.Image, picture: Picture, path: Path) -> None:
    colorizer = Colorizer.from_zoo("vivid")
    assert_type(colorizer, Colorizer)
    assert_type(colorizer(array), np.ndarray)
    assert_type(colorizer(image, vividness=0.8), Image.Image)
    assert_type(colorizer(picture), Picture)
    assert_type(colorizer(path), np.ndarray)
    assert_type(colorize("old.jpg"), np.ndarray)
    assert_type(colorizer.samples(image, 2), Iterator[Image.Image])
    assert_type(colorizer.session(picture), Session[Picture])
    assert_type(colorizer.session("old.jpg").result(), np.ndarray)
    assert_type(Recipe.load(zoo_names()[0]).data.image_size, int)
"""


@pytest.mark.slow
def test_a_type_checker_knows_what_calls_return(tmp_path):
    pytest.importorskip("mypy")
    file = tmp_path / "calls.py"
    file.write_text(CALLS)
    wrong = tmp_path / "wrong.py"
    wrong.write_text(CALLS + '    colorizer(7)\n    colorizer("a", vividnes=1)\n    Recipe.nothing()\n')
    options = ["--ignore-missing-imports", "--cache-dir", str(tmp_path / "cache"), "--no-error-summary"]
    found = [
        subprocess.run(
            [sys.executable, "-m", "mypy", "--config-file", "", *options, str(each)],
            cwd=ROOT, capture_output=True, text=True, timeout=280,
        ).stdout
        for each in (file, wrong)
    ]  # fmt: skip
    assert found[0] == ""
    lines = [int(line.split(":")[1]) for line in found[1].splitlines() if ": error:" in line]
    last = len(CALLS.splitlines())
    assert sorted(set(lines)) == [last + 1, last + 2, last + 3]
