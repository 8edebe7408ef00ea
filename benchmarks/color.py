"""How fast sRGB ↔ Lab is: keras_colorize eager, as tf.function and under XLA; scikit-image; TensorFlow I/O.

    python benchmarks/color.py --size 256 --batch 16 --repeats 30

Every row converts the same batch: rgb → lab takes uint8 and gives Lab in floats, lab → rgb takes float32 Lab and gives
floats in [0, 1]. The rows take turns in one process, so that whatever else the machine does falls on all of them;
`best` is the fastest turn, `median` the usual one, and the ratio is of medians.
"""

import argparse
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import skimage
import tensorflow as tf
from keras import ops

from keras_colorize.color import lab as color

Convert = Callable[[Any], Any]
RGB_TO_LAB, LAB_TO_RGB = "rgb → lab", "lab → rgb"
REFERENCE = "scikit-image"


def tensorflow_io_color() -> tuple[Any, str]:
    """The colour functions of TensorFlow I/O, or None and why not.

    They are pure TensorFlow: where its native library does not load (0.37 wants TensorFlow 2.16) the import only warns.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import tensorflow_io as tfio

            return tfio.experimental.color, ""
    except Exception as error:  # a broken native library may raise anything
        return None, f"tensorflow-io: no row, {type(error).__name__}: {str(error).splitlines()[0]}"


def from_u8(rgb_u8: tf.Tensor) -> tf.Tensor:
    return color.rgb_to_lab(color.rgb_from_u8(rgb_u8))


def with_power(convert: Convert) -> Convert:
    """`convert` traced with `x ** p` in the place of exp(log(x) · p)."""

    def run(x: tf.Tensor) -> tf.Tensor:
        with mock.patch.object(color, "_power", ops.power):
            return convert(x)

    return run


def on_photos(convert: Convert) -> Convert:
    """scikit-image one photo at a time, as it is used, on NumPy arrays."""
    return lambda batch: [convert(photo) for photo in batch]


def compiled(convert: Convert, jit: bool) -> Convert:
    return tf.function(convert, jit_compile=jit, autograph=False)


def ways(convert: Convert) -> dict[str, Convert]:
    return {
        "keras_colorize, XLA": compiled(convert, jit=True),
        "keras_colorize, tf.function": compiled(convert, jit=False),
        "keras_colorize, eager": convert,
        "  with x ** p, XLA": compiled(with_power(convert), jit=True),
        "  with x ** p, tf.function": compiled(with_power(convert), jit=False),
    }


def seconds(turns: list[tuple[Convert, Any]], repeats: int) -> list[list[float]]:
    """Time each (function, input) `repeats` times, taking turns, after one call each that compiles."""
    for run, batch in turns:
        run(batch)
    taken: list[list[float]] = [[] for _ in turns]
    for _ in range(repeats):
        for (run, batch), times in zip(turns, taken, strict=True):
            start = time.perf_counter()
            result = run(batch)
            if tf.is_tensor(result):
                result.numpy()  # waits for a GPU
            times.append(time.perf_counter() - start)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256, help="height and width of the images")
    parser.add_argument("--batch", type=int, default=16, help="images converted at once")
    parser.add_argument("--repeats", type=int, default=30, help="turns of each row")
    args = parser.parse_args()

    rgb_u8 = np.random.default_rng(0).integers(0, 256, (args.batch, args.size, args.size, 3), dtype=np.uint8)
    lab = from_u8(rgb_u8)
    tables = {
        RGB_TO_LAB: {**ways(from_u8), REFERENCE: on_photos(skimage.color.rgb2lab)},
        LAB_TO_RGB: {**ways(color.lab_to_rgb), REFERENCE: on_photos(skimage.color.lab2rgb)},
    }
    tfio, missing = tensorflow_io_color()
    if tfio is not None:
        for jit, way in ((True, "tensorflow-io, XLA"), (False, "tensorflow-io, tf.function")):
            tables[RGB_TO_LAB][way] = compiled(lambda rgb_u8: tfio.rgb_to_lab(color.rgb_from_u8(rgb_u8)), jit)
            tables[LAB_TO_RGB][way] = compiled(tfio.lab_to_rgb, jit)
    inputs = {
        RGB_TO_LAB: (tf.constant(rgb_u8), rgb_u8),
        LAB_TO_RGB: (lab, lab.numpy()),
    }

    rows = [(table, way, run) for table, entries in tables.items() for way, run in entries.items()]
    turns = [(run, inputs[table][way == REFERENCE]) for table, way, run in rows]
    taken = seconds(turns, args.repeats)
    median = {(table, way): statistics.median(times) for (table, way, _), times in zip(rows, taken, strict=True)}

    print(
        f"{args.batch} images of {args.size}×{args.size}, {args.repeats} turns, {os.cpu_count()} CPUs "
        f"({platform.machine()}), {len(tf.config.list_physical_devices('GPU'))} GPUs; TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}, scikit-image {version('scikit-image')}"
    )
    print(f"{'':10} {'':28} {'images/s':>9} {'images/s':>9} {'to scikit-':>10}")
    print(f"{'':10} {'':28} {'best':>9} {'median':>9} {'image':>10}")
    for (table, way, _), times in zip(rows, taken, strict=True):
        ratio = median[table, REFERENCE] / median[table, way]
        print(
            f"{table:10} {way:28} {args.batch / min(times):9.0f} {args.batch / median[table, way]:9.0f} {ratio:9.1f}×"
        )
    if missing:
        print(missing)


if __name__ == "__main__":
    main()
