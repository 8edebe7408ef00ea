"""A split of a source → `tf.data` batches of uint8 photos, all of one size.

Every photo is decoded once before training (`load_split`): what does not decode and what is grey is left out by name,
and where the rest fits into memory it stays there. uint8 goes to the device, which converts and augments it.

Order is a pure function: the batches of epoch e depend on (seed, e), the batch size and the steps of an epoch alone,
so a run that resumes at epoch e sees exactly what it would have seen.
"""

import os
import re
import shutil
import tempfile
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

from keras_colorize.errors import ColorizeError
from keras_colorize.photos import Resize, is_grey, read_photo
from keras_colorize.sources import Photo, Source, Split

GREY = "grey"

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
        self, batch_size: int, *, seed: int, start_epoch: int = 0, steps_per_epoch: int | None = None
    ) -> tf.data.Dataset:
        """Shuffled batches of all epochs from `start_epoch` on, without end: uint8 `(batch_size, S, S, 3)`.

        Epoch e is `steps_per_epoch` batches of `epoch_order`: shuffled passes over the photos, one after another, as
        many as it takes. So an epoch may be shorter than the set (the photos left over differ from epoch to epoch),
        longer, or larger than it in a single batch.

        Args:
            batch_size: photos in a batch, all replicas together.
            seed: of the order, ≥ 0.
            start_epoch: the first epoch, `initial_epoch` of `fit`.
            steps_per_epoch: batches that make an epoch; `self.steps_per_epoch(batch_size)` unless given.
        """
        steps = steps_per_epoch or self.steps_per_epoch(batch_size)

        def order(epoch: np.ndarray) -> np.ndarray:
            return epoch_order(len(self), steps * batch_size, seed, int(epoch)).reshape(steps, batch_size)

        indices = (
            tf.data.Dataset.counter(start_epoch)
            .map(lambda epoch: tf.ensure_shape(tf.numpy_function(order, [epoch], tf.int64), (steps, batch_size)))
            .flat_map(tf.data.Dataset.from_tensor_slices)
        )
        endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        return self._photo_batches(indices, batch_size, drop_remainder=True).apply(endless)

    def evaluation_batches(self, batch_size: int) -> tf.data.Dataset:
        """Every photo once, in the order of `names`: uint8 `(≤ batch_size, S, S, 3)`, the last batch may be partial."""
        indices = tf.data.Dataset.range(len(self)).batch(batch_size)
        batches = self._photo_batches(indices, batch_size, drop_remainder=False)
        return batches.apply(tf.data.experimental.assert_cardinality(-(-len(self) // batch_size)))

    def pick(self, count: int) -> np.ndarray:
        """Up to `count` photos, evenly spaced over the set: uint8 `(n, S, S, 3)`."""
        return np.stack([self._read(n) for n in _evenly(len(self), count)])

    def _photo_batches(self, indices: tf.data.Dataset, batch_size: int, drop_remainder: bool) -> tf.data.Dataset:
        """Batches of indices → batches of photos, in the same order."""
        S = self.image_size
        options = tf.data.Options()
        options.deterministic = True
        # Nothing here reads files through TensorFlow, so several workers can only divide the elements.
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
        if self._pixels is not None:
            pixels = self._pixels

            # A gather in NumPy: as a tensor the array would be copied, and where there is a GPU, moved there.
            def gather(rows: tf.Tensor) -> tf.Tensor:
                batch = tf.numpy_function(lambda rows: pixels[rows], [rows], tf.uint8)
                return tf.ensure_shape(batch, (batch_size if drop_remainder else None, S, S, 3))

            return indices.map(gather, num_parallel_calls=2).prefetch(4).with_options(options)

        # Pillow and not tf.io: that ignores EXIF orientation and ICC profiles and reads no TIFF, and a network must see
        # in training what inference will show it. Pillow lets go of the interpreter lock, so the calls run in parallel.
        def decode(row: tf.Tensor) -> tf.Tensor:
            return tf.ensure_shape(tf.numpy_function(lambda row: self._read(int(row)), [row], tf.uint8), (S, S, 3))

        options.threading.private_threadpool_size = self._workers + 1  # decoding must not block the step's own threads
        photos = indices.unbatch().map(decode, num_parallel_calls=self._workers)
        return photos.batch(batch_size, drop_remainder=drop_remainder).prefetch(4).with_options(options)

    def _read(self, index: int) -> np.ndarray:
        if self._pixels is not None:
            return self._pixels[index]
        photo = self._photos[index]
        assert photo.path is not None
        return read_photo(photo.path, self.image_size, self._resize, box=photo.box)


def epoch_order(count: int, draws: int, seed: int, epoch: int) -> np.ndarray:
    """The first `draws` of endless shuffled passes over `range(count)`, for one epoch: int64 `(draws,)`.

    Pass k of epoch e is keyed by (seed, e, k); nothing else enters.
    """

    # Sorting random numbers, since NumPy promises the stream of a bit generator for ever but not its `permutation`.
    def shuffled(k: int) -> np.ndarray:
        keys = np.random.Philox(np.random.SeedSequence([seed, epoch, k])).random_raw(count)
        return np.argsort(keys, kind="stable")

    passes = -(-draws // count)
    return np.concatenate([shuffled(k) for k in range(passes)])[:draws].astype(np.int64)


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
    workers = workers or _processors()
    shape = (len(photos), image_size, image_size, 3)
    fits = int(np.prod(shape)) <= memory_limit_bytes
    # np.empty takes memory only where it is written, so rows for photos that are left out cost nothing.
    pixels = np.empty(shape, np.uint8) if fits else None if source.reopens else _temporary_array(shape)

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


def _processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
