"""The sdist and the wheel are whole, and the wheel works outside the checkout, zoo included."""

import configparser
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_every_package_is_named():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    found = {".".join(file.parent.relative_to(ROOT).parts) for file in (ROOT / "keras_colorize").rglob("__init__.py")}
    assert set(config["options"]["packages"].split()) == {*found, "keras_colorize.zoo", "keras_colorize.studio.page"}


@pytest.mark.slow
def test_sdist_and_wheel_carry_everything_and_work_elsewhere(tmp_path):
    # The wheel is built from the sdist, so the sdist is whole too.
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(tmp_path), str(ROOT)],
        check=True, timeout=300, capture_output=True,
    )  # fmt: skip
    (sdist,) = tmp_path.glob("keras_colorize-*.tar.gz")
    (wheel,) = tmp_path.glob("keras_colorize-*.whl")
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", str(sdist), str(wheel)], check=True)
    with tarfile.open(sdist) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "CHANGELOG.md", "tests/conftest.py", "docs/colorize.md", "zoo/vivid.npz"} <= files

    names = zipfile.ZipFile(wheel).namelist()
    packaged = {name.removeprefix("keras_colorize/zoo/") for name in names if name.startswith("keras_colorize/zoo/")}
    assert {path.name for path in (ROOT / "zoo").glob("*.toml")} <= packaged
    assert {"ab_prior.json", "vivid.npz", "vivid.tflite", "vivid.tflite.json"} <= packaged
    sources = {
        path.relative_to(ROOT).as_posix()
        for suffix in ("py", "html", "css", "js")
        for path in (ROOT / "keras_colorize").rglob(f"*.{suffix}")
    }
    assert sources <= set(names)
    page = {name.rpartition("/page/")[2] for name in names if name.startswith("keras_colorize/studio/page/")}
    assert {"index.html", "studio.css", "main.js", "samples/coffee.jpg"} <= page

    site = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site), str(wheel)],
        check=True, timeout=120,
    )  # fmt: skip
    listed = subprocess.run(
        [site / "bin" / "keras-colorize", "zoo", "--names"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(site)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert listed.stdout.split() == sorted(path.stem for path in (ROOT / "zoo").glob("*.toml"))
    where = subprocess.run(
        [sys.executable, "-c", "import keras_colorize; print(keras_colorize.__file__)"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(site)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()) == site / "keras_colorize" / "__init__.py"


def test_an_installed_package_ignores_the_zoo_of_another_distribution(tmp_path):
    ignored = shutil.ignore_patterns("__pycache__", "*.npz")
    shutil.copytree(ROOT / "keras_colorize", tmp_path / "keras_colorize", ignore=ignored)
    shutil.copytree(ROOT / "zoo", tmp_path / "keras_colorize" / "zoo", ignore=ignored)
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "lion.toml").write_text("name = 'lion'\n")
    code = "import keras_colorize; print(keras_colorize.__file__, *keras_colorize.zoo_names())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    file, *names = done.stdout.split()
    assert Path(file) == tmp_path / "keras_colorize" / "__init__.py"
    assert names == sorted(path.stem for path in (ROOT / "zoo").glob("*.toml"))
