"""Files that are written whole or not at all, and names of files that any output takes."""

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
        file: what it is called at the end.
        temporary: what it is called until then, in the same folder; `tmp-` and its name unless given.
        rename: the temporary file to `file`; unless given, a file of that name is replaced.

    Yields:
        `temporary`, to be written. If the block raises, nothing is left of it.
    """
    temporary = temporary or file.with_name(f"tmp-{file.name}")
    try:
        yield temporary
        rename(temporary, file)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)  # what a full disk left of it


def printable(path: str) -> str:
    """NFC, since macOS stores decomposed names; bytes that are no UTF-8 become '?', so that any output takes them."""
    return unicodedata.normalize("NFC", path).encode("utf-8", "replace").decode()
