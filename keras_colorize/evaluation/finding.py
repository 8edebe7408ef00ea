"""Which systems `--model` and `--run` mean; loads no TensorFlow, so that a typo is answered at once."""

from collections.abc import Sequence
from pathlib import Path

from keras_colorize.errors import ColorizeError
from keras_colorize.recipes import load_card, zoo_names
from keras_colorize.runs.folder import RunFolder


def find_systems(models: Sequence[str], runs: Sequence[str], out: str | Path) -> list[RunFolder | str]:
    """The newest run of each model, then the runs; a model without a run is its packaged weights, by name.

    Args:
        models: names.
        runs: folders.
        out: where runs are looked for. With neither models nor runs the newest of all is taken.

    Raises:
        ColorizeError: there is none of that name, or one is named twice.
    """
    if not models and not runs:
        return [RunFolder.newest(out)]
    found: list[RunFolder | str] = [*(_of_model(name, out) for name in models), *(RunFolder.open(run) for run in runs)]
    keys = [what.path.resolve() if isinstance(what, RunFolder) else what for what in found]
    for number, key in enumerate(keys):
        if key in keys[:number]:
            raise ColorizeError(f"'{found[number]}' is named twice: name each system once")
    return found


def _of_model(name: str, out: str | Path) -> RunFolder | str:
    try:
        return RunFolder.newest(out, name)
    except ColorizeError:
        if name in zoo_names() and load_card(name).sha256:  # the package has weights of it
            return name
        raise
