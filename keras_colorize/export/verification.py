"""Verification of an exported file on real photos: how far it is from the Colorizer, and how long a photo takes."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec

import numpy as np
from PIL import Image

from keras_colorize.color.inputs import HINT_CHANNELS, Inputs
from keras_colorize.color.lab import rgb_to_lab
from keras_colorize.data import Split, open_source
from keras_colorize.errors import ColorizeError
from keras_colorize.images import read_photo
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.frame import frame_photo
from keras_colorize.inference.hint_table import hint_table
from keras_colorize.inference.hints import Hint
from keras_colorize.inference.network import CORE_TOLERANCE

Arguments = ParamSpec("Arguments")

# The largest mean difference from the Colorizer in grey levels over all photos. [choice] A float32 file resamples
# lightness rather than RGB and finds the gamut's edge in fewer steps: 0.1 to 0.6 with trained networks.
# Quantization may add what `quantization.TOLERANCE` allows.
TOLERANCE = {"none": 1.5, "float16": 1.5, "dynamic": 3.5, "int8": 3.5}

THREADS = (1, 2)  # numbers of threads that are timed
PHOTO_SIZE = (972, 1440)  # height and width of the photo of 1.4 megapixels that is timed

LONGEST_SIDE = 640  # of the photos that are compared: enough to leave the network's size
_MOST_PHOTOS = 8
_CALIBRATION_PHOTOS = 24
_MOST_PIXELS = 1 << 24  # of all squares together: of large squares there are fewer
_RUNS = 5
_MOST_HINTS = 8
_HINT_RADII = (0.005, 0.05)  # shares of a photo's shorter side
_STRONG_CHROMA = 70.0  # of one hint of each photo, in CIE units

Runtime = Callable[..., dict[str, np.ndarray]]  # an exported file: inputs by name → outputs by name


@dataclass(frozen=True)
class Difference:
    """Mean and largest difference over all values of all photos, in grey levels of 0…255 or in CIE units."""

    mean: float
    max: float

    @classmethod
    def of(cls, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> "Difference":
        """Compare pairs of arrays; infinite where a value is not finite."""
        apart = [np.abs(a.astype("float32") - b.astype("float32")) for a, b in pairs]
        if not all(np.isfinite(part).all() for part in apart):
            return cls(float("inf"), float("inf"))
        return cls(
            sum(float(part.sum()) for part in apart) / sum(part.size for part in apart),
            max(float(part.max()) for part in apart),
        )


@dataclass(frozen=True)
class Comparison:
    """How far an exported file is from the Colorizer, as photos and as chroma."""

    photos: int
    grey_levels: Difference
    ab: Difference

    @classmethod
    def of(cls, photos: list, chroma: list) -> "Comparison":
        """Compare pairs of photos and pairs of chroma."""
        return cls(len(photos), Difference.of(photos), Difference.of(chroma))

    def check_core(self, what: str) -> None:
        """Check that the network alone computes the Colorizer's chroma.

        Raises:
            ColorizeError: the mean difference is above `CORE_TOLERANCE`.
        """
        if not self.ab.mean <= CORE_TOLERANCE:
            raise ColorizeError(
                f"{what} differs from the Colorizer by {self.ab.mean:.3g} CIE units on average (at most"
                f" {CORE_TOLERANCE:g}): nothing was written"
            )


@dataclass(frozen=True)
class VerificationPhotos:
    """Real photos, rgb_u8 (H, W, 3): some to compare on, and squares of one size to calibrate with."""

    compared: list[np.ndarray]
    calibration: list[np.ndarray]


def load_photos(data: str, size: int, square: int | None) -> VerificationPhotos:
    """Load held-out photos for the comparison and training photos for the calibration.

    Args:
        data: photos as for training: `sample`, a folder, a list, shards, `tfds:…`.
        size: side of the squares for calibration, in pixels.
        square: side of the squares to compare on; None keeps the photos' shapes.

    Raises:
        ColorizeError: the source has too few photos.
    """
    most_compared = _MOST_PHOTOS if square is None else _fewer(_MOST_PHOTOS, square)
    most_calibrating = _fewer(_CALIBRATION_PHOTOS, size)
    source = open_source(data, validation_fraction=0.1, test_fraction=0.1)
    splits: tuple[Split, ...] = ("validation", "test")
    held_out = {photo.path or photo.name: (split, photo) for split in splits for photo in source.items(split)}
    compared = [
        read_photo(file, square)
        for split, photo in list(held_out.values())[:most_compared]
        for _, file in source.open(split, [photo])
    ]
    training = source.items("train")
    training = training[:: max(1, len(training) // most_calibrating)][:most_calibrating]
    calibration = [read_photo(file, size, box=photo.box) for photo, file in source.open("train", training)]
    if not compared or not calibration:
        raise ColorizeError(f"'{data}' has too few photos to compare on: expected at least 20, or 'sample'")
    return VerificationPhotos([_reduced(photo) if square is None else photo for photo in compared], calibration)


def draw_photo_hints(photos: Sequence[np.ndarray]) -> list[list[Hint]]:
    """Draw one to eight hints for each photo, at random places: its own colours there, and as the last a strong colour.

    People ask for strong colours too, and quantization must not cut off what the network makes of them.
    """
    hints = []
    for seed, rgb_u8 in enumerate(photos):
        random = np.random.default_rng(seed)
        ab, short = _ab(rgb_u8), min(rgb_u8.shape[:2])
        places = random.integers(0, rgb_u8.shape[:2], (random.integers(1, _MOST_HINTS + 1), 2))
        hue = random.uniform(0.0, 2.0 * np.pi)
        colors = [*(ab[y, x] for y, x in places[:-1]), _STRONG_CHROMA * np.array([np.cos(hue), np.sin(hue)])]
        radii = short * random.uniform(*_HINT_RADII, len(places))
        hints.append([Hint(x, y, (a, b), radius) for (y, x), (a, b), radius in zip(places, colors, radii, strict=True)])
    return hints


def core_inputs(inputs: Inputs, takes_hints: bool) -> dict[str, np.ndarray]:
    """Name inputs (B, h, w, …) as a core does; where its network takes hints and none are there, they are zeros."""
    if not takes_hints:
        return {"L": inputs.lightness}
    hints = np.repeat(np.zeros_like(inputs.lightness), HINT_CHANNELS, axis=-1)
    return {"L": inputs.lightness, "hints": hints if inputs.hints is None else inputs.hints}


@dataclass(frozen=True)
class Reference:
    """The Colorizer as the reference for a file that colours whole photos, or for a core: the network alone.

    Attributes:
        colorizer: whose network was exported.
        vividness: that is built into the file.
        multiple: of the file's frames, see `frame_photo`.
        core: the file takes L (1, S, S, 1) and gives ab (1, S, S, 2), where others take and give photos.
        takes_hints: the file has the input `hints`.
    """

    colorizer: Colorizer
    vividness: float = 1.0
    multiple: int | None = None
    core: bool = False
    takes_hints: bool = False

    def inputs_of(self, photo: np.ndarray, hints: Sequence[Hint] = ()) -> dict[str, np.ndarray]:
        """Return a photo, square for a core, and its hints as the file takes them, by name."""
        if self.core:
            frame = frame_photo(photo, photo.shape[0], None, hints)
            return core_inputs(Inputs.stack([frame.inputs]), self.takes_hints)
        table = {"hints": hint_table([hints], *photo.shape[:2])} if self.takes_hints else {}
        return {"image": photo[None]} | table

    def colored(self, runtime: Runtime, photo: np.ndarray, hints: Sequence[Hint] = ()) -> np.ndarray:
        """Colour a photo with the file, and with the Colorizer's help where the file is a core."""
        found = runtime(**self.inputs_of(photo, hints))
        if not self.core:
            return found["colorized"][0]
        return self.colorizer.finish(photo, frame_photo(photo, photo.shape[0], None), found["ab"][0])

    def compare(
        self, runtime: Runtime, photos: Sequence[np.ndarray], hints: Sequence[Sequence[Hint]] | None = None
    ) -> Comparison:
        """Compare the file with the Colorizer; for a core, photos are squares.

        hints: of each photo; none by default.
        """
        hints = hints or [()] * len(photos)
        if self.core:
            return self.compare_chroma(
                lambda inputs: runtime(**core_inputs(inputs, self.takes_hints))["ab"],
                photos,
                photos[0].shape[0],
                lambda inputs: self.colorizer.predict_ab(inputs, self.vividness),
                hints,
            )
        pairs = []
        for photo, given in zip(photos, hints, strict=True):
            frame = frame_photo(photo, self.colorizer.image_size, self.multiple, given)
            ab = self.colorizer.predict([frame], self.vividness)[0]
            pairs.append((self.colored(runtime, photo, given), self.colorizer.finish(photo, frame, ab)))
        return Comparison.of(pairs, [(_ab(a), _ab(b)) for a, b in pairs])

    def compare_chroma(
        self,
        predict_ab: Callable[[Inputs], np.ndarray],
        photos: Sequence[np.ndarray],
        size: int,
        expected: Callable[[Inputs], np.ndarray],
        hints: Sequence[Sequence[Hint]] | None = None,
    ) -> Comparison:
        """Compare two functions from inputs (1, S, S, …) to ab (1, S, S, 2) on squares of one size."""
        hints = hints or [()] * len(photos)
        frames = [frame_photo(photo, size, None, given) for photo, given in zip(photos, hints, strict=True)]
        inputs = [Inputs.stack([frame.inputs]) for frame in frames]
        pairs = [(predict_ab(photo)[0], expected(photo)[0]) for photo in inputs]
        colored = [
            tuple(self.colorizer.finish(photo, frame, np.asarray(ab, "float32")) for ab in pair)
            for photo, frame, pair in zip(photos, frames, pairs, strict=True)
        ]
        return Comparison.of(colored, pairs)

    def milliseconds(self, opened: Callable[[int], Runtime], photo: np.ndarray) -> dict[str, float]:
        """Time one photo: with the Colorizer, and with the file on 1 and 2 threads.

        Args:
            opened: the file for a number of threads.
            photo: rgb_u8 (H, W, 3), square for a core.

        Returns:
            "keras", "1" and "2" → milliseconds.
        """
        given = self.inputs_of(photo)
        if self.core:
            here = milliseconds(self.colorizer.predict_ab, Inputs(given["L"]))
        else:
            here = milliseconds(self.colorizer, photo)
        return {"keras": here} | {str(threads): milliseconds(opened(threads), **given) for threads in THREADS}


