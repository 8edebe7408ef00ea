"""A wheel works outside the checkout, zoo included."""

import configparser
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_every_package_is_named():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    found = {".".join(file.parent.relative_to(ROOT).parts) for file in (ROOT / "keras_colorize").rglob("__init__.py")}
    assert set(config["options"]["packages"].split()) == {*found, "keras_colorize.zoo", "keras_colorize.demo"}


@pytest.mark.slow
def test_the_wheel_carries_everything_and_works_elsewhere(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(ROOT)],
        check=True,
        timeout=300,
    )
    (wheel,) = tmp_path.glob("keras_colorize-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    packaged = {name.removeprefix("keras_colorize/zoo/") for name in names if name.startswith("keras_colorize/zoo/")}
    assert {path.name for path in (ROOT / "zoo").glob("*.toml")} <= packaged
    assert "ab_prior.json" in packaged
    sources = {
        path.relative_to(ROOT).as_posix()
        for suffix in ("py", "html", "css", "js")
        for path in (ROOT / "keras_colorize").rglob(f"*.{suffix}")
    }
    assert sources <= set(names)
    assert "keras_colorize/demo/index.html" in names

    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r}); import keras_colorize, keras_colorize.cli as cli;"
        " assert 'site' in keras_colorize.__file__; sys.exit(cli.main(['zoo', '--names']))"
    )
    listed = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert listed.stdout.split() == sorted(path.stem for path in (ROOT / "zoo").glob("*.toml"))


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
