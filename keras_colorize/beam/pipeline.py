"""The steps that each photo takes in a pipeline, which may run anywhere.

    jobs → frames → RunInference → files
             ↘ failures ↙ ↙         → errors.csv
             ↘ photos in colour ↙   → in_color.csv

A photo is read twice, for its frames and again to be written in colour. Between the steps there are only its job and
its frames, lightness and chroma at the network's size, so that a batch that waits for the network, or a runner that
keeps what lies between two steps, never holds a photo at full size.

Where nothing has to be gathered, runners join steps into one, so that the first results are written while most photos
have not been read.

A runner repeats a bundle of photos when its worker dies, and may have two workers do the same. Results are therefore
written whole under other names and renamed, and what exists is done.
"""

import functools
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics
from apache_beam.ml.inference.base import KeyedModelHandler, RunInference

from keras_colorize.batch.hints import PhotoSettings
from keras_colorize.batch.memory import PixelBudget
from keras_colorize.batch.plan import ERRORS_HEADER, IN_COLOR_HEADER, FolderSettings, Job
from keras_colorize.batch.write import RunLists, Written, list_row, reason, reason_in_words, tone_of, write_photo
from keras_colorize.beam.chroma import ChromaHandler, FramedPhoto
from keras_colorize.beam.jobs import read_jobs
from keras_colorize.errors import ColorizeError
from keras_colorize.export.servable import Servable, ServingFrame
from keras_colorize.images import Picture, count_pixels, read_pictures, replacing
from keras_colorize.inference.finish import finish_photo
from keras_colorize.inference.frame import Frame, frame_photo

COUNTS, REMARKS = "keras_colorize", "keras_colorize.remarks"  # namespaces of the metrics
# Counts of photos, and the outputs of the steps from which the lists are written.
DONE, FAILED, IN_COLOR = "done", "failed", "in_color"

_Row = tuple[Path, str]  # a photo, and why it failed or whether it was colorized


def build(pipeline: beam.Pipeline, jobs: Path, model: Servable, settings: FolderSettings, lists: RunLists) -> None:
    """Put the steps into a pipeline.

    Args:
        jobs: a file of `beam.jobs.write_jobs`; all paths absolute.
        lists: where the photos that failed, and those in colour, are listed; no file is written for none.
    """
    network = _network(model, settings.batch_size)
    framed = (
        pipeline
        | "list" >> beam.Create([str(jobs)])
        | "jobs" >> beam.FlatMap(read_jobs)
        | "spread over workers" >> beam.Reshuffle()
        | "frames" >> beam.ParDo(ReadFrames(model.frame, settings)).with_outputs(FAILED, IN_COLOR, main="framed")
    )
    predicted, dead = framed.framed | "network" >> network.with_exception_handling()
    # A batch fails as a whole: too large for the memory, or one photo spoils it for all. Each on its own, then.
    alone = _network(model, 1)
    predicted_alone, dead_alone = (
        dead.failed_inferences
        | "take apart" >> beam.FlatMap(_taken_apart)
        | "network, one by one" >> alone.with_exception_handling()
    )
    # Written in two places rather than joined first: a runner may keep all photos' frames before it joins them.
    outputs = {"main": DONE}
    written = predicted | "files" >> beam.ParDo(WriteFiles(settings)).with_outputs(FAILED, IN_COLOR, **outputs)
    written_alone = predicted_alone | "files, one by one" >> beam.ParDo(WriteFiles(settings)).with_outputs(
        FAILED, IN_COLOR, **outputs
    )
    given_up = dead_alone.failed_inferences | "given up" >> beam.FlatMap(_given_up)
    failures = (framed[FAILED], written[FAILED], written_alone[FAILED], given_up)
    _list(failures, FAILED, lists.errors_file, ERRORS_HEADER)
    _list(
        (framed[IN_COLOR], written[IN_COLOR], written_alone[IN_COLOR]), IN_COLOR, lists.in_color_file, IN_COLOR_HEADER
    )


def _list(rows: tuple[Any, ...], what: str, file: Path, header: str) -> None:
    """Gather the rows of several steps into one list."""
    _ = (
        rows
        | f"{what}: all" >> beam.Flatten()
        | f"{what}: count" >> beam.Map(functools.partial(_counted, what))
        | f"{what}: one list" >> beam.WithKeys(what)
        | f"{what}: gather" >> beam.GroupByKey()
        | f"{what}: write" >> beam.MapTuple(functools.partial(_write_list, file, header))
    )