def photo_to_time(photo: np.ndarray) -> np.ndarray:
    """Enlarge a photo to the 1.4 megapixels of `PHOTO_SIZE`: rgb_u8 (972, 1440, 3)."""
    return np.asarray(Image.fromarray(photo).resize(PHOTO_SIZE[::-1], Image.Resampling.BICUBIC))


def milliseconds(run: Callable[Arguments, object], *given: Arguments.args, **named: Arguments.kwargs) -> float:
    """Return the median time of one run in milliseconds, after a first run that does not count."""
    run(*given, **named)
    times = []
    for _ in range(_RUNS):
        began = time.perf_counter()
        run(*given, **named)
        times.append(time.perf_counter() - began)
    return 1e3 * statistics.median(times)


def _fewer(most: int, side: int) -> int:
    return min(most, max(1, _MOST_PIXELS // side**2))


def _ab(rgb_u8: np.ndarray) -> np.ndarray:
    return np.asarray(rgb_to_lab(rgb_u8.astype("float32") / 255.0))[..., 1:]


def _reduced(photo: np.ndarray) -> np.ndarray:
    """Keep every n-th pixel of a large photo."""
    step = -(-max(photo.shape[:2]) // LONGEST_SIDE)
    return np.ascontiguousarray(photo[::step, ::step])
