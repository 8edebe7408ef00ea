"""The codecs in which films are written."""

from dataclasses import dataclass
from pathlib import Path

from keras_colorize.errors import ColorizeError, did_you_mean


@dataclass(frozen=True)
class FilmCodec:
    """A codec that films are written in.

    encoder: its name in FFmpeg.
    formats: of pixels, for 8 bits and for more.
    suffixes: of the containers that hold it.
    worst, best: constant rate factors of quality 1 and 100; None where there is nothing to choose.
    bits: of a pixel of a frame, about, for the room on the disk.
    options: for the encoder.
    segment: container of a segment, one that keeps times exactly.
    """

    encoder: str
    formats: tuple[str, str]
    suffixes: tuple[str, ...]
    worst: int | None
    best: int
    bits: float
    options: dict[str, str]
    segment: str = "nut"


_COMMON = (".mp4", ".m4v", ".mov", ".mkv")
CODECS = {
    # [choice] Quick presets: the encoder shares the processors with the network.
    # Without x264's tree of macroblocks, which reads memory that nobody wrote: the same frames would become another
    # file now and then, and a film that is resumed not quite the film that nobody disturbed.
    "h264": FilmCodec(
        "libx264",
        ("yuv420p", "yuv420p10le"),
        _COMMON,
        50,
        7,
        0.25,
        {"preset": "veryfast", "x264-params": "mbtree=0"},
    ),
    "hevc": FilmCodec(
        "libx265", ("yuv420p", "yuv420p10le"), _COMMON, 50, 9, 0.2, {"preset": "fast", "x265-params": "log-level=none"}
    ),
    "av1": FilmCodec("libsvtav1", ("yuv420p", "yuv420p10le"), (".mp4", ".mkv"), 60, 12, 0.15, {"preset": "8"}),
    "prores": FilmCodec(
        "prores_ks", ("yuv422p10le", "yuv422p10le"), (".mov", ".mkv"), None, 0, 4.0, {"profile": "3"}, "mov"
    ),
    "ffv1": FilmCodec("ffv1", ("bgr0", "gbrp16le"), (".mkv",), None, 0, 16.0, {"level": "3", "slicecrc": "1"}),
}
SUFFIXES = tuple(dict.fromkeys(suffix for codec in CODECS.values() for suffix in codec.suffixes))


def codec_for(name: str | None, out: Path, bits: int) -> str:
    """Choose a codec: the one that is asked for, else H.264, or HEVC for more than 8 bits.

    Raises:
        ColorizeError: it is unknown, or `out` has a suffix that does not hold it.
    """
    suffix = out.suffix.lower()
    if suffix not in SUFFIXES:
        raise ColorizeError(
            f"`out` '{out}' ends in '{suffix}': expected {', '.join(SUFFIXES)}, or a folder for numbered frames"
        )
    name = (name or ("h264" if bits == 8 else "hevc")).lower().replace("h265", "hevc")
    if name not in CODECS:
        raise ColorizeError(f"unknown `codec` '{name}'{did_you_mean(name, CODECS)} (known: {', '.join(CODECS)})")
    if suffix not in CODECS[name].suffixes:
        raise ColorizeError(f"'{suffix}' does not hold {name}: expected {' or '.join(CODECS[name].suffixes)}")
    return name


def is_folder(out: Path) -> bool:
    """Tell whether a film becomes a folder of numbered frames: `out` is one, or has no suffix."""
    return out.is_dir() or not out.suffix