class ReadFrames(beam.DoFn):
    """Job → (job, its frames); nothing for a job that is done or whose photo is left alone."""

    def __init__(self, frame: ServingFrame, settings: FolderSettings) -> None:
        super().__init__()
        self._frame = frame
        self._settings = settings

    def process(self, job: Job) -> Iterator[Any]:
        """Read and scale all pages."""
        if not _still_missing(job, self._settings).missing:
            Metrics.counter(COUNTS, DONE).inc()
            return
        try:
            photo = self._framed(job)
        except Exception as failure:  # a damaged file or a full memory can raise anything
            yield beam.pvalue.TaggedOutput(FAILED, (job.source, reason(job.source, failure)))
            return
        yield (job, photo) if photo else beam.pvalue.TaggedOutput(IN_COLOR, (job.source, "no"))

    def _framed(self, job: Job) -> FramedPhoto | None:
        """Frame each page; None for a photo that is left alone."""
        frames: list[Frame] = []
        with _budget(self._settings.pixels_in_flight).room_for(count_pixels(job.source)):
            for page in read_pictures(job.source, max_pixels=self._settings.max_pixels, name=str(job.source)):
                if not frames:
                    if self._settings.skip_color and tone_of(page.pixels) == "color":
                        return None
                    photo = PhotoSettings.of(job, self._settings)
                    hints_of_pages = photo.hints_of_pages()
                hints = next(hints_of_pages).on_photo(*page.pixels.shape[:2])
                frames.append(frame_photo(page.pixels, self._frame.image_size, self._frame.multiple, hints))
        return FramedPhoto(tuple(frames), photo.vividness)


class WriteFiles(beam.DoFn):
    """(job, frames and chroma) → files."""

    def __init__(self, settings: FolderSettings) -> None:
        super().__init__()
        self._settings = settings

    def process(self, element: tuple[Job, Any]) -> Iterator[Any]:
        """Write what is missing; the element's second part is a `PredictionResult` of Beam's."""
        job, prediction = element
        known = zip(prediction.example.frames, prediction.inference, strict=True)
        # What another worker writes at this moment, which does the same photo, may be replaced.
        settings = replace(self._settings, overwrite=True, resume=False)
        written = Written()
        try:
            with _budget(settings.pixels_in_flight).room_for(count_pixels(job.source)):
                missing = _still_missing(job, self._settings)
                pages = read_pictures(job.source, max_pixels=settings.max_pixels, name=str(job.source))
                # Sampling needs dropout, which an exported network has not: there is one result.
                samples = [iter(functools.partial(self._next_pair, pages, known), None)]
                write_photo(missing, settings, samples, written)
        except Exception as failure:  # as above
            yield beam.pvalue.TaggedOutput(FAILED, (job.source, reason(job.source, failure)))
            return
        Metrics.counter(COUNTS, DONE).inc()
        for remark in written.remarks:
            Metrics.counter(REMARKS, remark).inc()
        if written.tone == "color":
            yield beam.pvalue.TaggedOutput(IN_COLOR, (job.source, "yes"))

    def _next_pair(
        self, pages: Iterator[Picture], known: Iterator[tuple[Frame, np.ndarray]]
    ) -> tuple[Picture, Picture] | None:
        """Return the next page and the page in colour; None after the last."""
        page, frame_and_ab = next(pages, None), next(known, None)
        if page is None and frame_and_ab is None:
            return None
        if page is None or frame_and_ab is None:
            raise ColorizeError("has another number of pages than a moment ago: something else writes to it")
        return page, replace(page, pixels=finish_photo(page.pixels, *frame_and_ab, self._settings.edges))


def _network(model: Servable, batch_size: int) -> RunInference:
    return RunInference(KeyedModelHandler(ChromaHandler(model.folder, batch_size)))


@functools.cache
def _budget(pixels: int) -> PixelBudget:
    """Return the budget of this process, in which a runner may have several threads."""
    return PixelBudget(pixels)


def _still_missing(job: Job, settings: FolderSettings) -> Job:
    """Take from a job what has been written since it was planned, where a bundle is done for a second time."""
    if settings.overwrite:
        return job
    return replace(job, missing=frozenset(file for file in job.missing if not os.path.lexists(file)))


def _taken_apart(dead: tuple[Any, Any]) -> Iterable[tuple[Job, FramedPhoto]]:
    """Return the photos of a batch that failed; Beam gives (batch, (type, repr, traceback))."""
    return dead[0]


def _given_up(dead: tuple[Any, Any]) -> Iterator[_Row]:
    """Yield photos that failed alone, with the reason."""
    batch, (kind, _, lines) = dead
    words = lines[-1].partition(": ")[2]  # the traceback ends with the type and what it says
    for job, _ in batch:
        yield job.source, reason_in_words(job.source, kind, words)


def _counted(what: str, row: _Row) -> _Row:
    Metrics.counter(COUNTS, what).inc()
    return row


def _write_list(file: Path, header: str, _: str, rows: Iterable[_Row]) -> None:
    """Write a list whole or not at all.

    It is a plain file, as the photos are: Beam's sinks take `[` and `*` in the name of a folder for patterns.
    """
    with replacing(file, overwrite=True) as stream:
        stream.write(f"{header}\n".encode())
        for source, value in dict(rows).items():  # a photo that was done twice is listed once
            stream.write(list_row(source, value).encode())
