"""Files of records, read at any place: TFRecord and ArrayRecord, and the photo in a record.

A path with a scheme, such as `gs://bucket/photos.tfrecord`, is read through TensorFlow's file systems. The reader of
ArrayRecord knows local files only.
"""

import contextlib
import errno
import functools
import hashlib
import os
from array import array
from collections.abc import Iterator
from io import FileIO
from types import ModuleType
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from keras_colorize.data.splits import Version
from keras_colorize.errors import ColorizeError
from keras_colorize.files import cache_folder, written_whole

if TYPE_CHECKING:
    import tensorflow as tf
    from array_record.python.array_record_module import ArrayRecordReader

RecordFormat = Literal["tfrecord", "arrayrecord"]

PHOTO_FEATURES = ("image/encoded", "image")  # TensorFlow's convention, and that of TensorFlow Datasets
NAME_FEATURE = "image/filename"

# A TFRecord stores a record as its length (8 bytes) and a checksum of it (4), the data, and a checksum of them (4).
_BEFORE, _AFTER = 12, 4
_OPEN_FILES = 128  # of ArrayRecord; a file beyond them closes the one that was used least recently
_GZIP = b"\x1f\x8b"


class RecordFile(Protocol):
    """A file of records that can be read in any order, by several threads at once."""

    def __len__(self) -> int: ...

    def read(self, number: int) -> bytes:
        """Return the record of that number, from 0 on.

        Raises:
            OSError: the file or its storage can no longer be read.
        """
        ...


class TFRecordFile:
    """A TFRecord file that is not compressed, with the places of its records.

    The format has no index. The places come from the lengths of all records, which somebody kept, or from a walk
    through the file, which is kept in the user's cache folder for the next time.

    Args:
        path: of the file.
        version: of the file; None where it cannot be told, and then the index is not kept.
        size: of the file in bytes.
        lengths: uint64 (N,), the lengths of all records in bytes, where they are known.

    Raises:
        ColorizeError: the file is cut off, is compressed, or is no TFRecord file.
        OSError: it cannot be read.
    """

    def __init__(self, path: str, version: Version | None, size: int, lengths: np.ndarray | None = None) -> None:
        if lengths is None or not _adds_up(lengths, size):
            lengths = _index(path, version, size)
        self._path = path
        self._starts = np.zeros(len(lengths) + 1, np.uint64)  # of the records, and the end of the last
        np.cumsum(lengths + np.uint64(_BEFORE + _AFTER), out=self._starts[1:])

    def __len__(self) -> int:
        return len(self._starts) - 1

    def read(self, number: int) -> bytes:
        """Return one record; see `RecordFile`. Its checksum is not compared, since a damaged photo does not decode."""
        start, end = int(self._starts[number]) + _BEFORE, int(self._starts[number + 1]) - _AFTER
        with storage_errors(self._path), _open_binary(self._path) as stream:
            stream.seek(start)
            record = stream.read(end - start)
        if len(record) != end - start:
            raise OSError(errno.EIO, "is shorter than when it was opened", self._path)
        return record


class ArrayRecordFile:
    """An ArrayRecord file, which has an index of its own.

    Args:
        path: of a local file.

    Raises:
        ColorizeError: the package array_record is missing, the path is not local, or the file is cut off or is no
            ArrayRecord file.
    """

    def __init__(self, path: str) -> None:
        if is_remote(path):
            raise ColorizeError(
                f"shard '{path}': ArrayRecord is read from local disks only; copy the shards to one, or write them as"
                " TFRecord"
            )
        reader = _array_reader(path)
        if not reader.ok():
            raise ColorizeError(f"shard '{path}' is cut off, or is no ArrayRecord file; write it again")
        self._path = path
        self._count = reader.num_records()

    def __len__(self) -> int:
        return self._count

    def read(self, number: int) -> bytes:
        """Return one record; see `RecordFile`."""
        with storage_errors(self._path):
            records = _array_reader(self._path).read([number])
        if len(records) != 1:
            raise OSError(errno.EIO, "can no longer be read", self._path)
        return records[0]


def is_remote(path: str) -> bool:
    """Tell whether a path has a scheme, such as gs://, and is read through TensorFlow's file systems."""
    return "://" in path


