"""Films in files: every container and codec that FFmpeg reads."""

import contextlib
import heapq
import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import Flags
from av.container import InputContainer
from av.video.reformatter import ColorTrc

from keras_colorize.errors import ColorizeError
from keras_colorize.video.filters import filtered, maps_tones
from keras_colorize.video.frames import FilmFormat, FilmFrame, clock
from keras_colorize.video.pixels import bits_of, pixels_of

# [choice] A film is interlaced where one of its first frames says so; the frames between them stay as they are.
_PROBED = 24
_LATE = 32  # frames by which a decoder may be late that finds its order again
_PacketTime = tuple[int, bool]  # `pts` in units of the stream, and whether decoding failed
# PyAV 19 keeps bytes of metadata that are not UTF-8. Before, it refuses the file if it may not replace them.
_OPENING: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
_END: tuple[av.VideoFrame | None, bool] = (None, False)
_HDR = {int(ColorTrc.SMPTE2084): "PQ", int(ColorTrc.ARIB_STD_B67): "HLG"}


def open_container(path: Path) -> InputContainer:
    """Open a file with PyAV.

    Raises:
        ColorizeError: it is no film.
    """
    try:
        return av.open(str(path), **_OPENING)
    except av.error.FFmpegError as error:
        if isinstance(error, av.error.PermissionError):
            raise PermissionError(error.errno, error.strerror, str(path)) from error
        raise ColorizeError(f"'{path}' is no film that FFmpeg reads ({error.strerror})") from error


def video_stream(container: InputContainer, path: Path) -> av.VideoStream:
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


def _kinds(container: InputContainer) -> str:
    return " and ".join(sorted({stream.type for stream in container.streams})) or "nothing that FFmpeg knows"


