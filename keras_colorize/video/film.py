"""A film in colour on this machine: a file, made in segments that survive a crash, or a folder of frames."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from keras_colorize.progress import Advance
from keras_colorize.video.output import FilmOutput, FilmResult
from keras_colorize.video.pipeline import color_frames
from keras_colorize.video.propagation import Trail
from keras_colorize.video.request import frames_in, rate_of, with_reference
from keras_colorize.video.segments import SegmentNotes
from keras_colorize.video.settings import FilmSettings
from keras_colorize.video.source import FilmSource, open_film

if TYPE_CHECKING:
    from keras_colorize.inference.colorizer import Colorizer


def colorize_film(
    colorizer: "Colorizer",
    path: str | Path,
    out: str | Path,
    settings: FilmSettings | None = None,
    advance: Advance = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> FilmResult:
    """Colorize a film into a film, with its sound, subtitles, chapters and metadata.

    The film is made in segments of at most some ten seconds, in a folder beside `out`. What is in a whole segment
    survives whatever happens to the process, and a run with `resume` makes the same film as one that nobody disturbed.

    Args:
        colorizer: of any system.
        path: a file, or a folder of numbered frames.
        out: a file whose suffix names the container, or a folder for numbered frames in PNG.
        settings: see `FilmSettings`; the default settings if not given.
        advance: called after each frame with the frames done and about how many there are, 0 where that is unknown.
        stop: once it returns true, the segment is ended where it is and the film is joined so far.

    Raises:
        ColorizeError: nothing to colorize, a result that exists, sound that `out` does not hold, or a disk that is too
            small; mostly before the first frame.
        OSError: the disk is full or may not be written.
    """
    settings, out = settings or FilmSettings(), Path(out).expanduser()
    source = open_film(path, rate_of(settings))
    settings = with_reference(colorizer, settings)
    output = FilmOutput(colorizer, source, out, settings)
    return _color_rest(colorizer, source, output, settings, advance, stop)


def _color_rest(
    colorizer: "Colorizer",
    source: FilmSource,
    output: FilmOutput,
    settings: FilmSettings,
    advance: Advance,
    stop: Callable[[], bool],
) -> FilmResult:
    """Colorize and write what is left of a film, and join it."""
    segments, total = output.segments, frames_in(source, settings)
    number = segments.done
    output.begin(range(number))
    done = len(segments.times(range(number)))
    notes = segments.notes(number - 1) if number else SegmentNotes(damaged=[], place=0, ends_film=False)
    if notes["ends_film"]:
        return output.finish(number, source.lost)
    trail = Trail.of(segments.state(number - 1)) if number else None
    writer = output.writer(number)
    try:
        with closing(color_frames(colorizer, source, settings, done, notes["place"], trail)) as colored:
            for frame in colored:
                writer.add(frame)
                done += 1
                if writer.number != number:
                    number = writer.number
                    output.check_room(range(number), done)
                advance(done, max(total, done) if total else 0)
                if stop():
                    return output.finish(number, source.lost, writer)
        writer.end(ends_film=True)
    except BaseException:
        writer.abandon()
        raise
    return output.finish(writer.number, source.lost)
