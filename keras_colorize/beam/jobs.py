"""Jobs on their way to workers. Nothing here loads TensorFlow or Apache Beam."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from keras_colorize.batch.plan import Job
from keras_colorize.errors import ColorizeError


def absolute_jobs(jobs: Sequence[Job]) -> list[Job]:
    """The jobs as workers in other folders and on other machines understand them.

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
        )
        for job in jobs
    ]


def write_jobs(jobs: Iterable[Job], file: Path) -> None:
    """A line for each job: a million of them are too many to be part of a pipeline, which is sent to the runner."""
    with file.open("w", encoding="ascii") as stream:
        for job in jobs:
            fields = vars(job) | {"missing": sorted(job.missing)}
            stream.write(json.dumps(fields, default=str) + "\n")


def read_jobs(file: str) -> Iterator[Job]:
    """What `write_jobs` wrote."""
    with open(file, encoding="ascii") as stream:
        for line in stream:
            job = json.loads(line)
            yield Job(
                Path(job["source"]),
                job["name"],
                tuple(map(Path, job["colored"])),
                job["comparison"] and Path(job["comparison"]),
                frozenset(map(Path, job["missing"])),
            )
