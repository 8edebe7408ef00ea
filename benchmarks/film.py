"""How steady the colours of a film are: clips with known motion, and three ways to colour them.

    python -m benchmarks.film --photos ../shared/data/objects/test

Clips are made from photos by a motion that is known exactly: pan, zoom, turn, a thing that moves in front of another, a
fade, a cut, grain, and an exposure that wavers. The truth of every frame is known, and so is where each of its places
was in the frame before. The table compares the network's own frames, a plain running average of its chroma, and what
`keras-colorize film` does.

- CDC, colour distribution consistency: the Jensen–Shannon divergence (base 2) of the histograms of a and of b, 2 CIE
  units a bin, of two frames 1, 2 and 4 frames apart; mean of the three, in thousandths.
- Warped error: the mean difference of a place's chroma from what it was in the frame before, in CIE units, at places
  that both frames show.
- PSNR against the truth in dB, and the distance of the mean colorfulness from the truth's (ΔCF).
"""

import argparse
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np

from keras_colorize.color.lab import lab_to_rgb, rgb_from_u8, rgb_to_lab, rgb_to_u8
from keras_colorize.data.walk import is_photo
from keras_colorize.images import read_photo
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.finish import finish_photos
from keras_colorize.metrics.image import colorfulness, psnr
from keras_colorize.video.frames import FilmFormat, FilmFrame
from keras_colorize.video.pipeline import color_frames
from keras_colorize.video.settings import FilmSettings

HEIGHT, WIDTH = 192, 256
AVERAGED = 0.2  # weight of a new frame in the plain running average


@dataclass(frozen=True, eq=False)
class Clip:
    """A clip with its truth.

    truth: rgb_u8 (T, H, W, 3).
    grey: (T, H, W) uint8, of the same lightness.
    before: (T, H, W, 2), for each place of a frame its x and y in the frame before.
    shown: (T, H, W) bool, whether the frame before shows it; False throughout in the first frame of a shot.
    """

    name: str
    truth: np.ndarray
    grey: np.ndarray
    before: np.ndarray
    shown: np.ndarray


def affine(scale: float, angle: float, x: float, y: float) -> np.ndarray:
    """Frame → photo: 3×3, about the middle of the frame, which lies at (x, y) in the photo."""
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    there = np.array([[cos, -sin, x], [sin, cos, y], [0, 0, 1.0]])
    return there @ np.array([[1, 0, -(WIDTH - 1) / 2], [0, 1, -(HEIGHT - 1) / 2], [0, 0, 1.0]])


def view(photo: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Show a part of a photo as a frame."""
    return cv2.warpAffine(
        photo, matrix[:2], (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )  # fmt: skip


def places(matrix: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Apply a 3×3 matrix to places."""
    return (
        matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2],
        matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2],
    )


