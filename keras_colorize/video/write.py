"""Writing films: segments that are encoded one after the other, and the file that joins them with the film's sound."""

import errno
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.files import written_whole
from keras_colorize.images import Picture, write_pictures
from keras_colorize.video.read import FilmFile, FilmFormat, FilmFrame, FilmSource, open_container, video_stream


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


class SegmentEncoder:
    """Encodes frames into a file of their own, which begins with a key frame.

    Args:
        file: the file to write; its container keeps times as they are.
        film: format of the frames.
        codec: a key of `CODECS`.
        quality: 1 to 100.
    """

    def __init__(self, file: Path, film: FilmFormat, codec: str, quality: int) -> None:
        self._film = film
        settings = CODECS[codec]
        self._format = settings.formats[film.bits > 8]
        options = dict(settings.options)
        if settings.worst is not None:
            factor = settings.worst + (settings.best - settings.worst) * (quality - 1) / 99
            options["crf"] = str(round(factor))
        self._container: Any = av.open(str(file), "w", format=settings.segment)
        self._stream: Any = self._container.add_stream(settings.encoder, rate=film.rate, options=options)
        context: Any = self._stream.codec_context
        even = self._format.startswith("yuv42")
        self._odd = (film.height % 2 if even else 0, film.width % 2 if even else 0)
        context.height, context.width = film.height + self._odd[0], film.width + self._odd[1]
        context.pix_fmt = self._format
        context.time_base = film.time_base
        context.sample_aspect_ratio = film.aspect
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        if self._format.startswith("yuv"):
            context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG

    def add(self, pixels: np.ndarray, pts: int) -> None:
        """Encode one frame, rgb (H, W, 3) uint8 or uint16, that is shown at `pts` in the film's time base."""
        if any(self._odd):  # two pixels share one value of chroma
            pixels = np.pad(pixels, ((0, self._odd[0]), (0, self._odd[1]), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(pixels), "rgb24" if pixels.dtype == np.uint8 else "rgb48le"
        )
        frame = frame.reformat(
            format=self._format,
            src_color_range=ColorRange.JPEG,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG if self._format.startswith("yuv") else ColorRange.JPEG,
        )
        frame.pts, frame.time_base = pts, self._film.time_base
        frame.color_primaries, frame.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        self._mux(self._stream.encode(frame))

    def close(self) -> None:
        """Encode what is left and end the file."""
        self._mux(self._stream.encode(None))
        self._container.close()

    def abandon(self) -> None:
        """End the file as it is."""
        self._container.close()

    def _mux(self, packets: Sequence[Any]) -> None:
        self._container.mux(packets)


class FrameFiles:
    """Writes frames as numbered picture files into a folder.

    Args:
        folder: made where there is none.
        quality: of JPEG and such, 1 to 100.
    """

    def __init__(self, folder: Path, quality: int) -> None:
        self._folder = folder
        self._quality = quality
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, frame: FilmFrame, pixels: np.ndarray) -> None:
        """Write one frame: PNG, with what the file of the grey frame says besides its pixels."""
        picture = (
            Picture(pixels) if frame.picture is None else Picture(pixels, frame.picture.alpha, frame.picture.metadata)
        )
        write_pictures(self._folder / f"{frame.number + 1:08d}.png", picture, quality=self._quality, overwrite=True)


# Joining


def check_streams(source: FilmSource, out: Path) -> list[str]:
    """Find out whether the sound and the subtitles of a film fit into a container.

    Returns:
        remarks, a sentence each: what has to be left out.

    Raises:
        ColorizeError: its sound does not fit.
    """
    if not isinstance(source, FilmFile):
        return []
    remarks = []
    fitting = av.format.ContainerFormat(_muxer(out), "w")
    with open_container(source.path) as container:
        for stream in container.streams:
            if stream.type == "audio" and not _fits(stream, fitting):
                raise ColorizeError(
                    f"the sound of '{source.path}' is {_codec_name(stream)}, which {out.suffix} does not hold: choose"
                    " an `out` that ends in .mkv"
                )
            if stream.type == "subtitle" and not _fits(stream, fitting):
                remarks.append(
                    f"subtitles in {_codec_name(stream)} are left out: {out.suffix} does not hold them, .mkv does"
                )
    return remarks


def _muxer(out: Path) -> str:
    return {".mkv": "matroska", ".mov": "mov"}.get(out.suffix.lower(), "mp4")


def _codec_name(stream: Any) -> str:
    return stream.codec_context.name if stream.codec_context is not None else "an unknown codec"


def _fits(stream: Any, container: Any) -> bool:
    """Tell whether a container takes a stream, by writing a header that has it."""
    try:
        with av.open(io.BytesIO(), "w", format=container.name) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    return True


