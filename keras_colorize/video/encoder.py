"""The encoder of a segment: frames in, a file that begins with a key frame out."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from keras_colorize.video.codecs import CODECS
from keras_colorize.video.frames import FilmFormat


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
        self._container = av.open(str(file), "w", format=settings.segment)
        stream = self._container.add_stream(settings.encoder, rate=film.rate, options=options)
        assert isinstance(stream, av.VideoStream)
        self._stream, context = stream, stream.codec_context
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

    def _mux(self, packets: Sequence[av.Packet]) -> None:
        self._container.mux(packets)
