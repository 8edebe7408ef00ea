"""Versions of photos and references: pictures for the documentation, and figures on photos of your own.

    python benchmarks/versions.py --pictures docs/pictures
    python benchmarks/versions.py --data PHOTOS --limit 20

The pictures show photos that scikit-image packages. The figures of versions are means over the photos: how far versions
lie apart, how restless their colours are beside the plain result, PSNR of the plain result, of all versions and of the
best one, and the rank correlation of the order with PSNR. Each photo serves as a reference for the one before it in its
folder, and a mirrored part of each photo for the photo itself: the distance of the histograms of ab from the
reference's (sliced Wasserstein distance, CIE units) and PSNR, before and after.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import skimage.data
from PIL import Image

from keras_colorize.cli.startup import load_tensorflow
from keras_colorize.defaults import DEFAULT_MODEL
from keras_colorize.errors import ColorizeError

if TYPE_CHECKING:
    from keras_colorize.inference.colorizer import Colorizer

VERSIONS = 5
TILE = 150  # pixels, height
GAP = 6
QUALITY = 82
SAMPLES = (skimage.data.astronaut, skimage.data.coffee, skimage.data.chelsea, skimage.data.rocket)
# A photo and its reference.
REFERENCES: tuple[tuple[Callable[[], np.ndarray], Callable[[], np.ndarray]], ...] = (
    (skimage.data.coffee, skimage.data.chelsea),
    (skimage.data.astronaut, skimage.data.coffee),
    (skimage.data.chelsea, skimage.data.rocket),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a system of the zoo, or a recipe of --weights")
    parser.add_argument("--weights", metavar="FILE", help="a file of weights, of --model")
    parser.add_argument("--pictures", metavar="DIR", help="draw samples.jpg and reference.jpg into this folder")
    parser.add_argument("--data", metavar="DIR", help="measure on the photos in the folders of this folder")
    parser.add_argument("--limit", type=int, default=20, help="at most so many photos (default: %(default)s)")
    options = parser.parse_args()
    load_tensorflow()
    from keras_colorize.inference.colorizer import Colorizer

    if options.weights:
        colorizer = Colorizer.from_file(options.weights, options.model)
    else:
        colorizer = Colorizer.from_zoo(options.model)
    if options.pictures:
        draw_samples(colorizer, Path(options.pictures) / "samples.jpg")
        draw_references(colorizer, Path(options.pictures) / "reference.jpg")
    if options.data:
        files = sorted(file for file in Path(options.data).rglob("*") if file.suffix.lower() in (".jpg", ".png"))
        chosen = files[:: max(len(files) // options.limit, 1)][: options.limit]
        measure_versions(colorizer, chosen)
        measure_references(colorizer, chosen, files)


# Pictures


def draw_samples(colorizer: "Colorizer", file: Path) -> None:
    """Draw a row for each photo: grey, and its versions, the plain result first."""
    rows = []
    for photo in SAMPLES:
        grey = grey_of(small(photo()))
        rows.append([grey, *colorizer.samples(grey, VERSIONS)])
    save_rows(rows, file)


def draw_references(colorizer: "Colorizer", file: Path) -> None:
    """Draw a row for each pair: the reference, grey, the plain result, and the one with the reference's palette."""
    rows = []
    for photo, reference in REFERENCES:
        grey, colors = grey_of(small(photo())), small(reference())
        rows.append([colors, grey, colorizer(grey), colorizer(grey, reference=colors)])
    save_rows(rows, file)


def small(rgb_u8: np.ndarray) -> np.ndarray:
    """Scale a photo to the height of a tile."""
    height, width = rgb_u8.shape[:2]
    image = Image.fromarray(rgb_u8).resize((round(width * TILE / height), TILE), Image.Resampling.LANCZOS)
    return np.asarray(image)


def grey_of(rgb_u8: np.ndarray) -> np.ndarray:
    """Take the colours off a photo, (H, W, 3)."""
    return np.asarray(Image.fromarray(rgb_u8).convert("L"))[..., None].repeat(3, axis=-1)


def save_rows(rows: list[list[np.ndarray]], file: Path) -> None:
    """Save rows of pictures of one height as a JPEG on white."""
    width = max(sum(tile.shape[1] + GAP for tile in row) for row in rows) - GAP
    sheet = np.full((len(rows) * (TILE + GAP) - GAP, width, 3), 255, np.uint8)
    for number, row in enumerate(rows):
        left = 0
        for tile in row:
            top = number * (TILE + GAP)
            sheet[top : top + TILE, left : left + tile.shape[1]] = tile
            left += tile.shape[1] + GAP
    Image.fromarray(sheet).save(file, quality=QUALITY)
    print(f"{file}: {sheet.shape[1]}×{sheet.shape[0]} pixels, {file.stat().st_size / 1000:.0f} kB")


