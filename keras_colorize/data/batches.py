"""The photos of one split as `tf.data` batches of uint8 pixels, all of one size.

The scan (`data.scan`) makes a `PhotoSet` of a split. Its batches go to the device as uint8; the training step converts
and augments them there.

The order of photos is a pure function: the batches of epoch e depend on (seed, e), the batch size and the steps of an
epoch alone. A run that resumes at epoch e sees exactly what it would have seen without the interruption.
"""

import atexit
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_colorize.data.splits import Packed, Photo
from keras_colorize.errors import ColorizeError
from keras_colorize.images import Resize, read_photo

GREY = "grey"


@dataclass(frozen=True)
class LeftOut:
    """A photo that the scan left out; `reason` is "grey", or says why the file did not decode."""

    name: str
    reason: str


@dataclass(frozen=True)
class HeldPixels:
    """Memory for the pixels of a photo set, aligned as TensorFlow's tensors are.

    Attributes:
        rgb_u8: of all photos, uint8 (N, S, S, 3).
        decoded: bool (N,), which of the photos are there; the others are decoded when their turn comes.
    """

    rgb_u8: np.ndarray
    decoded: np.ndarray

    @property
    def complete(self) -> bool:
        """Tell whether all photos are there."""
        return bool(self.decoded.all())


