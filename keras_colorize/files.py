"""Files that are written whole or not at all, names that every terminal can show, and the user's cache folder."""

import contextlib
import os
import sys
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


def cache_folder() -> Path:
    """Return the folder for files that can be made again, which may not exist yet.

    It is `KERAS_COLORIZE_CACHE`, or else this package's folder among the user's caches.
    """
    named = os.environ.get("KERAS_COLORIZE_CACHE")
    if named:
        return Path(named)
    if os.environ.get("XDG_CACHE_HOME"):
        caches = Path(os.environ["XDG_CACHE_HOME"])
    elif sys.platform == "win32" and "LOCALAPPDATA" in os.environ:
        caches = Path(os.environ["LOCALAPPDATA"])
    elif sys.platform == "darwin":
        caches = Path.home() / "Library" / "Caches"
    else:
        caches = Path.home() / ".cache"
    return caches / "keras-colorize"


def printable(path: str) -> str:
    """Return a file name as text that every output accepts.

    Letters are composed (NFC), since macOS stores them decomposed; bytes that are not UTF-8 become '?'.
    """
    return unicodedata.normalize("NFC", path).encode("utf-8", "replace").decode()
