"""The request for an export, checked before anything slow begins. Loads no TensorFlow."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from keras_colorize.color.vividness import check_vividness
from keras_colorize.errors import ColorizeError, did_you_mean

Format = Literal["saved_model", "tflite", "onnx"]
FORMATS = get_args(Format)
Quantization = Literal["none", "float16", "dynamic", "int8"]
QUANTIZATIONS = get_args(Quantization)
ANY = "any"

# [choice] The smallest and largest fixed sides in pixels. Less is no photo. A file for one size lays the memory of a
# whole photo out at once, some 30 floats a pixel: 2 GB at 4,096 × 4,096.
SMALLEST_SIDE, LARGEST_SIDE = 8, 4096


@dataclass(frozen=True)
class ExportRequest:
    """The options of one export.

    Attributes:
        format: of the files: "saved_model", "tflite" or "onnx".
        quantize: the quantization of a TFLite file's network: "none", "float16", "dynamic" or "int8".
        size: height and width of the file's input in pixels, 8 to 4096; "any" leaves them to each call; None is the
            format's default, the network's own size for TFLite and any size otherwise.
        core: export the network alone, L → ab, without the photo around it. A network that takes hints has them as a
            second input of its core.
        distribution: give a core of a network that predicts a distribution over colours this distribution as a second
            output.
        vividness: built into the file, 0 to 10; 1 is the system's own.
        data: the photos to verify and calibrate with, named as for training.
        max_megapixels: a SavedModel refuses larger photos.

    Raises:
        ColorizeError: an option is unknown or out of range, or two options exclude each other.
    """

    format: Format
    quantize: Quantization = "none"
    size: int | str | None = None
    core: bool = False
    distribution: bool = False
    vividness: float = 1.0
    data: str = "sample"
    max_megapixels: float = 50.0

    def __post_init__(self) -> None:
        for what, word, known in (("format", self.format, FORMATS), ("quantization", self.quantize, QUANTIZATIONS)):
            if word not in known:
                raise ColorizeError(f"unknown {what} '{word}'{did_you_mean(word, known)} (known: {', '.join(known)})")
        if self.quantize != "none" and self.format != "tflite":
            raise ColorizeError(f"`quantize` is {self.quantize}: only tflite files are quantized, not {self.format}")
        if self.format == "saved_model" and (self.core or self.size not in (None, ANY)):
            raise ColorizeError(
                "a saved_model takes any size and has the network alone as its signature predict_ab: leave `size`"
                " and `core` out"
            )
        if self.distribution and not self.core:
            raise ColorizeError("`distribution` is an output of the network alone: ask for `core` too, or leave it out")
        if self.size is not None and self.size != ANY:
            in_range = isinstance(self.size, int) and SMALLEST_SIDE <= self.size <= LARGEST_SIDE
            if not in_range:
                raise ColorizeError(
                    f"`size` is {self.size}: expected {SMALLEST_SIDE} to {LARGEST_SIDE} pixels, or any for a file that"
                    " takes photos of all sizes"
                )
        check_vividness(self.vividness)
        if not self.max_megapixels > 0:
            raise ColorizeError(f"`max_megapixels` is {self.max_megapixels:g}: expected more than 0")

    def side(self, image_size: int) -> int | None:
        """Return H and W of the file's input for a network of that size; None for any."""
        if self.size is None:
            return image_size if self.format == "tflite" else None
        return self.size if isinstance(self.size, int) else None

    def file_name(self, name: str) -> str:
        """Name a TFLite or ONNX file after the system and the options that differ from the default."""
        size = () if self.size is None else (str(self.size),)
        quantized = () if self.quantize == "none" else (self.quantize,)
        kind = (*(("core",) if self.core else ()), *(("distribution",) if self.distribution else ()))
        return "_".join((name, *kind, *size, *quantized)) + f".{self.format}"

    def summary(self) -> dict[str, object]:
        """Return the options that change the file, as `export.json` has them."""
        names = ("format", "quantize", "size", "core", "distribution", "vividness")
        return {name: getattr(self, name) for name in names}


def read_size(text: str) -> int | str:
    """Read a size: a number of pixels, or "any".

    Raises:
        ColorizeError: something else.
    """
    if text == ANY:
        return ANY
    try:
        return int(text)
    except ValueError:
        raise ColorizeError(f"`size` is '{text}': expected a number of pixels, or any") from None


def check_out(out: str | Path) -> Path:
    """Return the folder to write, which must be new or empty.

    Raises:
        ColorizeError: it exists and holds something, or is a file.
    """
    folder = Path(out).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ColorizeError(f"'{out}' exists: choose a new folder for `out`")
    return folder