class PhotoSet:
    """The usable photos of one split, all of one size; `load_split` and `load_photos` make it.

    Attributes:
        names: of the photos, in the order of `evaluation_batches`; those of records are made when they are asked for.
        left_out: the photos that the scan left out.
        remarks: photo → how its colours could not be read as they are, such as by a profile that is cut off.
        image_size: side S of the square photos in pixels.
        in_memory: whether decoded pixels are kept; otherwise each photo is decoded again when its turn comes.
    """

    def __init__(
        self,
        photos: Sequence[Photo],
        left_out: Sequence[LeftOut],
        image_size: int,
        resize: Resize,
        held: HeldPixels | None,
        workers: int,
        remarks: Mapping[str, str],
    ) -> None:
        self.names: Sequence[str] = (
            photos.map(_name) if isinstance(photos, Packed) else [photo.name for photo in photos]
        )
        self.left_out = list(left_out)
        self.remarks = dict(remarks)
        self.image_size = image_size
        self.in_memory = held is not None
        self._photos = photos if isinstance(photos, Packed) else list(photos)
        self._resize: Resize = resize
        self._held = held
        self._workers = workers

    def __len__(self) -> int:
        return len(self._photos)

    @property
    def summary(self) -> str:
        """One line for the log, such as `8,331 photos; left out: 410 grey, 2 did not decode`."""
        return f"{len(self):,} photos" + (f"; left out: {tally(self.left_out)}" if self.left_out else "")

    def steps_per_epoch(self, batch_size: int) -> int:
        """Return the number of full batches in one pass over the photos, at least 1."""
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
        """Return shuffled batches of all epochs from `start_epoch` on, without end: uint8 `(batch_size, S, S, 3)`.

        An epoch consists of `steps_per_epoch` batches in the order of `epoch_order`, which makes as many shuffled
        passes over the photos as it needs. An epoch may be shorter than the set; the photos left over differ from epoch
        to epoch. It may also be longer, and a batch may be larger than the set.

        Args:
            batch_size: photos in a batch of all replicas together.
            seed: of the order.
            start_epoch: the first epoch, `initial_epoch` of `fit`.
            start_step: batches of the first epoch to leave out; unlike `.skip`, this decodes none of them.
            steps_per_epoch: batches of an epoch; `self.steps_per_epoch(batch_size)` unless given.
            parts: number of equal parts that each batch is cut into, one for each replica; `batch_size` is a multiple.
            own_parts: the parts that are read here, one after another: `(batch_size / parts, S, S, 3)`.
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
        """Return every photo once, in the order of `names`: uint8 `(B, S, S, 3)`, the last batch may be smaller."""
        batches = self._photo_batches(tf.data.Dataset.range(len(self)).batch(batch_size), batch_size)
        return batches.apply(tf.data.experimental.assert_cardinality(-(-len(self) // batch_size)))

    def evaluation_parts(self, batch_size: int, parts: int, own_parts: range) -> tf.data.Dataset:
        """Return `evaluation_batches` for several replicas, each of which gets equally many parts.

        Args:
            batch_size: photos in a batch of all replicas together; a multiple of `parts`.
            parts: number of equal parts that each batch is cut into.
            own_parts: the parts that are read here, one after another.

        Returns:
            Pairs of photos, uint8 `(batch_size / parts, S, S, 3)`, and weights, float32 `(batch_size / parts,)`. A
            weight is 1, or 0 for a photo that only fills up the last batch: over all parts every photo has the weight 1
            exactly once.
        """
        filled = -(-len(self) // batch_size) * batch_size
        rows = tf.data.Dataset.range(filled).batch(batch_size, drop_remainder=True)
        rows = _parts_of(rows, batch_size, parts, own_parts)
        photos = self._photo_batches(rows.map(lambda row: tf.minimum(row, len(self) - 1)), batch_size // parts)
        return tf.data.Dataset.zip(photos, rows.map(lambda row: tf.cast(row < len(self), tf.float32)))

    def pick(self, count: int) -> np.ndarray:
        """Return up to `count` photos, evenly spaced over the set: uint8 `(n, S, S, 3)`."""
        chosen = evenly_spaced(len(self), count)
        return np.stack([self._read(n) for n in chosen])

    def _photo_batches(self, indices: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
        """Turn batches of indices into batches of photos, in the same order."""
        S = self.image_size
        options = tf.data.Options()
        options.deterministic = True
        # TensorFlow itself reads no files here, so several workers can only divide the elements.
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
        if self._held is not None and self._held.complete:
            pixels = _as_tensor(self._held.rgb_u8)
            # Rewriting the graph would copy the tensors in it, 2 GB more, and there is nothing to optimize.
            options.experimental_optimization.apply_default_optimizations = False
            batches = indices.map(lambda rows: tf.gather(pixels, rows), num_parallel_calls=2)
            return batches.prefetch(4).with_options(options)

        # tf.io ignores EXIF orientation and ICC profiles and reads no TIFF, so our own reader decodes: a network must
        # see in training what inference will show it. It releases the interpreter lock, so the calls run in parallel.
        def decode(row: tf.Tensor) -> tf.Tensor:
            return tf.ensure_shape(tf.numpy_function(self._read, [row], tf.uint8), (S, S, 3))

        read = decode
        if self._held is not None:
            # Both tensors share their memory with the arrays, so TensorFlow sees what was decoded since.
            pixels, decoded = _as_tensor(self._held.rgb_u8), _as_tensor(self._held.decoded.view(np.uint8))
            options.experimental_optimization.apply_default_optimizations = False

            def read(row: tf.Tensor) -> tf.Tensor:
                return tf.cond(decoded[row] > 0, lambda: pixels[row], lambda: decode(row))

        options.threading.private_threadpool_size = self._workers + 1  # decoding must not block the step's own threads
        (full,) = indices.element_spec.shape  # None where the last batch may be partial
        photos = indices.unbatch().map(read, num_parallel_calls=self._workers)
        return photos.batch(batch_size, drop_remainder=full is not None).prefetch(4).with_options(options)

    def _read(self, index: int) -> np.ndarray:
        """Return one photo from memory, or from its file; then it stays in memory if there is room."""
        held = self._held
        if held is not None and held.decoded[index]:
            return held.rgb_u8[index]
        photo = self._photos[index]
        with _calls as wanted:
            if not wanted:
                return np.zeros((self.image_size, self.image_size, 3), np.uint8)
            try:
                file = photo.file()
            except OSError as error:
                raise ColorizeError(f"{photo.name}: cannot be read ({error.strerror or error})") from error
            name = photo.name if photo.path is None else None
            rgb_u8 = read_photo(file, self.image_size, self._resize, box=photo.box, name=name)
        if held is not None:
            held.rgb_u8[index] = rgb_u8
            held.decoded[index] = True  # after the pixels, since another thread may look
        return rgb_u8


def epoch_order(count: int, draws: int, seed: int, epoch: tf.Tensor | int) -> tf.Tensor:
    """Return the photos of one epoch in order, as int64 indices `(draws,)` in [0, count).

    They are the first `draws` of shuffled passes over `range(count)`. Each pass holds every index once. The order is a
    pure function of the arguments.
    """
    key = tf.random.experimental.stateless_fold_in(tf.constant([seed, 0], tf.int64), tf.cast(epoch, tf.int64))
    shape = (-(-draws // count), count)
    bits = tf.random.stateless_uniform(shape, key, None, None, tf.int64, alg="philox")
    passes = tf.argsort(bits, axis=-1, stable=True)
    return tf.cast(tf.reshape(passes, [-1])[:draws], tf.int64)


@contextmanager
def reading_errors() -> Iterator[None]:
    """Raise a ColorizeError for a photo that broke after the scan; use it around the code that consumes batches.

    TensorFlow wraps an exception raised inside a data set into one of its own, with the traceback as text.
    """
    try:
        yield
    except tf.errors.OpError as error:
        ours = re.search(rf"{ColorizeError.__name__}: (.+)", error.message or "")
        if ours is None:
            raise
        raise ColorizeError(f"{ours[1]} (it could be read before training began)") from None


class _Calls:
    """Counts the calls of TensorFlow's threads into Python, so that they end before the interpreter does.

    An endless data set always reads ahead. A thread that waits for the interpreter lock when the interpreter ends never
    returns; the data set waits for its threads and would keep the process from exiting. At exit, therefore, photos are
    no longer decoded (the buffers fill with black at once), and the last calls are awaited.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._closed = False
        atexit.register(self._close)

    def __enter__(self) -> bool:
        """Count a call; False means that the process is ending and nothing needs to be decoded."""
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


def _name(photo: Photo) -> str:
    return photo.name


def _as_tensor(aligned: np.ndarray) -> tf.Tensor:
    """Wrap memory as a tensor on the CPU. `tf.constant` would copy it and move it to a GPU where there is one."""
    return tf.experimental.dlpack.from_dlpack(np.asarray(aligned).__dlpack__())


def _parts_of(indices: tf.data.Dataset, batch_size: int, parts: int, own_parts: range) -> tf.data.Dataset:
    """Cut batches of indices into parts and keep some of them, before anything is decoded."""
    cut = indices.map(lambda rows: tf.reshape(rows, (parts, batch_size // parts))[own_parts.start : own_parts.stop])
    return cut.unbatch()


def evenly_spaced(count: int, wanted: int) -> list[int]:
    """Return at most `wanted` indices of `range(count)`, evenly spaced from the first on."""
    wanted = min(wanted, count)
    return [n * count // wanted for n in range(wanted)]


def tally(left_out: Sequence[LeftOut]) -> str:
    """Count photos by the reason for leaving them out: `410 grey, 2 did not decode`."""
    grey = sum(out.reason == GREY for out in left_out)
    kinds = {"grey": grey, "did not decode": len(left_out) - grey}
    return ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
