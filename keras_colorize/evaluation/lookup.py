"""Lookup before the work: systems by the names of models and runs, and the folder for their results.

It loads no TensorFlow, so that a mistake is answered at once.
"""

import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from keras_colorize.errors import ColorizeError
from keras_colorize.recipes import packaged_names, zoo_names
from keras_colorize.runs.folder import RunFolder


def find_systems(models: Sequence[str], runs: Sequence[str], out: str | Path) -> list[RunFolder | str]:
    """Find the newest run of each model, and the runs. A model without a run stands for its packaged weights.

    Args:
        models: names of models, or folders that somebody shared.
        runs: run folders.
        out: the folder that holds the runs. Without models and runs, its newest run is taken.

    Returns:
        Runs, and names of zoo systems with packaged weights: models first.

    Raises:
        ColorizeError: a name has neither a run nor packaged weights, or one is named twice.
    """
    if not models and not runs:
        return [RunFolder.newest(out)]
    found: list[RunFolder | str] = [*(_of_model(name, out) for name in models), *(RunFolder.open(run) for run in runs)]
    keys = [what.path.resolve() if isinstance(what, RunFolder) else what for what in found]
    for number, key in enumerate(keys):
        if key in keys[:number]:
            raise ColorizeError(f"'{found[number]}' is named twice: name each system once")
    return found


def folder_for(found: Sequence[RunFolder | str], out: str | Path) -> Path:
    """Return the folder for results: a single run's own `evaluation/`, else `OUT/evaluation/TIME`.

    A folder that somebody shared gets no files, since it may be read-only or belong to others.
    """
    if len(found) == 1 and isinstance(found[0], RunFolder) and not found[0].sha256():
        return found[0].evaluation
    stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    folder = Path(out) / "evaluation" / stamp
    attempt = 1
    while folder.exists():  # another evaluation began within the same second
        attempt += 1
        folder = folder.with_name(f"{stamp}-{attempt}")
    return folder


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made or written, before any work is done for it.

    Raises:
        ColorizeError: the folder or its nearest existing parent is no folder, or nothing can be written into it.
    """
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise ColorizeError(
            f"nothing can be written to '{folder}' ({error.strerror}): check the path and its permissions"
        ) from error


def _of_model(name: str, out: str | Path) -> RunFolder | str:
    if name not in zoo_names() and Path(name).expanduser().is_dir():
        return RunFolder.open(name)
    try:
        return RunFolder.newest(out, name)
    except ColorizeError:
        if name in packaged_names():
            return name
        raise
