"""The settings of a film. Nothing here loads TensorFlow, PyAV or OpenCV."""

import importlib.util
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_colorize.color.vividness import check_vividness
from keras_colorize.errors import ColorizeError

if TYPE_CHECKING:
    from keras_colorize.inference.hint_files import Hints
    from keras_colorize.inference.photos import PhotoLike
    from keras_colorize.inference.reference import ReferencePhoto

DEFAULT_QUALITY = 75


@dataclass(frozen=True)
class FilmSettings:
    """The settings of `colorize_film`: how a film is colorized and written.

    Every value is checked when the settings are made.

    Args:
        vividness: 1 is the system's own, 0 grey, above 1 stronger; up to 10.
        edges: let colour follow the edges of each frame; otherwise it is spread smoothly.
        steady: carry colour along with the motion; otherwise each frame is coloured on its own, and flickers.
        codec: of the film, such as "hevc"; by default H.264, or HEVC where the film has more than 8 bits.
        quality: of the film, 1 to 100.
        fps: frames per second of a folder of frames, 24 by default; a file has its own rate.
        hints: colours at places of frames, for a network that takes them: a list of `Hint` and `TimedHint`, or the
            `HintSet` of a file. Each is carried through its shot.
        reference: a photo in colour whose palette the film takes on, as `Colorizer.reference` takes it, or what that
            returned; for a network that predicts a distribution of colours.
        preview: colorize only so many seconds from the beginning.
        resume: go on from the last whole segment of an earlier run.
        overwrite: replace a film, or segments, that exist.

    Raises:
        ColorizeError: a value out of range, or `resume` and `overwrite` together.
    """

    vividness: float = 1.0
    edges: bool = True
    steady: bool = True
    codec: str | None = None
    quality: int = DEFAULT_QUALITY
    fps: float | None = None
    hints: "Hints" = ()
    reference: "PhotoLike | ReferencePhoto | None" = None
    preview: float | None = None
    resume: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_vividness(self.vividness)
        if not 1 <= self.quality <= 100:
            raise ColorizeError(f"`quality` is {self.quality}: expected 1 to 100")
        if self.fps is not None and not 0.01 <= self.fps <= 1000:  # NaN is not within either
            raise ColorizeError(f"`fps` is {self.fps:g}: expected frames per second, 0.01 to 1000")
        if self.preview is not None and not (0 < self.preview < math.inf):
            raise ColorizeError(f"`preview` is {self.preview:g}: expected seconds, more than 0")
        if self.resume and self.overwrite:
            raise ColorizeError("`resume` goes on from what exists and `overwrite` replaces it: give one of the two")


def check_installed() -> None:
    """Check that the packages for films are installed.

    Raises:
        ColorizeError: one is not.
    """
    for module, package in (("av", "PyAV"), ("cv2", "OpenCV")):
        if importlib.util.find_spec(module) is None:
            raise ColorizeError(f'films need {package}: pip install "keras-colorize[video]"')
