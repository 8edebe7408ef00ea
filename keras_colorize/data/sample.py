"""The photos that scikit-image packages, as a small data set for trying things out."""

import importlib.util
import math
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from keras_colorize.data.splits import SPLITS, Photo, Source, Split
from keras_colorize.errors import ColorizeError
from keras_colorize.images import Box

# The colour photos that scikit-image packages. Tiles of one photo overlap, and the motorcycles are a stereo pair, so
# whole photos go to one split. The medical and the deep-sky picture are no everyday photos: they only train. Coffee's
# reds and browns occur in training too (early stopping has something to follow); the test is a cat and a night sky.
_SAMPLE: dict[Split, tuple[str, ...]] = {
    "train": (
        *("astronaut.png", "motorcycle_left.png", "motorcycle_right.png"),
        *("hubble_deep_field.jpg", "ihc.png", "retina.jpg"),
    ),
    "validation": ("coffee.png",),
    "test": ("chelsea.png", "rocket.jpg"),
}
_TILE_SIDES = (1.0, 0.6, 0.4)  # of the photo's short side
# Distance of neighbouring tiles in tile sides: training tiles overlap by two thirds, so that few photos make many;
# the others only as much as it takes to cover the photo.
_TILE_STEP: dict[Split, float] = {"train": 1 / 3, "validation": 1.0, "test": 1.0}


def sample_source() -> Source:
    """Return the packaged photos as a source of overlapping tiles.

    Raises:
        ColorizeError: scikit-image is missing, or packages other photos.
    """
    package = importlib.util.find_spec("skimage")  # finds the folder without importing scikit-image
    if package is None or package.origin is None:
        raise ColorizeError("data 'sample' needs scikit-image, which packages the photos: pip install scikit-image")
    folder = Path(package.origin).parent / "data"
    splits: dict[Split, list[Photo]] = {}
    for split, files in _SAMPLE.items():
        splits[split] = []
        for file in files:
            if not (folder / file).is_file():
                raise ColorizeError(
                    f"data 'sample': this scikit-image packages no {file}; update it: pip install -U scikit-image"
                )
            with Image.open(folder / file) as image:
                boxes = list(_tiles(*image.size, step=_TILE_STEP[split]))
            splits[split] += [Photo(folder / file, f"{file}#{n:02d}", box) for n, box in enumerate(boxes, 1)]
    count = sum(map(len, _SAMPLE.values()))
    notes = [
        "sample tiles: "
        + ", ".join(f"{split} {len(splits[split])} of {len(_SAMPLE[split])} photos" for split in SPLITS)
    ]
    return Source(f"sample: {count} photos packaged with scikit-image", splits, notes)


def _tiles(width: int, height: int, step: float) -> Iterator[Box]:
    """Yield square tiles that cover a photo at several scales, as boxes in shares of its sides."""
    short = min(width, height)
    for side in _TILE_SIDES:
        tops, lefts = (_starts(length / short, side, step * side) for length in (height, width))
        for top in tops:
            for left in lefts:
                yield (
                    top * short / height,
                    left * short / width,
                    (top + side) * short / height,
                    (left + side) * short / width,
                )


def _starts(length: float, side: float, step: float) -> list[float]:
    """Return evenly spaced starts of tiles from one end to the other, at most `step` apart."""
    gaps = math.ceil((length - side) / step - 1e-9)
    return [(length - side) * n / gaps for n in range(gaps + 1)] if gaps else [0.0]
