"""Networks saved by `model.save("g.keras")` load in a new process that has imported `keras_colorize` only."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_colorize.lazy import after_import
from keras_colorize.models import names
from keras_colorize.models.layers import keep_dropout_on
from keras_colorize.models.networks import dtype_policy
from tests.networks import build_small, random_inputs

ROOT = Path(__file__).resolve().parents[1]
LOAD = """
import json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras_colorize
assert "keras" not in sys.modules
import keras
import numpy as np

folder, names = json.load(sys.stdin)
for name in names:
    model = keras.models.load_model(f"{folder}/{name}.keras")
    with np.load(f"{folder}/{name}.npz") as file:
        inputs = [file[f"input_{number}"] for number in range(len(model.inputs))]
        found = np.asarray(model(inputs[0] if len(inputs) == 1 else inputs, training=False))
        if name != "stochastic":
            np.testing.assert_array_equal(found, file["output"], err_msg=name)
    print(name)
"""


def networks():
    for kind in ("generator", "discriminator"):
        for name in names(kind):
            yield name, build_small(name, kind)
    with dtype_policy("bfloat16"):
        yield "vivid_bfloat16", build_small("vivid")
    yield "stochastic", keep_dropout_on(build_small("unet"))


@pytest.mark.slow
def test_every_architecture_loads_in_a_new_process(tmp_path):
    keras.utils.set_random_seed(0)
    saved = []
    for name, model in networks():
        inputs = random_inputs(model)
        arrays = inputs if isinstance(inputs, list) else [inputs]
        output = np.asarray(model(inputs, training=False))
        model.save(tmp_path / f"{name}.keras")
        np.savez(tmp_path / f"{name}.npz", output=output, **{f"input_{number}": a for number, a in enumerate(arrays)})
        saved.append(name)
    assert set(saved) == {*names("generator"), *names("discriminator"), "vivid_bfloat16", "stochastic"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        input=json.dumps([str(tmp_path), saved]),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == saved


@pytest.fixture
def colorful(tmp_path, monkeypatch):
    """A module that can be imported and is not yet."""
    (tmp_path / "colorful_module.py").write_text("value = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("colorful_module", None)


def test_an_action_follows_an_import_once(colorful):
    calls = []
    finders = list(sys.meta_path)
    after_import("colorful_module", lambda: calls.append(sys.modules["colorful_module"].value))
    import importlib.util

    assert importlib.util.find_spec("colorful_module") is not None  # to look for it is not to import it
    assert calls == []
    import colorful_module

    assert calls == [7] and colorful_module.value == 7
    assert sys.meta_path == finders
    after_import("colorful_module", lambda: calls.append(8))
    assert calls == [7, 8]


def test_an_absent_module_stays_absent():
    finders = list(sys.meta_path)
    after_import("no_such_colorful_module", lambda: None)
    with pytest.raises(ModuleNotFoundError, match="no_such_colorful_module"):
        import no_such_colorful_module  # noqa: F401
    sys.meta_path[:] = finders
