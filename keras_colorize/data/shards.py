"""Shards as a source of photos: files of many records each, on a local disk or on an object store."""

import os
import re
from bisect import bisect_right
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from keras_colorize.data.manifest import MANIFEST_SUFFIX, Manifest
from keras_colorize.data.records import (
    ArrayRecordFile,
    RecordFile,
    RecordFormat,
    TFRecordFile,
    is_remote,
    read_example,
    storage_errors,
)
from keras_colorize.data.splits import SPLIT_WORDS, SPLITS, Packed, Photo, Source, Split, Version, carve, counted
from keras_colorize.errors import ColorizeError
from keras_colorize.files import printable

_WILDCARDS = "*?["
_ARRAY_RECORD = re.compile(r"\.array_?records?(?=$|[-.])", re.IGNORECASE)
_TFRECORD = re.compile(r"\.tf_?records?(?=$|[-.])|-\d{3,}-of-\d{3,}$", re.IGNORECASE)
_NUMBER = re.compile(r"-(\d+)-of-(\d+)(?=\D|$)")
_OPENING_THREADS = 16  # an object store answers slowly, but many at once


@dataclass(frozen=True, eq=False)
class Shard:
    """One file of records.

    Attributes:
        path: of the file, with its scheme where it has one.
        name: relative to the folder of the pattern.
        version: of the file; None where the file system tells no time of change.
        file: gives the records.
        checked: whether every photo was looked at when the shard was written, as its manifest says.
        without_grey: whether those without colour were left out then.
    """

    path: str
    name: str
    version: Version | None
    file: RecordFile
    checked: bool
    without_grey: bool


@dataclass(frozen=True, kw_only=True)
class PhotoRecord(Photo):
    """A photo in a shard: the record `number`, from 0 on."""

    shard: Shard
    number: int

    def contents(self) -> tuple[bytes, str]:
        """Return the encoded photo and its file name, as `read_example`."""
        return read_example(self.shard.file.read(self.number), self.name)

    def file(self) -> BytesIO:
        """Return the encoded photo; see `Photo.file`."""
        return BytesIO(self.contents()[0])

    def version(self) -> Version | None:
        """Return the version of the shard."""
        return self.shard.version

    def key(self) -> bytes:
        """Name the record by the path of its shard, from the root, and its number."""
        path = self.shard.path if is_remote(self.shard.path) else os.path.abspath(self.shard.path)
        return os.fsencode(path) + f"\0#{self.number}".encode()


class ShardSource(Source):
    """The photos in all shards that a pattern matches.

    Records are read at any place, and a record's photo is decoded by the reader of all photos. Shards whose names hold
    the word of a split, such as `places-train-00000-of-00004.tfrecord`, are that split. Missing splits are taken out of
    the training photos by the names of the records, `SHARD[NUMBER]`. Nothing is kept for each photo but its number.

    Attributes:
        size: of all shards in bytes.

    Args:
        pattern: a path of shards with the wildcards `*`, `?` and `[…]`, as `tf.io.gfile.glob` takes it.
        validation_fraction: share of the training photos in [0, 1) for validation, where there are no such shards.
        test_fraction: the same for the test.

    Raises:
        ColorizeError: nothing matches, the shards cannot be read, are of two formats or damaged, or hold no photos.
    """

    def __init__(self, pattern: str, validation_fraction: float, test_fraction: float) -> None:
        pattern = pattern if is_remote(pattern) else os.path.expanduser(pattern)
        notes: list[str] = []
        try:
            paths, record_format = _find(pattern)
            manifests = _manifests(paths, notes)
            fixed = re.split(rf"[{re.escape(_WILDCARDS)}]", pattern)[0].rpartition("/")[0]

            def open_shard(path: str) -> tuple[Shard, int]:
                return _open_shard(path, path.removeprefix(f"{fixed}/"), record_format, manifests)

            with ThreadPoolExecutor(_OPENING_THREADS) as pool:
                opened = list(pool.map(open_shard, paths))
            self._shards = [shard for shard, _ in opened]
            self.size = sum(size for _, size in opened)
            self._starts = np.cumsum([0, *(len(shard.file) for shard in self._shards)]).tolist()
            if not self._starts[-1]:
                raise ColorizeError(f"data '{pattern}': there are no records in {_files(len(paths))}")
            self._record(0).file()
        except OSError as error:
            where = f" '{error.filename}'" if error.filename not in (None, pattern) else ""
            raise ColorizeError(f"data '{pattern}' cannot be read:{where} {error.strerror or error}") from error
        self._note(notes)
        splits = carve(self._own_splits(notes), validation_fraction, test_fraction, notes)
        super().__init__(f"{pattern}: {_files(len(paths))}, {counted(splits)}", splits, notes)

    def checked(self, drop_grey: bool) -> bool:
        """Tell whether every photo was checked when the shards were written; see `Source.checked`."""
        return all(shard.without_grey if drop_grey else shard.checked for shard in self._shards)

    def _record(self, row: int) -> PhotoRecord:
        """Make the photo of a row; rows count the records of all shards."""
        at = bisect_right(self._starts, row) - 1
        shard, number = self._shards[at], row - self._starts[at]
        return PhotoRecord(None, f"{shard.name}[{number}]", shard=shard, number=number)

    def _own_splits(self, notes: list[str]) -> dict[Split, Packed[Photo]]:
        """Divide the records by the words in the names of their shards."""
        splits = _splits_of([shard.name for shard in self._shards])
        of_none = self._rows([own is None for own in splits])
        own = {split: self._rows([own == split for own in splits]) for split in SPLITS}
        if not len(own["train"]):
            own["train"] = of_none
        elif len(of_none):
            notes.append(
                f"photos in shards beside those of train left out: {len(of_none):,} (such as {of_none[0].name})"
            )
        return own

    def _rows(self, chosen: Sequence[bool]) -> Packed[Photo]:
        ranges = [
            np.arange(start, end)
            for start, end, take in zip(self._starts, self._starts[1:], chosen, strict=False)
            if take
        ]
        return Packed(np.concatenate(ranges) if ranges else np.zeros(0, int), self._record)

    def _note(self, notes: list[str]) -> None:
        """Add remarks on shards that are missing, and on grey photos that were left out before."""
        numbers: dict[tuple[str, int], int] = {}
        for shard in self._shards:
            if number := _NUMBER.search(shard.name):
                series = (shard.name[: number.start()], int(number[2]))
                numbers[series] = numbers.get(series, 0) + 1
        notes += [
            f"shards of '{stem}' that the pattern does not match: {count - found:,} of {count:,}"
            for (stem, count), found in numbers.items()
            if found < count
        ]
        if self.checked(drop_grey=True):
            notes.append("grey and broken photos were left out when the shards were written")


