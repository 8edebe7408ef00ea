"""The scan, the order of batches, and that memory, file and stream hold the same pixels."""

import subprocess
import sys
import textwrap
from io import BytesIO

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_colorize.data import Photo, Source, batches, open_source, scan
from keras_colorize.data.batches import LeftOut, epoch_order, reading_errors
from keras_colorize.data.scan import load_split
from keras_colorize.errors import ColorizeError
from keras_colorize.images import read_photo
from tests.conftest import SHARED_DATA, colorful_photo

KINDS = ("memory", "stream", "file")


def write_photos(folder, count, size=10):
    """Photos whose number is their red level."""
    for n in range(count):
        rgb_u8 = np.full((size, size, 3), (n, 255, 0), np.uint8)
        Image.fromarray(rgb_u8).save(folder / f"{n:03d}.png")
    return open_source(str(folder), validation_fraction=0, test_fraction=0)


class OnePass(Source):
    """A source that can only be read through, as those of TFDS."""

    reopens = False

    def open(self, split, photos):
        for photo, path in super().open(split, photos):
            yield photo, BytesIO(path.read_bytes())


def load(kind, source, **options):
    if kind == "file":
        source = OnePass(source.description, {"train": source.items("train")})
    memory = {} if kind == "memory" else {"memory_limit_bytes": 0}
    return load_split(source, "train", **{"image_size": 4, "workers": 3, **memory, **options})


def numbers(batches, count):
    """The photos' numbers of the first batches, `(count, batch_size)`."""
    return np.stack([batch[:, 0, 0, 0] for batch in batches.take(count).as_numpy_iterator()])


@pytest.fixture(scope="module")
def twenty(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("twenty"), 20)


# The scan


@pytest.mark.parametrize("kind", KINDS)
def test_scan_names_what_it_leaves_out(photo_folder, kind):
    source = open_source(str(photo_folder), validation_fraction=0, test_fraction=0)
    steps = []
    photos = load(kind, source, image_size=16, progress=lambda done, total: steps.append((done, total)))
    assert len(photos) == 24 and photos.names == [f"photo_{n:02d}.png" for n in range(24)]
    assert photos.left_out == [
        LeftOut("old_grey.png", "grey"),
        LeftOut("torn.jpg", "does not decode (Truncated File Read)"),
    ]
    assert photos.summary == "24 photos; left out: 1 grey, 1 did not decode"
    assert steps == [(n, 26) for n in range(1, 27)]
    assert photos.in_memory == (kind != "stream")
    (batch,) = photos.evaluation_batches(24).as_numpy_iterator()
    assert batch.dtype == np.uint8
    for number in (0, 7, 23):
        np.testing.assert_array_equal(batch[number], read_photo(photo_folder / photos.names[number], 16))
    assert len(load(kind, source, drop_grey=False)) == 25


def test_limit_is_spread_over_the_split(twenty):
    assert load("memory", twenty, limit=5).names == ["000.png", "004.png", "008.png", "012.png", "016.png"]
    assert len(load("memory", twenty, limit=100)) == 20
    with pytest.raises(ColorizeError, match="limit is 0"):
        load("memory", twenty, limit=0)


def test_nothing_to_use(tmp_path):
    for n in range(3):
        Image.new("RGB", (8, 8), (9 * n, 9 * n, 9 * n)).save(tmp_path / f"{n}.png")
    (tmp_path / "x.jpg").write_text("x")
    source = open_source(str(tmp_path), validation_fraction=0, test_fraction=0)
    message = r"none of the 4 photos for 'train' can be used: 3 grey, 1 did not decode; x\.jpg: is not an image"
    with pytest.raises(ColorizeError, match=message):
        load("memory", source)
    with pytest.raises(ColorizeError, match="no photos for 'test'; add some, or raise the split's fraction"):
        load_split(source, "test", image_size=4)


def test_memory_is_used_up_to_the_limit(twenty):
    size = 20 * 4 * 4 * 3
    assert load("memory", twenty, memory_limit_bytes=size).in_memory
    assert not load("memory", twenty, memory_limit_bytes=size - 1).in_memory


