"""The frame: a photo of any size and shape as a network sees it, scaled as in training and padded by reflection."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from keras_colorize.color.inputs import Inputs
from keras_colorize.color.raster import photo_lightness
from keras_colorize.images import to_8_bits
from keras_colorize.inference.border import find_border
from keras_colorize.inference.hints import Hint, check_hints, draw_hints, lies_in, place_in_frame

# Pixels that are reduced at a time, whatever the photo's width: a megabyte for a channel of floats.
BLOCK = 1 << 18

# [choice] A panorama longer than this many short sides is made smaller than in training, so that the network's memory
# and time stay bounded.
LONGEST_ASPECT = 4.0

# A photo is averaged over whole pixels down to this multiple of the wanted size; the bicubic filter of training does
# the rest. The difference does not show, and a large photo needs neither a copy nor a filter of hundreds of pixels.
_REDUCING_GAP = 2


@dataclass(frozen=True, eq=False)
class Frame:
    """A photo as the network gets it, and where it came from.

    inputs: fields (h, w, …) float32 without a batch axis, padded.
    rows, columns: where the picture lies in them.
    picture: rows and columns of the photo without its plain border, where it has one.
    size: height and width of the photo.
    """

    inputs: Inputs
    rows: slice
    columns: slice
    picture: tuple[slice, slice]
    size: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the network's input; frames of one shape go through it together."""
        return self.inputs.lightness.shape[:2]

    def with_hints(self, hints: Sequence[Hint]) -> "Frame":
        """Return the frame of the same photo with these hints, and with no others.

        Raises:
            ColorizeError: a hint lies outside the photo.
        """
        check_hints(hints, *self.size)
        drawn = draw_hints(hints, self.size, self.shape, self.picture, self.rows, self.columns) if hints else None
        return replace(self, inputs=self.inputs._replace(hints=drawn))

    def place(self, x: float, y: float) -> tuple[float, float] | None:
        """Convert a place in the photo to its row and column in the frame; None in a border that is left out."""
        if not (lies_in(y, self.picture[0]) and lies_in(x, self.picture[1])):
            return None
        sides = ((y, self.picture[0], self.rows), (x, self.picture[1], self.columns))
        row, column = (place_in_frame(*side) for side in sides)
        return min(max(row, self.rows.start), self.rows.stop - 1), min(
            max(column, self.columns.start), self.columns.stop - 1
        )


def frame_photo(
    pixels: np.ndarray,
    size: int,
    multiple: int | None,
    hints: Sequence[Hint] = (),
    picture: tuple[slice, slice] | None = None,
) -> Frame:
    """Leave out a photo's plain border, scale the picture in it and pad it for a network.

    Args:
        pixels: `(H, W)` or `(H, W, 3)`; uint8, uint16, or float32 in [0, 1].
        size: the side of the network's training photos.
        multiple: the network's sides must be multiples of it. The short side then has the training's scale, and the
            long side keeps its proportion. `None` for a network that takes squares of `size` only: the long side is
            scaled to it.
        hints: colours at places of the photo.
        picture: rows and columns of the picture in its border; it is looked for unless given.

    Raises:
        ColorizeError: a hint lies outside the photo.
    """
    check_hints(hints, *pixels.shape[:2])
    photo_size = pixels.shape[0], pixels.shape[1]
    picture = picture or find_border(pixels)
    pixels = pixels[picture]
    height, width = scaled_size(pixels.shape[0], pixels.shape[1], size, multiple)
    L = photo_lightness(resize_8_bits(pixels, height, width))
    padded = (size, size) if multiple is None else (-(-height // multiple) * multiple, -(-width // multiple) * multiple)
    top, left = (padded[0] - height) // 2, (padded[1] - width) // 2
    L = np.pad(L, ((top, padded[0] - height - top), (left, padded[1] - width - left)), mode="reflect")
    rows, columns = slice(top, top + height), slice(left, left + width)
    return Frame(Inputs(L[..., None]), rows, columns, picture, photo_size).with_hints(hints)


def scaled_size(height: int, width: int, size: int, multiple: int | None) -> tuple[int, int]:
    """Return the height and width of a photo in its frame, before it is padded; see `frame_photo`."""
    short, long = min(height, width), max(height, width)
    scale = size / long if multiple is None else min(size / short, LONGEST_ASPECT * size / long)
    return max(1, round(height * scale)), max(1, round(width * scale))


def resize_8_bits(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale a photo (H, W) or (H, W, 3) with antialiasing to (height, width), uint8: training has 8 bits too."""
    factors = tuple(
        max(1, have // (_REDUCING_GAP * want)) for have, want in ((pixels.shape[1], width), (pixels.shape[0], height))
    )
    reduced = np.concatenate([np.asarray(strip.reduce(factors)) for strip in _strips_of_8_bits(pixels, factors[1])])
    box = (0, 0, pixels.shape[1] / factors[0], pixels.shape[0] / factors[1])
    return np.asarray(Image.fromarray(reduced).resize((width, height), Image.Resampling.BICUBIC, box=box))


def _strips_of_8_bits(pixels: np.ndarray, multiple: int) -> Iterator[Image.Image]:
    """Cut the photo into strips of a multiple of rows, and convert each on its own."""
    rows = max(1, BLOCK // (pixels.shape[1] * multiple)) * multiple
    for top in range(0, len(pixels), rows):
        yield Image.fromarray(np.ascontiguousarray(to_8_bits(pixels[top : top + rows])))
