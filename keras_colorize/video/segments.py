"""The segments of a film that is being coloured: what is done stays done, whatever happens to the process."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_colorize.errors import ColorizeError
from keras_colorize.files import written_whole

# [choice] Ten seconds or so: as much work as a crash can cost. A multiple of the frames in one call of the network.
SEGMENT_FRAMES = 240

_DESCRIPTION = "film.json"


class Segments:
    """The folder of a film's segments, beside the film that they become.

    A segment counts once its state is there, which is written last: `pts` of its frames, and the arrays from which the
    next segment goes on.

    Args:
        out: the film.
        description: all that decides how the film comes out; segments of another one do not fit.
        resume: go on from the segments that exist.
        overwrite: begin anew.

    Raises:
        ColorizeError: `out` or segments exist, and neither `resume` nor `overwrite` is set; or the segments that exist
            are of another film or of other settings.
    """

    def __init__(self, out: Path, description: Mapping[str, Any], resume: bool, overwrite: bool) -> None:
        self.folder = out.with_name(f"{out.name}.parts")
        self._file = self.folder / _DESCRIPTION
        if overwrite and self.folder.exists():
            shutil.rmtree(self.folder)
        unfinished = self._file.is_file()
        if self._state(0).is_file() and not resume:
            raise ColorizeError(
                f"'{self.folder}' holds a part of this film: `resume` goes on from it, `overwrite` begins anew"
            )
        if out.exists() and not out.is_dir() and not overwrite and not (unfinished and resume):
            raise ColorizeError(f"'{out}' exists: `overwrite` replaces it")
        self._description = {name: str(value) for name, value in description.items()}
        if self._state(0).is_file():
            self._compare()
        self.done = 0
        while self._state(self.done).is_file():
            self.done += 1

    def begin(self) -> None:
        """Make the folder, and write down what its segments are of.

        Raises:
            ColorizeError: it cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with written_whole(self._file) as temporary:
                temporary.write_text(json.dumps(self._description, indent=1), encoding="utf-8")
        except OSError as error:
            raise ColorizeError(
                f"`out` '{self.folder}' cannot be written ({error.strerror}): choose another"
            ) from error

    def file(self, number: int) -> Path:
        """Return the file of a segment's pictures."""
        return self.folder / f"{number:06d}.part"

    def files(self) -> list[Path]:
        """Return the files of all whole segments."""
        return [self.file(number) for number in range(self.done)]

    def times(self) -> np.ndarray:
        """Return `pts` of the frames of all whole segments."""
        kept = [np.load(self._state(number))["pts"] for number in range(self.done)]
        return np.concatenate(kept) if kept else np.zeros(0, np.int64)

    def remarks(self) -> list[dict[str, Any]]:
        """Return what was noted with each whole segment."""
        return [json.loads(str(np.load(self._state(number))["notes"])) for number in range(self.done)]

    def last_state(self) -> dict[str, np.ndarray]:
        """Return the arrays from which the next segment goes on; none before the first."""
        if not self.done:
            return {}
        with np.load(self._state(self.done - 1)) as kept:
            return {name: kept[name] for name in kept.files if name not in ("pts", "notes")}

    def commit(self, pts: np.ndarray, state: Mapping[str, Any], notes: Mapping[str, Any]) -> None:
        """Count the segment that has just been written as done."""
        with written_whole(self._state(self.done)) as temporary, temporary.open("wb") as stream:
            np.savez(stream, pts=np.asarray(pts, np.int64), notes=np.asarray(json.dumps(notes)), **state)
        self.done += 1

    def size(self) -> int:
        """Return the bytes of all whole segments."""
        return sum(file.stat().st_size for file in self.files() if file.is_file())

    def remove(self) -> None:
        """Remove the folder, once the film is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _state(self, number: int) -> Path:
        return self.folder / f"{number:06d}.npz"

    def _compare(self) -> None:
        kept = json.loads(self._file.read_text(encoding="utf-8"))
        for name, value in self._description.items():
            if kept.get(name) != value:
                raise ColorizeError(
                    f"the part of the film in '{self.folder}' was made with {name} {kept.get(name)}, and now it is"
                    f" {value}: take the same settings to resume, or `overwrite` it"
                )


def digest_of(arrays: Any) -> str:
    """Return a short checksum of arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
