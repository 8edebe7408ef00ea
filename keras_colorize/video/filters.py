"""FFmpeg's filters for decoded frames: fields that are joined, and HDR that is mapped to BT.709."""

from collections.abc import Iterator, Sequence

import av
from av.filter import Graph

from keras_colorize.video.frames import FilmFormat

_DEINTERLACE = ("bwdif", "mode=send_frame:parity=auto:deint=interlaced")
# The perceptual intent compresses bright light; the colorimetric one would cut it off at the white of paper.
_TONE_MAP = (
    ("scale", "out_transfer=bt709:out_primaries=bt709:out_color_matrix=bt709:out_range=tv:intent=perceptual"),
    ("format", "yuv420p10le"),
)


def filtered(
    decoded: Iterator[tuple[av.VideoFrame, bool]], stream: av.VideoStream, film: FilmFormat
) -> Iterator[tuple[av.VideoFrame, bool]]:
    """Join the fields of frames that have two, and map the light of HDR to BT.709; frames of other films pass.

    Args:
        decoded: frames, each with whether it is damaged.
        stream: from which they come.
        film: its format.
    """
    filters = [*([_DEINTERLACE] if film.interlaced else ()), *(_TONE_MAP if film.hdr else ())]
    if not filters:
        yield from decoded
        return
    graph = _filter_graph(stream, filters)
    waiting: list[bool] = []

    def ready() -> Iterator[tuple[av.VideoFrame, bool]]:
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


def _filter_graph(stream: av.VideoStream, filters: Sequence[tuple[str, str]]) -> Graph:
    """Join filters of FFmpeg, each with its options, into a graph that takes the frames of a stream."""
    graph = Graph()
    last = graph.add_buffer(template=stream)
    for name, options in (*filters, ("buffersink", "")):
        step = graph.add(name, options) if options else graph.add(name)
        last.link_to(step)
        last = step
    graph.configure()
    return graph


def maps_tones(stream: av.VideoStream) -> bool:
    """Tell whether FFmpeg is new enough to map HDR to BT.709."""
    try:
        _filter_graph(stream, _TONE_MAP)
    except (av.error.FFmpegError, ValueError):
        return False
    return True
