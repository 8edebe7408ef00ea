"""Photos that could not be colorized: why, in one line, and the list of them beside the results."""

import csv
import errno
import io
import os
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from keras_colorize.batch.plan import ERRORS_FILE
from keras_colorize.errors import ColorizeError
from keras_colorize.files import printable

# The disk of the results is full or locked: the next photo would fail as this one did.
_FATAL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def reason(source: Path, failure: Exception) -> str:
    """Why a photo failed, in one line for the user; the photo's name is said beside it.

    Raises:
        OSError: it is not the photo's fault: the disk of the results is full or may not be written.
    """
    cause = failure.__cause__ or failure
    if isinstance(cause, OSError) and cause.errno in _FATAL:
        raise cause from None
    return reason_in_words(source, type(failure), str(failure))


def reason_in_words(source: Path, kind: type[BaseException], text: str) -> str:
    """The same of an error of which only the type and the words are left."""
    if issubclass(kind, MemoryError):
        return "is too large for the memory of this machine"
    text = " ".join(text.split())
    if issubclass(kind, ColorizeError):
        return text.removeprefix(f"{source}: ")
    return f"{kind.__name__}: {textwrap.shorten(text, 300)}"


def open_out(out: Path) -> Path:
    """Make the folder of the results, remove the list of an earlier run, and return the list's path.

    Raises:
        ColorizeError: the folder may not be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    if not os.access(out, os.W_OK | os.X_OK):
        raise ColorizeError(f"--out '{out}' may not be written; choose another folder")
    file = out / ERRORS_FILE
    file.unlink(missing_ok=True)
    return file


def error_row(source: Path, error: str) -> str:
    """A row of the list, with its line break."""
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow([printable(str(source)), error])
    return row.getvalue()


def read_errors(file: Path, sources: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Each of the sources that the list names, with the reason; none where there is no list."""
    named = {printable(str(source)): source for source in sources}
    if file.is_file():
        with file.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                yield named[row["file"]], row["error"]
