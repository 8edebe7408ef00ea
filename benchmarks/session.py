"""How long an edit takes in a session: a new hint, a new vividness, a suggestion, and a plain call beside them.

    python benchmarks/session.py --edits 20

The photo is one of scikit-image's, enlarged to 2 megapixels, grey. All kinds of edits take turns, so that other work on
the machine hits them alike. Processor time is that of all threads together: on two idle cores an edit takes a little
more than half of it.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import skimage.data
from PIL import Image

from keras_colorize.defaults import DEFAULT_MODEL
from keras_colorize.hardware import processors
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.hints import Hint
from keras_colorize.inference.session import SCREEN_SIDE

SIZE = (1224, 1633)


def measure(colorizer: Colorizer, side: int, edits: int) -> dict[str, list[tuple[float, float]]]:
    """Time each kind of edit so many times; wall-clock and processor seconds of each."""
    scene = Image.fromarray(skimage.data.astronaut()).convert("L")
    photo = np.asarray(scene.resize(SIZE[::-1], Image.Resampling.BICUBIC))
    session = colorizer.session(photo, side=side)
    places = np.random.default_rng(0).integers(0, SIZE[0], (edits + 1, 2))
    kinds: dict[str, Callable[[list[Hint], int], Any]] = {
        "new hint": lambda hints, number: session.preview(hints=hints),
        "new vividness": lambda hints, number: session.preview(hints=hints, vividness=1 + number / edits),
        "suggestion": lambda hints, number: session.suggest(number, number, hints=hints),
        "result": lambda hints, number: session.result(hints=hints),
        "plain call": lambda hints, number: colorizer(photo, hints=hints),
    }
    seconds: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    for number, place in enumerate(places):
        for kind, edit in kinds.items():
            start = time.perf_counter(), time.process_time()
            edit([Hint(*place, "firebrick")], number)
            if number:  # the first one compiles
                seconds[kind].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return seconds


def main() -> None:
    """Print a row for each kind of edit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a system of the zoo, or a TOML file with --weights")
    parser.add_argument("--weights", help="a file of weights for --model; it must take hints")
    parser.add_argument("--side", type=int, default=SCREEN_SIDE, help="longest side of previews (default: %(default)s)")
    parser.add_argument("--edits", type=int, default=20, help="of each kind (default: %(default)s)")
    options = parser.parse_args()
    colorizer = (
        Colorizer.from_file(options.weights, options.model) if options.weights else Colorizer.from_zoo(options.model)
    )
    print(f"{platform.machine()}, {processors()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{colorizer.name}, a photo of {SIZE[1]}×{SIZE[0]}, previews of {options.side} pixels")
    print(f"{'milliseconds':16}{'median':>9}{'best':>9}{'processor':>11}")
    for kind, times in measure(colorizer, options.side, options.edits).items():
        wall, processor = zip(*times, strict=True)
        figures = 1000 * statistics.median(wall), 1000 * min(wall), 1000 * statistics.median(processor)
        print(f"{kind:16}{figures[0]:9.0f}{figures[1]:9.0f}{figures[2]:11.0f}")


if __name__ == "__main__":
    main()
