"""The writing of frames in colour, one segment after the other."""

import os
from pathlib import Path

from keras_colorize.video.encoder import SegmentEncoder
from keras_colorize.video.frame_folder import FrameFiles
from keras_colorize.video.frames import FilmFormat
from keras_colorize.video.pipeline import ColoredFrame
from keras_colorize.video.scenes import ends_segment
from keras_colorize.video.segments import SegmentNotes, Segments


class FilmWriter:
    """Writes frames in colour into segments, each of one scene.

    Args:
        out: the film.
        film: format of the frames.
        codec: a key of `CODECS`; None for numbered frames, which go straight into the folder `out`.
        quality: 1 to 100.
        number: of the segment that the first frame begins.

    Attributes:
        number: of the segment that comes next, or is being written.
        pts: of the frames in the segment that is being written.
        damaged: times in seconds of those of them that are damaged.
    """

    def __init__(self, out: Path, film: FilmFormat, codec: str | None, quality: int, number: int) -> None:
        self.number = number
        self.pts: list[int] = []
        self.damaged: list[float] = []
        self._segments = Segments(out)
        self._film = film
        self._codec = codec
        self._quality = quality
        self._files = FrameFiles(out, quality) if codec is None else None
        self._encoder: SegmentEncoder | None = None
        self._unfinished = Path()
        self._last: ColoredFrame | None = None

    def add(self, colored: ColoredFrame) -> None:
        """Write a frame; the segment ends before the first frame of a scene, and when it is full.

        Raises:
            OSError: the disk is full or may not be written.
        """
        frame = colored.frame
        if colored.place == 0:
            self.end()
        if self._files is not None:
            self._files.add(frame, colored.pixels)
        else:
            self._open_encoder().add(colored.pixels, frame.pts)
        self._last = colored
        self.pts.append(frame.pts)
        if frame.damaged:
            self.damaged.append(frame.time)
        if ends_segment(colored.place):
            self.end()

    def end(self, ends_film: bool = False) -> None:
        """End the segment that is being written, if there is one, and count it as done."""
        if self._last is None or not self.pts:
            return
        self.close()
        trail = self._last.trail
        notes = SegmentNotes(damaged=self.damaged, place=self._last.place + 1, ends_film=ends_film)
        self._segments.commit(self.number, self.pts, trail.arrays() if trail else {}, notes)
        self.number += 1
        self.pts, self.damaged = [], []

    def close(self) -> None:
        """Make the file of the segment that is being written whole, so that it plays, without counting it as done."""
        if self._encoder is not None:
            self._encoder.close()
            self._encoder = None
            os.replace(self._unfinished, self._segments.file(self.number))

    def abandon(self) -> None:
        """Close what is open, after an error."""
        if self._encoder is not None:
            self._encoder.abandon()
            self._unfinished.unlink(missing_ok=True)

    def _open_encoder(self) -> SegmentEncoder:
        if self._encoder is None:
            assert self._codec is not None
            self._unfinished = self._segments.unfinished(self._segments.file(self.number))
            self._encoder = SegmentEncoder(self._unfinished, self._film, self._codec, self._quality)
        return self._encoder