def make_clip(
    name: str,
    layers: Sequence[tuple[np.ndarray, Callable[[int], np.ndarray], Callable[[int], np.ndarray] | None]],
    frames: int,
    exposure: Callable[[int], float] = lambda t: 1.0,
    grain: float = 0.0,
) -> Clip:
    """Make a clip of layers, each a photo, its matrix by time, and its mask by time (None covers the frame)."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(WIDTH, dtype=np.float64), np.arange(HEIGHT, dtype=np.float64))
    truth, before, shown, tops = [], [], [], []
    for t in range(frames):
        frame = np.zeros((HEIGHT, WIDTH, 3), np.float32)
        top = np.zeros((HEIGHT, WIDTH), int)
        was = np.zeros((HEIGHT, WIDTH, 2))
        for number, (photo, matrix, mask) in enumerate(layers):
            covered = np.ones((HEIGHT, WIDTH), bool) if mask is None else mask(t)
            frame[covered] = view(photo, matrix(t))[covered]
            top[covered] = number
            if t:
                there = np.linalg.inv(matrix(t - 1)) @ matrix(t)
                was[covered] = np.stack(places(there, x, y), axis=-1)[covered]
        frame = frame * exposure(t) + grain * rng.normal(size=(HEIGHT, WIDTH, 1))
        truth.append(np.clip(np.rint(frame), 0, 255).astype(np.uint8))
        before.append(was)
        if t:
            column, row = (np.rint(was[..., n]).astype(int) for n in (0, 1))
            inside = (column >= 0) & (column < WIDTH) & (row >= 0) & (row < HEIGHT)
            same = tops[-1][row.clip(0, HEIGHT - 1), column.clip(0, WIDTH - 1)] == top
            shown.append(inside & same)
        else:
            shown.append(np.zeros((HEIGHT, WIDTH), bool))
        tops.append(top)
    truth = np.stack(truth)
    L = np.stack([np.asarray(rgb_to_lab(rgb_from_u8(frame)))[..., :1] for frame in truth])
    grey = np.stack(
        [np.asarray(rgb_to_u8(lab_to_rgb(np.concatenate([each, 0 * each, 0 * each], -1))))[..., 0] for each in L]
    )
    return Clip(name, truth, grey, np.stack(before).astype(np.float32), np.stack(shown))


def join(name: str, first: Clip, second: Clip) -> Clip:
    """Put two clips one after the other, with a cut between them."""
    both = [np.concatenate([getattr(first, n), getattr(second, n)]) for n in ("truth", "grey", "before", "shown")]
    return Clip(name, *both)


def clips(photos: Sequence[np.ndarray], frames: int) -> Iterator[Clip]:
    """Make a clip of each kind, from two photos each."""
    number = 0

    def next_photo() -> tuple[np.ndarray, float, float, float]:
        nonlocal number
        photo = photos[number % len(photos)]
        number += 1
        height, width = photo.shape[:2]
        return photo, width / 2, height / 2, 0.62 * min(width / WIDTH, height / HEIGHT)

    def way(kind: str) -> tuple[np.ndarray, Callable[[int], np.ndarray]]:
        photo, x, y, scale = next_photo()
        span = 0.36 * photo.shape[1] / 2
        share = lambda t: t / (frames - 1) * 2 - 1  # noqa: E731
        return photo, {
            "pan": lambda t: affine(scale, 0, x + span * share(t), y + 0.3 * span * share(t)),
            "zoom": lambda t: affine(scale * 1.25 ** (-share(t)), 0, x, y),
            "turn": lambda t: affine(scale * 0.9, 0.2 * share(t), x, y),
            "still": lambda t: affine(scale, 0, x, y),
            "shake": lambda t: affine(scale, 0.01 * np.sin(1.7 * t), x + 3 * np.sin(2.1 * t), y + 2 * np.cos(1.3 * t)),
            "slow": lambda t: affine(scale, 0, x + 0.3 * span * share(t), y),
        }[kind]

    def disc(t: int) -> np.ndarray:
        row, column = np.mgrid[:HEIGHT, :WIDTH]
        middle = WIDTH * (0.1 + 0.8 * t / (frames - 1))
        return ((column - middle) / 48) ** 2 + ((row - HEIGHT * 0.55) / 60) ** 2 <= 1

    for kind in ("pan", "zoom", "turn"):
        photo, matrix = way(kind)
        yield make_clip(kind, [(photo, matrix, None)], frames)
    behind, ahead = way("slow"), next_photo()
    moved = lambda t: affine(ahead[3], 0, ahead[1] - ahead[3] * WIDTH * 0.8 * (t / (frames - 1) - 0.5), ahead[2])  # noqa: E731
    yield make_clip("object in front", [(*behind, None), (ahead[0], moved, disc)], frames)
    photo, matrix = way("slow")
    yield make_clip(
        "fade", [(photo, matrix, None)], frames, lambda t: float(np.clip(min(t, frames - 1 - t) / 8, 0.05, 1))
    )
    half = [make_clip("", [(*way(kind), None)], frames // 2) for kind in ("slow", "shake")]
    yield join("cut", *half)
    photo, matrix = way("slow")
    yield make_clip("grain", [(photo, matrix, None)], frames, grain=14.0)
    photo, matrix = way("shake")
    flicker = np.random.default_rng(1).uniform(0.8, 1.0, frames)
    yield make_clip("exposure", [(photo, matrix, None)], frames, lambda t: float(flicker[t]), grain=6.0)
    photo, matrix = way("still")
    yield make_clip("still, grain", [(photo, matrix, None)], frames, grain=10.0)


# Measures


def chroma(rgb_u8: np.ndarray) -> np.ndarray:
    """Convert frames rgb_u8 (T, H, W, 3) to ab (T, H, W, 2)."""
    return np.stack([np.asarray(rgb_to_lab(rgb_from_u8(frame)))[..., 1:] for frame in rgb_u8])


def consistency(ab: np.ndarray, shots: Sequence[slice]) -> float:
    """Return CDC over 1, 2 and 4 frames, in thousandths, of pairs within a shot."""
    edges = np.arange(-111, 113, 2.0)
    histograms = np.stack(
        [[np.histogram(frame[..., c], edges)[0] / frame[..., c].size for c in (0, 1)] for frame in ab]
    )
    apart = []
    for step in (1, 2, 4):
        found = []
        for shot in shots:
            p, q = histograms[shot][:-step], histograms[shot][step:]
            m = (p + q) / 2
            found.append(_entropy(m) - (_entropy(p) + _entropy(q)) / 2)
        apart.append(np.concatenate(found).mean())
    return 1000 * float(np.mean(apart))


def _entropy(p: np.ndarray) -> np.ndarray:
    return -np.where(p > 0, p * np.log2(np.maximum(p, 1e-12)), 0).sum(axis=-1)


def warped_error(clip: Clip, ab: np.ndarray) -> float:
    """Return the mean distance of a place's chroma from what it was in the frame before, in CIE units."""
    found = []
    for t in range(1, len(ab)):
        if clip.shown[t].any():
            was = cv2.remap(ab[t - 1], clip.before[t, ..., 0], clip.before[t, ..., 1], cv2.INTER_LINEAR)
            found.append(np.linalg.norm(ab[t] - was, axis=-1)[clip.shown[t]].mean())
    return float(np.mean(found))