def test_tensor_shares_the_memory_of_the_array(twenty):
    photos = load("memory", twenty)
    tensor = batches._as_tensor(photos._held.rgb_u8)
    photos._held.rgb_u8[3, 0, 0, 0] = 77
    assert tensor[3, 0, 0, 0] == 77 and tensor.device.endswith("CPU:0")


def test_temporary_file_needs_room(twenty, monkeypatch):
    monkeypatch.setattr(scan.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 5}))
    with pytest.raises(ColorizeError, match=r"need 0\.0 GB in .*, where 0\.0 GB are free; set TMPDIR"):
        load("file", twenty)


def test_pick_is_evenly_spaced(twenty):
    for kind in KINDS:
        photos = load(kind, twenty)
        picked = photos.pick(4)
        assert picked.shape == (4, 4, 4, 3) and picked.dtype == np.uint8
        assert picked[:, 0, 0, 0].tolist() == [0, 5, 10, 15]
        assert len(photos.pick(50)) == 20


def test_sample_has_enough_tiles():
    source = open_source("sample", validation_fraction=0, test_fraction=0)
    counts = {split: len(load_split(source, split, image_size=32)) for split in ("train", "validation", "test")}
    assert counts["train"] >= 250 and counts["validation"] >= 16 and counts["test"] >= 32


@pytest.mark.skipif(not (SHARED_DATA / "scenes").is_dir(), reason="needs the scene photos")
@pytest.mark.slow
def test_grey_scenes():
    source = open_source(str(SHARED_DATA / "scenes" / "train"), validation_fraction=0, test_fraction=0)
    photos = load_split(source, "train", image_size=100)
    assert photos.summary == "8,331 photos; left out: 410 grey"


# Order


def test_epoch_order_is_whole_passes_cut_to_length():
    order = epoch_order(7, 17, seed=3, epoch=5).numpy()
    assert order.dtype == np.int64 and len(order) == 17
    assert sorted(order[:7]) == sorted(order[7:14]) == list(range(7))
    assert len(set(order[14:])) == 3
    assert order[:7].tolist() != order[7:14].tolist()
    np.testing.assert_array_equal(order, epoch_order(7, 17, seed=3, epoch=tf.constant(5, tf.int64)))
    for other in (epoch_order(7, 17, seed=4, epoch=5), epoch_order(7, 17, seed=3, epoch=6)):
        assert (order != other.numpy()).any()


def test_epoch_order_is_uniform():
    firsts = [int(epoch_order(5, 1, seed=0, epoch=epoch)[0]) for epoch in range(500)]
    counts = np.bincount(firsts, minlength=5)
    assert ((counts - 100) ** 2 / 100).sum() < 18.5  # chi-squared with 4 degrees of freedom: 1 in 1,000


