"""Optional packages: whether they are there, and what to install where one is missing.

Colouring photos needs few packages: NumPy, Pillow and a runtime for networks, LiteRT or TensorFlow. All others come
with an extra of this package, such as "tensorflow".
"""

import importlib.util
from importlib import import_module
from types import ModuleType

from keras_colorize.errors import ColorizeError, did_you_mean

RUNTIMES = ("auto", "tensorflow", "litert")

# Modules that the extra "tensorflow" installs, and their names for people.
_TENSORFLOW = {
    "array_record": "ArrayRecord",
    "keras": "Keras",
    "keras_hub": "KerasHub",
    "matplotlib": "Matplotlib",
    "skimage": "scikit-image",
    "tensorboard": "TensorBoard",
    "tensorflow": "TensorFlow",
    "tensorflow_datasets": "TensorFlow Datasets",
}


def is_installed(package: str) -> bool:
    """Tell whether a package, such as "tensorflow", is installed, without importing it."""
    return importlib.util.find_spec(package) is not None


def install(extra: str) -> str:
    """Return the command that installs an extra of this package, for messages."""
    return f'pip install "keras-colorize[{extra}]"'


def choose_runtime(runtime: str) -> str:
    """Choose what runs a network: "tensorflow", or "litert".

    Args:
        runtime: one of `RUNTIMES`. "auto" is TensorFlow where it is installed, and LiteRT elsewhere.

    Raises:
        ColorizeError: no such runtime, or it is not installed.
    """
    if runtime not in RUNTIMES:
        raise ColorizeError(
            f"`runtime` is '{runtime}'{did_you_mean(runtime, RUNTIMES)} (expected {', '.join(RUNTIMES)})"
        )
    has_tensorflow, has_litert = is_installed("tensorflow"), is_installed("ai_edge_litert")
    if runtime == "auto" and not (has_tensorflow or has_litert):
        raise ColorizeError(f"no runtime for networks is installed: {install('tensorflow')}, or {install('lite')}")
    if runtime == "tensorflow" and not has_tensorflow:
        raise ColorizeError(f"TensorFlow is not installed: {install('tensorflow')}")
    if runtime == "litert" and not has_litert:
        raise ColorizeError(f"LiteRT is not installed: {install('lite')}")
    return "litert" if runtime == "litert" or not has_tensorflow else "tensorflow"


def need(module: str, extra: str) -> ModuleType:
    """Import a module of an optional package.

    Args:
        module: in full, such as "ai_edge_litert.interpreter".
        extra: of this package, which installs it.

    Raises:
        ColorizeError: it is not installed; the message says what to install.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ColorizeError(f"{module.partition('.')[0]} is not installed ({error}): {install(extra)}") from error


def without_tensorflow(error: ImportError, purpose: str) -> ColorizeError | None:
    """Return the advice for an import that failed because the extra "tensorflow" is not installed.

    Args:
        error: of the import.
        purpose: what needed the package, for the message.

    Returns:
        The error for the user, or None where something else is missing.
    """
    name = _TENSORFLOW.get((error.name or "").partition(".")[0])
    return None if name is None else ColorizeError(f"{purpose} needs {name}: {install('tensorflow')}")
