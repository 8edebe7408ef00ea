"""The colorizer: a trained system that colorizes photos of any size.

Importing this module loads neither TensorFlow nor Keras; the runtime of a system is loaded with it.
"""

import functools
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack, overload

import numpy as np
from PIL.Image import Image

from keras_colorize.color.vividness import check_vividness
from keras_colorize.defaults import DEFAULT_MODEL
from keras_colorize.errors import ColorizeError
from keras_colorize.images import Picture
from keras_colorize.inference.finish import finish_photos
from keras_colorize.inference.hint_files import Hints, hints_of_each
from keras_colorize.inference.photos import Photo, PhotoLike, open_photo, open_photos
from keras_colorize.inference.session import SCREEN_SIDE, Session
from keras_colorize.inference.suggestions import Suggestion, suggest_colors
from keras_colorize.inference.system import TrainedSystem

if TYPE_CHECKING:
    from keras_colorize.inference.reference import ReferencePhoto
    from keras_colorize.video.frames import FilmFrame


class Look(TypedDict, total=False):
    """The settings of one call of a `Colorizer`; `Colorizer.__call__` explains them."""

    vividness: float
    edges: bool
    hints: Hints | Sequence[Hints]
    reference: "PhotoLike | ReferencePhoto | None"


class SampleLook(TypedDict, total=False):
    """The settings of samples; `Colorizer.samples` explains them."""

    seed: int
    vividness: float
    edges: bool
    hints: Hints