@contextlib.contextmanager
def storage_errors(path: str) -> Iterator[None]:
    """Raise an OSError about `path` where TensorFlow's file systems, or ArrayRecord, raise errors of their own."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.OpError, RuntimeError) as error:
        told = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        full = isinstance(error, tf.errors.ResourceExhaustedError) or "No space left" in told
        raise OSError(errno.ENOSPC if full else errno.EIO, told, path) from error


def array_records() -> ModuleType:
    """Return the module of ArrayRecord's reader and writer.

    Raises:
        ColorizeError: the package is missing.
    """
    try:
        from array_record.python import array_record_module
    except ImportError:
        raise ColorizeError(
            "ArrayRecord shards need the package array_record: pip install array_record (or use TFRecord)"
        ) from None
    return array_record_module


def read_example(record: bytes, name: str) -> tuple[bytes, str]:
    """Return the encoded photo of a `tf.train.Example`, and its file name, which may be empty.

    Args:
        record: the Example as bytes.
        name: of the record in messages.

    Raises:
        ColorizeError: the record is no Example, or holds no photo.
    """
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        features = tf.train.Example.FromString(record).features.feature
    except DecodeError:
        raise ColorizeError(f"{name}: is no tf.train.Example") from None
    named = _bytes_of(features.get(NAME_FEATURE))
    for feature in PHOTO_FEATURES:
        photo = _bytes_of(features.get(feature))
        if photo is not None:
            return photo, (named or b"").decode("utf-8", "replace")
    known = f"it has: {', '.join(sorted(features))}" if features else "it is empty"
    raise ColorizeError(f"{name}: has no photo under {' or '.join(map(repr, PHOTO_FEATURES))} ({known})")


def make_example(photo: bytes, name: str) -> bytes:
    """Make a record of an encoded photo and its file name: the bytes of a `tf.train.Example`."""
    import tensorflow as tf

    values = {PHOTO_FEATURES[0]: photo, NAME_FEATURE: name.encode("utf-8", "replace")}
    feature = {key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value])) for key, value in values.items()}
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString(deterministic=True)


def _bytes_of(feature: "tf.train.Feature | None") -> bytes | None:
    values = feature.bytes_list.value if feature is not None else ()
    return values[0] if values else None


def _open_binary(path: str) -> "FileIO | tf.io.gfile.GFile":
    """Open a file for reads of a few bytes here and there; a local one without a buffer."""
    if not is_remote(path):
        return FileIO(path)
    import tensorflow as tf

    return tf.io.gfile.GFile(path, "rb")


@functools.lru_cache(maxsize=_OPEN_FILES)
def _array_reader(path: str) -> "ArrayRecordReader":
    options = "readahead_buffer_size:0,max_parallelism:0"  # for reads in any order
    return array_records().ArrayRecordReader(path, options=options, file_reader_buffer_size=1 << 15)


def _index(path: str, version: Version | None, size: int) -> np.ndarray:
    """Return the lengths of a TFRecord file's records, uint64 (N,), from the cache or from a walk through the file."""
    place = path if is_remote(path) else os.path.abspath(path)
    file = cache_folder() / "tfrecord" / f"{hashlib.sha256(os.fsencode(place)).hexdigest()}.npy"
    head = np.array([version.size, version.modified] if version else [], np.uint64)
    if version:
        with contextlib.suppress(OSError, ValueError, EOFError):  # there is none, or it is damaged
            kept = np.load(file)
            if kept.dtype == np.uint64 and np.array_equal(kept[:2], head) and _adds_up(kept[2:], size):
                return kept[2:]
    with storage_errors(path):
        lengths = _walk(path, size)
    if version and version.settled:
        with contextlib.suppress(OSError):  # the cache is a help and never a condition
            file.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(file, file.with_name(f"tmp-{os.getpid()}-{file.name}")) as temporary:
                np.save(temporary, np.concatenate([head, lengths]))
    return lengths


def _walk(path: str, size: int) -> np.ndarray:
    """Read the lengths of all records, one after another."""
    lengths = array("Q")
    end = 0
    with _open_binary(path) as stream:
        while end + _BEFORE + _AFTER <= size:
            stream.seek(end)
            length = int.from_bytes(stream.read(8), "little")
            if end + _BEFORE + length + _AFTER > size:
                break
            lengths.append(length)
            end += _BEFORE + length + _AFTER
        if end == size:
            return np.frombuffer(lengths, np.uint64) if lengths else np.zeros(0, np.uint64)
        stream.seek(0)
        begins = stream.read(2)
    if begins == _GZIP and not lengths:
        raise ColorizeError(
            f"shard '{path}' is compressed; write it again without compression, which gains nothing on photos"
        )
    if lengths:
        raise ColorizeError(f"shard '{path}' is cut off after {len(lengths):,} whole records; write it again")
    raise ColorizeError(f"shard '{path}' is no TFRecord file, or is cut off within its first record")


def _adds_up(lengths: np.ndarray, size: int) -> bool:
    return int(lengths.sum(dtype=np.uint64)) + (_BEFORE + _AFTER) * len(lengths) == size
