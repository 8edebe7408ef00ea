"""The hints of the photos of a run: given with the settings, or in files beside the photos."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

from keras_colorize.batch.plan import FolderSettings, Job
from keras_colorize.errors import ColorizeError
from keras_colorize.inference.hint_files import HintSet, read_hints


@dataclass(frozen=True)
class PhotoSettings:
    """The settings of one photo of a run, of which every sample and every worker makes the same.

    hints: of the photo's first page.
    vividness: of all its pages.
    """

    hints: HintSet
    vividness: float

    @classmethod
    def of(cls, job: Job, settings: FolderSettings) -> "PhotoSettings":
        """Read the photo's hints, where it has some.

        Raises:
            ColorizeError: they are no hints.
        """
        hints = settings.hint_set if job.hints_file is None else read_hints(job.hints_file)
        asked = (settings.vividness, hints.vividness, 1.0)
        return cls(hints, next(value for value in asked if value is not None))

    def hints_of_pages(self) -> Iterator[HintSet]:
        """Yield the hints of each page of the photo, without end: a place on the first page is none on the others."""
        return chain((self.hints,), repeat(HintSet()))


def check_hints_taken(jobs: Sequence[Job], settings: FolderSettings, takes_hints: bool, name: str) -> None:
    """Refuse a run whose photos have hints with a network that takes none.

    Args:
        jobs: of the run; of those that are done already, hints do not matter.
        settings: of the run.
        takes_hints: whether the network does.
        name: of the network.

    Raises:
        ColorizeError: it takes none, and a photo has some.
    """
    if takes_hints:
        return
    if settings.hint_set.hints:
        raise ColorizeError(f"'{name}' takes no hints: use a model that does, or leave them out")
    files: list[Path] = [job.hints_file for job in jobs if job.missing and job.hints_file is not None]
    if files:
        have = "1 photo has hints beside it" if len(files) == 1 else f"{len(files):,} photos have hints beside them"
        raise ColorizeError(
            f"'{name}' takes no hints, and {have}, first '{files[0]}': use a model that takes hints, or `ignore_hints`"
        )
