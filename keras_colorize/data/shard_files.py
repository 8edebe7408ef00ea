"""The writing of shards: the photos of any source as files of records, each photo checked once and copied as it is."""

import os
import shutil
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from keras_colorize.data.batches import GREY, LeftOut
from keras_colorize.data.manifest import MANIFEST_SUFFIX, Manifest, ShardFacts
from keras_colorize.data.records import RecordFormat, array_records, is_remote, make_example, storage_errors
from keras_colorize.data.scan import in_order
from keras_colorize.data.shards import PhotoRecord, ShardSource
from keras_colorize.data.splits import SPLITS, Photo, Source, Split
from keras_colorize.errors import ColorizeError
from keras_colorize.files import written_whole
from keras_colorize.hardware import processors
from keras_colorize.images import is_grey, read_photo
from keras_colorize.progress import Progress, SilentProgress

CHECKED_SIZE = 256  # pixels; the side of the square that is tested for colours, as a scan at this size would do it


@dataclass(frozen=True)
class WrittenShards:
    """The result of `write_shards`.

    Attributes:
        photos: split → number of its photos, for the splits that have photos.
        shards: facts by file name.
        left_out: the photos that were left out.
        remarks: photo → how its colours could not be read as they are.
        pattern: matches all shards.
        manifest: the JSON file beside the shards, with all that was left out.
    """

    photos: dict[str, int]
    shards: dict[str, ShardFacts]
    left_out: list[LeftOut]
    remarks: dict[str, str]
    pattern: str
    manifest: Path


def write_shards(
    source: Source,
    out: str | Path,
    *,
    record_format: RecordFormat = "tfrecord",
    shard_bytes: int = 200_000_000,
    drop_grey: bool = True,
    progress: Progress | None = None,
) -> WrittenShards:
    """Write the photos of a source as shards `out/NAME-SPLIT-00000-of-00004.FORMAT`, where NAME is the folder's.

    A record is a `tf.train.Example` with the encoded photo as `image/encoded` and its name as `image/filename`. Encoded
    photos are copied byte for byte; a part of a photo becomes a PNG. The photos of a split keep their order. Each photo
    is decoded once. Those that do not decode, and grey ones, are left out, and a manifest beside the shards says so, so
    that training on the shards needs no scan.

    Args:
        source: from `open_source`.
        out: a new or empty local folder; it appears when all shards are written.
        record_format: "tfrecord", which is read everywhere, or "arrayrecord", for local disks.
        shard_bytes: a shard is closed when it is as large.
        drop_grey: leave out photos without colour.
        progress: shows how many photos have been written.

    Raises:
        ColorizeError: `out` exists, is remote or has too little room, the source is empty, or no photo can be used.
        OSError: the folder or a shard cannot be written, or a shard of the source cannot be read.
    """
    if is_remote(str(out)):
        raise ColorizeError(f"`out` is {out}: expected a local folder; copy its files to the object store afterwards")
    out = Path(out).expanduser()
    if os.path.lexists(out) and (not out.is_dir() or any(out.iterdir())):
        raise ColorizeError(f"`out` is {out}, which exists: choose a new folder")
    if shard_bytes < 1:
        raise ColorizeError(f"`shard_bytes` is {shard_bytes}: expected at least 1")
    if record_format == "arrayrecord":
        array_records()
    total = sum(len(source.items(split)) for split in SPLITS)
    if not total:
        raise ColorizeError(f"{source.description}: there are no photos to write")
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    _check_room(source, out.absolute().parent)

    name = out.absolute().name
    result = WrittenShards({}, {}, [], {}, f"{out}/{name}-*.{record_format}", out / f"{name}{MANIFEST_SUFFIX}")
    with written_whole(out, out.with_name(f"tmp-{os.getpid()}-{name}")) as folder:
        folder.mkdir()
        try:
            with (progress or SilentProgress()).counting("writing photos") as advance:
                done = 0
                for split in SPLITS:
                    series = _ShardSeries(folder, f"{name}-{split}", record_format, shard_bytes)
                    for seen in in_order(_looks(source, split, drop_grey), processors()):
                        done += 1
                        advance(done, total)
                        if seen.reason:
                            result.left_out.append(LeftOut(seen.name, seen.reason))
                            continue
                        if seen.remark:
                            result.remarks[seen.name] = seen.remark
                        series.add(make_example(seen.encoded, seen.filename))
                    if shards := series.finish():
                        result.shards.update(shards)
                        result.photos[split] = sum(facts.photos for facts in shards.values())
            if not result.shards:
                raise ColorizeError(
                    f"{source.description}: none of the {total:,} photos can be used; {result.left_out[0].name}:"
                    f" {result.left_out[0].reason}"
                )
            left_out = {photo.name: photo.reason for photo in result.left_out}
            manifest = Manifest(drop_grey, result.shards, left_out)
            (folder / result.manifest.name).write_text(manifest.to_json(), encoding="utf-8")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return result


