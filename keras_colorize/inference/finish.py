"""The finish: from chroma at the network's size to the coloured photo at its own.

Lightness stays the photo's own. Chroma is enlarged by a kind of fast guided filter, which lets it follow the photo's
edges, brought into the sRGB gamut along its hue, and joined with lightness strip by strip, so that little memory is
needed beside photo and result. The Colorizer, evaluation and the workers of a pipeline all finish photos here.
`docs/inference.md` has the figures.
"""

from collections.abc import Sequence

import numpy as np

from keras_colorize.color.operations import keras_ops as ops
from keras_colorize.inference.frame import Frame
from keras_colorize.inference.strips import color_strips
from keras_colorize.tensor import Tensor

# Of the windows, in pixels and squared units of L at the network's size.
# [choice] Measured (docs/inference.md): nearer to the truth than bilinear on sharp photos, grainy ones too.
RADIUS = 1
EPSILON = 50.0


def finish_photo(pixels: np.ndarray, frame: Frame, ab: np.ndarray, edges: bool = True) -> np.ndarray:
    """Join a photo's own lightness with the chroma that a network predicts for its frame.

    Args:
        pixels: the photo, `(H, W)` or `(H, W, 3)`; uint8, uint16, or float32 in [0, 1].
        frame: of this photo.
        ab: chroma `(h, w, 2)` in CIE units, at the frame's size.
        edges: let chroma follow the photo's edges; otherwise it is enlarged bilinearly.

    Returns:
        rgb `(H, W, 3)` of the photo's type, in gamut. A plain border that the frame leaves out is neutral.
    """
    picture = color_photo(pixels[frame.picture], frame_coefficients(frame, ab, edges))
    if picture.shape[:2] == pixels.shape[:2]:
        return picture
    photo = color_photo(pixels, np.zeros((1, 1, 4), np.float32))
    photo[frame.picture] = picture
    return photo


def frame_coefficients(frame: Frame, ab: np.ndarray, edges: bool = True) -> np.ndarray:
    """Return the coefficients (h, w, 4) of the picture in a frame, from the chroma (h', w', 2) of the whole frame."""
    chroma = np.moveaxis(ab.astype(np.float32, copy=False), -1, 0)
    L = frame.inputs.lightness[..., 0]
    slope = _slopes(L, chroma) if edges else np.zeros_like(chroma)
    return np.moveaxis(np.concatenate([slope, chroma - slope * L]), 0, -1)[frame.rows, frame.columns]


