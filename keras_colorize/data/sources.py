"""The source of photos that a name stands for: the packaged sample, a folder, a list file, shards, a TFDS data set."""

from pathlib import Path

from keras_colorize.data.folders import LIST_SUFFIXES, folder_source, list_source
from keras_colorize.data.sample import sample_source
from keras_colorize.data.shards import ShardSource, names_shards
from keras_colorize.data.splits import Source
from keras_colorize.data.tfds import TfdsSource
from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.recipes import Data


def open_photos(data: Data) -> Source:
    """Find and divide the photos of a recipe's `[data]` table; nothing is decoded yet.

    Raises:
        ColorizeError: as `open_source`.
    """
    return open_source(data.source, validation_fraction=data.validation_fraction, test_fraction=data.test_fraction)


def open_source(spec: str, *, validation_fraction: float, test_fraction: float) -> Source:
    """Find the photos that `spec` stands for, and divide them into splits.

    Args:
        spec: `sample`, a folder, a list file (.txt or .csv), a pattern of shards (`places-*.tfrecord`, `.arrayrecord`,
            also on an object store) or `tfds:NAME[/CONFIG][:VERSION]`.
        validation_fraction: share of the photos in [0, 1) for validation, where the source has no such split.
        test_fraction: the same for the test.

    Raises:
        ColorizeError: there is nothing of that name, it holds no photos, or the fractions are impossible.
    """
    fractions = {"validation": validation_fraction, "test": test_fraction}
    for name, fraction in fractions.items():
        if not 0 <= fraction < 1:
            raise ColorizeError(f"{name}_fraction is {fraction}: expected a number in [0, 1)")
    if sum(fractions.values()) >= 1:
        raise ColorizeError(
            f"validation_fraction {validation_fraction} and test_fraction {test_fraction} leave nothing to train on;"
            " their sum must be below 1"
        )
    if spec == "sample":
        return sample_source()
    if spec.startswith("tfds:"):
        return TfdsSource(spec.removeprefix("tfds:"), validation_fraction, test_fraction)
    path = Path(spec).expanduser()
    if path.is_dir():
        return folder_source(path, validation_fraction, test_fraction)
    if path.is_file() and path.suffix.lower() in LIST_SUFFIXES:
        return list_source(path, validation_fraction, test_fraction)
    if names_shards(spec):
        return ShardSource(spec, validation_fraction, test_fraction)
    if path.is_file():
        raise ColorizeError(
            f"data '{spec}' is a single file; expected a folder of photos, a list of them"
            f" ({' or '.join(LIST_SUFFIXES)}) or shards (.tfrecord or .arrayrecord)"
        )
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = did_you_mean(path.name, [*beside, "sample"])
    raise ColorizeError(
        f"no data at '{spec}'{near} (expected a folder, a list file, a pattern of shards, 'tfds:NAME', or 'sample' for"
        " the packaged photos)"
    )