class Colorizer(TrainedSystem):
    """A trained system that colorizes photos: it has their kinds, their sizes and their files.

    `from_zoo`, `from_run` and `from_file` make one. It may be used from several threads at once. Its arguments and
    attributes are those of `TrainedSystem`.
    """

    @overload
    def __call__(self, image: Photo, **look: Unpack[Look]) -> Photo: ...
    @overload
    def __call__(self, image: str | os.PathLike[str], **look: Unpack[Look]) -> np.ndarray: ...
    def __call__(
        self,
        image: PhotoLike,
        *,
        vividness: float = 1.0,
        edges: bool = True,
        hints: Hints | Sequence[Hints] = (),
        reference: "PhotoLike | ReferencePhoto | None" = None,
    ) -> np.ndarray | Image | Picture:
        """Colorize a photo at its own size, or a batch of photos of one size. Of its colours only lightness is used.

        Args:
            image: a path; a Pillow image; a `Picture`; or an array (H, W), (H, W, 1) or (H, W, 3), or of several photos
                (N, H, W), (N, H, W, 1) or (N, H, W, 3), of uint8, uint16, or floats in [0, 1].
            vividness: 1 is the system's own, 0 grey, above 1 stronger; up to 10.
            edges: let chroma follow the photo's edges; otherwise it is enlarged bilinearly.
            hints: colours at places of the photo, for a network that takes them: a list of `Hint`, or what `read_hints`
                read. For a batch one list serves all photos, and a list of lists has one for each.
            reference: a photo in colour whose palette the photo takes on: one photo as `image`, or what `reference`
                made of it. A person's hints win over it.

        Returns:
            For an array rgb (H, W, 3) or (N, H, W, 3) of its type; for a path rgb (H, W, 3), upright, of the first page
            of a file with pages; for a Pillow image one, "RGB" or with transparency "RGBA"; for a `Picture` a
            `Picture`.

        Raises:
            ColorizeError: the photo is of another kind, shape or type, is empty, holds NaN, or floats outside [0, 1];
                `vividness` is out of range; a hint lies outside the photo; the network takes no hints; the reference
                is grey; or the network predicts no distribution of colours, which a reference needs.
        """
        check_vividness(vividness)
        known = None if reference is None else self._reference(reference)
        photos = open_photos(image)
        return photos.result(self._colorize(photos.pixels, vividness, edges, hints, known))

    def colorize_pictures(
        self,
        pictures: Sequence[Picture],
        *,
        vividness: float = 1.0,
        edges: bool = True,
        hints: Hints | Sequence[Hints] = (),
    ) -> list[Picture]:
        """Colorize several photos, those of one shape in one call of the network; transparency and metadata stay.

        Args:
            pictures: the photos.
            vividness, edges, hints: as in a call.

        Raises:
            ColorizeError: `vividness` is out of range, a hint lies outside its photo, or the network takes none.
        """
        check_vividness(vividness)
        colored = self._colorize([picture.pixels for picture in pictures], vividness, edges, hints)
        return [replace(picture, pixels=rgb) for picture, rgb in zip(pictures, colored, strict=True)]

    @overload
    def samples(self, image: Photo, count: int, **look: Unpack[SampleLook]) -> Iterator[Photo]: ...
    @overload
    def samples(
        self, image: str | os.PathLike[str], count: int, **look: Unpack[SampleLook]
    ) -> Iterator[np.ndarray]: ...
    def samples(
        self,
        image: PhotoLike,
        count: int,
        *,
        seed: int = 0,
        vividness: float = 1.0,
        edges: bool = True,
        hints: Hints = (),
    ) -> Iterator[np.ndarray | Image | Picture]:
        """Yield different colorizations of one photo.

        A network with dropout draws them by dropout that stays on (Isola et al. 2017, section 3.2). One that predicts a
        distribution and takes hints gives its plain answer first, and then versions drawn from the distribution
        (`inference.versions`), the most likely first.

        Args:
            image: one photo, as in a call.
            vividness, edges: as in a call.
            count: how many, at least 1.
            seed: at least 0; it decides all samples. With dropout, sample n of a seed is the same whatever the count.
            hints: colours at places of the photo, which all samples keep.

        Yields:
            What a call returns, `count` times.

        Raises:
            ColorizeError: the network has only one answer, several photos came, or as in a call; before the first
                sample.
        """
        check_vividness(vividness)
        if count < 1 or seed < 0:
            raise ColorizeError(f"{count} samples of seed {seed}: expected at least 1 sample and a seed of 0 or more")
        self.check_samples()
        photos = open_photo(image)
        pixels = photos.pixels[0]
        frame = self.frame(pixels, hints)
        sample = self.sampler(frame, count, seed, vividness)
        return (photos.result([self.finish(pixels, frame, sample(number), edges)]) for number in range(count))

    def film(
        self,
        path: str | Path,
        *,
        vividness: float = 1.0,
        edges: bool = True,
        steady: bool = True,
        hints: Hints = (),
        reference: "PhotoLike | ReferencePhoto | None" = None,
        fps: float | None = None,
    ) -> "Iterator[FilmFrame]":
        """Yield the frames of a film in colour, in steady colours that follow the motion; a few are in memory.

            for frame in colorizer.film("old.mp4"):
                show(frame.pixels, frame.time)

        `colorize_film` writes a film with its sound, and goes on after a crash. It needs the extra `video`.

        Args:
            path: a file, or a folder of numbered frames.
            vividness, edges: as in a call.
            steady: otherwise each frame is coloured on its own, and flickers.
            hints: colours at places of frames, `TimedHint`s, for a network that takes them; each is carried through its
                shot.
            reference: a photo in colour whose palette the film takes on, as in a call.
            fps: frames per second of a folder of frames, 24 by default.

        Yields:
            frames with `number`, `time` in seconds, and `pixels`, rgb (H, W, 3), upright.

        Raises:
            ColorizeError: there is no such film, it does not decode, or a value is out of range.
        """
        from keras_colorize.video.settings import FilmSettings, check_installed

        check_installed()
        from keras_colorize.video.pipeline import film_frames

        settings = FilmSettings(
            vividness=vividness, edges=edges, steady=steady, hints=hints, reference=reference, fps=fps
        )
        return film_frames(self, path, settings)

    def reference(self, image: PhotoLike) -> "ReferencePhoto":
        """Look at a photo in colour once, so that many photos can take on its palette.

        Args:
            image: one photo, as in a call.

        Raises:
            ColorizeError: the network predicts no distribution of colours, the photo is grey, several photos came, or
                as in a call.
        """
        self.check_takes_reference()
        from keras_colorize.inference.reference import make_reference

        pixels = open_photo(image).pixels[0]
        return make_reference(self.distribution, pixels, self.frame(pixels))

    def _reference(self, image: "PhotoLike | ReferencePhoto") -> "ReferencePhoto":
        """Return a reference as `reference` makes it, and one that was made before as it is."""
        self.check_takes_reference()
        from keras_colorize.inference.reference import ReferencePhoto

        return image if isinstance(image, ReferencePhoto) else self.reference(image)

    @overload
    def session(self, photo: Photo, *, side: int = ...) -> Session[Photo]: ...
    @overload
    def session(self, photo: str | os.PathLike[str], *, side: int = ...) -> Session[np.ndarray]: ...
    def session(self, photo: PhotoLike, *, side: int = SCREEN_SIDE) -> Session:
        """Open a photo for edits: quick previews while hints and vividness change, and the result at full size.

        Args:
            photo: one photo, as in a call.
            side: the longest side of previews in pixels.

        Raises:
            ColorizeError: `side` is below 1, several photos came, or as in a call.
        """
        return Session(self, open_photo(photo), side)

    def suggest(self, photo: PhotoLike, x: float, y: float, count: int = 6, *, hints: Hints = ()) -> list[Suggestion]:
        """Suggest the most likely different colours at a place of a photo, in falling order of their probability.

        Colours lie at least 20 CIE units of ab apart and in the gamut at the lightness of the place. There are fewer of
        them where fewer can be shown or are likely, and none in a plain border of the photo, which stays neutral.

        Args:
            photo: one photo, as in a call.
            x, y: the place, in pixels of the photo.
            count: the most that are wanted.
            hints: colours that are given already, which the network takes into account.

        Raises:
            ColorizeError: the network predicts no distribution over classes of chroma, the place lies outside the
                photo, the count is below 1, several photos came, or as in a call.
        """
        frame = self.frame(open_photo(photo).pixels[0], hints)
        return suggest_colors(self.space, frame, self.run_network([frame]), x, y, count)

    def _colorize(
        self,
        photos: list[np.ndarray],
        vividness: float,
        edges: bool,
        hints: Hints | Sequence[Hints],
        reference: "ReferencePhoto | None" = None,
    ) -> list[np.ndarray]:
        each = hints_of_each(hints, len(photos))
        frames = [self.frame(pixels, given) for pixels, given in zip(photos, each, strict=True)]
        if reference is None:
            chromas = self.predict(frames, vividness)
        else:
            chromas = [self.predict_like(frame, reference, vividness) for frame in frames]
        return finish_photos(photos, frames, chromas, edges)


@overload
def colorize(image: Photo, **look: Unpack[Look]) -> Photo: ...
@overload
def colorize(image: str | os.PathLike[str], **look: Unpack[Look]) -> np.ndarray: ...
def colorize(
    image: PhotoLike,
    *,
    vividness: float = 1.0,
    edges: bool = True,
    hints: Hints | Sequence[Hints] = (),
    reference: "PhotoLike | ReferencePhoto | None" = None,
) -> np.ndarray | Image | Picture:
    """Colorize one photo with the packaged default system, `vivid`: see `Colorizer.__call__`."""
    return _default()(image, vividness=vividness, edges=edges, hints=hints, reference=reference)


@functools.cache
def _default() -> Colorizer:
    return Colorizer.from_zoo(DEFAULT_MODEL)
