"""A photo in memory with all that its file held."""

from dataclasses import dataclass, field

import numpy as np

from keras_colorize.errors import ColorizeError
from keras_colorize.images.metadata import Metadata


@dataclass(eq=False)
class Picture:
    """One photo.

    pixels: sRGB (H, W, 3), or (H, W) grey with sRGB's tone curve; uint8 or uint16 over the full range; upright.
    alpha: opacity (H, W) of the same type, 0 where the photo is transparent, or `None`. The pixels under it are kept.
    metadata: all that the file says besides its pixels.

    Raises:
        ColorizeError: an array has another shape or type.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    metadata: Metadata = field(default_factory=Metadata)

    def __post_init__(self) -> None:
        shape, dtype = self.pixels.shape, self.pixels.dtype
        grey_or_rgb = len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)
        if dtype not in (np.uint8, np.uint16) or not grey_or_rgb or 0 in shape:
            raise ColorizeError(f"pixels are {dtype} {shape}: expected uint8 or uint16, (H, W) or (H, W, 3)")
        if self.alpha is not None and (self.alpha.shape != shape[:2] or self.alpha.dtype != dtype):
            raise ColorizeError(f"alpha is {self.alpha.dtype} {self.alpha.shape}: expected {dtype} {shape[:2]}")

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return self.pixels.shape[1]

    @property
    def depth(self) -> int:
        """Bits per sample: 8 or 16."""
        return 8 * self.pixels.itemsize

    @property
    def is_grey(self) -> bool:
        """Tell whether the pixels have one channel."""
        return self.pixels.ndim == 2