def test_epoch_order_never_changes():
    assert epoch_order(6, 8, seed=1, epoch=0).numpy().tolist() == [4, 1, 3, 2, 0, 5, 3, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_training_batches_follow_epoch_order(twenty, kind):
    photos = load(kind, twenty)
    assert photos.steps_per_epoch(6) == 3
    batches = photos.training_batches(6, seed=9)
    assert batches.element_spec == tf.TensorSpec((6, 4, 4, 3), tf.uint8)
    assert batches.cardinality() == tf.data.INFINITE_CARDINALITY
    expected = np.concatenate([epoch_order(20, 18, seed=9, epoch=epoch).numpy().reshape(3, 6) for epoch in range(3)])
    np.testing.assert_array_equal(numbers(batches, 9), expected)
    np.testing.assert_array_equal(numbers(batches, 9), expected)  # and again
    resumed = photos.training_batches(6, seed=9, start_epoch=2)
    np.testing.assert_array_equal(numbers(resumed, 3), expected[6:])
    interrupted = photos.training_batches(6, seed=9, start_epoch=1, start_step=2)
    np.testing.assert_array_equal(numbers(interrupted, 4), expected[5:])


def test_more_steps_than_photos(twenty):
    photos = load("memory", twenty)
    longer = numbers(photos.training_batches(8, seed=0, steps_per_epoch=7), 14)
    for epoch in longer.reshape(2, 56):
        assert np.bincount(epoch[:40], minlength=20).tolist() == [2] * 20  # two whole passes, then part of a third
        assert len(set(epoch[40:])) == 16


@pytest.mark.parametrize("kind", KINDS)
def test_batch_larger_than_the_set(tmp_path, kind):
    photos = load(kind, write_photos(tmp_path, 3))
    assert photos.steps_per_epoch(8) == 1
    batches = numbers(photos.training_batches(8, seed=0), 4)
    assert batches.shape == (4, 8)
    assert all(sorted(np.bincount(batch, minlength=3)) == [2, 3, 3] for batch in batches)


@pytest.mark.parametrize("kind", KINDS)
def test_evaluation_batches_are_in_order_and_complete(twenty, kind):
    batches = load(kind, twenty).evaluation_batches(8)
    assert batches.cardinality() == 3
    read = list(batches.as_numpy_iterator())
    assert [len(batch) for batch in read] == [8, 8, 4]
    assert np.concatenate(read)[:, 0, 0, 0].tolist() == list(range(20))
    assert batches.element_spec == tf.TensorSpec((None, 4, 4, 3), tf.uint8)


def test_memory_file_and_stream_hold_the_same_pixels(tmp_path):
    for n in range(6):
        Image.fromarray(colorful_photo(n, 50, 70)).save(tmp_path / f"{n}.jpg", quality=90)
    source = open_source(str(tmp_path), validation_fraction=0, test_fraction=0)
    for resize in ("crop", "squash"):
        read = {kind: load(kind, source, image_size=24, resize=resize) for kind in KINDS}
        batches = [next(iter(photos.training_batches(6, seed=1))).numpy() for photos in read.values()]
        np.testing.assert_array_equal(batches[0], batches[1])
        np.testing.assert_array_equal(batches[0], batches[2])


def test_parts_of_a_photo_are_streamed_as_parts(tmp_path):
    image = np.zeros((20, 40, 3), np.uint8)
    image[:, :20], image[:, 20:] = (200, 0, 0), (0, 0, 200)
    Image.fromarray(image).save(tmp_path / "two.png")
    boxes = [(0.0, 0.0, 1.0, 0.5), (0.0, 0.5, 1.0, 1.0)]
    parts = [Photo(tmp_path / "two.png", f"two.png#{n}", box) for n, box in enumerate(boxes)]
    for kind in KINDS:
        (batch,) = load(kind, Source("parts", {"train": parts})).evaluation_batches(2).as_numpy_iterator()
        assert batch[:, 0, 0].tolist() == [[200, 0, 0], [0, 0, 200]]


# What can go wrong while training


def test_photo_that_breaks_after_the_scan(tmp_path):
    photos = load("stream", write_photos(tmp_path, 4))
    (tmp_path / "002.png").write_bytes(b"")
    message = r"002\.png: is empty \(0 bytes\) \(it could be read before training began\)$"
    with pytest.raises(ColorizeError, match=message), reading_errors():
        list(photos.evaluation_batches(2))
    with pytest.raises(tf.errors.OpError), reading_errors():  # those of others stay as they are
        list(tf.data.Dataset.range(1).map(lambda _: tf.io.read_file("/nowhere")))


def test_process_ends_while_photos_are_being_read(tmp_path):
    write_photos(tmp_path, 8, size=400)
    code = """
        import sys
        from keras_colorize.data.scan import load_split
        from keras_colorize.data import open_source
        source = open_source(sys.argv[1], validation_fraction=0, test_fraction=0)
        photos = load_split(source, "train", image_size=256, memory_limit_bytes=0)
        batches = iter(photos.training_batches(16, seed=0))
        next(batches)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), tmp_path], timeout=60, check=True)


def test_scan_stops_at_an_interrupt(twenty):
    def interrupt(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load("memory", twenty, progress=interrupt)
