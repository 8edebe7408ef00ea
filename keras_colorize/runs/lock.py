"""The lock of a run folder, which has one writer at a time."""

import json
import os
import socket
from datetime import datetime
from pathlib import Path
from types import TracebackType

from keras_colorize.errors import ColorizeError

try:
    import fcntl
except ImportError:  # Windows: a second writer is not noticed there
    fcntl = None  # type: ignore[assignment]


class RunLock:
    """A lock for the time in which a process writes into a run folder; it refuses a second writer.

    The system releases the lock when the process ends, however it ends, so a killed run can be resumed at once. The
    file says who holds the lock. NFS carries such locks from one machine to another. A file system without locks is
    written to all the same.

    Args:
        file: the lock's file, which is removed when the lock is released.

    Raises:
        ColorizeError: on entry, where another process holds the lock.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor: int | None = None
        self.left_behind = ""
        """The last holder in words, where it did not release the lock; else empty."""

    def __enter__(self) -> "RunLock":
        while self._descriptor is None:
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                self._lock(descriptor)
                # Its holder may have removed the file between opening and locking: then this is nobody's lock.
                if self._is_the_file(descriptor):
                    self._descriptor = descriptor
            finally:
                if self._descriptor is None:
                    os.close(descriptor)
        self.left_behind = _holder(descriptor)
        me = {"pid": os.getpid(), "host": socket.gethostname(), "since": f"{datetime.now():%Y-%m-%d %H:%M:%S}"}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(me).encode(), 0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._descriptor is not None
        self._file.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None

    def _lock(self, descriptor: int) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor) or "another process"
            raise ColorizeError(
                f"{self._file.parent} is being written by {holder}: wait for it, stop it, or start a new run"
            ) from None
        except OSError:  # a file system without locks
            return

    def _is_the_file(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._file.stat())
        except FileNotFoundError:
            return False


def _holder(descriptor: int) -> str:
    """Read the holder from the lock's file: `process 123 on host since …`; empty where it says nothing."""
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return ""
