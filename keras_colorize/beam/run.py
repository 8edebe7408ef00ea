"""One run of the pipeline, from planned jobs to their results."""

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

from keras_colorize.batch.plan import FolderSettings, Job
from keras_colorize.batch.write import RunLists, make_out, read_list
from keras_colorize.beam.jobs import write_jobs
from keras_colorize.beam.pipeline import COUNTS, DONE, REMARKS, build
from keras_colorize.errors import ColorizeError
from keras_colorize.export.servable import Servable


@dataclass
class Outcome:
    """The results of a run.

    done: number of photos that have their results.
    errors: photo → why it failed.
    in_color: photos that were in colour → whether they were colorized all the same.
    remarks: → number of photos.
    """

    done: int
    errors: dict[Path, str]
    in_color: dict[Path, bool] = field(default_factory=dict)
    remarks: Counter[str] = field(default_factory=Counter)


@contextmanager
def work_folder(out: Path) -> Iterator[Path]:
    """Make a hidden folder within `out`, which all workers see, and remove it at the end."""
    make_out(out)
    folder = out.absolute() / f".beam-{secrets.token_hex(8)}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_pipeline(
    jobs: Sequence[Job], out: Path, work: Path, model: Servable, settings: FolderSettings, options: Any
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
    lists = RunLists(out.absolute())
    write_jobs(todo, work / "jobs.jsonl")
    pipeline = beam.Pipeline(options=options)
    build(pipeline, work / "jobs.jsonl", model, settings, lists)
    result = run_to_end(pipeline)
    sources = [job.source for job in todo]
    errors = dict(read_list(lists.errors_file, sources))
    in_color = {source: value == "yes" for source, value in read_list(lists.in_color_file, sources)}
    left_alone = sum(not colorized for colorized in in_color.values())
    counts, remarks = _counts(result, COUNTS), _counts(result, REMARKS)
    # Some runners count what was tried, and a photo that was done twice counts twice.
    done = min(counts[DONE], len(todo) - len(errors) - left_alone)
    return Outcome(done, errors, in_color, remarks)


def run_to_end(pipeline: beam.Pipeline) -> Any:
    """Run a pipeline and wait for its end.

    Returns:
        Beam's result, for its metrics.

    Raises:
        ColorizeError: it stopped before its end.
    """
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
    return result


def _counts(result: Any, namespace: str) -> Counter[str]:
    """Return name → count, over all steps that count it."""
    counts: Counter[str] = Counter()
    for counter in result.metrics().query(MetricsFilter().with_namespace(namespace))["counters"]:
        counts[counter.key.metric.name] += counter.result
    return +counts  # of a bundle that is repeated there are zeros


def _stopped(why: str) -> ColorizeError:
    return ColorizeError(f"the pipeline stopped: {why}", action="same_command")


def _last_line(error: Exception) -> str:
    """Return the last line of an error that quotes a traceback: it tells what went wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
