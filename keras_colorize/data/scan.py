"""The scan before training or evaluation: decode every photo of a split once and keep those that can be used.

The scan leaves out grey photos and files that do not decode, each by name. Where the pixels fit into memory they stay
there, and no photo is decoded a second time.
"""

import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np

from keras_colorize.data.batches import GREY, LeftOut, PhotoSet, evenly_spaced, tally
from keras_colorize.data.splits import Photo, Source, Split
from keras_colorize.errors import ColorizeError
from keras_colorize.hardware import processors
from keras_colorize.images import Resize, is_grey, read_photo
from keras_colorize.progress import Advance, Progress, SilentProgress
from keras_colorize.recipes import Data

_ALIGNMENT = 64  # bytes, as TensorFlow aligns its tensors

_T = TypeVar("_T")
_R = TypeVar("_R")


def load_photos(
    source: Source,
    data: Data,
    split: Split,
    *,
    limit: int | None = None,
    margin: int = 0,
    progress: Progress | None = None,
) -> PhotoSet:
    """Scan one split with the settings of a recipe's `[data]` table.

    Args:
        source: from `open_photos` or `open_source`.
        data: size, resizing, treatment of grey photos and memory limit.
        split: "train", "validation" or "test".
        limit: look at no more photos than this; None or 0 looks at all.
        margin: pixels by which the photos are larger than `data.image_size`.
        progress: shows how many photos have been read.

    Raises:
        ColorizeError: as `load_split`.
    """
    with (progress or SilentProgress()).counting(f"reading {split} photos") as advance:
        return load_split(
            source,
            split,
            image_size=data.image_size + margin,
            resize=data.resize,
            drop_grey=data.drop_grey,
            limit=limit or None,
            memory_limit_bytes=int(data.memory_gib * 2**30),
            progress=advance,
        )


def load_split(
    source: Source,
    split: Split,
    *,
    image_size: int,
    resize: Resize = "crop",
    drop_grey: bool = True,
    limit: int | None = None,
    memory_limit_bytes: int = 2 << 30,
    progress: Advance | None = None,
    workers: int | None = None,
) -> PhotoSet:
    """Decode every photo of a split once, in threads, and keep those that can be used.

    Args:
        source: from `open_source`.
        split: "train", "validation" or "test".
        image_size: side S of the square photos in pixels.
        resize: "crop" cuts the centre square, "squash" scales both axes.
        drop_grey: leave out photos without colour.
        limit: look at no more photos than this, evenly spaced over the split.
        memory_limit_bytes: keep the pixels (S·S·3 bytes a photo) in memory up to this size. Beyond it, photos are
            decoded again in every epoch; those of TFDS go to a temporary file that disappears with the process.
        progress: called with (photos done, photos in all) after each photo.
        workers: decoding threads; as many as there are processors unless given.

    Raises:
        ColorizeError: the split is empty, none of its photos can be used, or the temporary file finds no room.
    """
    photos = source.items(split)
    if not photos:
        raise ColorizeError(f"{source.description}: no photos for '{split}'; add some, or raise the split's fraction")
    if limit is not None:
        if limit < 1:
            raise ColorizeError(f"limit is {limit}: expected at least 1 photo")
        photos = [photos[n] for n in evenly_spaced(len(photos), limit)]
    workers = workers or processors()
    shape = (len(photos), image_size, image_size, 3)
    fits = int(np.prod(shape)) <= memory_limit_bytes
    pixels = _memory_array(shape) if fits else None if source.reopens else _temporary_array(shape)

    remarks: dict[str, str] = {}

    def look(item: tuple[Photo, Path | BytesIO]) -> tuple[Photo, np.ndarray | str]:
        photo, file = item
        told: list[str] = []
        try:
            rgb_u8 = read_photo(file, image_size, resize, box=photo.box, name=photo.name, remarks=told)
        except ColorizeError as error:
            return photo, str(error).removeprefix(f"{photo.name}: ")
        if told:
            remarks[photo.name] = "; ".join(told)
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
            f"{source.description}: none of the {len(photos):,} photos for '{split}' can be used:"
            f" {tally(left_out)}{broken}"
        )
    used = None if pixels is None else pixels[: len(kept)]
    return PhotoSet(kept, left_out, image_size, resize, used, workers, remarks)


def _in_order(function: Callable[[_T], _R], items: Iterable[_T], workers: int) -> Iterator[_R]:
    """Map in threads and keep the order; only a few results wait, since a data set may be larger than memory."""
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


def _memory_array(shape: tuple[int, ...]) -> np.ndarray:
    """Make an array aligned as TensorFlow's tensors are; rows that are never written take no memory."""
    size = int(np.prod(shape))
    raw = np.empty(size + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + size].reshape(shape)


def _temporary_array(shape: tuple[int, ...]) -> np.ndarray:
    """Make an array in a nameless temporary file, which the system removes with the process, however that ends."""
    size, folder = int(np.prod(shape)), tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if size > free:
        raise ColorizeError(
            f"decoded photos need {size / 1e9:.1f} GB in {folder}, where {free / 1e9:.1f} GB are free;"
            " set TMPDIR to a larger disk, or use fewer or smaller photos"
        )
    with tempfile.TemporaryFile() as file:  # the mapping holds the file open
        return np.memmap(file, np.uint8, "w+", shape=shape)
