"""What happens to each photo, as steps of a pipeline that may run anywhere.

    jobs → frames → RunInference → files
             ↘ failures ↙ ↙         → errors.csv

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

from keras_colorize.batch.batching import PixelBudget, count_pixels
from keras_colorize.batch.failures import error_row, reason, reason_in_words
from keras_colorize.batch.plan import ERRORS_HEADER, Job
from keras_colorize.batch.write import FirstPage, Settings, write_photo
from keras_colorize.beam.chroma import ChromaHandler
from keras_colorize.beam.jobs import read_jobs
from keras_colorize.errors import ColorizeError
from keras_colorize.export.served import Card, ServedModel
from keras_colorize.images import Picture, read_pictures, replacing
from keras_colorize.inference.frame import Frame, frame_photo
from keras_colorize.inference.network import finish_photo

COUNTS, REMARKS = "keras_colorize", "keras_colorize.remarks"  # namespaces of the metrics
DONE, FAILED = "done", "failed"  # counts of photos; FAILED is also the output of the steps where they go

_Failure = tuple[Path, str]  # a photo and the reason


def build(pipeline: beam.Pipeline, jobs: Path, model: ServedModel, settings: Settings, errors: Path) -> None:
    """Put the steps into a pipeline.

    Args:
        jobs: a file of `beam.jobs.write_jobs`; all paths absolute.
        errors: the list of photos that failed; there is none where none failed.
    """
    network = _network(model, settings.vividness, settings.batch_size)
    framed = (
        pipeline
        | "list" >> beam.Create([str(jobs)])
        | "jobs" >> beam.FlatMap(read_jobs)
        | "spread over workers" >> beam.Reshuffle()
        | "frames" >> beam.ParDo(ReadFrames(model.card, settings)).with_outputs(FAILED, main="framed")
    )
    predicted, dead = framed.framed | "network" >> network.with_exception_handling()
    # A batch fails as a whole: too large for the memory, or one photo spoils it for all. Each on its own, then.
    alone = _network(model, settings.vividness, 1)
    predicted_alone, dead_alone = (
        dead.failed_inferences
        | "take apart" >> beam.FlatMap(_taken_apart)
        | "network, one by one" >> alone.with_exception_handling()
    )
    # Written in two places rather than joined first: a runner may keep all photos' frames before it joins them.
    written = predicted | "files" >> beam.ParDo(WriteFiles(settings)).with_outputs(FAILED, main=DONE)
    written_alone = predicted_alone | "files, one by one" >> beam.ParDo(WriteFiles(settings)).with_outputs(
        FAILED, main=DONE
    )
    given_up = dead_alone.failed_inferences | "given up" >> beam.FlatMap(_given_up)
    failures = (framed[FAILED], written[FAILED], written_alone[FAILED], given_up)
    _ = (
        failures
        | "failures" >> beam.Flatten()
        | "count" >> beam.Map(_counted)
        | "one list" >> beam.WithKeys(errors.name)
        | "gather" >> beam.GroupByKey()
        | "write the list" >> beam.MapTuple(functools.partial(_write_errors, errors))
    )


class ReadFrames(beam.DoFn):
    """Job → (job, its frames); nothing for a job that is done."""

    def __init__(self, card: Card, settings: Settings) -> None:
        super().__init__()
        self._card = card
        self._settings = settings

    def process(self, job: Job) -> Iterator[Any]:
        """Read and scale all pages."""
        if not _still_missing(job, self._settings).missing:
            Metrics.counter(COUNTS, DONE).inc()
            return
        try:
            yield job, tuple(self._frames(job))
        except Exception as failure:  # a damaged file or a full memory can raise anything
            yield beam.pvalue.TaggedOutput(FAILED, (job.source, reason(job.source, failure)))

    def _frames(self, job: Job) -> Iterator[Frame]:
        with _budget(self._settings.pixels_in_flight).room_for(count_pixels(job.source)):
            for page in read_pictures(job.source, max_pixels=self._settings.max_pixels, name=str(job.source)):
                yield frame_photo(page.pixels, self._card.image_size, self._card.multiple)


class WriteFiles(beam.DoFn):
    """(job, frames and chroma) → files."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    def process(self, element: tuple[Job, Any]) -> Iterator[Any]:
        """Write what is missing; the element's second part is a `PredictionResult` of Beam's."""
        job, prediction = element
        known = zip(prediction.example, prediction.inference, strict=True)
        settings = replace(self._settings, overwrite=True)  # by another worker that does the same photo at this moment
        try:
            with _budget(settings.pixels_in_flight).room_for(count_pixels(job.source)):
                missing = _still_missing(job, self._settings)
                remarks = write_photo(missing, settings, functools.partial(self._next_colored, known), [])
        except Exception as failure:  # as above
            yield beam.pvalue.TaggedOutput(FAILED, (job.source, reason(job.source, failure)))
            return
        Metrics.counter(COUNTS, DONE).inc()
        for remark in remarks:
            Metrics.counter(REMARKS, remark).inc()

    def _next_colored(
        self,
        known: Iterator[tuple[Frame, np.ndarray]],
        source: Iterator[Picture],
        sample: int | None,
        first: FirstPage,
    ) -> Picture | None:
        page, frame_and_ab = next(source, None), next(known, None)
        if page is None and frame_and_ab is None:
            return None
        if page is None or frame_and_ab is None:
            raise ColorizeError("has another number of pages than a moment ago: something else writes to it")
        colored = replace(page, pixels=finish_photo(page.pixels, *frame_and_ab, self._settings.edges))
        first.look(page, colored, sample)
        return colored


def _network(model: ServedModel, vividness: float, batch_size: int) -> RunInference:
    return RunInference(KeyedModelHandler(ChromaHandler(model.folder, vividness, batch_size)))


@functools.cache
def _budget(pixels: int) -> PixelBudget:
    """Of the process, in which a runner may have several threads."""
    return PixelBudget(pixels)


def _still_missing(job: Job, settings: Settings) -> Job:
    """The job without what has been written since it was planned: a bundle is done for a second time."""
    if settings.overwrite:
        return job
    return replace(job, missing=frozenset(file for file in job.missing if not os.path.lexists(file)))


def _taken_apart(dead: tuple[Any, Any]) -> Iterable[tuple[Job, tuple[Frame, ...]]]:
    """The photos of a batch that failed; Beam says (batch, (type, repr, traceback))."""
    return dead[0]


def _given_up(dead: tuple[Any, Any]) -> Iterator[_Failure]:
    """Photos that failed alone."""
    batch, (kind, _, lines) = dead
    words = lines[-1].partition(": ")[2]  # the traceback ends with the type and what it says
    for job, _ in batch:
        yield job.source, reason_in_words(job.source, kind, words)


def _counted(failure: _Failure) -> _Failure:
    Metrics.counter(COUNTS, FAILED).inc()
    return failure


def _write_errors(file: Path, _: str, failures: Iterable[_Failure]) -> None:
    """The list, whole or not at all. Plain files, since the photos are too: Beam's sinks take `[` and `*` in the
    name of a folder for patterns."""
    with replacing(file, overwrite=True) as stream:
        stream.write(f"{ERRORS_HEADER}\n".encode())
        for source, error in failures:
            stream.write(error_row(source, error).encode())