@dataclass(frozen=True, slots=True)
class _Encoded:
    """An encoded photo after a look at it, with its name in the source and the name to write."""

    name: str
    filename: str = ""
    encoded: bytes = b""
    reason: str | None = None
    remark: str | None = None


def _looks(source: Source, split: Split, drop_grey: bool) -> Iterator[_Encoded | Callable[[], _Encoded]]:
    photos = source.items(split)
    opened: Iterable[tuple[Photo, Path | BytesIO | None]]
    opened = ((photo, None) for photo in photos) if source.reopens else source.open(split, photos)
    for photo, file in opened:
        yield partial(_look, photo, file, drop_grey)


def _look(photo: Photo, file: Path | BytesIO | None, drop_grey: bool) -> _Encoded:
    told: list[str] = []
    try:
        encoded, filename = _encode(photo, file)
        rgb_u8 = read_photo(BytesIO(encoded), CHECKED_SIZE, name=photo.name, remarks=told)
    except ColorizeError as error:
        return _Encoded(photo.name, reason=str(error).removeprefix(f"{photo.name}: "))
    if drop_grey and is_grey(rgb_u8):
        return _Encoded(photo.name, reason=GREY)
    return _Encoded(photo.name, filename, encoded, remark="; ".join(told) or None)


def _encode(photo: Photo, file: Path | BytesIO | None) -> tuple[bytes, str]:
    """Return a photo's own bytes, or a part of a photo as PNG, and the name to write."""
    if isinstance(photo, PhotoRecord):
        encoded, filename = photo.contents()
        return encoded, filename or photo.name
    file = photo.file() if file is None else file
    if photo.box is not None:
        part = BytesIO()
        Image.fromarray(read_photo(file, box=photo.box, name=photo.name)).save(part, "PNG")
        return part.getvalue(), photo.name
    if isinstance(file, BytesIO):
        return file.getvalue(), photo.name
    try:
        return file.read_bytes(), photo.name
    except OSError as error:
        raise ColorizeError(f"{photo.name}: cannot be read ({error.strerror or error})") from error


class _RecordWriter(Protocol):
    """The writer of a shard of either format."""

    def write(self, record: bytes) -> object: ...

    def close(self) -> None: ...


class _ShardSeries:
    """The shards of one split, which are written one after another and get their last names when all are there.

    Args:
        folder: where they are written.
        stem: the first part of their names.
        record_format: of the shards.
        shard_bytes: a shard is closed when it is as large.
    """

    def __init__(self, folder: Path, stem: str, record_format: RecordFormat, shard_bytes: int) -> None:
        self._folder = folder
        self._stem = stem
        self._format = record_format
        self._shard_bytes = shard_bytes
        self._writer: _RecordWriter | None = None
        self._size = 0  # of the records of the open shard
        self._lengths: list[array[int]] = []  # of the records of each shard

    def add(self, record: bytes) -> None:
        """Write one record."""
        path = self._path(len(self._lengths) - (self._writer is not None))
        with storage_errors(path):
            if self._writer is None:
                self._writer = self._open(path)
                self._lengths.append(array("Q"))
                self._size = 0
            self._writer.write(record)
        self._lengths[-1].append(len(record))
        self._size += len(record)
        if self._size >= self._shard_bytes:
            self._close()

    def finish(self) -> dict[str, ShardFacts]:
        """Close the last shard and name all of them; return facts by file name."""
        self._close()
        facts = {}
        for number, lengths in enumerate(self._lengths):
            file = self._folder / f"{self._stem}-{number:05d}-of-{len(self._lengths):05d}.{self._format}"
            os.rename(self._path(number), file)
            kept = np.array(lengths, np.uint64) if self._format == "tfrecord" else None
            facts[file.name] = ShardFacts(len(lengths), file.stat().st_size, kept)
        return facts

    def _path(self, number: int) -> str:
        return str(self._folder / f"{self._stem}-{number:05d}.{self._format}")

    def _open(self, path: str) -> "_RecordWriter":
        if self._format == "arrayrecord":
            # Photos are compressed already; one record in a group can be read without its neighbours.
            return array_records().ArrayRecordWriter(path, "group_size:1,uncompressed")
        import tensorflow as tf

        return tf.io.TFRecordWriter(path)

    def _close(self) -> None:
        if self._writer is not None:
            with storage_errors(self._path(len(self._lengths) - 1)):
                self._writer.close()
            self._writer = None


def _check_room(source: Source, folder: Path) -> None:
    """Check that a folder's disk has room for the files of a source, as far as their sizes are known."""
    if isinstance(source, ShardSource):
        size = source.size
    else:
        photos = (photo for split in SPLITS for photo in source.items(split))
        versions = (photo.version() for photo in photos if photo.box is None)
        size = sum(version.size for version in versions if version is not None)
    free = shutil.disk_usage(folder).free
    if size > free:
        raise ColorizeError(
            f"the photos take {size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free in {folder}: free some space, or"
            " choose an `out` on another disk"
        )
