"""The step of a pipeline of photos, which may run anywhere: chunks of jobs in, the photos' files out.

    chunks of jobs → read → network → read again, colour, write → a file with the outcome of each chunk

Runners differ in what they keep. Dask's drops what a step puts out at the end of a bundle and does not tell several
outputs apart, so Beam's `RunInference` loses photos there; and it counts nothing. So there is one step. All that it has
to tell is in files, as the photos are.

A photo is read twice, for its frames and again to be written in colour. A batch that waits for the network is made of
frames, lightness at the network's size, and never holds photos at full size.

A runner repeats a chunk when its worker dies, and may have two workers do the same. Results are therefore written whole
under other names and renamed, and what exists is done.
"""

import functools
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics

from keras_colorize.batch.hints import PhotoSettings
from keras_colorize.batch.memory import PixelBudget
from keras_colorize.batch.plan import FolderSettings, Job
from keras_colorize.batch.write import Written, reason, tone_of, write_photo
from keras_colorize.beam.chroma import Chroma, FramedPhoto, open_session, predict_chroma
from keras_colorize.beam.jobs import Chunk, read_jobs
from keras_colorize.beam.outcome import Outcome
from keras_colorize.errors import ColorizeError
from keras_colorize.export.servable import Servable
from keras_colorize.images import Picture, count_pixels, read_pictures
from keras_colorize.inference.finish import finish_photo
from keras_colorize.inference.frame import Frame, frame_photo

COUNTS = "keras_colorize"  # namespace of the metrics


class ColorPhotos(beam.DoFn):
    """A chunk of jobs → their files, and the outcome in a file.

    Args:
        jobs: a file of `beam.jobs.write_jobs`; all paths absolute.
        model: under the same path on every worker.
        settings: of the run.
        outcomes: the folder for the outcomes.
    """

    def __init__(self, jobs: Path, model: Servable, settings: FolderSettings, outcomes: Path) -> None:
        super().__init__()
        self._jobs = jobs
        self._model = model
        self._settings = settings
        self._outcomes = outcomes

    def process(self, chunk: Chunk) -> Iterator[int]:
        """Colorize a chunk that no worker has done yet, and yield its number."""
        file = self._outcomes / f"{chunk.number:08d}.json"
        if not file.is_file():
            outcome = Outcome()
            jobs = read_jobs(self._jobs, chunk)
            for start in range(0, len(jobs), self._settings.batch_size):
                self._color(jobs[start : start + self._settings.batch_size], outcome)
            outcome.write(file)
            Metrics.counter(COUNTS, "done").inc(outcome.done)
            Metrics.counter(COUNTS, "failed").inc(len(outcome.errors))
            Metrics.counter(COUNTS, "in_color").inc(len(outcome.in_color))
        yield chunk.number

    def _color(self, jobs: list[Job], outcome: Outcome) -> None:
        """Colorize a batch, and note what becomes of each photo."""
        framed: list[tuple[Job, FramedPhoto]] = []
        for job in jobs:
            if not _still_missing(job, self._settings).missing:
                outcome.done += 1
                continue
            try:
                photo = self._framed(job)
            except Exception as failure:  # a damaged file or a full memory can raise anything
                outcome.errors[job.source] = reason(job.source, failure)
                continue
            if photo is None:
                outcome.in_color[job.source] = False
            else:
                framed.append((job, photo))
        if not framed:
            return
        answers = predict_chroma(open_session(self._model.folder), [photo for _, photo in framed])
        for (job, photo), answer in zip(framed, answers, strict=True):
            try:
                if isinstance(answer, Exception):
                    raise answer
                written = self._write(job, photo, answer)
            except Exception as failure:  # as above
                outcome.errors[job.source] = reason(job.source, failure)
                continue
            outcome.done += 1
            outcome.remarks.update(written.remarks.keys())
            if written.tone == "color":
                outcome.in_color[job.source] = True

    def _framed(self, job: Job) -> FramedPhoto | None:
        """Frame each page; None for a photo that is left alone."""
        frames: list[Frame] = []
        size, multiple = self._model.frame.image_size, self._model.frame.multiple
        with _budget(self._settings.pixels_in_flight).room_for(count_pixels(job.source)):
            for page in read_pictures(job.source, max_pixels=self._settings.max_pixels, name=str(job.source)):
                if not frames:
                    if self._settings.skip_color and tone_of(page.pixels) == "color":
                        return None
                    photo = PhotoSettings.of(job, self._settings)
                    hints_of_pages = photo.hints_of_pages()
                hints = next(hints_of_pages).on_photo(*page.pixels.shape[:2])
                frames.append(frame_photo(page.pixels, size, multiple, hints))
        return FramedPhoto(tuple(frames), photo.vividness)

    def _write(self, job: Job, photo: FramedPhoto, chroma: Chroma) -> Written:
        """Write the files of a photo that are missing."""
        known = zip(photo.frames, chroma, strict=True)
        # What another worker writes at this moment, which does the same photo, may be replaced.
        settings = replace(self._settings, overwrite=True, resume=False)
        written = Written()
        with _budget(settings.pixels_in_flight).room_for(count_pixels(job.source)):
            missing = _still_missing(job, self._settings)
            pages = read_pictures(job.source, max_pixels=settings.max_pixels, name=str(job.source))
            # Sampling needs dropout, which an exported network has not: there is one result.
            samples = [iter(functools.partial(self._next_pair, pages, known), None)]
            write_photo(missing, settings, samples, written)
        return written

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


@functools.cache
def _budget(pixels: int) -> PixelBudget:
    """Return the budget of this process, in which a runner may have several threads."""
    return PixelBudget(pixels)


def _still_missing(job: Job, settings: FolderSettings) -> Job:
    """Take from a job what has been written since it was planned, where a chunk is done for a second time."""
    if settings.overwrite:
        return job
    missing = (file for file in job.missing if not os.path.lexists(file) or job.is_outdated(file))
    return replace(job, missing=frozenset(missing))
