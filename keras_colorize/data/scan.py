"""The scan before training or evaluation: look at every photo of a split and keep those that can be used.

The scan leaves out grey photos and files that do not decode, each by name. Where the pixels fit into memory they stay
there, and no photo is decoded a second time. What the scan found is kept in a cache: the next one decodes only photos
that are new or have changed, and a training that starts again begins at once. Photos that were checked when they were
written into shards need no scan.
"""

import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np

from keras_colorize.data.batches import GREY, HeldPixels, LeftOut, PhotoSet, evenly_spaced, tally
from keras_colorize.data.scan_cache import Finding, ScanCache
from keras_colorize.data.splits import Photo, Source, Split, Version, subset
from keras_colorize.errors import ColorizeError
from keras_colorize.hardware import processors
from keras_colorize.images import Resize, is_grey, read_photo
from keras_colorize.progress import Advance, Progress, SilentProgress
from keras_colorize.recipes import Data

_ALIGNMENT = 64  # bytes, as TensorFlow aligns its tensors

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
    """Look at every photo of a split and keep those that can be used.

    Photos are decoded in threads, except those that the cache knows from an earlier scan. No photo is decoded where the
    source says that all of them were checked before.

    Args:
        source: from `open_source`.
        split: "train", "validation" or "test".
        image_size: side S of the square photos in pixels.
        resize: "crop" cuts the centre square, "squash" scales both axes.
        drop_grey: leave out photos without colour.
        limit: look at no more photos than this, evenly spaced over the split.
        memory_limit_bytes: keep the pixels (S·S·3 bytes a photo) in memory up to this size, from the first time that
            they are decoded. Beyond it, photos are decoded again in every epoch; those of TFDS go to a temporary file
            that disappears with the process.
        progress: called with (photos done, photos in all) after each photo.
        workers: decoding threads; as many as there are processors unless given.

    Raises:
        ColorizeError: the split is empty, none of its photos can be used, or the temporary file finds no room.
        OSError: a shard can no longer be read.
    """
    photos = source.items(split)
    if not photos:
        raise ColorizeError(f"{source.description}: no photos for '{split}'; add some, or raise the split's fraction")
    if limit is not None:
        if limit < 1:
            raise ColorizeError(f"limit is {limit}: expected at least 1 photo")
        photos = subset(photos, np.asarray(evenly_spaced(len(photos), limit)))
    workers = workers or processors()
    shape = (len(photos), image_size, image_size, 3)
    fits = int(np.prod(shape)) <= memory_limit_bytes
    pixels = _memory_array(shape) if fits else None if source.reopens else _temporary_array(shape)

    def look(photo: Photo, file: Path | BytesIO | None, version: Version | None) -> _Look:
        told: list[str] = []
        try:
            file = photo.file() if file is None else file
            rgb_u8 = read_photo(file, image_size, resize, box=photo.box, name=photo.name, remarks=told)
        except ColorizeError as error:
            return _Look(photo, Finding(str(error).removeprefix(f"{photo.name}: ")), version)
        reason = GREY if drop_grey and is_grey(rgb_u8) else None
        return _Look(photo, Finding(reason, "; ".join(told) or None), version, rgb_u8)

    def looks(cache: ScanCache) -> Iterator[_Look | Callable[[], _Look]]:
        # Photos that can be opened at any time are opened in the threads: an object store answers slowly.
        opened: Iterable[tuple[Photo, Path | BytesIO | None]]
        opened = ((photo, None) for photo in photos) if source.reopens else source.open(split, photos)
        for photo, file in opened:
            version, finding = cache.find(photo)
            yield partial(look, photo, file, version) if finding is None else _Look(photo, finding)

    usable = np.ones(len(photos), bool)
    left_out: list[LeftOut] = []
    remarks: dict[str, str] = {}
    decoded = _memory_array((len(photos),)).view(bool)
    decoded[:] = False
    if not source.checked(drop_grey):
        row = 0
        with ScanCache(image_size, resize, drop_grey) as cache:
            for done, seen in enumerate(in_order(looks(cache), workers), 1):
                photo, finding = seen.photo, seen.finding
                cache.add(photo, seen.version, finding)
                usable[done - 1] = not finding.reason
                if finding.reason:
                    left_out.append(LeftOut(photo.name, finding.reason))
                else:
                    if finding.remark:
                        remarks[photo.name] = finding.remark
                    if pixels is not None and seen.rgb_u8 is not None:
                        pixels[row] = seen.rgb_u8
                        decoded[row] = True
                    row += 1
                if progress:
                    progress(done, len(photos))
    if not usable.any():
        broken = next((f"; {out.name}: {out.reason}" for out in left_out if out.reason != GREY), "")
        raise ColorizeError(
            f"{source.description}: none of the {len(photos):,} photos for '{split}' can be used:"
            f" {tally(left_out)}{broken}"
        )
    kept = subset(photos, np.flatnonzero(usable))
    held = None if pixels is None else HeldPixels(pixels[: len(kept)], decoded[: len(kept)])
    return PhotoSet(kept, left_out, image_size, resize, held, workers, remarks)


@dataclass(frozen=True, slots=True)
class _Look:
    """A look at one photo; without version if the cache knew the photo, without pixels if it was not decoded."""

    photo: Photo
    finding: Finding
    version: Version | None = None
    rgb_u8: np.ndarray | None = None


def in_order(items: Iterable[_R | Callable[[], _R]], workers: int) -> Iterator[_R]:
    """Yield results in order, and call those items that are calls in threads.

    Only a few results wait, since a data set may be larger than memory.
    """
    pool = ThreadPoolExecutor(workers)
    waiting: deque[_R | Callable[[], _R]] = deque()

    def first() -> _R:
        item = waiting.popleft()
        return item() if callable(item) else item

    try:
        for item in items:
            waiting.append(pool.submit(item).result if callable(item) else item)
            if len(waiting) >= 8 * workers:
                yield first()
        while waiting:
            yield first()
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