class FilmFile:
    """A film in a file.

    Raises:
        ColorizeError: see `open_film`; also for HDR, where FFmpeg is too old for it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lost: list[float] = []
        self.start = 0  # microseconds; the film begins at 0
        self._offset = 0  # the same in units of the stream
        with open_container(path) as container:
            stream = video_stream(container, path)
            assert stream.time_base is not None
            first, interlaced = self._probe(container, stream)
            hdr = _HDR.get(int(first.color_trc), "")
            if hdr and not maps_tones(stream):
                raise ColorizeError(
                    f"'{path}' is HDR ({hdr}): expected BT.709, or PyAV with FFmpeg 8, which maps HDR to it"
                )
            rate = stream.average_rate or stream.guessed_rate or Fraction(25)
            seconds = _seconds(container, stream)
            turned = first.rotation % 180 != 0
            aspect = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
            self.start = max(int(container.start_time or 0), 0)
            self.format = FilmFormat(
                width=first.height if turned else first.width,
                height=first.width if turned else first.height,
                rate=Fraction(rate),
                time_base=stream.time_base,
                aspect=1 / aspect if turned else aspect,
                bits=bits_of(first),
                frames=stream.frames or (round(seconds * rate) if seconds else None),
                interlaced=interlaced,
                hdr=hdr,
                rotation=first.rotation,
            )
        self._offset = round(Fraction(self.start, 1_000_000) / self.format.time_base)

    def frames(self, first: int = 0) -> Iterator[FilmFrame]:
        """Decode the frames from a number on. Those before it are decoded too, since they may be needed.

        Where the decoder makes no frame of a packet, the frame before is given again, and counts as damaged.

        Raises:
            ColorizeError: a frame has another size than the first.
        """
        with open_container(self.path) as container:
            yield from self._frames(container, first)

    def frames_near(self, time: float) -> Iterator[FilmFrame]:
        """Decode from the last key frame before a time in seconds; frames are numbered from 0 there.

        A decoder that begins within a film may make other frames than one that begins with the film: it lacks those
        that others refer to. Where there is no way to the time, it begins with the film.

        Raises:
            ColorizeError: a frame has another size than the first.
        """
        with open_container(self.path) as container:
            with contextlib.suppress(av.error.FFmpegError):
                container.seek(self.start + round(max(time, 0.0) * 1e6))
            yield from self._frames(container, 0)

    def _frames(self, container: InputContainer, first: int) -> Iterator[FilmFrame]:
        """Yield the frames of an open container from a number on, counted from where it stands."""
        stream = video_stream(container, self.path)
        film = self.format
        step = round(1 / (film.rate * film.time_base)) or 1
        packets: list[_PacketTime] = []
        number, last, was_damaged = 0, None, False
        shown: av.VideoFrame | None = None
        repeated: int | None = None  # the last time at which a frame was given again

        def frame_at(pts: int, damaged: bool) -> FilmFrame:
            assert shown is not None
            return FilmFrame(number, pts, float(pts * film.time_base), pixels_of(shown, film), damaged)

        whole = filtered(self._decoded(container, stream, packets), stream, film)
        for decoded, damaged in itertools.chain(whole, (_END,)):
            pts = None if decoded is None or decoded.pts is None else self._film_time(decoded)
            gaps = [] if decoded is not None and pts is None else self._gaps(packets, last, pts, step)
            if was_damaged or damaged or any(failed for _, failed in gaps):
                for gap, _ in gaps:
                    self.lost.append(float(gap * film.time_base))
                    if number >= first:
                        yield frame_at(gap, damaged=True)
                    number, last, repeated = number + 1, gap, gap
            if decoded is None:
                return
            if (
                pts is not None and repeated is not None and 0 <= repeated - pts < _LATE * step
            ):  # it was taken for a gap
                continue
            if pts is None:  # some old containers have no times
                pts = 0 if last is None else last + step
            elif last is not None and pts <= last:
                pts = last + 1
            last, shown, was_damaged = pts, decoded, damaged
            if number >= first:
                self._check_size(decoded, pts)
                yield frame_at(pts, damaged)
            number += 1

    def _film_time(self, decoded: av.VideoFrame) -> int:
        """Return the time of a decoded frame in units of the film's time base."""
        assert decoded.pts is not None and decoded.time_base is not None
        return round(decoded.pts * decoded.time_base / self.format.time_base) - self._offset

    def _gaps(
        self, packets: "list[_PacketTime]", last: int | None, until: int | None, step: int
    ) -> "list[_PacketTime]":
        """Return the times between two frames at which packets gave no frame, in units of the film's time base.

        Before the first frame there is no picture that could be shown. A packet that is nearer than half a frame to
        another one holds only a part of a frame, such as one of its fields.

        Args:
            packets: a heap of times, those of packets that gave a frame among them; those before `until` are taken out.
            last: `pts` of the frame before, if there is one.
            until: `pts` of the frame after; None at the film's end.
            step: how long a frame is shown.
        """
        gaps = []
        while packets and (until is None or packets[0][0] - self._offset < until):
            when, failed = heapq.heappop(packets)
            pts = when - self._offset
            if last is not None and pts - last >= step / 2 and (until is None or until - pts >= step / 2):
                gaps.append((pts, failed))
                last = pts
        return gaps

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

    def _probe(self, container: InputContainer, stream: av.VideoStream) -> tuple[av.VideoFrame, bool]:
        """Return the first frame, and whether any of the first few is interlaced."""
        first, interlaced = None, False
        for number, (frame, _) in enumerate(self._decoded(container, stream, [])):
            first = first or frame
            interlaced = interlaced or frame.interlaced_frame
            if number + 1 >= _PROBED:
                break
        self.lost.clear()
        if first is None:
            raise ColorizeError(f"'{self.path}' has no frame that decodes: it is empty, damaged or encrypted")
        return first, interlaced

    def _decoded(
        self, container: InputContainer, stream: av.VideoStream, packets: "list[_PacketTime]"
    ) -> Iterator[tuple[av.VideoFrame, bool]]:
        """Decode all frames, each with whether it is damaged: from a packet that fails up to the next key frame.

        Args:
            packets: a heap, to which the times of all packets are added. Of some a decoder makes no frame, and does not
                say so: without a key frame it waits until it can begin again.
        """
        # One thread: the steps after this one have the other processors, and an error comes with its own packet.
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= Flags.output_corrupt
        time_base = stream.time_base or Fraction(1)

        def seconds(pts: int | None) -> float:
            return 0.0 if pts is None else float((pts - self._offset) * time_base)

        broken_from: float | None = None
        when: int | None = None
        for packet in container.demux(stream):
            when = next((time for time in (packet.pts, packet.dts) if time is not None), when)
            failed = False
            try:
                decoded = packet.decode()
            except (av.error.InvalidDataError, av.error.PatchWelcomeError, av.error.UndefinedError):
                self.lost.append(max(seconds(when), 0.0))
                broken_from = seconds(when) if broken_from is None else min(broken_from, seconds(when))
                decoded, failed = [], True
            except av.error.EOFError:
                continue
            if packet.pts is not None:
                heapq.heappush(packets, (packet.pts, failed))
            for frame in decoded:
                time = seconds(frame.pts)
                if broken_from is not None and frame.key_frame and time > broken_from:
                    broken_from = None
                yield frame, frame.is_corrupt or (broken_from is not None and time >= broken_from)

    def _check_size(self, frame: av.VideoFrame, pts: int) -> None:
        size = (frame.height, frame.width) if self.format.rotation % 180 else (frame.width, frame.height)
        if size != (self.format.width, self.format.height):
            raise ColorizeError(
                f"'{self.path}' changes from {self.format.width}×{self.format.height} to {size[0]}×{size[1]} pixels at"
                f" {clock(float(pts * self.format.time_base))}: cut it in two there"
            )


def _seconds(container: InputContainer, stream: av.VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / 1_000_000 if container.duration else None
