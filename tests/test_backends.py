"""Colour, spaces, augmentation, layers, losses, architectures and metrics on JAX and PyTorch, as on TensorFlow."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
# JAX compiles every operation that it meets; optimizing these small ones takes longer than running them.
QUICK_COMPILER = {"XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"}
TOLERANCE = 1e-5  # of values in the unit range, and of the largest value of a tensor where that is above 1


def values_on(backend: str, folder: Path) -> dict[str, np.ndarray]:
    file = folder / f"{backend}.npz"
    environment = os.environ | QUICK_COMPILER | {"KERAS_BACKEND": backend}
    done = subprocess.run(
        [sys.executable, "-m", "tests.backend_values", str(file)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with np.load(file) as archive:
        return dict(archive)


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> dict[str, np.ndarray]:
    return values_on("tensorflow", tmp_path_factory.mktemp("tensorflow"))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_values_are_those_of_tensorflow(backend, expected, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    found = values_on(backend, tmp_path)
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert np.isfinite(values).all(), name
        scale = max(1.0, float(np.abs(values).max()))
        difference = float(np.abs(found[name].astype("float64") - values).max())
        limit = 1.0 if name.endswith("levels") else TOLERANCE * scale
        assert difference <= limit, f"{name}: {difference:.2g} of {scale:.2g}"
