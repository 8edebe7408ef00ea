"""Checkpoints: the state of training on disk, written whole or not at all, with checksums."""

import errno
import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import tensorflow as tf

from keras_colorize.errors import ColorizeError

KEEP = 2
_TEMPORARY = "tmp-"


@dataclass
class Position:
    """The position of a training: steps and whole epochs done, and the memory of early stopping."""

    step: int = 0
    seconds: float = 0.0  # of training, where a log counts them
    epoch: int = 0
    best: float = math.nan  # the monitor's best value so far; NaN before the first
    waited: int = 0  # looks at the monitor without improvement since then
    finished: bool = False


class Checkpoints:
    """Saves and restores a run's variables together with its position and the best weights so far.

    A checkpoint is a folder `step-00000123` with TensorFlow's own files (`state.index`, `state.data-…`),
    `position.json`, the best weights where there are some, and `SHA256SUMS` (which `sha256sum -c` reads). It is written
    under a temporary name and renamed when everything is on the disk, so it appears whole or not at all. The two newest
    are kept.

    Args:
        folder: the folder of the checkpoints.
        variables: all state that training changes (`SupervisedTrainer.state_variables`), in a fixed order.
        best_weights: the file of early stopping, which is saved and restored too, where there is one.
    """

    def __init__(self, folder: Path, variables: list[keras.Variable], best_weights: Path | None = None) -> None:
        self._folder = folder
        self._best_weights = best_weights
        self._state = tf.train.Checkpoint(variables=[variable.value for variable in variables])
        self._good: list[int] = []  # steps whose checkpoints this process has written or read, in order
        self._latest: tuple[int, bool] | None = None  # step and finished of the one written or read last
        self.bytes = sum(variable.value.dtype.size * math.prod(variable.shape) for variable in variables)
        """Size of a checkpoint in bytes, without names and indices."""

    @property
    def last_step(self) -> int | None:
        """The step of the newest good checkpoint."""
        return self._good[-1] if self._good else None

    def save(self, position: Position) -> None:
        """Write the state, unless it is the one written or restored last.

        Raises:
            OSError: the disk is full or read-only; earlier checkpoints are as they were.
        """
        # Without a step in between nothing has changed but the clock.
        if self._latest is not None and (position.step, position.finished) == self._latest:
            return
        temporary = self._folder / f"{_TEMPORARY}{_name(position.step)}"
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            self._write(temporary, position)
            self._replace(self._folder / _name(position.step), temporary)
            _flush(self._folder)
        except tf.errors.OpError as error:
            code = errno.ENOSPC if isinstance(error, tf.errors.ResourceExhaustedError) else errno.EIO
            raise OSError(code, f"could not write a checkpoint: {error.message}", str(self._folder)) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)  # what a full disk left of it
        self._good = [*(step for step in self._good if step != position.step), position.step][-KEEP:]
        self._latest = position.step, position.finished
        for step in _steps(self._folder):
            if step not in self._good:
                self._replace(self._folder / _name(step), None)

    def restore(self, agree: Callable[[list[int]], list[int]] | None = None) -> tuple[Position | None, list[str]]:
        """Restore the newest whole state; return its position, and a line for each newer one that is damaged.

        The position is None where no checkpoint was ever written: the run begins anew.

        Args:
            agree: called with the steps of all whole checkpoints, newest first; returns those that may be restored.

        Raises:
            ColorizeError: all checkpoints are damaged, or the state does not fit the recipe's networks.
        """
        for leftover in self._folder.glob(f"{_TEMPORARY}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        remarks: list[str] = []
        whole = self._whole_steps(remarks)
        step = next(iter(agree(list(whole)) if agree else whole), None)
        if step is None:
            if remarks or any(self._folder.glob("*.index")):
                reason = "; ".join(remarks) or "written by an earlier version"
                raise ColorizeError(f"no checkpoint in {self._folder} can be read ({reason}): start a new run")
            self._restore_best(None)
            return None, []
        path = self._folder / _name(step)
        try:
            self._state.read(str(path / "state")).assert_consumed()
        except (AssertionError, ValueError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0]
            raise ColorizeError(f"checkpoint {path} does not fit the run's recipe.toml: {reason}") from error
        self._restore_best(path)
        position = _read_position(path)
        self._good, self._latest = [step], (position.step, position.finished)
        return position, remarks

    def _whole_steps(self, remarks: list[str]) -> Iterator[int]:
        """Yield the steps of whole checkpoints, newest first; append a line for each damaged one to `remarks`."""
        for step in reversed(_steps(self._folder)):
            damage = _damage(self._folder / _name(step))
            if damage is None:
                yield step
            else:
                remarks.append(f"checkpoint {_name(step)} is damaged and left out: {damage}")

    def _restore_best(self, checkpoint: Path | None) -> None:
        """Bring the best weights to those of a checkpoint, or remove them where it has none."""
        if self._best_weights is None:
            return
        if checkpoint is not None and (best := checkpoint / self._best_weights.name).is_file():
            link_or_copy(best, self._best_weights)
        else:
            self._best_weights.unlink(missing_ok=True)

    def _write(self, folder: Path, position: Position) -> None:
        folder.mkdir(parents=True)
        self._state.write(str(folder / "state"))
        (folder / "position.json").write_text(json.dumps(asdict(position)) + "\n", encoding="utf-8")
        if self._best_weights is not None and self._best_weights.is_file():
            link_or_copy(self._best_weights, folder / self._best_weights.name)
        sums = "".join(f"{_sha256(file)}  {file.name}\n" for file in sorted(folder.iterdir()))
        (folder / "SHA256SUMS").write_text(sums, encoding="utf-8")
        for file in folder.iterdir():
            _flush(file)
        _flush(folder)

    def _replace(self, path: Path, new: Path | None) -> None:
        """Remove a checkpoint, and put `new` in its place where that is given.

        The old one is renamed before it is deleted, so that half a checkpoint never looks like a damaged one.
        """
        gone = path.with_name(f"{_TEMPORARY}old-{path.name}")
        shutil.rmtree(gone, ignore_errors=True)
        if path.is_dir():
            os.rename(path, gone)
        if new is not None:
            os.rename(new, path)
        shutil.rmtree(gone, ignore_errors=True)


def newest_position(folder: Path, *, whole: bool = False) -> Position | None:
    """Return the position of a folder's newest checkpoint, without restoring it; None where there is none.

    Args:
        folder: of the checkpoints.
        whole: leave out checkpoints that are damaged, as a restore does; this reads all their files.
    """
    paths = (folder / _name(step) for step in reversed(_steps(folder)))
    path = next((path for path in paths if not whole or _damage(path) is None), None)
    return None if path is None else _read_position(path)


def _steps(folder: Path) -> list[int]:
    numbers = (path.name.removeprefix("step-") for path in folder.glob("step-*"))
    return sorted(int(number) for number in numbers if number.isdigit())


def _name(step: int) -> str:
    return f"step-{step:08d}"


def _read_position(path: Path) -> Position:
    return Position(**json.loads((path / "position.json").read_text(encoding="utf-8")))


def _damage(path: Path) -> str | None:
    """Say what is wrong with the files of a checkpoint; None where they are as they were written."""
    try:
        lines = (path / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
        sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
        for name in ("position.json", "state.index", *sums):
            if not (path / name).is_file():
                return f"{name} is missing"
            if sums.get(name) != _sha256(path / name):
                return f"{name} does not match its checksum"
    except FileNotFoundError:
        return "SHA256SUMS is missing"
    except (OSError, ValueError) as error:
        return f"it cannot be read ({error})"
    return None


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` the same file as `source` where the file system can, else a copy; atomic.

    Neither file is ever written in place, so a change of one does not reach the other. The temporary name is used for
    nothing else: to write to one that a kill has left would write into both files.
    """
    temporary = target.with_name(f"{_TEMPORARY}link-{target.name}")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:
        shutil.copyfile(source, temporary)
    os.replace(temporary, target)
    temporary.unlink(missing_ok=True)  # renaming does nothing where both names are the same file already


def _flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk: a power cut must not undo a rename's order."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
