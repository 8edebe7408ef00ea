"""Reading films: files of every container and codec that FFmpeg reads, and folders of numbered frames."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
from av.codec.context import Flags
from av.filter import Graph
from av.video.reformatter import ColorRange, Colorspace, ColorTrc

from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.images import Picture, read_pictures, readable_suffixes

DEFAULT_RATE = 24  # frames per second of a folder of frames

# [choice] A film is interlaced where one of its first frames says so; the frames between them stay as they are.
_PROBED = 24
# Planes of chroma that are nowhere further from neutral than this, in levels of 8 bits, are what a codec makes of grey.
_NEUTRAL = 3
_HD_ROWS = 720  # from here on a film that does not name its matrix has that of BT.709, below that of BT.601
_MATRICES = {1: Colorspace.ITU709, 7: Colorspace.SMPTE240M, 9: Colorspace.BT2020, 10: Colorspace.BT2020}
_HDR = {int(ColorTrc.SMPTE2084): "PQ", int(ColorTrc.ARIB_STD_B67): "HLG"}
_LIMITED = np.clip(np.rint((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class FilmFormat:
    """The format of a film.

    width, height: in pixels, upright.
    rate: frames per second, on average where the rate varies.
    time_base: seconds of one unit of a frame's `pts`.
    aspect: width of a pixel by its height.
    bits: of a sample, 8 or more.
    frames: about how many there are; None where the file does not say.
    interlaced: whether frames are made of two fields, which are joined.
    rotation: by how many degrees frames are turned to be upright.
    """

    width: int
    height: int
    rate: Fraction
    time_base: Fraction
    aspect: Fraction = Fraction(1)
    bits: int = 8
    frames: int | None = None
    interlaced: bool = False
    rotation: int = 0


@dataclass(frozen=True, eq=False)
class FilmFrame:
    """One frame of a film.

    number: from 0.
    pts: the time at which it is shown, in units of the film's time base.
    time: the same in seconds.
    pixels: upright; (H, W) grey or (H, W, 3); uint8, or uint16 where the film has more than 8 bits.
    damaged: whether the file is damaged here, so that the frame shows less than it should, or something else.
    picture: the file of the frame with its metadata, in a folder of frames.
    """

    number: int
    pts: int
    time: float
    pixels: np.ndarray
    damaged: bool = False
    picture: Picture | None = None


class FilmSource(Protocol):
    """A film that is open for reading.

    path: of the file or the folder.
    format: known before the first frame is decoded.
    lost: times in seconds at which a part of the film could not be decoded at all.
    """

    path: Path
    format: FilmFormat
    lost: list[float]

    def frames(self, first: int = 0) -> Iterator[FilmFrame]:
        """Decode the frames in the order in which they are shown, from a number on."""
        ...

    def samples(self, count: int) -> Iterator[np.ndarray]:
        """Decode about so many frames from all parts of the film: pixels, as in a `FilmFrame`."""
        ...


def open_film(path: str | Path, rate: Fraction | None = None) -> FilmSource:
    """Open a file, or a folder of numbered frames.

    Args:
        rate: frames per second of a folder of frames; `DEFAULT_RATE` if not given. A file has its own.

    Raises:
        ColorizeError: there is no such file, it holds no film that can be decoded, or a rate came for a file.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        return FrameFolder(path, rate or Fraction(DEFAULT_RATE))
    if rate is not None:
        raise ColorizeError(f"`fps` is for folders of frames: '{path}' has a rate of its own")
    if not path.exists():
        beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise ColorizeError(f"no file or folder '{path}'{did_you_mean(path.name, beside)}")
    return FilmFile(path)


def open_container(path: Path) -> Any:
    """Open a file with PyAV.

    Raises:
        ColorizeError: it is no film.
    """
    try:
        return av.open(str(path), metadata_errors="replace")
    except av.error.FFmpegError as error:
        if isinstance(error, av.error.PermissionError):
            raise PermissionError(error.errno, error.strerror, str(path)) from error
        raise ColorizeError(f"'{path}' is no film that FFmpeg reads ({error.strerror})") from error


def video_stream(container: Any, path: Path) -> Any:
    """Return the film's first stream of pictures that is no cover.

    Raises:
        ColorizeError: there is none, or it is encrypted.
    """
    streams = [s for s in container.streams.video if not int(s.disposition) & _ATTACHED]
    if not streams:
        raise ColorizeError(f"'{path}' has no pictures, only {_kinds(container)}: expected a film")
    stream = streams[0]
    if stream.codec_context is None:
        raise ColorizeError(f"'{path}' is encrypted, or its codec is unknown to FFmpeg: expected a film to decode")
    return stream


_ATTACHED = int(av.stream.Disposition.attached_pic)


