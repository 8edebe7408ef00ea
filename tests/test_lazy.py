"""Imports: TensorFlow's start-up lines stay out of the terminal, in Python and on the command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from keras_colorize.lazy import LateModule, import_quietly, quiet_stderr
from tests.colorizing import save_grey

ROOT = Path(__file__).resolve().parents[1]
COLORIZE = "import keras_colorize; print(keras_colorize.colorize({photo!r}).shape)"


def run(*arguments, **environment):
    plain = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        env=plain | environment,
    )


@pytest.mark.slow
def test_nothing_but_the_result_is_on_the_terminal(tmp_path):
    save_grey(tmp_path / "a.png")
    done = run("-c", COLORIZE.format(photo=str(tmp_path / "a.png")))
    assert (done.stdout, done.stderr) == ("(40, 48, 3)\n", "")
    done = run("-m", "keras_colorize", "colorize", tmp_path / "a.png", "--out", tmp_path / "out")
    assert done.stderr == "" and done.stdout.startswith("done     1 of 1 photos")


@pytest.mark.slow
def test_a_log_level_of_ones_own_is_kept():
    done = run("-c", "import keras_colorize, tensorflow", TF_CPP_MIN_LOG_LEVEL="0")
    assert "oneDNN" in done.stderr or "cpu_feature_guard" in done.stderr


def test_what_is_written_is_held_back_unless_something_goes_wrong(capfd):
    with quiet_stderr():
        os.write(2, b"from compiled code\n")
    assert capfd.readouterr().err == ""
    with pytest.raises(ZeroDivisionError), quiet_stderr():
        os.write(2, b"why it failed\n")
        _ = 1 / 0
    assert capfd.readouterr().err == "why it failed\n"
    os.write(2, b"again as before\n")
    assert capfd.readouterr().err == "again as before\n"


def test_a_module_is_imported_quietly(tmp_path, monkeypatch, capfd):
    (tmp_path / "talkative_module.py").write_text("import os\nos.write(2, b'hello')\nvalue = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    finders = list(sys.meta_path)
    import_quietly("talkative_module")
    import talkative_module

    assert talkative_module.value == 7 and sys.meta_path == finders
    assert capfd.readouterr().err == ""
    sys.modules.pop("talkative_module")


def test_a_module_waits_for_its_first_use(tmp_path, monkeypatch):
    (tmp_path / "patient_module.py").write_text("value = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = LateModule("patient_module")
    assert "patient_module" not in sys.modules
    assert module.value == 7
    sys.modules.pop("patient_module")
