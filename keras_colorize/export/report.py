"""The report of an export: what was written and what verification found, `export.json` in the folder."""

import json
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from keras_colorize import __version__
from keras_colorize.errors import ColorizeError
from keras_colorize.export.metadata import ModelMetadata
from keras_colorize.export.request import ExportRequest
from keras_colorize.export.verification import CORE_TOLERANCE, TOLERANCE, Comparison
from keras_colorize.hardware import processors

REPORT_FILE = "export.json"

_PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "ai-edge-quantizer", "tf2onnx", "onnx", "onnxruntime")


@dataclass
class ExportReport:
    """The files of an export and the figures of its verification.

    Attributes:
        name: of the system.
        options: of the request.
        files: path in the folder → bytes.
        comparison: how far the file is from the Colorizer.
        hinted: the same for photos with hints; None where the file takes none.
        tolerance: the largest mean differences that are allowed.
        milliseconds: threads → time for one photo of the network's size, or for the network alone where the file is a
            core; "keras" is the Colorizer with all of the machine's threads.
        photo_milliseconds: the same for a photo of 1.4 megapixels (`verification.PHOTO_SIZE`); empty where the file
            does not take that size.
        signatures: name → inputs and outputs.
        metadata: of a TFLite or ONNX file: what each input and output means (`metadata.ModelMetadata`).
        to_float: the mean difference of a quantized file from the float32 one, in grey levels.
        left_out: the layers that stay in float32.
        remarks: one line each, for people.
    """

    name: str
    options: dict[str, object]
    files: dict[str, int]
    comparison: Comparison
    tolerance: dict[str, float]
    hinted: Comparison | None = None
    milliseconds: dict[str, float] = field(default_factory=dict)
    photo_milliseconds: dict[str, float] = field(default_factory=dict)
    signatures: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    metadata: ModelMetadata | None = None
    to_float: float | None = None
    left_out: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        name: str,
        request: ExportRequest,
        folder: Path,
        comparison: Comparison,
        hinted: Comparison | None = None,
    ) -> "ExportReport":
        """Report on the files of a folder."""
        found = (file for file in sorted(folder.rglob("*")) if file.is_file())
        files = {str(file.relative_to(folder)): file.stat().st_size for file in found}
        tolerance = {"grey_levels": TOLERANCE[request.quantize], "ab_of_the_network": CORE_TOLERANCE}
        return cls(name, request.summary(), files, comparison, tolerance, hinted)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(self.files.values())

    def check(self) -> None:
        """Check that photos differ from the Colorizer's by no more than the tolerance, on average.

        Raises:
            ColorizeError: they differ more.
        """
        limit = self.tolerance["grey_levels"]
        for comparison, what in ((self.comparison, ""), (self.hinted, " with hints")):
            if comparison is None:
                continue
            mean = comparison.grey_levels.mean
            if not mean <= limit:
                raise ColorizeError(
                    f"the {self.options['format']} differs from the Colorizer{what} by {mean:.2f} grey levels on"
                    f" average (at most {limit:g}): nothing was written"
                )

    def write(self, folder: Path) -> None:
        """Write `export.json` into a folder."""
        versions = {"keras-colorize": __version__}
        for package in _PACKAGES:
            try:
                versions[package] = version(package)
            except PackageNotFoundError:
                continue
        table = asdict(self) | {"bytes": self.size, "threads_of_keras": processors(), "versions": versions}
        text = json.dumps(table, indent=2, ensure_ascii=False, default=float) + "\n"
        (folder / REPORT_FILE).write_text(text, encoding="utf-8")
