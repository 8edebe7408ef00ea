"""The joining of segments into one film, with the sound, the subtitles and the labels of the old one."""

import errno
import io
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.stream import Stream

from keras_colorize.errors import ColorizeError
from keras_colorize.files import written_whole
from keras_colorize.video.film_file import FilmFile, open_container, video_stream
from keras_colorize.video.frames import FilmFormat
from keras_colorize.video.source import FilmSource


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


def _codec_name(stream: Stream) -> str:
    return stream.codec_context.name if stream.codec_context is not None else "an unknown codec"


def _fits(stream: Stream, container: av.ContainerFormat) -> bool:
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


def _interleave(
    target: OutputContainer,
    packets: Iterator[av.Packet],
    pictures: av.VideoStream,
    others: Iterator[tuple[av.Packet, Stream]],
) -> None:
    """Write two series of packets in the order of their times."""
    waiting = next(packets, None)
    for packet, stream in others:
        time = (packet.dts or 0) * Fraction(packet.time_base)
        while waiting is not None and (waiting.dts or 0) * Fraction(waiting.time_base) <= time:
            waiting.stream = pictures
            target.mux_one(waiting)
            waiting = next(packets, None)
        packet.stream = stream
        target.mux_one(packet)
    while waiting is not None:
        waiting.stream = pictures
        target.mux_one(waiting)
        waiting = next(packets, None)


def _pictures(parts: Sequence[Path], times: np.ndarray, film: FilmFormat, step: int) -> Iterator[av.Packet]:
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
        shown = [packet.pts for packet in container.demux(container.streams.video[0]) if packet.size]
    return np.argsort(np.argsort(np.array(shown)))


def _others(
    container: InputContainer, copies: dict[int, Stream], start: int, end: Fraction | None
) -> Iterator[tuple[av.Packet, Stream]]:
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


def _copy_labels(
    container: InputContainer, target: OutputContainer, stream: av.VideoStream, pictures: av.VideoStream
) -> None:
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

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, av.error.FFmpegError) and not (isinstance(error, OSError) and error.errno in _OF_SYSTEM):
            raise ColorizeError(f"'{self._out}' cannot be written ({error.strerror})") from error


_OF_SYSTEM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENOENT}
