"""Films on many machines: each scene is coloured by one worker, and the segments are joined at the end.

    scenes → segments, in the folder beside the film

Where the pipeline is started, the film is read once, and its shots are found. A worker then decodes its scene, colours
it as `video.film` does, and writes the segments that a run on one machine would write. They hold all that a scene
needs, so nothing else passes between the steps, and a pipeline that is stopped loses no whole segment.
"""

import functools
import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import PipelineOptions

from keras_colorize.beam.run import run_to_end
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.hints import Hint
from keras_colorize.progress import Advance
from keras_colorize.runs.folder import RunFolder
from keras_colorize.video.output import FilmOutput, FilmResult
from keras_colorize.video.pipeline import color_scene, find_scenes
from keras_colorize.video.propagation import Trail
from keras_colorize.video.request import rate_of, with_reference
from keras_colorize.video.scenes import Scene, ScenePlan
from keras_colorize.video.segments import Segments
from keras_colorize.video.settings import FilmSettings
from keras_colorize.video.source import open_film
from keras_colorize.video.writer import FilmWriter

COUNTS = "keras_colorize.film"  # namespace of the metrics
_WATCHED_EVERY = 1.0  # seconds
_PLAN, _SYSTEM = "scenes.jsonl", "system"  # in the folder of segments


def run_film(
    colorizer: Colorizer,
    path: str | Path,
    out: str | Path,
    settings: FilmSettings | None,
    options: PipelineOptions,
    found: Advance = lambda done, total: None,
    advance: Advance = lambda done, total: None,
) -> FilmResult:
    """Colorize a film on the workers of a runner, and join it here. The film is that of `colorize_film`.

    Workers read the film and write into the folder of segments beside `out`, so all of them need both under the same
    absolute path. With `resume`, segments that exist are kept, whoever made them.

    Args:
        colorizer: of any system; workers load a copy from the folder of segments.
        path, out, settings: as for `colorize_film`.
        options: of `keras_colorize.beam.options.pipeline_options`.
        found: called while shots are found, with the frames read and about how many there are, 0 where that is unknown.
        advance: called while workers colour, with the frames in whole segments and how many there are.

    Raises:
        ColorizeError: as `colorize_film`; or the pipeline stopped before its end, and what is written is whole.
        OSError: the disk is full or may not be written.
    """
    settings = settings or FilmSettings()
    source = open_film(Path(path).expanduser().absolute(), rate_of(settings))
    settings = with_reference(colorizer, settings)
    output = FilmOutput(colorizer, source, Path(out).expanduser().absolute(), settings)
    segments = output.segments
    output.begin(segments.whole())
    plan_file = segments.folder / _PLAN
    if not (settings.resume and plan_file.is_file()):
        find_scenes(colorizer, source, settings, found).write(plan_file)
    plan = ScenePlan.read(plan_file, Hint)
    todo = [scene.number for scene in plan.scenes if not all(map(segments.is_done, scene.segments))]
    if todo:
        shutil.rmtree(segments.folder / _SYSTEM, ignore_errors=True)
        colorizer.save(segments.folder / _SYSTEM)
        work = ColorScene(source.path, output.out, output.codec, replace(settings, hints=()))
        pipeline = beam.Pipeline(options=options)
        # Scenes are created one by one, since some runners never divide again what was created together.
        _ = (
            pipeline
            | "scenes" >> beam.Create(todo)
            | "spread over workers" >> beam.Reshuffle()
            | "color" >> beam.ParDo(work)
        )
        with _watched(segments, plan, advance):
            run_to_end(pipeline)
    return output.finish(plan.scenes[-1].segments.stop if plan.scenes else 0, plan.lost)


class ColorScene(beam.DoFn):
    """The number of a scene → its segments, as files. A scene that is done for a second time changes nothing.

    Args:
        path: of the film.
        out: of the film in colour.
        codec: of the film, a key of `CODECS`; None for a folder of frames.
        settings: without hints, which the scenes have; with the reference as the colorizer sees it.
    """

    def __init__(self, path: Path, out: Path, codec: str | None, settings: FilmSettings) -> None:
        super().__init__()
        self._path = path
        self._out = out
        self._codec = codec
        self._settings = settings

    def process(self, number: int) -> Iterator[int]:
        """Colorize what is missing of a scene, and yield its number."""
        segments = Segments(self._out)
        plan = _plan(segments.folder / _PLAN)
        scene = plan.scenes[number]
        done = next((each for each in scene.segments if not segments.is_done(each)), None)
        if done is not None:
            # Threads that meet while a graph is made for the first time are taken for retracing, and warned of.
            logging.getLogger("tensorflow").setLevel(logging.ERROR)
            self._color(scene, plan, segments, done)
        yield number

    def _color(self, scene: Scene, plan: ScenePlan, segments: Segments, first: int) -> None:
        """Colorize a scene from a segment on."""
        place, trail = 0, None
        if first > scene.segment:
            place, trail = segments.notes(first - 1)["place"], Trail.of(segments.state(first - 1))
        source = open_film(self._path, rate_of(self._settings))
        writer = FilmWriter(self._out, source.format, self._codec, self._settings.quality, first)
        colorizer = _system(segments.folder / _SYSTEM)
        colored = color_scene(colorizer, source, scene, plan.picture, self._settings, place, trail)
        try:
            with closing(colored):
                for frame in colored:
                    writer.add(frame)
                    Metrics.counter(COUNTS, "frames").inc()
            writer.end(scene.ends_film)
        except BaseException:
            writer.abandon()
            raise


@contextmanager
def _watched(segments: Segments, plan: ScenePlan, advance: Advance) -> Iterator[None]:
    """Report the frames in whole segments while workers write them."""
    from keras_colorize.video.scenes import SEGMENT_FRAMES

    lengths = {
        number: min(SEGMENT_FRAMES, len(scene.pts) - place * SEGMENT_FRAMES)
        for scene in plan.scenes
        for place, number in enumerate(scene.segments)
    }
    total, over = sum(lengths.values()), threading.Event()

    def watch() -> None:
        ended = False
        while not ended:
            ended = over.wait(_WATCHED_EVERY)
            with suppress(OSError):  # a network file system that does not answer now
                advance(sum(lengths.get(int(file.stem), 0) for file in segments.folder.glob("[0-9]*.npz")), total)

    watching = threading.Thread(target=watch, name="watch", daemon=True)
    try:
        watching.start()
        yield
    finally:
        over.set()
        if watching.ident is not None:  # it has begun
            watching.join()


_loading = threading.Lock()


def _plan(file: Path) -> ScenePlan:
    """Return a film's plan, which is read once in a process."""
    with _loading:
        return _read_plan(file, file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _read_plan(file: Path, _: int) -> ScenePlan:
    return ScenePlan.read(file, Hint)


def _system(folder: Path) -> Colorizer:
    """Return the system of a run, which is loaded once in a process."""
    with _loading:
        return _load_system(folder, RunFolder.open(folder).sha256())


@functools.lru_cache(maxsize=1)
def _load_system(folder: Path, _: str) -> Colorizer:
    return Colorizer.load(folder)
