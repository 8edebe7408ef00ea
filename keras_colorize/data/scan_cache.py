"""The cache of scans: what an earlier scan found about each photo, in a small database of the user."""

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import PIL

from keras_colorize.data.splits import Photo, Version
from keras_colorize.files import cache_folder
from keras_colorize.images import Resize

_ROWS_AT_ONCE = 1_000
_BUSY_SECONDS = 10.0  # to wait for another process that writes
# Counts up when the reader comes to another finding about the same file.
READER_VERSION = 1

_TABLE = """
CREATE TABLE IF NOT EXISTS findings (
    reader TEXT, settings TEXT, path BLOB, size INTEGER, modified INTEGER, reason TEXT, remark TEXT,
    PRIMARY KEY (reader, settings, path)
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of looking at one photo.

    Attributes:
        reason: why the photo cannot be used: "grey", or why it does not decode; None if it can be used.
        remark: how its colours could not be read as they are; None if they could.
    """

    reason: str | None = None
    remark: str | None = None


class ScanCache:
    """Findings of earlier scans with the same settings, by path; a changed file has none.

    The cache is a help and never a condition: where its file cannot be read or written, every photo is looked at.
    Several processes may use it at the same time.

    Args:
        image_size: side S of the square photos in pixels.
        resize: how photos become squares.
        drop_grey: whether grey photos were left out.
        file: the database; by default `scan.sqlite` in `cache_folder()`.
    """

    def __init__(self, image_size: int, resize: Resize, drop_grey: bool, file: Path | None = None) -> None:
        self._reader = f"{READER_VERSION}, Pillow {PIL.__version__}"
        self._settings = f"{image_size} {resize} {'color' if drop_grey else 'all'}"
        self._new: list[tuple[str, str, bytes, int, int, str | None, str | None]] = []
        self._database = _open(file or cache_folder() / "scan.sqlite")

    def find(self, photo: Photo) -> tuple[Version | None, Finding | None]:
        """Look a photo up: the version of its file, and the finding about this version, if there is one."""
        version = photo.version()
        if version is None or self._database is None:
            return version, None
        try:
            row = self._database.execute(
                "SELECT size, modified, reason, remark FROM findings WHERE reader = ? AND settings = ? AND path = ?",
                (self._reader, self._settings, photo.key()),
            ).fetchone()
        except sqlite3.Error:
            self._give_up()
            return version, None
        if row is None or row[:2] != (version.size, version.modified):
            return version, None
        return version, Finding(*row[2:])

    def add(self, photo: Photo, version: Version | None, finding: Finding) -> None:
        """Add a finding.

        Args:
            photo: the photo that was looked at.
            version: of its file before it was looked at, from `find`.
            finding: about this version.
        """
        if version is None or self._database is None or not version.settled:
            return
        row = (self._reader, self._settings, photo.key(), version.size, version.modified)
        self._new.append((*row, finding.reason, finding.remark))
        if len(self._new) >= _ROWS_AT_ONCE:
            self._write()

    def _write(self) -> None:
        if self._database is None or not self._new:
            return
        try:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO findings VALUES (?, ?, ?, ?, ?, ?, ?)", self._new)
        except sqlite3.Error:  # a full disk, a folder that cannot be written, a damaged file
            self._give_up()
        self._new.clear()

    def _give_up(self) -> None:
        if self._database is not None:
            self._database.close()
        self._database = None

    def __enter__(self) -> "ScanCache":
        return self

    def __exit__(self, *_: object) -> None:
        """Write what was added, even if the scan was interrupted, and close the database."""
        self._write()
        self._give_up()


def _open(file: Path) -> sqlite3.Connection | None:
    """Open the database, or make it anew where it is damaged."""
    for _ in range(2):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(file, timeout=_BUSY_SECONDS)
        except (OSError, sqlite3.Error):
            return None
        try:
            with database:
                database.execute(_TABLE)
            return database
        except sqlite3.OperationalError:  # read-only, or locked for too long
            database.close()
            return None
        except sqlite3.DatabaseError:  # damaged
            database.close()
            with contextlib.suppress(OSError):
                file.unlink()
    return None
