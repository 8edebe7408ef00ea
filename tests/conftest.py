"""Fixtures of all tests: a quiet TensorFlow, and photos that are made on the spot."""

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

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


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
