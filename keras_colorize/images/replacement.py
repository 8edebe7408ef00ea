"""Files that appear complete or not at all, and the removal of those that a killed program has left."""

import contextlib
import errno
import os
import re
import secrets
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from keras_colorize.errors import ColorizeError
from keras_colorize.files import written_whole

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.part")
_LOCKED_AFTER_SECONDS = 2.0


@contextlib.contextmanager
def replacing(file: str | os.PathLike[str], overwrite: bool = False) -> Iterator[BinaryIO]:
    """Write a file whole or not at all: a temporary file in the same folder is renamed at the end.

    Args:
        file: the path to write.
        overwrite: replace a file of that name.

    Yields:
        the temporary file, open for binary writing.

    Raises:
        ColorizeError: the name is taken and `overwrite` is not set, or the folder is missing or may not be written.
            The name is checked together with renaming, so that of two programs only one succeeds.
    """
    path = Path(file)

    def rename(temporary: Path, path: Path) -> None:
        with reported(path):
            if overwrite:
                os.replace(temporary, path)
            else:
                _rename_to_free_name(temporary, path)

    # Hidden, and of a name that nobody else has: another program may be writing the same photo.
    hidden = path.parent / f".{secrets.token_hex(8)}.part"
    with contextlib.ExitStack() as locked, written_whole(path, hidden, rename) as temporary:
        with reported(path):
            stream = open(temporary, "xb")  # noqa: SIM115 - closed before it is renamed
        if (lock := _lock(stream)) is not None:
            locked.callback(os.close, lock)
        try:
            yield stream
        finally:
            with reported(path):
                stream.close()  # here a full disk may show itself


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files that programs have left in a folder when they were killed.

    Files that another program is writing stay. All stay where the file system has no locks.
    """
    for file in folder.glob(".*.part"):
        with contextlib.suppress(OSError):  # Windows removes no file that is open
            # A younger file may not have its lock yet.
            if _TEMPORARY.fullmatch(file.name) and time.time() - file.stat().st_mtime > _LOCKED_AFTER_SECONDS:
                with file.open("r+b") as stream:
                    lock = _lock(stream)
                if lock is not None:
                    os.close(lock)
                if lock is not None or fcntl is None:
                    file.unlink()


def _lock(stream: BinaryIO) -> int | None:
    """Lock a file; return a descriptor that holds the lock until it is closed, whenever the stream is closed.

    The system frees the lock when the process ends, however it ends. Returns None where somebody else has the lock, and
    where there are none.
    """
    if fcntl is None:
        return None
    descriptor = os.dup(stream.fileno())
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _rename_to_free_name(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)  # unlike a renaming, this fails where the name is taken
        return
    except FileExistsError:
        raise
    except (OSError, NotImplementedError, AttributeError):
        pass  # no hard links here: USB sticks, network folders
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    try:
        os.replace(temporary, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turn errors of the file system and of encoders into one line."""
    try:
        yield
    except ColorizeError as error:
        raise ColorizeError(f"{path}: {error}") from error.__cause__
    except (OSError, ValueError, struct.error, MemoryError, OverflowError) as error:
        raise ColorizeError(f"{path}: {_why_not(path, error)}") from error


def _why_not(path: Path, error: Exception) -> str:
    if isinstance(error, FileExistsError):
        return "exists already; `overwrite` replaces it"
    if isinstance(error, FileNotFoundError) or (isinstance(error, OSError) and error.errno == errno.ENOTDIR):
        return f"there is no folder '{path.parent}'"
    if isinstance(error, IsADirectoryError):
        return "is a folder"
    text = (error.strerror if isinstance(error, OSError) else None) or " ".join(str(error).split())
    return f"cannot be written ({text or type(error).__name__})"
