"""One run of the pipeline, from planned jobs to their results."""

import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineState

from keras_colorize.batch.plan import FolderSettings, Job
from keras_colorize.batch.write import RunLists, clear_leftovers, make_out
from keras_colorize.beam.jobs import write_jobs
from keras_colorize.beam.outcome import Outcome
from keras_colorize.beam.pipeline import ColorPhotos
from keras_colorize.errors import ColorizeError
from keras_colorize.export.servable import Servable


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
    jobs: Sequence[Job], out: Path, work: Path, model: Servable, settings: FolderSettings, options: PipelineOptions
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
    clear_leftovers(jobs)
    outcomes = work / "outcomes"
    outcomes.mkdir(exist_ok=True)
    pipeline = beam.Pipeline(options=options)
    # Some runners never divide again what was created together.
    _ = (
        pipeline
        | "chunks of photos" >> beam.Create(write_jobs(todo, work / "jobs.jsonl", settings.batch_size))
        | "spread over workers" >> beam.Reshuffle()
        | "color" >> beam.ParDo(ColorPhotos(work / "jobs.jsonl", model, settings, outcomes))
    )
    run_to_end(pipeline)
    outcome = Outcome.sum(map(Outcome.read, sorted(outcomes.glob("*.json"))))
    for source, error in outcome.errors.items():
        lists.add_error(source, error)
    for source, colorized in outcome.in_color.items():
        lists.add_in_color(source, colorized)
    return outcome


def run_to_end(pipeline: beam.Pipeline) -> None:
    """Run a pipeline and wait for its end.

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
        finally:
            if hasattr(result, "client"):  # of Dask, whose runner leaves its connection open
                result.client.close()
    except Exception as error:  # whatever a runner and its workers raise, with their tracebacks in the text
        raise _stopped(_last_line(error)) from error
    if state not in (None, PipelineState.DONE):
        raise _stopped(f"the runner says {state}")


def _stopped(why: str) -> ColorizeError:
    return ColorizeError(f"the pipeline stopped: {why}", action="same_command")


def _last_line(error: Exception) -> str:
    """Return the last line of an error that quotes a traceback: it tells what went wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
