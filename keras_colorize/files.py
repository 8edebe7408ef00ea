"""Files that are written whole or not at all, and file names that every terminal and text file can show."""

import contextlib
import os
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def written_whole(
    file: Path, temporary: Path | None = None, rename: Callable[[Path, Path], None] = os.replace
) -> Iterator[Path]:
    """Write a file under a temporary name, then rename it: a reader never sees half a file.

    Args:
        file: the final name.
        temporary: the name until then, in the same folder; by default `tmp-` and the final name.
        rename: called with `temporary` and `file` at the end; by default it replaces a file of that name.

    Yields:
        The temporary name, for the block to write. If the block raises, the temporary file is removed.
    """
    temporary = temporary or file.with_name(f"tmp-{file.name}")
    try:
        yield temporary
        rename(temporary, file)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)  # the part that fitted on a full disk


def printable(path: str) -> str:
    """Return a file name as text that every output accepts.

    Letters are composed (NFC), since macOS stores them decomposed; bytes that are not UTF-8 become '?'.
    """
    return unicodedata.normalize("NFC", path).encode("utf-8", "replace").decode()
