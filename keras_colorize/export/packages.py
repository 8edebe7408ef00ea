"""Optional packages that exports need: imported when an export asks for them, with advice where one is missing."""

from types import ModuleType

from keras_colorize import packages
from keras_colorize.errors import ColorizeError

# format → the packages that it needs; the extra of this package that installs them has the format's name.
_PACKAGES = {"tflite": ("ai_edge_litert", "ai_edge_quantizer"), "onnx": ("tf2onnx", "onnx", "onnxruntime")}


def check_installed(format: str) -> None:
    """Check that the packages of a format are installed, without importing them.

    Raises:
        ColorizeError: one is missing; the message says what to install.
    """
    for package in _PACKAGES.get(format, ()):
        if not packages.is_installed(package):
            raise ColorizeError(f"`format` {format} needs {package}: {packages.install(format)}")


def need(module: str) -> ModuleType:
    """Import a module of an optional package.

    Raises:
        ColorizeError: it is not installed; the message says what to install.
    """
    package = module.partition(".")[0]
    return packages.need(module, next(format for format, known in _PACKAGES.items() if package in known))


def first_line(error: Exception) -> str:
    """Return the first line of another package's error, or its class where the message is empty."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
