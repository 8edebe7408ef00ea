"""How far one hint reaches: over the thing that it lies on, and beyond it.

    python benchmarks/hint_reach.py --data PHOTOS/world --limit 120

Each photo gets one hint at a random place. Its hue is turned by 120° from what the system chose there, and its chroma
is at least 25. The change of chroma elsewhere is divided by the change at the hint, and averaged over the photos:

- near: 1 to 4 pixels away;
- same thing: 6 to 16 pixels away, where lightness along the straight line differs by less than 6 from the hint's;
- across an edge: 6 to 16 pixels away, where lightness differs by more than 25;
- far: more than 40 pixels away.

A person who recolours one thing wants 1, 1, 0 and 0. A thing may have edges inside and may be large, so a perfect
system would not reach 0 in the last two.
"""

import argparse
from collections.abc import Iterator

import numpy as np

from keras_colorize.cli.startup import load_tensorflow
from keras_colorize.defaults import DEFAULT_MODEL

TURN = np.deg2rad(120)
LEAST_CHROMA = 25.0
LEAST_CHANGE = 10.0  # at the hint, in CIE units; photos with less are left out
MARGIN = 20  # pixels between a hint and the photo's edge
PLACES = 200  # of a photo, around its hint
STEPS = 24  # of the line from a hint to a place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--run", metavar="DIR", help="a run of a system that takes hints")
    what.add_argument("--model", default=DEFAULT_MODEL, help="or a system with packaged weights (default: %(default)s)")
    parser.add_argument("--data", required=True, help="photos, as train.py takes them")
    parser.add_argument("--limit", type=int, help="at most so many photos of the test split")
    options = parser.parse_args()
    load_tensorflow()
    shares: dict[str, list[float]] = {}
    for where, share in measure(options):
        shares.setdefault(where, []).append(share)
    for where, values in shares.items():
        print(f"{where:>15}: {np.mean(values):5.0%} of the change at the hint ({len(values):,} values)")


def measure(options: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """Yield kinds of places with the share of a hint's change that arrives there."""
    from keras_colorize.data.scan import load_photos
    from keras_colorize.data.sources import open_photos
    from keras_colorize.inference.colorizer import Colorizer
    from keras_colorize.inference.hints import Hint

    colorizer = Colorizer.from_run(options.run) if options.run else Colorizer.from_zoo(options.model)
    recipe = colorizer.recipe.with_values(**{"data.source": options.data})
    photos = load_photos(open_photos(recipe.data), recipe.data, "test", limit=options.limit)
    count = 0
    for batch in photos.evaluation_batches(32):
        for rgb_u8 in np.asarray(batch):
            random = np.random.default_rng(count)
            count += 1
            L = _lab(rgb_u8)[..., 0]
            grey = _grey(L)
            before = _lab(colorizer(grey))[..., 1:]
            row, column = random.integers(MARGIN, np.array(L.shape) - MARGIN)
            hint = Hint(int(column), int(row), tuple(map(float, _turned(before[row, column]))))
            change = np.linalg.norm(_lab(colorizer(grey, hints=[hint]))[..., 1:] - before, axis=-1)
            if change[row, column] >= LEAST_CHANGE:
                yield from _shares(L, change / change[row, column], row, column, random)


def _shares(
    L: np.ndarray, change: np.ndarray, row: int, column: int, random: np.random.Generator
) -> Iterator[tuple[str, float]]:
    y, x = np.mgrid[: L.shape[0], : L.shape[1]]
    distance = np.hypot(y - row, x - column)
    yield "near", float(change[(distance > 1) & (distance < 4)].mean())
    ring = np.argwhere((distance > 6) & (distance < 16))
    for place in random.permutation(ring)[:PLACES]:
        line = np.linspace((row, column), place, STEPS).round().astype(int)
        steps = L[line[:, 0], line[:, 1]] - L[row, column]
        if np.abs(steps).max() < 6:
            yield "same thing", float(change[tuple(place)])
        elif abs(steps[-1]) > 25:
            yield "across an edge", float(change[tuple(place)])
    yield "far", float(change[distance > 40].mean())


def _turned(ab: np.ndarray) -> np.ndarray:
    """Return ab (2,) in CIE units with another hue, and with enough chroma to see it."""
    chroma = np.hypot(*ab)
    angle = np.arctan2(ab[1], ab[0]) + TURN
    return max(chroma, LEAST_CHROMA) * np.array([np.cos(angle), np.sin(angle)])


def _lab(rgb_u8: np.ndarray) -> np.ndarray:
    from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab

    return np.asarray(rgb_to_lab(rgb_from_u8(np.asarray(rgb_u8))))


def _grey(L: np.ndarray) -> np.ndarray:
    """Return a grey photo uint8 (H, W, 3) of this lightness (H, W)."""
    from keras_colorize.color.lab import rgb_to_u8
    from keras_colorize.color.spaces import grey

    return np.asarray(rgb_to_u8(grey(L[..., None])))


if __name__ == "__main__":
    main()
