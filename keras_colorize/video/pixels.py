"""Pixels of decoded frames: upright, of full range, grey where the film is grey."""

import numpy as np
from av import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace

from keras_colorize.video.frames import FilmFormat

# Planes of chroma that are nowhere further from neutral than this, in levels of 8 bits, are what a codec makes of grey.
_NEUTRAL = 3
_HD_ROWS = 720  # from here on a film that does not name its matrix has that of BT.709, below that of BT.601
_MATRICES = {1: Colorspace.ITU709, 7: Colorspace.SMPTE240M, 9: Colorspace.BT2020, 10: Colorspace.BT2020}
_LIMITED = np.clip(np.rint((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)


def pixels_of(frame: VideoFrame, film: FilmFormat) -> np.ndarray:
    """Convert a decoded frame to upright pixels with full range: (H, W) where it is grey, else (H, W, 3)."""
    pixels = _grey_pixels(frame)
    if pixels is None:
        matrix = _MATRICES.get(int(frame.colorspace))
        if matrix is None:
            unnamed_hd = int(frame.colorspace) == 2 and film.height >= _HD_ROWS
            matrix = Colorspace.ITU709 if unnamed_hd else Colorspace.ITU601
        name = "rgb24" if film.bits == 8 else "rgb48le"
        full = int(frame.color_range) == 2 or frame.format.name.startswith("yuvj")
        pixels = frame.reformat(
            format=name,
            src_colorspace=matrix,
            src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
        ).to_ndarray()
    turns = round(film.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def _grey_pixels(frame: VideoFrame) -> np.ndarray | None:
    """Return the luma of a frame of 8 bits without colour, (H, W) of full range; None for others."""
    name = frame.format.name
    if name not in _LUMA_FIRST:
        return None
    for plane in frame.planes[1:]:
        chroma = _samples(plane)
        low, high = int(chroma.min()), int(chroma.max())
        if low < 128 - _NEUTRAL or high > 128 + _NEUTRAL:
            return None
    luma = _samples(frame.planes[0])
    full = int(frame.color_range) == 2 or name.startswith("yuvj") or (name == "gray" and int(frame.color_range) != 1)
    return luma.copy() if full else _LIMITED[luma]


def _samples(plane: VideoPlane) -> np.ndarray:
    """View a plane of 8 bits as an array (h, w)."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)[:, : plane.width]


_LUMA_FIRST = {"gray", *(f"yuv{j}{kind}p" for j in ("", "j") for kind in (420, 422, 444, 440, 411))}


def bits_of(frame: VideoFrame) -> int:
    """Return the bits of a sample of a decoded frame, 8 or more."""
    return max((component.bits for component in frame.format.components), default=8)
