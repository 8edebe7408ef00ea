"""What is asked of an export, known to be possible before anything slow begins. Nothing here loads TensorFlow."""

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from keras_colorize.defaults import LARGEST_VIVIDNESS
from keras_colorize.errors import ColorizeError, did_you_mean

Format = Literal["saved_model", "tflite", "onnx"]
FORMATS = get_args(Format)
Quantization = Literal["none", "float16", "dynamic", "int8"]
QUANTIZATIONS = get_args(Quantization)
ANY = "any"

_NEEDED = {"tflite": ("ai_edge_litert", "ai_edge_quantizer"), "onnx": ("tf2onnx", "onnx", "onnxruntime")}


@dataclass(frozen=True)
class Request:
    """One export.

    format: of the files.
    quantize: of a TFLite file's network.
    size: H and W of the file's input; "any" leaves them to each call; None is the format's default, which is the
        network's own size for TFLite and any for the others.
    core: only L → ab, the network without photos around it.
    vividness: built in; 1 is the system's own.
    data: photos to verify and calibrate with, named as for training.
    max_megapixels: a SavedModel refuses larger photos.

    Raises:
        ColorizeError: the options do not go together.
    """

    format: Format
    quantize: Quantization = "none"
    size: int | str | None = None
    core: bool = False
    vividness: float = 1.0
    data: str = "sample"
    max_megapixels: float = 50.0

    def __post_init__(self) -> None:
        for what, word, known in (("format", self.format, FORMATS), ("quantization", self.quantize, QUANTIZATIONS)):
            if word not in known:
                raise ColorizeError(f"unknown {what} '{word}'{did_you_mean(word, known)} (known: {', '.join(known)})")
        if self.quantize != "none" and self.format != "tflite":
            raise ColorizeError(f"--quantize {self.quantize} is for --format tflite; {self.format} is float32")
        if self.format == "saved_model" and (self.core or self.size not in (None, ANY)):
            raise ColorizeError(
                "a saved_model takes any size and has L → ab as its signature predict_ab: leave --size and --core away"
            )
        if self.size is not None and self.size != ANY and not (isinstance(self.size, int) and self.size > 0):
            raise ColorizeError(f"--size is {self.size}: expected a number of pixels, or any")
        if not (math.isfinite(self.vividness) and 0 <= self.vividness <= LARGEST_VIVIDNESS):
            raise ColorizeError(f"--vividness is {self.vividness:g}: expected 0 to {LARGEST_VIVIDNESS:g}")
        if not self.max_megapixels > 0:
            raise ColorizeError(f"--max-megapixels is {self.max_megapixels:g}: expected more than 0")

    def side(self, image_size: int) -> int | None:
        """H and W of the file's input for a network of that size; None for any."""
        if self.size is None:
            return image_size if self.format == "tflite" else None
        return self.size if isinstance(self.size, int) else None

    def file_name(self, name: str) -> str:
        """Of a TFLite or ONNX file: what differs from the default is in its name."""
        size = () if self.size is None else (str(self.size),)
        quantized = () if self.quantize == "none" else (self.quantize,)
        return "_".join((name, *(("core",) if self.core else ()), *size, *quantized)) + f".{self.format}"


def read_size(text: str) -> int | str:
    """A number, or "any".

    Raises:
        ColorizeError: something else.
    """
    if text == ANY:
        return ANY
    try:
        return int(text)
    except ValueError:
        raise ColorizeError(f"--size is '{text}': expected a number of pixels, or any") from None


def check_installed(request: Request) -> None:
    """Whether the packages that the format needs are there.

    Raises:
        ColorizeError: one is missing.
    """
    for package in _NEEDED.get(request.format, ()):
        if importlib.util.find_spec(package) is None:
            raise ColorizeError(
                f'--format {request.format} needs {package}: pip install "keras-colorize[{request.format}]"'
            )


def check_out(out: str | Path) -> Path:
    """The folder to write, which must be new or empty.

    Raises:
        ColorizeError: it exists and holds something, or is a file.
    """
    folder = Path(out).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ColorizeError(f"'{out}' exists: choose a new folder for --out")
    return folder


def plain(request: Request) -> dict[str, Any]:
    """The options as JSON has them."""
    return {name: getattr(request, name) for name in ("format", "quantize", "size", "core", "vividness")}
