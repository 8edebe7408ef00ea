"""The command line: quick to start, one line and exit code 2 for mistakes, 130 for Ctrl-C, never a traceback."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keras_colorize.cli import main

ROOT = Path(__file__).resolve().parents[1]
TINY = (
    *("--image-size", "32", "--batch-size", "4", "--steps-per-epoch", "2", "--epochs", "1"),
    *("--set", "generator.args={filters=[8,8,8,8,8], skips=true}", "--set", "discriminator.args.filters=[8,8]"),
)


def run(*arguments, cwd=ROOT):
    return subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120)


def fails(capsys, *arguments, command="train"):
    """Run in this process; returns the message after asserting that it is one line with exit code 2."""
    try:
        code = main([command, *arguments])
    except SystemExit as stop:
        code = stop.code
    error = capsys.readouterr().err
    assert code == 2, error
    assert error.count("\n") == 1
    assert error.startswith("keras-colorize")
    return error


@pytest.mark.parametrize("arguments", [["-c", "import keras_colorize"], ["-m", "keras_colorize", "--help"]])
def test_starting_is_quick(arguments):
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        assert run(*arguments).returncode == 0
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.3


def test_help_and_zoo_do_not_load_tensorflow():
    code = "import sys, keras_colorize.cli as cli; cli.main(['zoo']); print({'tensorflow', 'keras'} & set(sys.modules))"
    assert run("-c", code).stdout.endswith("set()\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "unet_skp"], "did you mean 'unet_skip'?"),
        (["--recipe", "absent.toml"], "no recipe file 'absent.toml'"),
        (["--set", "optimizer.learing_rate=1"], "did you mean 'learning_rate'?"),
        (["--image-size", "-64"], "data.image_size is -64: expected at least 1"),
        (["--image-size", "many"], "invalid int value"),
        (["--image-size", "100"], "96"),
        (["--batch-size", "0"], "data.batch_size is 0"),
        (["--epochs", "0"], "schedule.epochs is 0"),
        (["--precision", "float16"], "invalid choice"),
        (["--data", "/no/such/folder"], "no data at '/no/such/folder'"),
        (["--set", "generator.name=unit"], "did you mean 'unet'?"),
        (["--set", "generator.args.filter=[8]"], "did you mean 'filters'?"),
        (["--set", "generator.args.filters=8"], "filters"),
        (["--resume", "/no/such/run"], "is no run folder"),
        (["--resume", "--epochs", "3"], "give no other options"),
        (["--model", "unet_skip", "--recipe", "x.toml"], "not allowed with"),
    ],
)
def test_mistakes_in_training(arguments, message, capsys, tmp_path):
    assert message in fails(capsys, *arguments, "--out", str(tmp_path / "runs"))
    assert not (tmp_path / "runs").exists(), "a refused run leaves nothing behind"


def test_folders_without_usable_photos(capsys, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    assert "no photos in folder" in fails(capsys, "--data", str(folder), *TINY)
    for number in range(5):
        (folder / f"{number}.jpg").write_bytes(b"nothing")
    assert "did not decode" in fails(capsys, "--data", str(folder), *TINY)


def test_a_folder_that_cannot_be_written(capsys, tmp_path, photo_folder):
    blocked = tmp_path / "file"
    blocked.write_text("")
    message = fails(capsys, "--data", str(photo_folder), "--out", str(blocked / "runs"), *TINY)
    assert "--out" in message


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk(capsys, tmp_path, photo_folder, monkeypatch):
    from keras_colorize.runs.folder import RunFolder

    monkeypatch.setattr(RunFolder, "notes_file", property(lambda _: Path("/dev/full")))
    assert "No space left on device" in fails(capsys, "--data", str(photo_folder), "--out", str(tmp_path), *TINY)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "unet_skip"], "no run of 'unet_skip'"),
        (["--run", "/no/such/run"], "is no run folder"),
        (["--limit", "0"], "--limit is 0"),
    ],
)
def test_mistakes_in_evaluation(arguments, message, capsys, tmp_path):
    assert message in fails(capsys, *arguments, "--out", str(tmp_path), command="evaluate")


def test_commands_have_one_line_for_a_typo(capsys):
    assert "invalid choice: 'trian'" in fails(capsys, command="trian")


def test_train_and_evaluate_as_a_user_runs_them(tmp_path, photo_folder):
    trained = run("train.py", "--data", str(photo_folder), "--out", str(tmp_path / "runs"), *TINY)
    assert trained.returncode == 0, trained.stderr
    assert trained.stderr == ""
    for words in ("unet_skip", "parameters", "training", "device", "precision", "train 1/1", "evaluate.py --run"):
        assert words in trained.stdout
    evaluated = run("evaluate.py", "--model", "unet_skip", "--out", str(tmp_path / "runs"))
    assert evaluated.returncode == 0, evaluated.stderr
    assert evaluated.stderr == ""
    for words in ("grey (unchanged)", "PSNR", "SSIM", "colorfulness", "metrics.json", "grid.png"):
        assert words in evaluated.stdout


@pytest.mark.slow
def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path, photo_folder):
    command = ["train.py", "--data", str(photo_folder), "--out", str(tmp_path / "runs"), *TINY, "--epochs", "100000"]
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    assert any(line.startswith("train 2/") for line in itertools.islice(process.stdout, 100))
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.count("\n") == 1
    assert "--resume" in error
    (run_folder,) = (tmp_path / "runs" / "unet_skip").iterdir()
    assert list((run_folder / "checkpoint").glob("step-*/state.index"))
    assert (run_folder / "generator.weights.h5").is_file()