def join(parts: Sequence[Path], times: np.ndarray, source: FilmSource, out: Path, whole: bool) -> None:
    """Join segments into a film, with the sound, the subtitles, the chapters and the metadata of another.

    The file appears under its name when it is complete. Packets of sound and subtitles are copied as they are.

    Args:
        parts: files of `SegmentEncoder`, in order.
        times: `pts` of all their frames in the film's time base, in order.
        source: the film that they come from; a folder of frames has nothing to copy.
        whole: otherwise sound ends where the frames end.
    """
    film = source.format
    step = round(1 / (film.rate * film.time_base)) or 1
    end = Fraction(int(times[-1]) + step) * film.time_base
    with (
        written_whole(out) as temporary,
        _reported(out),
        av.open(str(temporary), "w", format=_muxer(out)) as target,
    ):
        with av.open(str(parts[0])) as first:
            pictures = target.add_stream_from_template(first.streams.video[0], opaque=True)
        pictures.time_base = film.time_base
        if pictures.codec_context.name in ("hevc", "libx265") and out.suffix.lower() != ".mkv":
            pictures.codec_context.codec_tag = "hvc1"  # by which players of Apple know it
        packets = _pictures(parts, times, film, step)
        if not isinstance(source, FilmFile):
            _interleave(target, packets, pictures, iter(()))
            return
        with open_container(source.path) as container:
            _copy_labels(container, target, video_stream(container, source.path), pictures)
            copies = {}
            for stream in container.streams:
                if stream.type in ("audio", "subtitle") and _fits(stream, target.format):
                    copies[stream.index] = copy = target.add_stream_from_template(stream)
                    copy.metadata.update(stream.metadata)
                    copy.disposition = stream.disposition
            others = _others(container, copies, source.start, None if whole else end)
            _interleave(target, packets, pictures, others)


def _interleave(target: Any, packets: Iterator[Any], pictures: Any, others: Iterator[tuple[Any, Any]]) -> None:
    """Write two series of packets in the order of their times."""
    waiting = next(packets, None)
    for packet, stream in others:
        time = (packet.dts or 0) * Fraction(packet.time_base)
        while waiting is not None and waiting.dts * Fraction(waiting.time_base) <= time:
            waiting.stream = pictures
            target.mux_one(waiting)
            waiting = next(packets, None)
        packet.stream = stream
        target.mux_one(packet)
    while waiting is not None:
        waiting.stream = pictures
        target.mux_one(waiting)
        waiting = next(packets, None)


def _pictures(parts: Sequence[Path], times: np.ndarray, film: FilmFormat, step: int) -> Iterator[Any]:
    """Yield the packets of all segments, with times to decode at that rise over their borders too.

    A packet is decoded when the frame that is so many places before it is shown; each encoder begins anew to count
    them, so all times are given here.
    """
    ranks = [_ranks(part) for part in parts]
    delay = max(int((np.arange(len(each)) - each).max(initial=0)) for each in ranks)
    begin = 0
    for part, shown in zip(parts, ranks, strict=True):
        with av.open(str(part)) as container:
            packets = (packet for packet in container.demux(container.streams.video[0]) if packet.size)
            for number, (packet, rank) in enumerate(zip(packets, shown, strict=True), begin):
                place, early = begin + int(rank), number - delay
                until = int(times[place + 1]) if place + 1 < len(times) else int(times[place]) + step
                packet.time_base = film.time_base
                packet.pts, packet.duration = int(times[place]), until - int(times[place])
                packet.dts = int(times[early]) if early >= 0 else int(times[0]) + early * step
                yield packet
        begin += len(shown)


def _ranks(part: Path) -> np.ndarray:
    """Return for each packet of a segment the place at which its frame is shown."""
    with av.open(str(part)) as container:
        shown: list[Any] = [packet.pts for packet in container.demux(container.streams.video[0]) if packet.size]
    return np.argsort(np.argsort(shown))


def _others(container: Any, copies: dict[int, Any], start: int, end: Fraction | None) -> Iterator[tuple[Any, Any]]:
    """Yield the packets that are copied, each with its new stream, from the film's beginning to its end."""
    streams = [stream for stream in container.streams if stream.index in copies]
    if not streams:
        return
    for packet in container.demux(streams):
        if packet.dts is None:  # the mark of a stream's end
            continue
        base = Fraction(packet.time_base)
        shift = round(Fraction(start, 1_000_000) / base)
        packet.dts -= shift
        if packet.pts is not None:
            packet.pts -= shift
        if end is not None and packet.dts * base >= end:
            continue
        yield packet, copies[packet.stream_index]


_OWN_LABELS = {"encoder", "major_brand", "minor_version", "compatible_brands", "duration"}


def _copy_labels(container: Any, target: Any, stream: Any, pictures: Any) -> None:
    """Copy titles, languages, dates and chapters."""
    for labels, copies in ((container.metadata, target.metadata), (stream.metadata, pictures.metadata)):
        copies.update({name: value for name, value in labels.items() if name.lower() not in _OWN_LABELS})
    chapters = container.chapters()
    if chapters:
        target.set_chapters(chapters)


class _reported:
    """Turns errors of FFmpeg about the new file into errors of the system."""

    def __init__(self, out: Path) -> None:
        self._out = out

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, av.error.FFmpegError) and not (isinstance(error, OSError) and error.errno in _OF_SYSTEM):
            raise ColorizeError(f"'{self._out}' cannot be written ({error.strerror})") from error


_OF_SYSTEM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENOENT}
