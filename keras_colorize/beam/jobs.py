"""The jobs of a run in a file for workers. Nothing here loads TensorFlow or Apache Beam."""

import itertools
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from keras_colorize.batch.plan import Job
from keras_colorize.errors import ColorizeError

# [choice] A runner takes some milliseconds for each chunk.
_CHUNKS, _MOST_BATCHES = 32, 8


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


@dataclass(frozen=True)
class Chunk:
    """Some jobs that one worker does, as their place in the file of all jobs.

    number: from 0.
    offset: bytes before its first line.
    count: of its lines.
    """

    number: int
    offset: int
    count: int


def write_jobs(jobs: Sequence[Job], file: Path, batch_size: int) -> list[Chunk]:
    """Write a line for each job; a pipeline is sent to the runner, and a million jobs are too many to be part of it.

    Args:
        batch_size: photos that go through the network together; they are of one chunk.

    Returns:
        Chunks of one batch or some, that hold all jobs: enough of them that many workers are busy, and none so large
        that the end of a run waits for it.
    """
    size = batch_size * min(max(len(jobs) // (_CHUNKS * batch_size), 1), _MOST_BATCHES)
    chunks: list[Chunk] = []
    with file.open("wb") as stream:
        for number, first in enumerate(range(0, len(jobs), size)):
            chunks.append(Chunk(number, stream.tell(), len(jobs[first : first + size])))
            for job in jobs[first : first + size]:
                fields = vars(job) | {"missing": sorted(job.missing)}
                stream.write(json.dumps(fields, default=str).encode("ascii") + b"\n")
    return chunks


def read_jobs(file: Path, chunk: Chunk) -> list[Job]:
    """Read the jobs of a chunk of what `write_jobs` wrote."""
    with file.open("rb") as stream:
        stream.seek(chunk.offset)
        return [_read_job(line) for line in itertools.islice(stream, chunk.count)]


def _read_job(line: bytes) -> Job:
    job = json.loads(line)
    return Job(
        Path(job["source"]),
        job["name"],
        tuple(map(Path, job["colored"])),
        job["comparison"] and Path(job["comparison"]),
        frozenset(map(Path, job["missing"])),
        job["hints_file"] and Path(job["hints_file"]),
    )
