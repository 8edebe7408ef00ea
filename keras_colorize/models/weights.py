"""Weights of a network in one file: Keras' own format for runs, and packed weights for the package.

A file of packed weights is a NumPy archive with one array per variable, named by the variable's path. Kernels are
float16, which halves the file and changes colours by less than the rounding of a photo to 8 bits
(`tests/test_packed_weights.py`). Vectors, such as the moving statistics of normalization, stay float32. A recipe of
the zoo states the SHA-256 of its file.
"""

import hashlib
import io
import warnings
import zipfile
from collections.abc import Sequence
from importlib.resources.abc import Traversable
from pathlib import Path

import keras
import numpy as np

from keras_colorize.errors import ColorizeError
from keras_colorize.files import written_whole
from keras_colorize.recipes import packaged_sha256, zoo_folder

PACKED_SUFFIX = ".npz"


def save_weights(network: keras.Model, file: Path) -> None:
    """Write the weights of a network as a `.weights.h5` file, whole or not at all."""
    with written_whole(file) as temporary:
        network.save_weights(temporary)


def load_weights(network: keras.Model, file: Path) -> None:
    """Read a `.weights.h5` file into a network of the same architecture.

    Raises:
        ColorizeError: the file is broken, or belongs to another network.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # about groups that differ, which the error below names
            network.load_weights(file)
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise ColorizeError(f"{file} does not fit the network '{network.name}': {reason}") from error


def average_weights(networks: Sequence[keras.Model], shares: Sequence[float]) -> None:
    """Put the weighted mean of networks of one architecture into the first of them.

    Averages make sense for runs that go on from each other: between unrelated weights lies nothing of use.

    Args:
        shares: one for each network, positive; they are divided by their sum.

    Raises:
        ColorizeError: the shares do not fit, or a network differs in its variables.
    """
    if len(shares) != len(networks) or not all(0 < share < float("inf") for share in shares):
        given = ", ".join(f"{share:g}" for share in shares)
        raise ColorizeError(f"`shares` is {given}: expected a positive number for each of {len(networks)} runs")
    first = networks[0]
    shapes = {variable.path: tuple(variable.shape) for variable in first.variables}
    values = {path: np.zeros(shape, np.float64) for path, shape in shapes.items()}
    for network, share in zip(networks, shares, strict=True):
        if {variable.path: tuple(variable.shape) for variable in network.variables} != shapes:
            raise ColorizeError(f"'{network.name}' and '{first.name}' have other variables: expected one architecture")
        for variable in network.variables:
            values[variable.path] += share / sum(shares) * keras.ops.convert_to_numpy(variable)
    for variable in first.variables:
        variable.assign(values[variable.path].astype(np.float32))


def pack_weights(network: keras.Model, file: Path) -> str:
    """Write the packed weights of a network, whole or not at all, and return the file's SHA-256."""
    arrays = {}
    for variable in network.variables:
        values = keras.ops.convert_to_numpy(variable)
        arrays[variable.path] = values.astype("float16") if values.ndim > 1 else values
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    data = buffer.getvalue()
    with written_whole(file) as temporary:
        temporary.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def unpack_weights(network: keras.Model, file: Traversable, sha256: str = "") -> None:
    """Read a packed file into a network of the same architecture.

    Args:
        network: its variables are overwritten.
        file: a path, or a resource of the package.
        sha256: the expected SHA-256 of the file; empty skips the check.

    Raises:
        ColorizeError: the file is missing or damaged, or belongs to another network.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ColorizeError(f"{file} cannot be read ({error.strerror})") from error
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise ColorizeError(f"{file} is damaged: its SHA-256 is not {sha256[:12]}…; install the package again")
    try:
        with np.load(io.BytesIO(data)) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ColorizeError(f"{file} holds no packed weights ({' '.join(str(error).split())})") from error
    expected = {variable.path: tuple(variable.shape) for variable in network.variables}
    found = {name: array.shape for name, array in arrays.items()}
    if found != expected:
        name = sorted(dict(expected.items() ^ found.items()))[0]
        raise ColorizeError(
            f"{file} does not fit the network '{network.name}': '{name}' is {found.get(name, 'missing')} in the file"
            f" and {expected.get(name, 'unknown')} in the network"
        )
    for variable in network.variables:
        variable.assign(arrays[variable.path].astype("float32"))


def load_packaged(name: str, network: keras.Model) -> None:
    """Read the packaged weights of a system of the zoo into its network.

    Raises:
        ColorizeError: the system comes without weights, or they are damaged.
    """
    unpack_weights(network, zoo_folder() / f"{name}{PACKED_SUFFIX}", packaged_sha256(name))


def load_weights_file(network: keras.Model, file: Path) -> None:
    """Read a run's `.weights.h5` or a packed `.npz` into a network of the same architecture.

    Raises:
        ColorizeError: the file is missing, of another kind, or of another network.
    """
    if not file.is_file():
        raise ColorizeError(f"no weights at '{file}': expected a run's generator.weights.h5 or a packed .npz")
    if file.suffix == PACKED_SUFFIX:
        unpack_weights(network, file)
    else:
        load_weights(network, file)
