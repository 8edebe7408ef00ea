"""Photos as Python has them: paths, arrays, Pillow images and pictures, opened and given back in kind."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar, overload

import numpy as np
from PIL import Image

from keras_colorize.errors import ColorizeError
from keras_colorize.images import Picture, from_image, read_pictures, to_8_bits

PhotoLike = str | os.PathLike[str] | Image.Image | np.ndarray | Picture

# A photo in memory, whose result is of its own kind. The result of a path is an array.
Photo = TypeVar("Photo", np.ndarray, Image.Image, Picture)

_SHAPES = "(H, W), (H, W, 1) or (H, W, 3), or a batch (N, H, W), (N, H, W, 1) or (N, H, W, 3)"


@dataclass(frozen=True, eq=False)
class OpenPhotos(Generic[Photo]):
    """One photo, or several in an array, as pixels.

    pixels: of each photo, (H, W) or (H, W, 3); uint8, uint16, or float32 in [0, 1].
    result: makes a result of the kind that came from the colours of each photo, (H, W, 3).
    """

    pixels: list[np.ndarray]
    result: Callable[[list[np.ndarray]], Photo]


@overload
def open_photos(image: Photo) -> OpenPhotos[Photo]: ...
@overload
def open_photos(image: str | os.PathLike[str]) -> OpenPhotos[np.ndarray]: ...
def open_photos(image: PhotoLike) -> OpenPhotos:
    """Open whatever `Colorizer` takes.

    Raises:
        ColorizeError: it is of another kind, shape or type, is empty, does not decode, or holds values out of range.
    """
    if isinstance(image, Picture):
        return OpenPhotos([image.pixels], lambda rgb: replace(image, pixels=rgb[0]))
    if isinstance(image, (str, os.PathLike)):
        return OpenPhotos([next(read_pictures(image)).pixels], lambda rgb: rgb[0])
    if isinstance(image, Image.Image):
        picture = _picture_of(image)
        return OpenPhotos([picture.pixels], lambda rgb: _to_image(rgb[0], picture.alpha))
    if isinstance(image, np.ndarray):
        pixels, dtype = _check_pixels(image), image.dtype
        if _is_batch(image.shape):
            return OpenPhotos(list(pixels), lambda rgb: np.stack(rgb).astype(dtype, copy=False))
        return OpenPhotos([pixels], lambda rgb: rgb[0].astype(dtype, copy=False))
    raise ColorizeError(
        f"a photo cannot be {type(image).__name__}: expected a path, a Pillow image, a Picture or a NumPy array"
    )


@overload
def open_photo(image: Photo) -> OpenPhotos[Photo]: ...
@overload
def open_photo(image: str | os.PathLike[str]) -> OpenPhotos[np.ndarray]: ...
def open_photo(image: PhotoLike) -> OpenPhotos:
    """Open one photo.

    Raises:
        ColorizeError: several came, or as `open_photos`.
    """
    photos = open_photos(image)
    if len(photos.pixels) != 1:
        raise ColorizeError(f"{len(photos.pixels)} photos came: expected one photo")
    return photos


def _is_batch(shape: tuple[int, ...]) -> bool:
    """Tell whether an array of this shape holds several photos; (A, B, 3) and (A, B, 1) are one with its channels."""
    return len(shape) == 4 or (len(shape) == 3 and shape[2] not in (1, 3))


def _check_pixels(pixels: np.ndarray) -> np.ndarray:
    """Return an array as pixels: grey without an axis for its channel, floats as float32."""
    shape, dtype = pixels.shape, pixels.dtype
    if len(shape) not in (2, 3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)):
        raise ColorizeError(f"the photo has shape {shape}: expected {_SHAPES}")
    if len(shape) == 3 and shape[2] in (2, 4):
        raise ColorizeError(
            f"the photo has shape {shape}, with transparency as it seems: expected {_SHAPES}; a Pillow image and a"
            " Picture keep their transparency"
        )
    if 0 in shape:
        raise ColorizeError(f"the photo is empty: it has shape {shape}")
    if len(shape) > 2 and shape[-1] == 1:
        pixels = pixels[..., 0]
    if dtype.kind == "u" and dtype.itemsize <= 2:
        return pixels.astype(dtype.newbyteorder("="), copy=False)
    if dtype.kind != "f":
        raise ColorizeError(f"the photo holds {dtype}: expected uint8, uint16, or floats in [0, 1]")
    low, high = float(pixels.min()), float(pixels.max())
    if not np.isfinite([low, high]).all():  # NaN anywhere makes both NaN
        raise ColorizeError("the photo holds values that are no finite numbers: expected floats in [0, 1]")
    if low < 0 or high > 1:
        raise ColorizeError(f"the photo holds floats from {low:g} to {high:g}: expected [0, 1]; divide by its white")
    return pixels.astype(np.float32, copy=False)


def _picture_of(image: Image.Image) -> Picture:
    if 0 in image.size:
        raise ColorizeError(f"the image is empty: {image.width}×{image.height} pixels")
    try:
        image.load()
    except Exception as error:  # a damaged file can raise anything
        raise ColorizeError(f"the image does not decode ({' '.join(str(error).split())})") from error
    return from_image(image, image.info.get("icc_profile"), orientation=1)


def _to_image(rgb: np.ndarray, alpha: np.ndarray | None) -> Image.Image:
    """Make a Pillow image, of 8 bits: Pillow has no RGB of 16."""
    return Image.fromarray(to_8_bits(rgb if alpha is None else np.dstack([rgb, alpha])))
