"""How fast photos on disk become L and ab on the device: this package against PyTorch's DataLoader with scikit-image.

    python benchmarks/input.py --size 256 --photos 512 --repeats 5

All rows read the same JPEG files, cut from a photo that scikit-image packages, and end with one batch of lightness and
chroma after the other. The first epoch decodes them all (`scan`); where the photos fit into memory the later ones find
them there, and where they do not each photo is decoded anew, from its file or from its record in a shard. A second scan
finds all photos in the cache. The rows take turns in one process, PyTorch's with worker processes of its own. Needs
`pip install keras-colorize[convert]`.
"""

import argparse
import itertools
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import skimage
import tensorflow as tf
import torch
from PIL import Image

from keras_colorize.color.lab import rgb_from_u8
from keras_colorize.color.spaces import get_space
from keras_colorize.data import open_source
from keras_colorize.data.batches import PhotoSet
from keras_colorize.data.records import RecordFormat
from keras_colorize.data.scan import load_split
from keras_colorize.data.shard_files import write_shards
from keras_colorize.hardware import describe_device, processors

Epoch = Callable[[], object]
PYTORCH = "PyTorch DataLoader, scikit-image"
MEMORY = "keras_colorize, from memory"


class Photos(torch.utils.data.Dataset):
    """Files as scikit-image's Lab, as most published colorization code reads them."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        rgb = np.asarray(Image.open(self.files[index]).convert("RGB"))
        lab = torch.from_numpy(skimage.color.rgb2lab(rgb).astype("float32")).permute(2, 0, 1)
        return lab[:1] / 50.0 - 1.0, lab[1:] / 110.0


def make_photos(folder: Path, size: int, count: int) -> list[Path]:
    """Different JPEG files of one size: windows of a photo, mirrored, turned, and in several exposures."""
    photo = skimage.data.astronaut()
    rng = np.random.default_rng(0)
    files = [folder / "photos" / "train" / f"{number:05d}.jpg" for number in range(count)]
    files[0].parent.mkdir(parents=True)
    for file in files:
        side = rng.integers(len(photo) // 3, len(photo))
        top, left = rng.integers(0, len(photo) - side + 1, 2)
        window = np.rot90(photo[top : top + side, left : left + side], rng.integers(4)) * rng.uniform(0.7, 1.0)
        Image.fromarray(window.astype("uint8")).resize((size, size)).save(file, quality=90)
    return files


def consume(batches: Iterable, split: Callable | None = None) -> None:
    """Go through an epoch; the last batch's values are waited for."""
    for batch in batches:
        photos, _ = batch if split is None else split(batch)
    float(photos[0, 0, 0, 0] if split is None else photos.lightness[0, 0, 0, 0])


def rows(folder: Path, files: list[Path], size: int, batch: int, workers: int) -> dict[str, Epoch]:
    space = get_space("lab")
    on_cpu = not tf.config.list_physical_devices("GPU")
    split = tf.function(lambda rgb_u8: space.split(rgb_from_u8(rgb_u8)), jit_compile=on_cpu, autograph=False)
    steps = len(files) // batch

    def load(data: str, memory_limit_bytes: int = 2 << 30, *, scanned: bool = True) -> PhotoSet:
        cache = folder / "cache"
        if not scanned:
            shutil.rmtree(cache, ignore_errors=True)
        os.environ["KERAS_COLORIZE_CACHE"] = str(cache)
        source = open_source(data, validation_fraction=0, test_fraction=0)
        photos = load_split(source, "train", image_size=size, memory_limit_bytes=memory_limit_bytes)
        assert photos.in_memory == bool(memory_limit_bytes) and len(photos) == len(files)
        return photos

    def epoch(data: str, memory_limit_bytes: int) -> Epoch:
        batches = iter(load(data, memory_limit_bytes).training_batches(batch, seed=0))
        return lambda: consume(itertools.islice(batches, steps), split)

    loader = torch.utils.data.DataLoader(
        Photos(files), batch, shuffle=True, num_workers=workers, drop_last=True, persistent_workers=True
    )
    photos = str(files[0].parents[1])
    source = open_source(photos, validation_fraction=0, test_fraction=0)
    formats: tuple[RecordFormat, ...] = ("tfrecord", "arrayrecord")
    shards = {name: write_shards(source, folder / name, record_format=name).pattern for name in formats}
    time.sleep(2.1)  # files that have just changed do not go into the cache of scans
    return {
        PYTORCH: lambda: consume(loader),
        "keras_colorize, decoded each time": epoch(photos, 0),
        **{f"keras_colorize, decoded each time, {name}": epoch(pattern, 0) for name, pattern in shards.items()},
        MEMORY: epoch(photos, 2 << 30),
        "keras_colorize, first scan before training": lambda: load(photos, scanned=False),
        "keras_colorize, second scan": lambda: load(photos),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256, help="height and width of the photos")
    parser.add_argument("--photos", type=int, default=512)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5, help="epochs of each row, after one that warms it up")
    parser.add_argument("--workers", type=int, default=processors(), help="of PyTorch (default: %(default)s)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        files = make_photos(Path(temporary), args.size, args.photos)
        epochs = rows(Path(temporary), files, args.size, args.batch, args.workers)
        rates: dict[str, list[float]] = {name: [] for name in epochs}
        for turn, (name, epoch) in itertools.product(range(args.repeats + 1), epochs.items()):
            began = time.perf_counter()
            epoch()
            if turn:
                rates[name].append(args.photos / (time.perf_counter() - began))
    median = {name: statistics.median(rate) for name, rate in rates.items()}
    print(
        f"{args.photos} JPEG files of {args.size}×{args.size}, batches of {args.batch}, {args.repeats} epochs;"
        f" {describe_device()}; TensorFlow {tf.__version__}, PyTorch {torch.__version__} with {args.workers} workers"
    )
    print(f"{'':48} {'median':>8} {'best':>8}  images/s")
    for name, rate in rates.items():
        print(f"{name:48} {median[name]:8.0f} {max(rate):8.0f}  {median[name] / median[PYTORCH]:.2f}×")


if __name__ == "__main__":
    main()
