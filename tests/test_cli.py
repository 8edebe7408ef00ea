"""The command line starts light, answers a mistake with one line and code 2, and never shows a traceback."""

import errno
import itertools
import os
import pickle
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from keras_colorize.cli import main
from keras_colorize.cli.interruption import Interruption
from keras_colorize.cli.messages import disk_error_line, error_line
from keras_colorize.errors import ColorizeError
from keras_colorize.recipes import Recipe, packaged_names

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


@pytest.mark.parametrize("arguments", ["import keras_colorize", "import keras_colorize.cli", "--help", "train --help"])
def test_starting_loads_the_standard_library_only(arguments):
    code = (
        arguments
        if arguments.startswith("import")
        else f"import keras_colorize.cli as cli; cli.main({arguments.split()})"
    )
    report = "import atexit, sys; before = set(sys.modules); atexit.register(lambda: print(*set(sys.modules) - before))"
    started = run("-c", f"{report}\n{code}")
    assert started.returncode == 0, started.stderr
    loaded = {name.partition(".")[0] for name in started.stdout.splitlines()[-1].split()}
    assert "keras_colorize" in loaded
    assert loaded - {"keras_colorize"} <= set(sys.stdlib_module_names)


def test_zoo_does_not_load_tensorflow():
    code = "import sys, keras_colorize.cli as cli; cli.main(['zoo']); print({'tensorflow', 'keras'} & set(sys.modules))"
    assert run("-c", code).stdout.endswith("set()\n")


def test_errors_speak_of_flags_and_commands_at_the_command_line_only():
    error = ColorizeError("`image_size` is 0 in `data`: expected 1", action="train", model="unet")
    assert error_line(error, {"image_size": "--image-size"}) == (
        "--image-size is 0 in data: expected 1; train one first: train.py --model unet"
    )
    assert error_line(KeyboardInterrupt("stopped\nby Ctrl-C"), {}) == "stopped by Ctrl-C"
    assert (error.action, pickle.loads(pickle.dumps(error)).details) == ("train", {"model": "unet"})


def test_a_disk_error_without_a_number_is_taken_for_a_full_disk():
    line = disk_error_line(OSError("a checkpoint needs 17 MB"), {"out": "--out"})
    assert line == "a checkpoint needs 17 MB; free some space, or choose another folder with --out"


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "free some space, or choose another folder with --out"),
        (errno.EROFS, "check the path, or choose another with --out"),
        (errno.ENOENT, "check the path, or choose another with --out"),
    ],
)
def test_a_file_that_the_system_refuses_is_one_line(number, advice, capsys, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number), "runs/unet")

    monkeypatch.setattr("keras_colorize.runs.folder.RunFolder.newest", refuse)
    error = fails(capsys, "--out", str(tmp_path), command="evaluate")
    assert error == f"keras-colorize evaluate: {os.strerror(number)}: 'runs/unet'; {advice}\n"


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
        (["--resume", "--seed", "3"], "give no other options but --epochs"),
        (["--model", "unet_skip", "--recipe", "x.toml"], "not allowed with"),
        (["--model", "unet_skp"], "did you mean 'unet_skip'? keras-colorize zoo lists them"),
        (["--model", "pix2pix", "--from-zoo"], "(with weights: vivid); leave --from-zoo away"),
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
    assert f"since '{blocked}' is a file: choose another with --out" in message
    assert f"'{blocked}' cannot be a folder" in fails(capsys, "--out", str(blocked), *TINY)
    if Path("/proc/self").exists():
        assert "'/proc' cannot be written" in fails(capsys, "--out", "/proc/x", *TINY)


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


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("raise KeyboardInterrupt", 130),
        ("raise OSError(28, 'No space left on device')", 2),
        ("return 1", 1),
        ("return 0", 0),
    ],
)
def test_a_command_with_threads_cleans_up_and_leaves_without_finalizing_python(end, code):
    """A thread in C++ code can abort the process while Python is finalized: exit status -6 in place of the code."""
    command = f"""if True:
        import atexit, os, sys, threading
        from keras_colorize import cli

        class Witness:
            def __del__(self, write=os.write):
                write(1, b"finalized")

        class Command:
            SUMMARY = "A command."

            @staticmethod
            def add_arguments(parser):
                pass

            @staticmethod
            def run(options):
                atexit.register(print, "cleaned up")
                print("worked", end=", ")
                threading.Thread(target=threading.Event().wait, daemon=True).start()
                {end}

        witness = Witness()
        cli.COMMANDS, cli.THREADED = {{"command": Command}}, (Command,)
        sys.exit(cli.main())
    """
    ended = run("-c", command, "command")
    assert (ended.returncode, ended.stdout) == (code, "worked, cleaned up\n"), ended.stderr


def test_the_first_signal_asks_and_the_second_stops_whichever_they_are():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    for first, second in itertools.product((signal.SIGINT, signal.SIGTERM), repeat=2):
        with Interruption() as stop:
            assert stop.reason == ""
            signal.raise_signal(first)
            assert stop.reason == {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}[first]
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(second)
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_reader_that_goes_away_is_no_error():
    with subprocess.Popen(
        [sys.executable, "-m", "keras_colorize", "zoo", "--names"], cwd=ROOT, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 0


def test_the_zoo_shows_a_recipe_with_its_parents_and_all_its_values(capsys):
    assert main(["zoo", "unet_skip"]) == 0
    said = capsys.readouterr().out
    text, _, values = said.partition("# Every value of unet_skip\n\n")
    assert text.startswith("# zoo/unet_skip.toml\n\n")
    assert Recipe.from_dict(tomllib.loads(values)) == Recipe.load("unet_skip")
    assert main(["zoo", "--names", "--with-weights"]) == 0
    assert capsys.readouterr().out.split() == packaged_names()


@pytest.mark.parametrize("end", ["finished", "out of time", "interrupted"])
def test_the_end_of_a_training_says_what_to_type(end, capsys, tmp_path, monkeypatch):
    from keras_colorize.runs.folder import RunFolder
    from keras_colorize.training import checkpoints, loop

    def start(recipe, out, *, stop, **_):
        folder = RunFolder.create(out, recipe)
        with stop:
            if end == "interrupted":
                signal.raise_signal(signal.SIGTERM)
        return folder

    monkeypatch.setattr(loop, "start", start)
    monkeypatch.setattr(checkpoints, "newest_position", lambda _: checkpoints.Position(finished=end == "finished"))
    out = tmp_path / "runs"
    code = main(["train", "--model", "unet_skip", "--out", str(out), *TINY])
    (folder,) = (out / "unet_skip").iterdir()
    said = capsys.readouterr()
    if end == "interrupted":
        assert code == 130
        line = f"stopped by SIGTERM: keras-colorize train --resume {folder} goes on"
        assert said.err == f"keras-colorize train: {line}\n" and said.out == ""
    elif end == "out of time":
        assert (code, said.out) == (0, f"keras-colorize train --resume {folder} goes on\n")
    else:
        assert code == 0
        for command in (
            f"keras-colorize evaluate --run {folder}",
            f"keras-colorize train --resume {folder} --epochs N",
            f"keras-colorize train --recipe {folder / 'recipe.toml'} --out {out}",
        ):
            assert f": {command}\n" in said.out


@pytest.mark.slow
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
