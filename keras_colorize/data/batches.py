"""A split of a source → `tf.data` batches of uint8 photos, all of one size.

Every photo is decoded once before training (`load_split`): what does not decode and what is grey is left out by name,
and where the rest fits into memory it stays there. uint8 goes to the device, which converts and augments it.

Order is a pure function: the batches of epoch e depend on (seed, e), the batch size and the steps of an epoch alone,
so a run that resumes at epoch e sees exactly what it would have seen.
"""

import atexit
import re
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
import tensorflow as tf

from keras_colorize.data import Photo, Source, Split
from keras_colorize.errors import ColorizeError
from keras_colorize.hardware import processors
from keras_colorize.images.photos import Resize, is_grey, read_photo

GREY = "grey"

_ALIGNMENT = 64  # bytes

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class LeftOut:
    """A photo that the scan left out. reason: "grey", or why it did not decode."""

    name: str
    reason: str


class PhotoSet:
    """One split after the scan: photos of one size, ready for batches. Made by `load_split`.

    names: of the photos that are used, in the order of `evaluation_batches`.
    left_out: the others.
    image_size: side S of the square photos.
    in_memory: whether the pixels are kept, or each photo is decoded again when its turn comes.
    """

    def __init__(
        self,
        photos: Sequence[Photo],
        left_out: Sequence[LeftOut],
        image_size: int,
        resize: Resize,
        pixels: np.ndarray | None,
        workers: int,
    ) -> None:
        self.names = [photo.name for photo in photos]
        self.left_out = list(left_out)
        self.image_size = image_size
        self.in_memory = pixels is not None
        self._photos = list(photos)
        self._resize: Resize = resize
        self._pixels = pixels
        self._workers = workers

    def __len__(self) -> int:
        return len(self._photos)

    @property
    def summary(self) -> str:
        """One line for the log, such as `8,331 photos; left out: 410 grey, 2 did not decode`."""
        return f"{len(self):,} photos" + (f"; left out: {_tally(self.left_out)}" if self.left_out else "")

    def steps_per_epoch(self, batch_size: int) -> int:
        """Full batches in one pass over the photos, at least 1."""
        return max(1, len(self) // batch_size)

    def training_batches(
        self,
        batch_size: int,
        *,
        seed: int,
        start_epoch: int = 0,
        start_step: int = 0,
        steps_per_epoch: int | None = None,
        parts: int = 1,
        own_parts: range = range(1),
    ) -> tf.data.Dataset:
        """Shuffled batches of all epochs from `start_epoch` on, without end: uint8 `(batch_size, S, S, 3)`.

        Epoch e is `steps_per_epoch` batches of `epoch_order`: shuffled passes over the photos, one after another, as
        many as it takes. So an epoch may be shorter than the set (the photos left over differ from epoch to epoch),
        longer, or larger than it in a single batch.

        Args:
            batch_size: photos in a batch, all replicas together.
            seed: of the order.
            start_epoch: the first epoch, `initial_epoch` of `fit`.
            start_step: batches of it that were seen before an interruption; unlike `.skip`, this decodes none of them.
            steps_per_epoch: batches that make an epoch; `self.steps_per_epoch(batch_size)` unless given.
            parts: each batch is cut into so many, one for each replica; it must be a multiple of them.
            own_parts: those that are read here, one after another: `(batch_size / parts, S, S, 3)`.
        """
        steps = steps_per_epoch or self.steps_per_epoch(batch_size)
        indices = (
            tf.data.Dataset.counter(start_epoch)
            .map(lambda epoch: epoch_order(len(self), steps * batch_size, seed, epoch))
            .flat_map(tf.data.Dataset.from_tensor_slices)
            .batch(batch_size, drop_remainder=True)
            .skip(start_step)
        )
        if parts > 1:
            indices, batch_size = _parts_of(indices, batch_size, parts, own_parts), batch_size // parts
        endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        return self._photo_batches(indices, batch_size).apply(endless)

    def evaluation_batches(self, batch_size: int) -> tf.data.Dataset:
        """Every photo once, in the order of `names`: uint8 `(≤ batch_size, S, S, 3)`, the last batch may be partial."""
        batches = self._photo_batches(tf.data.Dataset.range(len(self)).batch(batch_size), batch_size)
        return batches.apply(tf.data.experimental.assert_cardinality(-(-len(self) // batch_size)))

    def evaluation_parts(self, batch_size: int, parts: int, own_parts: range) -> tf.data.Dataset:
        """`evaluation_batches` for several replicas, all of which get as many parts and none an empty one.

        Args:
            batch_size: photos in a batch, all replicas together; a multiple of `parts`.
            parts: each batch is cut into so many.
            own_parts: those that are read here, one after another.

        Returns:
            uint8 `(batch_size / parts, S, S, 3)` and weights float32 `(batch_size / parts,)`: 1, or 0 for photos that
            only fill up the last batch. Over all parts every photo has the weight 1 once.
        """
        filled = -(-len(self) // batch_size) * batch_size
        rows = tf.data.Dataset.range(filled).batch(batch_size, drop_remainder=True)
        rows = _parts_of(rows, batch_size, parts, own_parts)
        photos = self._photo_batches(rows.map(lambda row: tf.minimum(row, len(self) - 1)), batch_size // parts)
        return tf.data.Dataset.zip(photos, rows.map(lambda row: tf.cast(row < len(self), tf.float32)))

    def pick(self, count: int) -> np.ndarray:
        """Up to `count` photos, evenly spaced over the set: uint8 `(n, S, S, 3)`."""
        chosen = _evenly(len(self), count)
        return np.stack([self._decode(n) for n in chosen]) if self._pixels is None else self._pixels[chosen]

    def _photo_batches(self, indices: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
        """Batches of indices → batches of photos, in the same order."""
        S = self.image_size
        options = tf.data.Options()
        options.deterministic = True
        # Nothing here reads files through TensorFlow, so several workers can only divide the elements.
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
        if self._pixels is not None:
            pixels = _as_tensor(self._pixels)
            # Rewriting the graph of a data set copies the tensors in it: 2 GB more. There is nothing to optimize here.
            options.experimental_optimization.apply_default_optimizations = False
            batches = indices.map(lambda rows: tf.gather(pixels, rows), num_parallel_calls=2)
            return batches.prefetch(4).with_options(options)

        # Pillow and not tf.io: that ignores EXIF orientation and ICC profiles and reads no TIFF, and a network must see
        # in training what inference will show it. Pillow lets go of the interpreter lock, so the calls run in parallel.
        def decode(row: tf.Tensor) -> tf.Tensor:
            return tf.ensure_shape(tf.numpy_function(self._decode, [row], tf.uint8), (S, S, 3))

        options.threading.private_threadpool_size = self._workers + 1  # decoding must not block the step's own threads
        (full,) = indices.element_spec.shape  # None where the last batch may be partial
        photos = indices.unbatch().map(decode, num_parallel_calls=self._workers)
        return photos.batch(batch_size, drop_remainder=full is not None).prefetch(4).with_options(options)

    def _decode(self, index: int) -> np.ndarray:
        photo = self._photos[index]
        assert photo.path is not None
        with _calls as open_for_business:
            if not open_for_business:
                return np.zeros((self.image_size, self.image_size, 3), np.uint8)
            return read_photo(photo.path, self.image_size, self._resize, box=photo.box)


def epoch_order(count: int, draws: int, seed: int, epoch: tf.Tensor | int) -> tf.Tensor:
    """The first `draws` of shuffled passes over `range(count)`, for one epoch: int64 `(draws,)`.

    Each pass holds every index once. The order is a pure function of the arguments.
    """
    key = tf.random.experimental.stateless_fold_in(tf.constant([seed, 0], tf.int64), tf.cast(epoch, tf.int64))
    shape = (-(-draws // count), count)
    bits = tf.random.stateless_uniform(shape, key, None, None, tf.int64, alg="philox")
    passes = tf.argsort(bits, axis=-1, stable=True)
    return tf.cast(tf.reshape(passes, [-1])[:draws], tf.int64)


def load_split(
    source: Source,
    split: Split,
    *,
    image_size: int,
    resize: Resize = "crop",
    drop_grey: bool = True,
    limit: int | None = None,
    memory_limit_bytes: int = 2 << 30,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> PhotoSet:
    """Decode every photo of a split once, in threads, and keep those that can be used.

    Args:
        source: from `open_source`.
        split: "train", "validation" or "test".
        image_size: side S of the square photos.
        resize: "crop" cuts the centre square, "squash" scales both axes.
        drop_grey: leave out photos without colour (`photos.is_grey`).
        limit: look at no more photos than this, evenly spaced over the split.
        memory_limit_bytes: up to here the pixels (S·S·3 bytes a photo) are kept in memory. Beyond, photos are decoded
            again in every epoch; those of TFDS go to a temporary file that disappears with the process.
        progress: called with (photos done, photos in all) after each.
        workers: decoding threads; as many as there are processors unless given.

    Raises:
        ColorizeError: the split is empty, or nothing of it can be used, or the temporary file finds no room.
    """
    photos = source.items(split)
    if not photos:
        raise ColorizeError(f"{source.description}: no photos for '{split}'; add some, or raise the split's fraction")
    if limit is not None:
        if limit < 1:
            raise ColorizeError(f"limit is {limit}; expected at least 1 photo")
        photos = [photos[n] for n in _evenly(len(photos), limit)]
    workers = workers or processors()
    shape = (len(photos), image_size, image_size, 3)
    fits = int(np.prod(shape)) <= memory_limit_bytes
    pixels = _memory_array(shape) if fits else None if source.reopens else _temporary_array(shape)

    def look(item: tuple[Photo, Path | BytesIO]) -> tuple[Photo, np.ndarray | str]:
        photo, file = item
        try:
            rgb_u8 = read_photo(file, image_size, resize, box=photo.box, name=photo.name)
        except ColorizeError as error:
            return photo, str(error).removeprefix(f"{photo.name}: ")
        return photo, GREY if drop_grey and is_grey(rgb_u8) else rgb_u8

    kept: list[Photo] = []
    left_out: list[LeftOut] = []
    for done, (photo, result) in enumerate(_in_order(look, source.open(split, photos), workers), 1):
        if isinstance(result, str):
            left_out.append(LeftOut(photo.name, result))
        else:
            if pixels is not None:
                pixels[len(kept)] = result
            kept.append(photo)
        if progress:
            progress(done, len(photos))
    if not kept:
        broken = next((f"; {out.name}: {out.reason}" for out in left_out if out.reason != GREY), "")
        raise ColorizeError(
            f"{source.description}: nothing to use for '{split}', {len(photos):,} photos: {_tally(left_out)}{broken}"
        )
    return PhotoSet(kept, left_out, image_size, resize, None if pixels is None else pixels[: len(kept)], workers)


@contextmanager
def reading_errors() -> Iterator[None]:
    """Around whatever consumes batches: a photo that broke after the scan is a ColorizeError, not one of TensorFlow's.

    TensorFlow wraps an exception raised inside a data set into its own, with the traceback as text.
    """
    try:
        yield
    except tf.errors.OpError as error:
        ours = re.search(rf"{ColorizeError.__name__}: (.+)", error.message or "")
        if ours is None:
            raise
        raise ColorizeError(f"{ours[1]} (it could be read before training began)") from None


def _in_order(function: Callable[[_T], _R], items: Iterable[_T], workers: int) -> Iterator[_R]:
    """`map` in threads, in order, with only a few results waiting: a data set may be larger than memory."""
    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[_R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= 8 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Calls:
    """The calls of TensorFlow's threads into Python, which must have ended before the interpreter does.

    An endless data set is always reading ahead. A thread that waits for the interpreter lock when the interpreter ends
    never returns, and the data set, which waits for its threads, would keep the process from exiting. So at exit
    nothing is decoded any more (the buffers fill with black at once) and the last calls are awaited.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._closed = False
        atexit.register(self._close)

    def __enter__(self) -> bool:
        """Whether there is still somebody to decode for."""
        with self._lock:
            self._running += 1
        return not self._closed

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._running -= 1

    def _close(self) -> None:
        self._closed = True
        quiet = 0
        for _ in range(500):
            quiet = 0 if self._running else quiet + 1
            if quiet == 5:
                return
            time.sleep(0.01)


_calls = _Calls()


def _memory_array(shape: tuple[int, ...]) -> np.ndarray:
    """An array aligned as TensorFlow's tensors are. Only what is written takes memory, so spare rows cost nothing."""
    size = int(np.prod(shape))
    raw = np.empty(size + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + size].reshape(shape)


def _as_tensor(aligned: np.ndarray) -> tf.Tensor:
    """The same memory as a tensor on the CPU. `tf.constant` would copy it and, where there is a GPU, move it there."""
    return tf.experimental.dlpack.from_dlpack(np.asarray(aligned).__dlpack__())


def _parts_of(indices: tf.data.Dataset, batch_size: int, parts: int, own_parts: range) -> tf.data.Dataset:
    """Batches of indices, cut into parts of which only some are kept: before anything is decoded."""
    cut = indices.map(lambda rows: tf.reshape(rows, (parts, batch_size // parts))[own_parts.start : own_parts.stop])
    return cut.unbatch()


def _temporary_array(shape: tuple[int, ...]) -> np.ndarray:
    """An array in a temporary file without a name: the system removes it with the process, however that ends."""
    size, folder = int(np.prod(shape)), tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if size > free:
        raise ColorizeError(
            f"decoded photos need {size / 1e9:.1f} GB in {folder}, where {free / 1e9:.1f} GB are free;"
            " set TMPDIR to a larger disk, or use fewer or smaller photos"
        )
    with tempfile.TemporaryFile() as file:  # the mapping holds the file open
        return np.memmap(file, np.uint8, "w+", shape=shape)


def _evenly(count: int, wanted: int) -> list[int]:
    """At most `wanted` of `range(count)`, evenly spaced from the first on."""
    wanted = min(wanted, count)
    return [n * count // wanted for n in range(wanted)]


def _tally(left_out: Sequence[LeftOut]) -> str:
    grey = sum(out.reason == GREY for out in left_out)
    kinds = {"grey": grey, "did not decode": len(left_out) - grey}
    return ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
