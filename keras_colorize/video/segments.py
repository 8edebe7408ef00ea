"""The segments of a film that is being coloured: what is done stays done, whatever happens to the process."""

import hashlib
import json
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from keras_colorize.errors import ColorizeError
from keras_colorize.files import written_whole

_DESCRIPTION = "film.json"
_UNFINISHED = "tmp-"


class SegmentNotes(TypedDict):
    """The notes that are kept with a segment.

    damaged: times in seconds of its frames that are damaged.
    place: the number in its scene of the frame after it, unless that begins a scene.
    ends_film: whether the film ends with it.
    """

    damaged: list[float]
    place: int
    ends_film: bool


class Segments:
    """The folder of a film's segments, beside the film that they become.

    A segment counts once its state is there, which is written last: `pts` of its frames, notes, and the arrays from
    which the next segment goes on. Files appear under their names when they are whole, so several processes may write
    the same segment at the same time.

    Args:
        out: the film.
    """

    def __init__(self, out: Path) -> None:
        self.folder = out.with_name(f"{out.name}.parts")
        self._out = out
        self._description = self.folder / _DESCRIPTION

    def claim(self, description: Mapping[str, object], resume: bool, overwrite: bool) -> None:
        """Check that segments may be written here, and remove those that are to be replaced.

        Args:
            description: all that decides how the film comes out; segments of another one do not fit.
            resume: go on from the segments that exist.
            overwrite: begin anew.

        Raises:
            ColorizeError: the film or segments exist, and neither `resume` nor `overwrite` is set; or the segments that
                exist are of another film or of other settings.
        """
        if overwrite and self.folder.exists():
            shutil.rmtree(self.folder)
        begun, unfinished = bool(self.whole()), self._description.is_file()
        if begun and not resume:
            raise ColorizeError(
                f"'{self.folder}' holds a part of this film: `resume` goes on from it, `overwrite` begins anew"
            )
        if self._out.exists() and not self._out.is_dir() and not overwrite and not (unfinished and resume):
            raise ColorizeError(f"'{self._out}' exists: `overwrite` replaces it")
        if begun or (unfinished and resume):
            self._compare(description)

    def begin(self, description: Mapping[str, object]) -> None:
        """Make the folder, write down what its segments are of, and remove files that a kill left half written.

        Raises:
            ColorizeError: it cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for file in self.folder.glob(f"{_UNFINISHED}*"):
                file.unlink(missing_ok=True)
            with written_whole(self._description) as temporary:
                temporary.write_text(json.dumps(_texts(description), indent=1), encoding="utf-8")
        except OSError as error:
            raise ColorizeError(
                f"`out` '{self.folder}' cannot be written ({error.strerror}): choose another"
            ) from error

    @property
    def done(self) -> int:
        """The number of whole segments from the first one on, up to one that is missing."""
        count = 0
        while self.is_done(count):
            count += 1
        return count

    def is_done(self, number: int) -> bool:
        """Tell whether a segment is whole."""
        return self._state(number).is_file()

    def whole(self) -> list[int]:
        """Return the numbers of the segments that are done, whoever made them and in whatever order."""
        return sorted(int(file.stem) for file in self.folder.glob("[0-9]*.npz"))

    def file(self, number: int) -> Path:
        """Return the file of a segment's pictures."""
        return self.folder / f"{number:06d}.part"

    def unfinished(self, file: Path) -> Path:
        """Return a name for a file until it is whole, in the same folder; no other process has the same one."""
        return self.folder / f"{_UNFINISHED}{secrets.token_hex(4)}-{file.name}"

    def times(self, numbers: Sequence[int]) -> np.ndarray:
        """Return `pts` of the frames of whole segments."""
        kept = [np.load(self._state(number))["pts"] for number in numbers]
        return np.concatenate(kept) if kept else np.zeros(0, np.int64)

    def notes(self, number: int) -> SegmentNotes:
        """Return what was noted with a segment."""
        with np.load(self._state(number)) as kept:
            return json.loads(str(kept["notes"]))

    def state(self, number: int) -> dict[str, np.ndarray]:
        """Return the arrays from which the segment after this one goes on."""
        with np.load(self._state(number)) as kept:
            return {name: kept[name] for name in kept.files if name not in ("pts", "notes")}

    def commit(self, number: int, pts: Iterable[int], state: Mapping[str, Any], notes: SegmentNotes) -> None:
        """Count a segment as done, whose pictures have just been written."""
        file = self._state(number)
        with written_whole(file, self.unfinished(file)) as temporary, temporary.open("wb") as stream:
            np.savez(stream, pts=np.array(list(pts), np.int64), notes=np.asarray(json.dumps(notes)), **state)

    def size(self, numbers: Sequence[int]) -> int:
        """Return the bytes of segments."""
        files = [self.file(number) for number in numbers]
        return sum(file.stat().st_size for file in files if file.is_file())

    def remove(self) -> None:
        """Remove the folder, once the film is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _state(self, number: int) -> Path:
        return self.folder / f"{number:06d}.npz"

    def _compare(self, description: Mapping[str, object]) -> None:
        kept = json.loads(self._description.read_text(encoding="utf-8"))
        for name, value in _texts(description).items():
            if kept.get(name) != value:
                raise ColorizeError(
                    f"the part of the film in '{self.folder}' was begun with {name} {kept.get(name)}, and now it is"
                    f" {value}: take the same settings to resume, or `overwrite` it"
                )


def _texts(description: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in description.items()}


def digest_of(arrays: Iterable[np.ndarray]) -> str:
    """Return a short checksum of arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
