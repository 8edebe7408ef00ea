"""How far one hint reaches: over the thing that it lies on, and beyond it.

    python benchmarks/hint_reach.py --data PHOTOS/world --limit 200

Each photo gets one hint of 3×3 pixels at a random place, with another colour than the photo has there. The thing is the
region around it that is like it in the photo's own lightness and chroma and hangs together, as training chooses it
(`keras_colorize.data.hints`). Things of less than 2 % or more than 60 % of a photo are left out. The change of chroma
is divided by the change at the hint, and averaged:

- thing: over the thing;
- around: over what lies 4 to 16 pixels outside it;
- beyond: over what lies farther away.

A person who recolours one thing wants 1, 0 and 0. A hint may also tell something about the rest of a photo, so a
perfect system would not reach 0 everywhere. The last figure is the mean error of ab from the photo with the thing in
its new colour, in CIE units.
"""

import argparse
from collections.abc import Iterator

import numpy as np

from keras_colorize.cli.startup import load_tensorflow
from keras_colorize.defaults import DEFAULT_MODEL

LEAST_CHANGE = 10.0  # at the hint, in CIE units; photos with less are left out
SIZES = (0.02, 0.6)  # of things, as shares of a photo
GAP, RING = 4.0, 16.0  # pixels outside a thing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--run", metavar="DIR", help="a run of a system that takes hints")
    what.add_argument("--model", default=DEFAULT_MODEL, help="or a system with packaged weights (default: %(default)s)")
    parser.add_argument("--data", required=True, help="photos, as train.py takes them")
    parser.add_argument("--limit", type=int, help="at most so many photos of the test split")
    options = parser.parse_args()
    load_tensorflow()
    rows = list(measure(options))
    if not rows:
        raise SystemExit("no photo has a thing of a fitting size")
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    print(f"{len(rows)} photos; of the change at the hint there arrive")
    print(", ".join(f"{name} {means[name]:.0%}" for name in ("thing", "around", "beyond")))
    print(f"ab error: {means['error']:.2f}")


def measure(options: argparse.Namespace) -> Iterator[dict[str, float]]:
    """Yield the figures of each photo that counts."""
    import keras
    from scipy.ndimage import distance_transform_edt

    from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab, rgb_to_u8
    from keras_colorize.color.spaces import grey
    from keras_colorize.data.hints import random_places, recolor_things
    from keras_colorize.data.scan import load_photos
    from keras_colorize.data.sources import open_photos
    from keras_colorize.inference.colorizer import Colorizer
    from keras_colorize.inference.hints import Hint

    def lab_of(rgb_u8: np.ndarray) -> np.ndarray:
        return np.asarray(rgb_to_lab(rgb_from_u8(rgb_u8)))

    colorizer = Colorizer.from_run(options.run) if options.run else Colorizer.from_zoo(options.model)
    recipe = colorizer.recipe.with_values(**{"data.source": options.data})
    photos = load_photos(open_photos(recipe.data), recipe.data, "test", limit=options.limit)
    seed = keras.random.SeedGenerator(0)
    for batch in photos.evaluation_batches(32):
        lab = lab_of(batch)
        places = random_places(lab.shape[:3], seed, share=1.0, mean=1.0, patch=1, most=1, recolored=1.0)
        wanted = np.asarray(recolor_things(lab[..., :1], lab[..., 1:], places, seed))
        for photo, target, row, column in zip(
            lab, wanted, *(np.asarray(at)[:, 0].astype(int) for at in (places.rows, places.columns)), strict=True
        ):
            moved = np.linalg.norm(target - photo[..., 1:], axis=-1)
            thing = moved > 0.5 * moved[row, column]
            if moved[row, column] < LEAST_CHANGE or not SIZES[0] < thing.mean() < SIZES[1]:
                continue
            plain = np.asarray(rgb_to_u8(grey(photo[..., :1])))
            hint = Hint(int(column), int(row), tuple(map(float, target[row, column])), radius=1)
            before, after = (lab_of(rgb)[..., 1:] for rgb in (colorizer(plain), colorizer(plain, hints=[hint])))
            change = np.linalg.norm(after - before, axis=-1)
            if change[row, column] < LEAST_CHANGE:
                continue
            away = distance_transform_edt(~thing)
            around, beyond = (away > GAP) & (away <= RING), away > RING
            if around.any() and beyond.any():
                shares = {"thing": thing, "around": around, "beyond": beyond}
                error = float(np.abs(after - target).mean())
                yield {name: float(change[part].mean() / change[row, column]) for name, part in shares.items()} | {
                    "error": error
                }


if __name__ == "__main__":
    main()
