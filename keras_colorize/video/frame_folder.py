"""Films as folders of numbered picture files, read and written."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from keras_colorize.errors import ColorizeError
from keras_colorize.images import Picture, read_pictures, readable_suffixes, write_pictures
from keras_colorize.video.frames import FilmFormat, FilmFrame

DEFAULT_RATE = 24  # frames per second of a folder of frames


@dataclass
class FrameFolder:
    """A film as a folder of numbered picture files, in the order of their numbers.

    Raises:
        ColorizeError: the folder holds no pictures with numbers.
    """

    path: Path
    rate: Fraction
    lost: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        numbered = []
        for file in self.path.iterdir():
            numbers = re.findall(r"\d+", file.stem)
            if numbers and file.suffix.lower() in readable_suffixes():
                numbered.append((int(numbers[-1]), file.name, file))
        if not numbered:
            raise ColorizeError(f"folder '{self.path}' holds no numbered frames: expected names such as 00001.png")
        self.files = [file for *_, file in sorted(numbered)]
        first = next(read_pictures(self.files[0]))
        self.format = FilmFormat(
            first.width, first.height, self.rate, 1 / self.rate, bits=first.depth, frames=len(self.files)
        )

    def frames(self, first: int = 0) -> Iterator[FilmFrame]:
        """Read the frames from a number on. For one that does not decode, the frame before is given as damaged.

        Raises:
            ColorizeError: a frame has another size than the first.
        """
        size = (self.format.height, self.format.width)
        shown: np.ndarray | None = None
        for number, file in enumerate(self.files[first:], first):
            time = float(number / self.rate)
            try:
                picture = next(read_pictures(file))
            except ColorizeError:
                self.lost.append(time)
                shown = self._last_before(number) if shown is None else shown
                yield FilmFrame(number, number, time, shown, damaged=True)
                continue
            if picture.pixels.shape[:2] != size:
                raise ColorizeError(
                    f"'{file}' has {picture.width}×{picture.height} pixels and the frames before it"
                    f" {size[1]}×{size[0]}: expected frames of one size"
                )
            shown = picture.pixels
            yield FilmFrame(number, number, time, shown, picture=picture)

    def frames_near(self, time: float) -> Iterator[FilmFrame]:
        """Read the frames from a time in seconds on; here they keep their numbers.

        Raises:
            ColorizeError: a frame has another size than the first.
        """
        return self.frames(max(int(time * self.rate), 0))

    def _last_before(self, number: int) -> np.ndarray:
        """Return the pixels of the last frame before a number that decodes; the first frame always does."""
        for file in reversed(self.files[:number]):
            with contextlib.suppress(ColorizeError):
                return next(read_pictures(file)).pixels
        raise ColorizeError(f"folder '{self.path}' holds no frame that decodes")

    def samples(self, count: int) -> Iterator[np.ndarray]:
        """Read about so many frames from all parts of the film; those that do not decode are left out."""
        for file in self.files[:: -(-len(self.files) // count)]:
            with contextlib.suppress(ColorizeError):
                yield next(read_pictures(file)).pixels


class FrameFiles:
    """Writes frames as numbered picture files into a folder.

    Args:
        folder: made where there is none.
        quality: of JPEG and such, 1 to 100.
    """

    def __init__(self, folder: Path, quality: int) -> None:
        self._folder = folder
        self._quality = quality
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, frame: FilmFrame, pixels: np.ndarray) -> None:
        """Write one frame: PNG, with what the file of the grey frame says besides its pixels."""
        picture = (
            Picture(pixels) if frame.picture is None else Picture(pixels, frame.picture.alpha, frame.picture.metadata)
        )
        write_pictures(self._folder / f"{frame.number + 1:08d}.png", picture, quality=self._quality, overwrite=True)