def _kinds(container: Any) -> str:
    return " and ".join(sorted({stream.type for stream in container.streams})) or "nothing that FFmpeg knows"


class FilmFile:
    """A film in a file.

    Raises:
        ColorizeError: see `open_film`; also for HDR.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lost: list[float] = []
        self.start = 0  # microseconds; the film begins at 0
        with open_container(path) as container:
            stream = video_stream(container, path)
            first, interlaced = self._probe(container, stream)
            if int(first.color_trc) in _HDR:
                raise ColorizeError(f"'{path}' is HDR ({_HDR[int(first.color_trc)]}): convert it to BT.709 first")
            rate = stream.average_rate or stream.guessed_rate or Fraction(25)
            seconds = _seconds(container, stream)
            turned = first.rotation % 180 != 0
            aspect = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
            self.start = max(int(container.start_time or 0), 0)
            self.format = FilmFormat(
                width=first.height if turned else first.width,
                height=first.width if turned else first.height,
                rate=Fraction(rate),
                time_base=Fraction(stream.time_base),
                aspect=1 / aspect if turned else aspect,
                bits=_bits(first),
                frames=stream.frames or (round(seconds * rate) if seconds else None),
                interlaced=interlaced,
                rotation=first.rotation,
            )
        # The same in units of the stream.
        self._offset = round(Fraction(self.start, 1_000_000) / self.format.time_base)

    def frames(self, first: int = 0) -> Iterator[FilmFrame]:
        """Decode the frames from a number on. Those before it are decoded too, since they may be needed.

        Raises:
            ColorizeError: a frame has another size than the first.
        """
        with open_container(self.path) as container:
            stream = video_stream(container, self.path)
            last = None
            whole = self._deinterlaced(self._decoded(container, stream), stream)
            for number, (decoded, damaged) in enumerate(whole):
                pts = decoded.pts
                if pts is None:  # some old containers have no times
                    pts = 0 if last is None else last + round(1 / (self.format.rate * self.format.time_base))
                else:
                    pts = round(pts * Fraction(decoded.time_base) / self.format.time_base) - self._offset
                if last is not None and pts <= last:
                    pts = last + 1
                last = pts
                if number >= first:
                    self._check_size(decoded, pts)
                    yield FilmFrame(
                        number, pts, float(pts * self.format.time_base), pixels_of(decoded, self.format), damaged
                    )

    def samples(self, count: int) -> Iterator[np.ndarray]:
        """Decode about so many frames from all parts of the film; places that cannot be reached are left out."""
        with open_container(self.path) as container:
            stream = video_stream(container, self.path)
            stream.codec_context.thread_count = 1
            seconds = _seconds(container, stream) or 0.0
            for number in range(count):
                try:
                    container.seek(round(seconds * 1e6 * (number + 0.5) / count) + self.start)
                    frame = next(container.decode(stream), None)
                except av.error.FFmpegError:
                    continue
                if frame is not None and not frame.is_corrupt:
                    yield pixels_of(frame, self.format)

    def _probe(self, container: Any, stream: Any) -> tuple[Any, bool]:
        """Return the first frame, and whether any of the first few is interlaced."""
        first, interlaced = None, False
        for number, (frame, _) in enumerate(self._decoded(container, stream)):
            first = first or frame
            interlaced = interlaced or frame.interlaced_frame
            if number + 1 >= _PROBED:
                break
        self.lost.clear()
        if first is None:
            raise ColorizeError(f"'{self.path}' has no frame that decodes: it is empty, damaged or encrypted")
        return first, interlaced

    def _decoded(self, container: Any, stream: Any) -> Iterator[tuple[Any, bool]]:
        """Decode all frames, each with whether it is damaged: from a packet that fails up to the next key frame."""
        # One thread: the steps after this one have the other processors, and an error comes with its own packet.
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= Flags.output_corrupt
        broken_from: float | None = None
        for packet in container.demux(stream):
            try:
                decoded = packet.decode()
            except (av.error.InvalidDataError, av.error.PatchWelcomeError, av.error.UndefinedError):
                when = packet.pts if packet.pts is not None else packet.dts
                time = float(when * stream.time_base) - self.start / 1e6 if when is not None else 0.0
                self.lost.append(max(time, 0.0))
                broken_from = time if broken_from is None else min(broken_from, time)
                continue
            except av.error.EOFError:
                continue
            for frame in decoded:
                time = float(frame.pts * stream.time_base) - self.start / 1e6 if frame.pts is not None else 0.0
                if broken_from is not None and frame.key_frame and time > broken_from:
                    broken_from = None
                yield frame, frame.is_corrupt or (broken_from is not None and time >= broken_from)

    def _deinterlaced(self, decoded: Iterator[tuple[Any, bool]], stream: Any) -> Iterator[tuple[Any, bool]]:
        """Join the fields of frames that have two, by FFmpeg's bwdif; others pass."""
        if not self.format.interlaced:
            yield from decoded
            return
        graph = Graph()
        source = graph.add_buffer(template=stream)
        joined = graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced")
        sink = graph.add("buffersink")
        source.link_to(joined)
        joined.link_to(sink)
        graph.configure()
        waiting: list[bool] = []

        def ready() -> Iterator[tuple[Any, bool]]:
            while True:
                try:
                    frame = graph.vpull()
                except (av.error.BlockingIOError, av.error.EOFError):
                    return
                yield frame, waiting.pop(0) if waiting else False

        for frame, damaged in decoded:
            waiting.append(damaged)
            graph.vpush(frame)
            yield from ready()
        graph.vpush(None)
        yield from ready()

    def _check_size(self, frame: Any, pts: int) -> None:
        size = (frame.height, frame.width) if self.format.rotation % 180 else (frame.width, frame.height)
        if size != (self.format.width, self.format.height):
            raise ColorizeError(
                f"'{self.path}' changes from {self.format.width}×{self.format.height} to {size[0]}×{size[1]} pixels at"
                f" {clock(float(pts * self.format.time_base))}: cut it in two there"
            )


