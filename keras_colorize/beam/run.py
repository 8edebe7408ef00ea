"""One run of the pipeline, from planned jobs to what became of them."""

import secrets
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.metrics import MetricsFilter
from apache_beam.runners.runner import PipelineState

from keras_colorize.batch.failures import open_out, read_errors
from keras_colorize.batch.plan import Job
from keras_colorize.batch.write import Settings
from keras_colorize.beam.jobs import write_jobs
from keras_colorize.beam.pipeline import COUNTS, DONE, REMARKS, build
from keras_colorize.errors import ColorizeError
from keras_colorize.export.served import ServedModel


@dataclass
class Outcome:
    """What became of the photos of a run.

    done: how many have their results.
    errors: source → why it failed.
    remarks: → how many photos.
    """

    done: int
    errors: dict[Path, str]
    remarks: Counter[str] = field(default_factory=Counter)


@contextmanager
def work_folder(out: Path) -> Iterator[Path]:
    """A hidden folder within `out`, which all workers see; gone at the end."""
    open_out(out)
    folder = out.absolute() / f".beam-{secrets.token_hex(8)}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_pipeline(
    jobs: Sequence[Job], out: Path, work: Path, model: ServedModel, settings: Settings, options: Any
) -> Outcome:
    """Colorize what the jobs miss, and wait for the end.

    Args:
        jobs: of `beam.jobs.absolute_jobs`.
        out: the folder for the results, where the list of failures goes.
        work: of `work_folder`.
        options: of `keras_colorize.beam.options.pipeline_options`.

    Raises:
        ColorizeError: the pipeline stopped before its end; what is written is whole.
    """
    todo = [job for job in jobs if job.missing]
    errors_file = open_out(out).absolute()
    write_jobs(todo, work / "jobs.jsonl")
    pipeline = beam.Pipeline(options=options)
    build(pipeline, work / "jobs.jsonl", model, settings, errors_file)
    try:
        result = pipeline.run()
        try:
            state = result.wait_until_finish()
        except KeyboardInterrupt:
            result.cancel()
            raise
    except Exception as error:  # whatever a runner and its workers raise, with their tracebacks in the text
        raise _stopped(_last_line(error)) from error
    if state not in (None, PipelineState.DONE):
        raise _stopped(f"the runner says {state}")
    errors = dict(read_errors(errors_file, (job.source for job in todo)))
    counts, remarks = _counts(result, COUNTS), _counts(result, REMARKS)
    # Some runners count what was tried, and a photo that was done twice counts twice.
    return Outcome(min(counts[DONE], len(todo) - len(errors)), errors, remarks)


def _counts(result: Any, namespace: str) -> Counter[str]:
    """Name → count, over all steps that count it."""
    counts: Counter[str] = Counter()
    for counter in result.metrics().query(MetricsFilter().with_namespace(namespace))["counters"]:
        counts[counter.key.metric.name] += counter.result
    return +counts  # of a bundle that is repeated there are zeros


def _stopped(why: str) -> ColorizeError:
    return ColorizeError(f"the pipeline stopped: {why}; put that right, and the same command with --resume goes on")


def _last_line(error: Exception) -> str:
    """What went wrong at the bottom of an error that quotes a traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
