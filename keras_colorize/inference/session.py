"""A session of edits on one photo: what does not depend on hints and vividness is computed once."""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic

import numpy as np

from keras_colorize.color.raster import photo_lightness
from keras_colorize.color.vividness import check_vividness
from keras_colorize.errors import ColorizeError
from keras_colorize.images import to_8_bits
from keras_colorize.inference.finish import color_lightness, color_photo, frame_coefficients
from keras_colorize.inference.frame import Frame, resize_8_bits
from keras_colorize.inference.hint_files import Hints, hints_on
from keras_colorize.inference.hints import Hint
from keras_colorize.inference.photos import OpenPhotos, Photo
from keras_colorize.inference.suggestions import Suggestion, suggest_colors
from keras_colorize.tensor import Tensor

if TYPE_CHECKING:
    from keras_colorize.inference.colorizer import Colorizer

# [choice] An edit of a photo of 2 megapixels stays below 60 ms on two cores.
SCREEN_SIDE = 1280
_KEPT_PREDICTIONS = 16  # of a megabyte or two each: undo and redo ask for the same hints again


class Session(Generic[Photo]):
    """Edits of one photo: previews at screen size while hints and vividness change, and the result at full size.

        session = colorizer.session("photo.jpg")
        preview = session.preview(hints=[Hint(320, 140, "firebrick")], vividness=1.2)
        photo = session.result(hints=[Hint(320, 140, "firebrick")], vividness=1.2)

    The photo is opened, framed and reduced once. The network runs again only for hints that it has not seen of late. A
    session may be used from several threads at once; a slow caller should drop edits that a newer one has replaced.

    Args:
        colorizer: of any system.
        photo: one photo, opened by `photos.open_photo`.
        side: the longest side of previews in pixels; a smaller photo keeps its size.

    Attributes:
        size: height and width of the photo, in whose pixels hints are.
        screen_size: height and width of previews.

    Raises:
        ColorizeError: the side is below 1.
    """

    def __init__(self, colorizer: "Colorizer", photo: OpenPhotos[Photo], side: int = SCREEN_SIDE) -> None:
        if side < 1:
            raise ColorizeError(f"`side` is {side}: expected 1 pixel or more")
        self._colorizer = colorizer
        self._photo: OpenPhotos[Photo] = photo
        self._pixels = photo.pixels[0]
        self._frame = colorizer.frame(self._pixels)
        self.size: tuple[int, int] = self._frame.size
        scale = min(1.0, side / max(self.size))
        self.screen_size: tuple[int, int] = tuple(max(1, round(length * scale)) for length in self.size)  # type: ignore[assignment]
        screen = to_8_bits(self._pixels) if scale == 1.0 else resize_8_bits(self._pixels, *self.screen_size)
        picture = tuple(
            _scaled(part, scale, length) for part, length in zip(self._frame.picture, self.screen_size, strict=True)
        )
        self._screen_picture = picture
        self._screen_lightness = photo_lightness(screen[picture])
        self._border = None
        if self._screen_lightness.shape != self.screen_size:
            self._border = color_photo(screen, np.zeros((1, 1, 4), np.float32))
        self._predict = functools.lru_cache(maxsize=_KEPT_PREDICTIONS)(self._run_network)

    def preview(self, *, hints: Hints = (), vividness: float = 1.0, edges: bool = True) -> np.ndarray:
        """Colorize the photo at screen size.

        Args:
            hints: in pixels of the photo, not of the preview.
            vividness, edges: as in a call of the colorizer.

        Returns:
            rgb_u8 (h, w, 3) of `screen_size`.

        Raises:
            ColorizeError: a hint lies outside the photo, the network takes none, or the vividness is out of range.
        """
        frame, ab = self._chroma(hints, vividness)
        colored = color_lightness(self._screen_lightness, frame_coefficients(frame, ab, edges))
        if self._border is None:
            return colored
        photo = self._border.copy()
        photo[self._screen_picture] = colored
        return photo

    def result(self, *, hints: Hints = (), vividness: float = 1.0, edges: bool = True) -> Photo:
        """Colorize the photo at its own size; arguments and errors are those of `preview`.

        Returns:
            What a call of the colorizer returns for the photo.
        """
        frame, ab = self._chroma(hints, vividness)
        return self._photo.result([self._colorizer.finish(self._pixels, frame, ab, edges)])

    def suggest(self, x: float, y: float, count: int = 6, *, hints: Hints = ()) -> list[Suggestion]:
        """Suggest the most likely different colours at a place: see `Colorizer.suggest`."""
        given = hints_on(hints, *self.size)
        return suggest_colors(self._colorizer.space, self._framed(given), self._predict(given), x, y, count)

    def _chroma(self, hints: Hints, vividness: float) -> tuple[Frame, np.ndarray]:
        """Return the frame with these hints and the chroma (h, w, 2) that the network predicts for it."""
        check_vividness(vividness)
        given = hints_on(hints, *self.size)
        frame = self._framed(given)
        return frame, self._colorizer.decode([frame], self._predict(given), vividness)[0]

    def _framed(self, hints: Sequence[Hint]) -> Frame:
        if not hints:
            return self._frame
        self._colorizer.check_takes_hints()
        return self._frame.with_hints(hints)

    def _run_network(self, hints: tuple[Hint, ...]) -> Tensor:
        return self._colorizer.run_network([self._framed(hints)])


def _scaled(part: slice, scale: float, length: int) -> slice:
    """Scale rows or columns of the photo to its preview, of which at least one pixel stays."""
    start = min(round(part.start * scale), length - 1)
    return slice(start, max(start + 1, min(round(part.stop * scale), length)))