def shots_of(clip: Clip) -> list[slice]:
    """Return the shots of a clip."""
    starts = [t for t in range(len(clip.truth)) if not clip.shown[t].any()]
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], len(clip.truth)], strict=True)]


@dataclass(frozen=True)
class Measures:
    """The figures of one clip and one way."""

    cdc: float
    warped: float
    psnr: float
    colorfulness: float


def measure(clip: Clip, rgb_u8: np.ndarray) -> Measures:
    """Measure the colours of a clip."""
    ab = chroma(rgb_u8)
    return Measures(
        consistency(ab, shots_of(clip)),
        warped_error(clip, ab),
        float(np.mean(np.asarray(psnr(rgb_u8, clip.truth)))),
        float(np.mean(np.asarray(colorfulness(rgb_u8)))),
    )


# Ways


class ClipSource:
    """A clip as a film that is open for reading."""

    def __init__(self, clip: Clip) -> None:
        self.path = Path(clip.name)
        self.lost: list[float] = []
        self._frames = clip.grey
        self.format = FilmFormat(WIDTH, HEIGHT, Fraction(25), Fraction(1, 25), frames=len(clip.grey))

    def frames(self, first: int = 0) -> Iterator[FilmFrame]:
        """Yield the frames from a number on."""
        for number, pixels in enumerate(self._frames[first:], first):
            yield FilmFrame(number, number, number / 25, pixels)

    def samples(self, count: int) -> Iterator[np.ndarray]:
        """Yield some frames."""
        yield from self._frames[:: -(-len(self._frames) // count)]


def own_frames(colorizer: Colorizer, clip: Clip) -> np.ndarray:
    """Colour each frame on its own."""
    frames = [colorizer.frame(pixels) for pixels in clip.grey]
    return np.stack(finish_photos(list(clip.grey), frames, colorizer.predict(frames)))


def running_average(colorizer: Colorizer, clip: Clip) -> np.ndarray:
    """Average the network's chroma over time, place by place."""
    frames = [colorizer.frame(pixels) for pixels in clip.grey]
    averages = list(
        itertools.accumulate(colorizer.predict(frames), lambda mean, ab: (1 - AVERAGED) * mean + AVERAGED * ab)
    )
    return np.stack(finish_photos(list(clip.grey), frames, averages))


def film(colorizer: Colorizer, clip: Clip) -> np.ndarray:
    """Colour the clip as `keras-colorize film` does."""
    return np.stack([frame.pixels for frame in color_frames(colorizer, ClipSource(clip), FilmSettings())])


def own_frames_like(colorizer: Colorizer, clip: Clip) -> np.ndarray:
    """Colour each frame on its own, with the palette of the clip's middle frame."""
    reference = colorizer.reference(clip.truth[len(clip.truth) // 2])
    frames = [colorizer.frame(pixels) for pixels in clip.grey]
    return np.stack(
        finish_photos(list(clip.grey), frames, [colorizer.predict_like(frame, reference) for frame in frames])
    )


def film_like(colorizer: Colorizer, clip: Clip) -> np.ndarray:
    """Colour the clip as `keras-colorize film` does, with the palette of its middle frame."""
    settings = FilmSettings(reference=clip.truth[len(clip.truth) // 2])
    return np.stack([frame.pixels for frame in color_frames(colorizer, ClipSource(clip), settings)])


WAYS = {"each frame on its own": own_frames, "running average": running_average, "film": film}
WITH_REFERENCE = {"each frame on its own": own_frames_like, "film": film_like}


def print_table(clips: Sequence[Clip], measured: dict[str, list[Measures]]) -> None:
    """Print the means over all clips, and for each clip the ratio of the last way to the first."""
    truth = [measure(clip, clip.truth) for clip in clips]
    own, ours = measured["each frame on its own"], measured["film"]

    def mean(measures: Sequence[Measures], name: str) -> float:
        return float(np.mean([getattr(each, name) for each in measures]))

    print(
        "| | CDC | of frame by frame | warped error | of frame by frame | PSNR | ΔCF |\n|---|---|---|---|---|---|---|"
    )
    print(f"| the truth | {mean(truth, 'cdc'):.1f} | | {mean(truth, 'warped'):.2f} | | | |")
    for name, found in measured.items():
        shares = [f"{mean(found, key) / mean(own, key):.0%}" for key in ("cdc", "warped")]
        apart = abs(mean(found, "colorfulness") - mean(truth, "colorfulness"))
        print(
            f"| {name} | {mean(found, 'cdc'):.1f} | {shares[0]} | {mean(found, 'warped'):.2f} | {shares[1]} |"
            f" {mean(found, 'psnr'):.2f} | {apart:.1f} |"
        )
    print("\n| clip | CDC | warped error | PSNR |\n|---|---|---|---|")
    for clip, alone, each in zip(clips, own, ours, strict=True):
        print(
            f"| {clip.name} | {each.cdc / alone.cdc:.0%} | {each.warped / alone.warped:.0%} |"
            f" {each.psnr - alone.psnr:+.2f} |"
        )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", required=True, metavar="DIR", help="photos of 200 pixels or more")
    parser.add_argument("--count", type=int, default=11, metavar="N", help="photos, from all parts of the folder")
    parser.add_argument("--frames", type=int, default=24, metavar="N", help="of a clip")
    parser.add_argument("--weights", metavar="FILE", help="of a network, with its recipe (default: vivid)")
    parser.add_argument("--recipe", metavar="FILE")
    parser.add_argument(
        "--reference", action="store_true", help="with the middle frame's palette, --reference of a film"
    )
    options = parser.parse_args()
    files = sorted(file for file in Path(options.photos).rglob("*") if is_photo(file))
    photos = [read_photo(file) for file in files[:: max(len(files) // options.count, 1)][: options.count]]
    colorizer = Colorizer.from_file(options.weights, options.recipe) if options.weights else Colorizer.from_zoo()
    made = list(clips(photos, options.frames))
    ways = WITH_REFERENCE if options.reference else WAYS
    print_table(made, {name: [measure(clip, way(colorizer, clip)) for clip in made] for name, way in ways.items()})


if __name__ == "__main__":
    main()