def names_shards(spec: str) -> bool:
    """Tell whether a source's name is a pattern of shards: it has a scheme, a wildcard, or the suffix of a format."""
    last = spec.rpartition("/")[2]
    return is_remote(spec) or any(sign in spec for sign in _WILDCARDS) or _format_of(last) is not None


def _format_of(name: str) -> RecordFormat | None:
    return "arrayrecord" if _ARRAY_RECORD.search(name) else "tfrecord" if _TFRECORD.search(name) else None


def _splits_of(names: Sequence[str]) -> list[Split | None]:
    """Return the split of each shard: the last word of its name that stands for one.

    A word may hold underscores, so that `test_set-train` is no test. Only if no name has a split then, as with
    `places_train_01`, words end at underscores too.
    """
    splits: list[Split | None] = []
    for word in (r"[a-z_]+", r"[a-z]+"):
        found = [[part for part in re.findall(word, name.lower()) if part in SPLIT_WORDS] for name in names]
        splits = [SPLIT_WORDS[parts[-1]] if parts else None for parts in found]
        if any(splits):
            break
    return splits


def _find(pattern: str) -> tuple[list[str], RecordFormat]:
    """Return the paths of all shards that a pattern matches, in order, and their one format."""
    import tensorflow as tf

    with storage_errors(pattern):
        matched = [pattern] if tf.io.gfile.exists(pattern) else tf.io.gfile.glob(pattern)
    if not matched:
        raise ColorizeError(f"data '{pattern}' matches no files; check the folder and the pattern")
    shards: dict[RecordFormat, list[str]] = {"tfrecord": [], "arrayrecord": []}
    for path in sorted(matched):
        record_format = _format_of(path.rpartition("/")[2])
        if record_format is not None:
            shards[record_format].append(path)
    found = [record_format for record_format, paths in shards.items() if paths]
    if not found:
        raise ColorizeError(
            f"data '{pattern}' matches no shards, but files such as '{matched[0]}'; expected names with .tfrecord or"
            " .arrayrecord"
        )
    if len(found) > 1:
        raise ColorizeError(
            f"data '{pattern}' matches shards of two formats, such as '{shards['tfrecord'][0]}' and"
            f" '{shards['arrayrecord'][0]}'; choose one of them with a narrower pattern"
        )
    return shards[found[0]], found[0]


def _manifests(paths: Sequence[str], notes: list[str]) -> dict[str, Manifest]:
    """Read the manifests beside shards; return the manifest for the path of each shard that one speaks of."""
    import tensorflow as tf

    found: dict[str, Manifest] = {}
    for folder in sorted({path.rpartition("/")[0] for path in paths}):
        with storage_errors(folder):
            names = [name for name in tf.io.gfile.listdir(folder or ".") if name.endswith(MANIFEST_SUFFIX)]
        for name in sorted(names):
            file = f"{folder}/{name}" if folder else name
            try:
                with storage_errors(file), tf.io.gfile.GFile(file, "rb") as stream:
                    manifest = Manifest.from_json(stream.read().decode())
            except ValueError as error:
                notes.append(f"{file} is damaged and was left out, so the photos are looked at: {error}")
                continue
            found |= {f"{folder}/{shard}" if folder else shard: manifest for shard in manifest.shards}
    return found


def _open_shard(path: str, name: str, record_format: RecordFormat, manifests: dict[str, Manifest]) -> tuple[Shard, int]:
    """Open a shard; return it and its size in bytes."""
    size, version = _status(path)
    manifest = manifests.get(path)
    facts = None if manifest is None else manifest.shards[path.rpartition("/")[2]]
    file: RecordFile
    if record_format == "arrayrecord":
        file = ArrayRecordFile(path)
    elif facts is not None and facts.size == size:
        file = TFRecordFile(path, version, size, facts.lengths)
    else:
        file = TFRecordFile(path, version, size)
    checked = without_grey = False
    if manifest is not None and facts is not None and (facts.size, facts.photos) == (size, len(file)):
        checked, without_grey = manifest.covers(drop_grey=False), manifest.covers(drop_grey=True)
    return Shard(path, printable(name), version, file, checked, without_grey), size


def _status(path: str) -> tuple[int, Version | None]:
    """Return the size of a file in bytes and its version."""
    if not is_remote(path):
        version = Photo(Path(path), path).version()
        return (version.size, version) if version is not None else (os.stat(path).st_size, None)
    import tensorflow as tf

    with storage_errors(path):
        status = tf.io.gfile.stat(path)
    return status.length, Version(status.length, status.mtime_nsec) if status.mtime_nsec > 0 else None


def _files(count: int) -> str:
    return f"{count:,} shard{'s' if count != 1 else ''}"
