"""Fixtures and settings of all tests: a quiet TensorFlow, processes for the whole suite, photos made on the spot."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np
import pytest
from PIL import Image

_CACHE = tempfile.TemporaryDirectory(prefix="keras-colorize-cache-")
os.environ["KERAS_COLORIZE_CACHE"] = _CACHE.name  # commands that tests start inherit it

MOST_PROCESSES = 4  # each takes up to 3 GB

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks at its options
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run the whole default suite in a process for each processor, if pytest-xdist is there and `-n` is not given.

    A choice of tests runs in this process: it starts sooner, and a debugger works. Each of the processes takes one part
    of the suite in order, so that most fixtures of a module are made once, and at the end some tests of another's part.
    """
    option = config.option
    if hasattr(config, "workerinput") or not config.pluginmanager.hasplugin("xdist"):
        return
    chosen = config.args_source is not pytest.Config.ArgsSource.TESTPATHS or option.markexpr != "not slow"
    chosen = chosen or bool(option.keyword or config.getoption("lf", False) or option.collectonly)
    watched = config.getoption("usepdb", False) or option.capture == "no"
    if not chosen and not watched and option.numprocesses is None and option.dist == "no":
        option.numprocesses, option.maxprocesses, option.dist = "logical", MOST_PROCESSES, "worksteal"


def colorful_photo(seed: int, height: int = 40, width: int = 48) -> np.ndarray:
    """A smooth, saturated picture, rgb_u8 (height, width, 3): eight random colours, interpolated."""
    colors = np.random.default_rng(seed).integers(0, 256, (2, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(colors).resize((width, height), Image.Resampling.BICUBIC))


def write_photos(folder: Path) -> Path:
    """Twenty-four PNG photos, one file that is grey and one that is no photo, in a new folder."""
    folder.mkdir()
    for number in range(24):
        Image.fromarray(colorful_photo(number)).save(folder / f"photo_{number:02d}.png")
    Image.fromarray(colorful_photo(99)).convert("L").save(folder / "old_grey.png")
    (folder / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a photo")
    return folder


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    """The photos of `write_photos`."""
    return write_photos(tmp_path / "photos")


@pytest.fixture
def short_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of films of 8 frames, and scenes of 5 or more."""
    from keras_colorize.video import scenes

    monkeypatch.setattr(scenes, "SEGMENT_FRAMES", 8)
    monkeypatch.setattr(scenes, "SHORTEST_SCENE", 5)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the photos that scans decode."""
    from keras_colorize.data import scan

    names = []
    read = scan.read_photo

    def counting(file, *args, **options):
        names.append(options["name"])
        return read(file, *args, **options)

    monkeypatch.setattr(scan, "read_photo", counting)
    return names