@dataclass
class FrameFolder:
    """A film as a folder of numbered picture files, in the order of their numbers.

    Raises:
        ColorizeError: the folder holds no pictures with numbers.
    """

    path: Path
    rate: Fraction
    lost: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        numbered = []
        for file in self.path.iterdir():
            numbers = re.findall(r"\d+", file.stem)
            if numbers and file.suffix.lower() in readable_suffixes():
                numbered.append((int(numbers[-1]), file.name, file))
        if not numbered:
            raise ColorizeError(f"folder '{self.path}' holds no numbered frames: expected names such as 00001.png")
        self.files = [file for *_, file in sorted(numbered)]
        first = next(read_pictures(self.files[0]))
        self.format = FilmFormat(
            first.width, first.height, self.rate, 1 / self.rate, bits=first.depth, frames=len(self.files)
        )

    def frames(self, first: int = 0) -> Iterator[FilmFrame]:
        """Read the frames from a number on; one that does not decode is grey paper and counts as damaged.

        Raises:
            ColorizeError: a frame has another size than the first.
        """
        size = (self.format.height, self.format.width)
        for number, file in enumerate(self.files[first:], first):
            time = float(number / self.rate)
            try:
                picture = next(read_pictures(file))
            except ColorizeError:
                yield FilmFrame(number, number, time, np.full(size, 128, np.uint8), damaged=True)
                continue
            if picture.pixels.shape[:2] != size:
                raise ColorizeError(
                    f"'{file}' has {picture.width}×{picture.height} pixels and the frames before it"
                    f" {size[1]}×{size[0]}: expected frames of one size"
                )
            yield FilmFrame(number, number, time, picture.pixels, picture=picture)

    def samples(self, count: int) -> Iterator[np.ndarray]:
        """Read about so many frames from all parts of the film; those that do not decode are left out."""
        for file in self.files[:: -(-len(self.files) // count)]:
            with contextlib.suppress(ColorizeError):
                yield next(read_pictures(file)).pixels


def pixels_of(frame: Any, film: FilmFormat) -> np.ndarray:
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


def _grey_pixels(frame: Any) -> np.ndarray | None:
    """Return the luma of a frame of 8 bits without colour, (H, W) of full range; None for others."""
    name = frame.format.name
    if name not in _LUMA_FIRST:
        return None
    for plane in frame.planes[1:]:
        chroma = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width]
        low, high = int(chroma.min()), int(chroma.max())
        if low < 128 - _NEUTRAL or high > 128 + _NEUTRAL:
            return None
    plane = frame.planes[0]
    luma = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width]
    full = int(frame.color_range) == 2 or name.startswith("yuvj") or (name == "gray" and int(frame.color_range) != 1)
    return luma.copy() if full else _LIMITED[luma]


_LUMA_FIRST = {"gray", *(f"yuv{j}{kind}p" for j in ("", "j") for kind in (420, 422, 444, 440, 411))}


def _bits(frame: Any) -> int:
    return max((component.bits for component in frame.format.components), default=8)


def _seconds(container: Any, stream: Any) -> float | None:
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return container.duration / 1_000_000 if container.duration else None


def clock(seconds: float) -> str:
    """Format a time in a film: `0:12:34.5`."""
    tenths = round(max(seconds, 0.0) * 10)
    return f"{tenths // 36000}:{tenths // 600 % 60:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"