# Figures


def measure_versions(colorizer: "Colorizer", files: list[Path]) -> None:
    """Print the means over photos; the versions are those after the plain result."""
    rows = []
    for file in files:
        truth = np.asarray(Image.open(file).convert("RGB"))
        began = time.perf_counter()
        plain, *versions = colorizer.samples(grey_of(truth), VERSIONS + 1)
        seconds = time.perf_counter() - began
        own, colors = chroma_of(plain), [chroma_of(version) for version in versions]
        quality = [psnr_of(truth, version) for version in versions]
        apart = [np.linalg.norm(a - b, axis=-1).mean() for n, a in enumerate(colors) for b in colors[:n]]
        rows.append(
            {
                "apart": np.mean(apart),
                "restless": np.mean([variation(each) for each in colors]) / variation(own),
                "PSNR plain": psnr_of(truth, plain),
                "PSNR versions": np.mean(quality),
                "PSNR best": max(quality),
                "rank": rank_correlation(-np.arange(VERSIONS), quality),
                "seconds": seconds,
            }
        )
    print_means(f"{len(files)} photos, {VERSIONS} versions", rows)


def measure_references(colorizer: "Colorizer", files: list[Path], all_files: list[Path]) -> None:
    """Print the means over photos, with another photo of the folder and with the photo's own colours."""
    kinds: dict[str, list[dict[str, float]]] = {"another photo of the folder": [], "its own colours, mirrored": []}
    for file in files:
        truth = np.asarray(Image.open(file).convert("RGB"))
        height, width = truth.shape[:2]
        others = [other for other in all_files if other.parent == file.parent]
        other = others[(others.index(file) + 1) % len(others)]
        mirrored = np.ascontiguousarray(truth[height // 10 :, width // 10 :][:, ::-1])
        references = (np.asarray(Image.open(other).convert("RGB")), mirrored)
        plain = colorizer(grey_of(truth))
        for rows, reference in zip(kinds.values(), references, strict=True):
            try:
                like = colorizer(grey_of(truth), reference=reference)
            except ColorizeError as error:  # a grey photo
                print(f"{other}: {error}")
                continue
            wanted = chroma_of(reference)
            rows.append(
                {
                    "distance plain": sliced_distance(chroma_of(plain), wanted),
                    "distance like": sliced_distance(chroma_of(like), wanted),
                    "PSNR plain": psnr_of(truth, plain),
                    "PSNR like": psnr_of(truth, like),
                }
            )
    for kind, rows in kinds.items():
        print_means(f"{len(rows)} photos, reference: {kind}", rows)


def print_means(title: str, rows: list[dict[str, float]]) -> None:
    means = (f"{name} {np.mean([row[name] for row in rows]):.2f}" for name in rows[0])
    print(f"{title}: {', '.join(means)}", flush=True)


def chroma_of(rgb_u8: np.ndarray) -> np.ndarray:
    """Convert a photo to ab (H, W, 2) in CIE units."""
    from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab

    return np.asarray(rgb_to_lab(rgb_from_u8(rgb_u8)))[..., 1:]


def psnr_of(truth: np.ndarray, painted: np.ndarray) -> float:
    from keras_colorize.metrics import psnr

    return float(np.asarray(psnr(truth[None], painted[None]))[0])


def variation(ab: np.ndarray) -> float:
    """Return the mean absolute difference of neighbouring pixels."""
    return float(np.abs(np.diff(ab, axis=0)).mean() + np.abs(np.diff(ab, axis=1)).mean())


def rank_correlation(a: np.ndarray, b: list[float]) -> float:
    return float(np.corrcoef(np.argsort(np.argsort(a)), np.argsort(np.argsort(b)))[0, 1])


def sliced_distance(ab: np.ndarray, other: np.ndarray, directions: int = 64, levels: int = 500) -> float:
    """Return the sliced Wasserstein distance of two clouds of colours in CIE units."""
    angles = np.arange(directions) * np.pi / directions
    axes = np.stack([np.cos(angles), np.sin(angles)])
    shares = (np.arange(levels) + 0.5) / levels
    lines = (np.quantile(each.reshape(-1, 2) @ axes, shares, axis=0) for each in (ab, other))
    return float(np.abs(next(lines) - next(lines)).mean())


if __name__ == "__main__":
    main()