def _slopes(L: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """Return the slopes (2, h, w) of `guided_coefficients` in NumPy, from L (h, w) and chroma (2, h, w)."""
    centered = L - np.float32(50.0)
    means = _window_means(np.concatenate([centered[None], chroma, np.square(centered)[None], centered * chroma]))
    variance = np.maximum(means[3] - np.square(means[0]), np.float32(0.0)) + np.float32(EPSILON)
    return _window_means((means[4:] - means[0] * means[1:3]) / variance)


def _window_means(maps: np.ndarray) -> np.ndarray:
    """Average maps (C, h, w) over the square windows around each place; at the borders over the part that exists."""
    for axis in (1, 2):
        along = np.moveaxis(maps, axis, -1)
        total, count = along.copy(), np.ones(along.shape[-1], np.float32)
        for shift in range(1, RADIUS + 1):
            for to, of in ((slice(shift, None), slice(None, -shift)), (slice(None, -shift), slice(shift, None))):
                total[..., to] += along[..., of]
                count[to] += 1
        maps = np.moveaxis(total / count, -1, axis)
    return maps


def finish_photos(
    photos: Sequence[np.ndarray], frames: Sequence[Frame], chromas: Sequence[np.ndarray], edges: bool = True
) -> list[np.ndarray]:
    """Finish each photo as `finish_photo` does."""
    return [finish_photo(*photo, edges) for photo in zip(photos, frames, chromas, strict=True)]


def guided_coefficients(L: Tensor, ab: Tensor, radius: int = RADIUS, epsilon: float = EPSILON) -> Tensor:
    """Write chroma as a linear function of lightness around each place, so that it can be enlarged along edges.

    In each window a line is fitted by least squares, and a place takes the mean slope of all windows over it, as in the
    guided filter. That filter would take the mean offset too, which smooths the prediction; here the line goes through
    the place's own L and ab. Enlarged, this is the bilinear chroma plus slope times what lightness has beyond
    its own bilinear enlargement.

    The function uses keras.ops only, so that it can be part of an exported graph.

    Args:
        L: `(B, h, w, 1)` lightness in [0, 100].
        ab: `(B, h, w, 2)` chroma in CIE units.
        radius: of the square windows, in pixels: sides of 2 · radius + 1, cut off at the borders.
        epsilon: in squared units of L. Where L varies by less than its root, chroma ignores lightness: grain does not
            become specks of colour.

    Returns:
        `(B, h, w, 4)` float32: slopes of a and b, then offsets; `ab = slope · L + offset` at each place.

    Source: after He and Sun 2015, Fast Guided Filter, https://arxiv.org/abs/1505.00996, algorithm 2.
    """
    L, ab = ops.cast(L, "float32"), ops.cast(ab, "float32")
    # Variance as a difference of large squares would lose digits: from the middle of L they are smaller.
    centered = L - 50.0
    means = _box_mean(ops.concatenate([centered, ab, centered * centered, centered * ab], axis=-1), radius)
    mean_L, mean_ab, mean_LL, mean_Lab = means[..., :1], means[..., 1:3], means[..., 3:4], means[..., 4:]
    slope = (mean_Lab - mean_L * mean_ab) / (ops.maximum(mean_LL - mean_L * mean_L, 0.0) + epsilon)
    slope = _box_mean(slope, radius)
    return ops.concatenate([slope, ab - slope * L], axis=-1)


def constant_coefficients(ab: Tensor) -> Tensor:
    """Write chroma `(B, h, w, 2)` in the same form, but without lightness: enlarged, it is bilinear."""
    return ops.concatenate([ops.zeros_like(ab), ab], axis=-1)


def color_photo(pixels: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Colour a photo.

    Args:
        pixels: the photo, grey `(H, W)` or RGB `(H, W, 3)`; uint8, uint16, or float32 in [0, 1].
        coefficients: `(h, w, 4)` float32 of `guided_coefficients` over the whole photo, at any smaller or larger size.

    Returns:
        rgb `(H, W, 3)` of the photo's type: its lightness, to the rounding of that type, with chroma in gamut.
    """
    return color_photos(pixels[None], coefficients[None])[0]


def color_photos(pixels: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Colour photos of one size, each bit for bit as `color_photo` colours it.

    Args:
        pixels: `(B, H, W)` or `(B, H, W, 3)`; uint8, uint16, or float32 in [0, 1].
        coefficients: `(B, h, w, 4)` float32, one map for each photo.

    Returns:
        rgb `(B, H, W, 3)` of the photos' type.
    """
    colored = np.empty((*pixels.shape[:3], 3), pixels.dtype)
    color_strips(pixels, coefficients, colored)
    return colored


def color_lightness(L: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Colour a photo of which lightness is known.

    Args:
        L: `(H, W)` float32 in [0, 100].
        coefficients: `(h, w, 4)` float32, as for `color_photo`.

    Returns:
        rgb_u8 `(H, W, 3)`, as of a photo of 8 bits.
    """
    colored = np.empty((1, *L.shape, 3), np.uint8)
    color_strips(L[None], coefficients[None], colored, lightness=True)
    return colored[0]


def _box_mean(x: Tensor, radius: int) -> Tensor:
    """Average (B, h, w, C) over the square window around each place; at the borders over the part that exists."""
    side = 2 * radius + 1
    x = ops.average_pool(x, (side, 1), strides=1, padding="same")
    return ops.average_pool(x, (1, side), strides=1, padding="same")
