"""Films in files: every container and codec that FFmpeg reads."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import Flags
from av.filter import Graph
from av.video.reformatter import ColorTrc

from keras_colorize.errors import ColorizeError
from keras_colorize.video.frames import FilmFormat, FilmFrame, clock
from keras_colorize.video.pixels import bits_of, pixels_of

# [choice] A film is interlaced where one of its first frames says so; the frames between them stay as they are.
_PROBED = 24
_HDR = {int(ColorTrc.SMPTE2084): "PQ", int(ColorTrc.ARIB_STD_B67): "HLG"}


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
                bits=bits_of(first),
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


def _seconds(container: Any, stream: Any) -> float | None:
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return container.duration / 1_000_000 if container.duration else None
