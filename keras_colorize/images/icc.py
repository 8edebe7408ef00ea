"""ICC profiles → sRGB: by LittleCMS for Pillow images of 8 bits, and for arrays of 16, which its binding cannot hold.

The rendering is relative colorimetric with black point compensation, as in photo editors. A profile that is broken, or
made for other channels, is ignored, as in browsers.
"""

import functools
import io
import struct
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

PROFILE_SPACES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}  # ICC colour space → the Pillow mode it describes

# Linear sRGB → XYZ of the profile connection space (D50), as in the ICC's own sRGB profile.
_SRGB_TO_XYZ = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
# 8-bit levels at which a profile made of tables is sampled: 60³ nodes, closest in the darks, where curves are steepest.
_NODES = np.array([*range(9), 10, 12, 15, *range(20, 256, 5)], np.uint8)


@functools.cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@functools.cache
def srgb_profile() -> bytes:
    """Return an sRGB profile to embed, the same bytes each time: the date that LittleCMS writes is replaced."""
    profile = _srgb().tobytes()
    return profile[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + profile[36:]


@functools.cache
def lab_to_srgb() -> ImageCms.ImageCmsTransform:
    """Return the conversion of 8-bit "LAB" images to "RGB"."""
    return ImageCms.buildTransform(ImageCms.createProfile("LAB"), _srgb(), "LAB", "RGB")


def profile_mode(profile: bytes | None) -> str | None:
    """Return the Pillow mode that a profile describes, "L", "RGB" or "CMYK"; `None` for others and for broken ones."""
    try:
        return PROFILE_SPACES.get(ImageCms.ImageCmsProfile(io.BytesIO(profile or b"")).profile.xcolor_space.strip())
    except (ImageCms.PyCMSError, OSError, AttributeError):
        return None


@functools.lru_cache(maxsize=64)  # a folder of photos has a handful of profiles, and each transform takes milliseconds
def transform_to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the conversion of images of `mode` to sRGB; `None` if a profile is sRGB, broken, or for other channels."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if PROFILE_SPACES.get(source.profile.xcolor_space.strip()) != mode:
            return None
        if "sRGB" in ImageCms.getProfileDescription(source):
            return None
        return ImageCms.buildTransform(
            source,
            _srgb(),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, AttributeError):
        return None


def embeddable(profile: bytes | None) -> bytes | None:
    """Return the profile to embed in a colour version of a file, given the file's own.

    It is the file's own if that is of sRGB, else a common one of sRGB; `None` if there is none or it is broken.
    """
    mode = profile_mode(profile) if profile else None
    if profile is None or mode is None:
        return None
    return profile if mode == "RGB" and transform_to_srgb(profile, mode) is None else srgb_profile()


@functools.lru_cache(maxsize=16)
def grey_table(profile: bytes, depth: int) -> np.ndarray | None:
    """Return the sRGB level of each grey level of a profile: (256,) uint8 or (65536,) uint16.

    With such a table a grey photo stays one channel.


    Args:
        profile: of a grey photo.
        depth: bits per level, 8 or 16.

    Returns:
        the table, or `None` where the profile changes nothing. A curve is evaluated exactly; other profiles go through
        LittleCMS at 256 levels with straight lines between.
    """
    transform = transform_to_srgb(profile, "L")
    if transform is None:
        return None
    levels = np.arange(2**depth) / (2**depth - 1)
    tags = _tags(profile)
    curve = _curve(tags.get(b"kTRC", b""))
    tables = any(tag.startswith(b"A2B") for tag in tags)
    if curve is not None and profile[20:24] == b"XYZ " and not tables and curve(levels[:1])[0] == 0:
        grey = _encode(curve(levels))
    else:
        nodes = np.asarray(transform.apply(Image.fromarray(np.arange(256, dtype=np.uint8)[None])))[0]
        grey = np.interp(levels, np.arange(256) / 255, nodes.mean(axis=-1) / 255)
    return np.rint(grey * (2**depth - 1)).astype(np.uint8 if depth == 8 else np.uint16)


@functools.lru_cache(maxsize=4)
def deep_transform(profile: bytes) -> Callable[[np.ndarray], np.ndarray] | None:
    """Return the conversion of (N, 3) uint16 pixels to sRGB, (N, 3) uint16; `None` where the profile changes nothing.

    Profiles of matrix and curves (Adobe RGB, Display P3, ProPhoto, most scanners) are computed in float. Those made
    of tables are sampled through 8-bit LittleCMS at 60³ nodes with trilinear interpolation: smooth, and within about
    half an 8-bit level.
    """
    transform = transform_to_srgb(profile, "RGB")
    if transform is None:
        return None
    tags = _tags(profile)
    found = [_curve(tags.get(channel + b"TRC", b"")) for channel in (b"r", b"g", b"b")]
    levels = np.arange(65536) / 65535
    # A black that emits light needs black point compensation, which is left to LittleCMS.
    curves = [curve(levels).astype(np.float32) for curve in found if curve is not None and curve(levels[:1])[0] == 0]
    columns = [tags.get(channel + b"XYZ", b"") for channel in (b"r", b"g", b"b")]
    tables = any(tag.startswith((b"A2B", b"D2B")) for tag in tags)
    if tables or profile[20:24] != b"XYZ " or any(len(column) < 20 for column in columns) or len(curves) < 3:
        return _grid_transform(transform)
    to_xyz = np.array([struct.unpack(">3i", column[8:20]) for column in columns]).T / 65536
    to_linear = (np.linalg.inv(_SRGB_TO_XYZ) @ to_xyz).astype(np.float32)

    def apply(pixels: np.ndarray) -> np.ndarray:
        source = np.stack([table[pixels[:, channel]] for channel, table in enumerate(curves)], axis=1)
        return np.rint(_encode(source @ to_linear.T) * 65535).astype(np.uint16)

    return apply


def _grid_transform(transform: ImageCms.ImageCmsTransform) -> Callable[[np.ndarray], np.ndarray]:
    count = len(_NODES)
    cube = np.stack(np.meshgrid(_NODES, _NODES, _NODES, indexing="ij"), axis=-1).reshape(count, -1, 3)
    values = np.asarray(transform.apply(Image.fromarray(cube))).reshape(-1, 3).astype(np.float32) * 257
    places = np.interp(np.arange(65536) / 257, _NODES, np.arange(count)).astype(np.float32)

    def apply(pixels: np.ndarray) -> np.ndarray:
        position = places[pixels]
        low = np.minimum(position.astype(np.int32), count - 2)
        share = position - low
        mixed = np.zeros(pixels.shape, np.float32)
        for corner in np.ndindex(2, 2, 2):
            weight = np.prod(np.where(corner, share, 1 - share), axis=1, keepdims=True)
            mixed += weight * values[(low + corner) @ (count * count, count, 1)]
        return np.rint(mixed).astype(np.uint16)

    return apply


def _encode(linear: np.ndarray) -> np.ndarray:
    """Apply sRGB's transfer curve (IEC 61966-2-1, as `color.lab` does) in float64, clipped to [0, 1]."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """Contents of a profile by signature (ICC.1:2022, 7.3); empty where the table of tags is damaged."""
    try:
        (count,) = struct.unpack_from(">I", profile, 128)
        rows = [struct.unpack_from(">4sII", profile, 132 + 12 * row) for row in range(min(count, 200))]
        return {signature: profile[offset : offset + size] for signature, offset, size in rows}
    except struct.error:
        return {}


def _curve(tag: bytes) -> Callable[[np.ndarray], np.ndarray] | None:
    """A tone curve as a function of [0, 1] (ICC.1:2022, 10.6 and 10.18); `None` where it is no curve."""
    try:
        if tag[:4] == b"curv":
            (count,) = struct.unpack_from(">I", tag, 8)
            if count == 0:
                return lambda level: level
            points = np.frombuffer(tag, ">u2", count, 12).astype(np.float64)
            if count == 1:
                return lambda level: level ** (points[0] / 256)
            return lambda level: np.interp(level, np.linspace(0, 1, count), points / 65535)
        if tag[:4] != b"para":
            return None
        (kind,) = struct.unpack_from(">H", tag, 8)
        given = struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", tag, 12)
    except (struct.error, ValueError, IndexError):
        return None
    defaults = (1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    g, a, b, c, d, e, f = [value / 65536 for value in given] + list(defaults[len(given) :])
    if kind in (1, 2):  # the power from −b/a on; below it a constant, which type 2 adds everywhere
        c, d, e, f = 0.0, (-b / a if a else 0.0), c, c
    return lambda level: np.where(level >= d, np.maximum(a * level + b, 0) ** g + e, c * level + f)
