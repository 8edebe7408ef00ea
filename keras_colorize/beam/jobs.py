"""The jobs of a run in a file for workers. Nothing here loads TensorFlow or Apache Beam."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from keras_colorize.batch.plan import Job
from keras_colorize.errors import ColorizeError


def absolute_jobs(jobs: Sequence[Job]) -> list[Job]:
    """Make all paths of jobs absolute, for workers in other folders and on other machines.

    Raises:
        ColorizeError: a result would replace its own photo.
    """
    for job in jobs:
        if any(os.path.realpath(file) == os.path.realpath(job.source) for file in job.missing):
            raise ColorizeError(
                f"'{job.source}' would be replaced by its own result, and a runner may do a photo twice:"
                " choose another folder for `out`"
            )
    return [
        replace(
            job,
            source=job.source.absolute(),
            colored=tuple(file.absolute() for file in job.colored),
            comparison=job.comparison and job.comparison.absolute(),
            missing=frozenset(file.absolute() for file in job.missing),
            hints_file=job.hints_file and job.hints_file.absolute(),
        )
        for job in jobs
    ]


def write_jobs(jobs: Iterable[Job], file: Path) -> None:
    """Write a line for each job; a pipeline is sent to the runner, and a million jobs are too many to be part of it."""
    with file.open("w", encoding="ascii") as stream:
        for job in jobs:
            fields = vars(job) | {"missing": sorted(job.missing)}
            stream.write(json.dumps(fields, default=str) + "\n")


def read_jobs(file: str) -> Iterator[Job]:
    """Read the jobs that `write_jobs` wrote."""
    with open(file, encoding="ascii") as stream:
        for line in stream:
            job = json.loads(line)
            yield Job(
                Path(job["source"]),
                job["name"],
                tuple(map(Path, job["colored"])),
                job["comparison"] and Path(job["comparison"]),
                frozenset(map(Path, job["missing"])),
                job["hints_file"] and Path(job["hints_file"]),
            )
