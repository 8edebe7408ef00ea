"""`kill -9` at random moments of real training processes: the run that is resumed is the run that was never killed.

The tests print what they did: `pytest -m slow tests/test_kill.py -s`. What a kill can leave behind is laid out file by
file in `test_checkpoint.py`, which is quick.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keras_colorize.recipes import Recipe
from keras_colorize.runs.folder import RunFolder
from keras_colorize.training import loop as train
from keras_colorize.training.checkpoints import newest_position
from tests.conftest import write_photos
from tests.tiny_runs import assert_same_runs, log_rows, tiny

ROOT = Path(__file__).resolve().parents[1]
# Everything that has a memory: two stages, both optimizers, a schedule, averaged weights, dropout, best-so-far.
MEMORY = (
    "pretrain.epochs=2", "optimizer.average=0.9", "optimizer.decay='linear'", "optimizer.warmup_steps=5",
    "early_stopping.monitor='ab_mae'", "early_stopping.patience=1000",
)  # fmt: skip


class Killing:
    """Starts a run, kills it, resumes it, kills it …

    Args:
        recipe_file: what to train.
        out: where the run goes.
        rng: of the moments.
    """

    def __init__(self, recipe_file: Path, out: Path, rng: random.Random) -> None:
        self._recipe_file = recipe_file
        self._out = out
        self._rng = rng
        self.kills = 0

    @property
    def folder(self) -> RunFolder | None:
        """The run, once there is one."""
        files = list(self._out.glob("*/*/recipe.toml"))
        return RunFolder.open(files[0].parent) if files else None

    @property
    def step(self) -> int:
        """Of the newest checkpoint."""
        position = newest_position(self.folder.checkpoints) if self.folder else None
        return position.step if position else 0

    def once(self, target: int | None) -> bool:
        """Run until finished, or kill soon after a checkpoint of step `target`; whether it was killed."""
        what = ["--resume", str(self.folder)] if self.folder else ["--recipe", str(self._recipe_file)]
        command = [sys.executable, "-m", "keras_colorize", "train", *what]
        before = self.step
        process = subprocess.Popen(
            [*command, *([] if self.folder else ["--out", str(self._out)])], cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        assert process.stdout is not None
        if target is None:
            output, _ = process.communicate(timeout=600)
            assert process.returncode == 0, output
            print(f"resumed from step {before}, finished")
            return False
        # Most moments are of training itself; one in five is of whatever comes before it goes on.
        early = self._rng.random() < 0.2
        said = ""
        for line in process.stdout:
            said += line
            if early or line.startswith("run "):  # the header's last line
                break
        while not early and self.step < max(target, before + 1) and process.poll() is None:
            time.sleep(0.001)
        delay = self._rng.uniform(0, 3.0 if early else 0.5)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        output, _ = process.communicate(timeout=60)
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == 0 or "is finished" in said + output, said + output
            return False
        self.kills += 1
        when = "its first line" if early else f"the checkpoint of step {max(target, before + 1)}"
        print(f"kill {self.kills:2d}: from step {before:3d}, {delay:.3f} s after {when}: {self._left()}")
        return True

    def _left(self) -> str:
        """Describe the files that the kill left."""
        if self.folder is None:
            return "no folder yet"
        rows = log_rows(self.folder) if self.folder.log_file.is_file() else []
        logged = f"log at step {rows[-1]['step']:.0f}" if rows else "no log yet"
        half = [str(path.relative_to(self.folder.path)) for path in self.folder.path.rglob("tmp-*")]
        return f"{logged}, checkpoint of step {self.step}" + (f", half written: {', '.join(half)}" if half else "")


def kill_and_compare(recipe: Recipe, root: Path, *, kills: int, seed: int) -> None:
    """Train once undisturbed and once under `kills` kills all over it; they must not differ in a bit."""
    (root / "kill.toml").write_text(recipe.to_toml())
    undisturbed = train.start(recipe, root / "undisturbed")
    end = newest_position(undisturbed.checkpoints)
    assert end is not None
    print(f"\nundisturbed: {end}")
    rng = random.Random(seed)
    killing = Killing(root / "kill.toml", root / "killed", rng)
    for target in sorted(rng.sample(range(1, end.step * 9 // 10), kills)):  # what is lost lies in the last tenth
        assert killing.once(target), f"finished after {killing.kills} kills: train longer"
    killing.once(None)
    assert killing.folder is not None
    assert_same_runs(undisturbed, killing.folder)
    print(f"equal to the undisturbed run, bit for bit, after {killing.kills} kills")


@pytest.mark.slow
def test_two_kills_change_nothing(tmp_path):
    photos = write_photos(tmp_path / "photos")
    settings = ["early_stopping.monitor='ab_mae'", "schedule.checkpoint_minutes=0"]
    kill_and_compare(tiny(photos, *settings), tmp_path, kills=2, seed=1)


@pytest.mark.slow
def test_twenty_kills_change_nothing(tmp_path):
    photos = write_photos(tmp_path / "photos")
    settings = [*MEMORY, "schedule.epochs=60", "schedule.checkpoint_minutes=0.005"]
    kill_and_compare(tiny(photos, *settings), tmp_path, kills=20, seed=0)
