"""Every system of the zoo in every format: size, latency on 1 and 2 threads against Keras, difference.

    python benchmarks/export.py [--models NAME,…] [--formats FORMAT,…] [--image-size 128] [--json FILE]

Weights are random, so that nothing has to be trained: sizes and latencies are those of trained systems, differences are
larger, most of all quantized ones (an untrained network amplifies what rounding leaves). Latency is one photo of the
network's size, colour conversion included.
"""

import argparse
import contextlib
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_colorize.errors import ColorizeError
from keras_colorize.export.export import export
from keras_colorize.export.report import ExportReport
from keras_colorize.export.request import FORMATS, QUANTIZATIONS, ExportRequest
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.models.networks import build_generator
from keras_colorize.recipes import Recipe, zoo_names

KINDS = ["saved_model", *(f"tflite {kind}" for kind in QUANTIZATIONS), "tflite core", "onnx"]


def main() -> None:
    """Export all, print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", default=",".join(zoo_names()))
    parser.add_argument("--formats", default=",".join(KINDS), help=f"of: {', '.join(KINDS)}")
    parser.add_argument("--image-size", type=int, default=None, help="instead of each recipe's own")
    parser.add_argument("--json", type=Path, help="the figures in a file")
    options = parser.parse_args()

    rows: list[dict[str, Any]] = []
    headings = ("MB", "1 thread", "2 threads", "Keras", "mean", "max", "left out")
    widths = (8, 9, 9, 8, 7, 5, 9)
    cells = " ".join(f"{heading:>{width}}" for heading, width in zip(headings, widths, strict=True))
    print(f"{'system':28} {'format':16} {cells}")
    for name in options.models.split(","):
        colorizer = untrained(name, options.image_size)
        for kind in options.formats.split(","):
            row = {"system": name, "size": colorizer.image_size, "format": kind} | measured(colorizer, kind)
            rows.append(row)
            print(line(row), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


def untrained(name: str, image_size: int | None) -> Colorizer:
    """A system as it starts."""
    recipe = Recipe.load(name).with_values(backbone_weights="random")
    if image_size is not None:
        recipe = recipe.with_values(**{"data.image_size": image_size})
    return Colorizer(build_generator(recipe), recipe)


def request_of(kind: str) -> ExportRequest:
    """`tflite int8` → its request."""
    format, _, more = kind.partition(" ")
    assert format in FORMATS, f"unknown format {format}"
    return ExportRequest(format, quantize=more if more in QUANTIZATIONS else "none", core=more == "core")  # type: ignore[arg-type]


def measured(colorizer: Colorizer, kind: str) -> dict[str, Any]:
    """The report's figures, or why there are none."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        try:
            report: ExportReport = export(colorizer, request_of(kind), Path(folder) / "out")
        except ColorizeError as error:
            return {"error": str(error)}
    times, grey = report.milliseconds, report.comparison.grey_levels
    return {
        "megabytes": report.size / 1e6,
        "milliseconds": times,
        "mean": grey.mean,
        "max": grey.max,
        "to_float": report.to_float,
        "left_out": len(report.left_out),
    }


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    start = f"{row['system']:28} {row['format']:16}"
    if "error" in row:
        return f"{start} {row['error']}"
    times = row["milliseconds"]
    return (
        f"{start} {row['megabytes']:8.1f} {times['1']:9.0f} {times['2']:9.0f} {times['keras']:8.0f} {row['mean']:7.3f}"
        f" {row['max']:5.0f} {row['left_out']:9}"
    )


if __name__ == "__main__":
    main()
