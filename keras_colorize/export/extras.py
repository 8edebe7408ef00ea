"""Packages that only an export needs: imported when one is asked for, with a line of advice where they are missing."""

from importlib import import_module
from typing import Any

from keras_colorize.errors import ColorizeError

# module → the extra of this package that installs it
_EXTRAS = {
    "ai_edge_litert.interpreter": "tflite",
    "ai_edge_litert.schema_py_generated": "tflite",
    "ai_edge_quantizer": "tflite",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "tf2onnx": "onnx",
}


def need(module: str) -> Any:
    """The module.

    Raises:
        ColorizeError: it is not installed; the message says what to install.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package, extra = module.partition(".")[0], _EXTRAS[module]
        raise ColorizeError(f'{package} is not installed ({error}): pip install "keras-colorize[{extra}]"') from error


def first_line(error: Exception) -> str:
    """What an error of another package says, or its class where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
