"""Shards: the same photos in the same order as their folder, from any storage, without an object for each photo."""

import errno
import json
import os
import time
import tracemalloc
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_colorize.cli import main
from keras_colorize.data import SPLITS, Packed, Photo, Source, open_source, position, records, shard_files
from keras_colorize.data.batches import LeftOut, reading_errors
from keras_colorize.data.manifest import Manifest, ShardFacts
from keras_colorize.data.records import make_example, read_example
from keras_colorize.data.scan import load_split
from keras_colorize.data.shard_files import write_shards
from keras_colorize.errors import ColorizeError
from keras_colorize.evaluation.protocols import PROTOCOLS, choose
from keras_colorize.files import cache_folder
from keras_colorize.images import read_photo
from keras_colorize.recipes import Data
from tests.conftest import colorful_photo, write_photos

FORMATS = ("tfrecord", "arrayrecord")
FRACTIONS = {"validation_fraction": 0.2, "test_fraction": 0.2}
NONE = {"validation_fraction": 0.0, "test_fraction": 0.0}
HOUR_AGO = time.time() - 3_600


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("source") / "photos")


@pytest.fixture(scope="module")
def written(folder, tmp_path_factory):
    """The photos of `folder` as several shards of a split, by format."""
    source, out = open_source(str(folder), **FRACTIONS), tmp_path_factory.mktemp("out")
    return {
        name: write_shards(source, out / name / "set", record_format=name, shard_bytes=9_000)
        for name in FORMATS
        if not (out / name).mkdir()
    }


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_COLORIZE_CACHE", str(tmp_path / "cache"))


def load(spec, split="train", fractions=FRACTIONS, **options):
    return load_split(open_source(str(spec), **fractions), split, **{"image_size": 16, "workers": 2, **options})


def png(seed):
    stream = BytesIO()
    Image.fromarray(colorful_photo(seed, 12, 12)).save(stream, "PNG")
    return stream.getvalue()


def example(**features):
    values = {
        key.replace("__", "/"): tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for key, value in features.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=values)).SerializeToString()


def write_tfrecord(path, records, options=None):
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for record in records:
            writer.write(record)
    return path


def first(batches, count):
    return [batch.numpy() for batch in batches.take(count)]


# The same photos as the folder


@pytest.mark.parametrize("record_format", FORMATS)
@pytest.mark.parametrize("memory", [0, 1 << 20], ids=["streamed", "in memory"])
def test_shards_give_the_batches_of_their_folder(folder, written, record_format, memory):
    pattern = written[record_format].pattern
    assert len(list(Path(pattern).parent.glob("set-train-*-of-0000[2-9].*"))) > 1
    for split in SPLITS:
        ours = load(pattern, split, memory_limit_bytes=memory)
        folders = load(folder, split, memory_limit_bytes=memory)
        assert len(ours) == len(folders) and not ours.left_out
        np.testing.assert_array_equal(
            np.concatenate(first(ours.evaluation_batches(3), -1)),
            np.concatenate(first(folders.evaluation_batches(3), -1)),
        )
        both = (first(photos.training_batches(3, seed=5), 9) for photos in (ours, folders))
        np.testing.assert_array_equal(*both)
        np.testing.assert_array_equal(ours.pick(3), folders.pick(3))


def test_what_was_left_out_is_known(folder, written):
    for result in written.values():
        assert result.left_out == [
            LeftOut("old_grey.png", "grey"),
            LeftOut("torn.jpg", "does not decode (Truncated File Read)"),
        ]
        assert sum(result.photos.values()) == 24 and set(result.photos) == set(SPLITS)
        assert json.loads(result.manifest.read_text())["left_out"]["old_grey.png"] == "grey"


@pytest.mark.parametrize("record_format", FORMATS)
def test_photos_are_copied_byte_for_byte(folder, written, record_format):
    source = open_source(written[record_format].pattern, **NONE)
    assert source.description.startswith(f"{written[record_format].pattern}: ")
    copied = {}
    for split in SPLITS:
        for photo in source.items(split):
            encoded, name = photo.contents()
            assert encoded == photo.file().getvalue()
            copied[name] = encoded
    assert copied == {file.name: file.read_bytes() for file in folder.glob("photo_*.png")}


@pytest.mark.parametrize("record_format", FORMATS)
def test_exact_resume(written, record_format):
    photos = load(written[record_format].pattern, memory_limit_bytes=0)
    steps = photos.steps_per_epoch(4)
    whole = first(photos.training_batches(4, seed=2), 3 * steps)
    again = load(written[record_format].pattern, memory_limit_bytes=0)
    resumed = first(again.training_batches(4, seed=2, start_epoch=1, start_step=2), 2 * steps - 2)
    np.testing.assert_array_equal(whole[steps + 2 :], resumed)


@pytest.mark.parametrize("record_format", FORMATS)
def test_workers_read_parts_of_the_same_batches(written, record_format):
    photos = load(written[record_format].pattern, memory_limit_bytes=0)
    whole = first(photos.training_batches(4, seed=2), 5)
    parts = [first(photos.training_batches(4, seed=2, parts=2, own_parts=range(n, n + 1)), 5) for n in range(2)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


# Splits


def test_splits_in_the_names_of_tfds(tmp_path):
    write_tfrecord(tmp_path / "test_set-train.tfrecord-00000-of-00002", [example(image=png(n)) for n in range(20)])
    write_tfrecord(tmp_path / "test_set-train.tfrecord-00001-of-00002", [example(image=png(n)) for n in range(20, 40)])
    write_tfrecord(tmp_path / "test_set-test.tfrecord-00000-of-00001", [example(image=png(n)) for n in range(40, 45)])
    write_tfrecord(tmp_path / "test_set-unlabelled.tfrecord-00000-of-00002", [example(image=png(50))])
    source = open_source(f"{tmp_path}/test_set-[tu]*", **FRACTIONS)
    names = {split: [photo.name for photo in source.items(split)] for split in SPLITS}
    assert names["test"] == [f"test_set-test.tfrecord-00000-of-00001[{n}]" for n in range(5)]
    every = [f"test_set-train.tfrecord-0000{shard}-of-00002[{n}]" for shard in range(2) for n in range(20)]
    assert names["validation"] == [name for name in every if position(name) < 0.2] != []
    assert names["train"] == [name for name in every if position(name) >= 0.2]
    assert source.notes == [
        "shards of 'test_set-unlabelled.tfrecord' that the pattern does not match: 1 of 2",
        "photos in shards beside those of train left out: 1 (such as test_set-unlabelled.tfrecord-00000-of-00002[0])",
        "no validation split of its own: 20% of the training photos are kept for it",
    ]
    np.testing.assert_array_equal(read_photo(source.items("test")[3].file()), read_photo(BytesIO(png(43))))


def test_shards_without_the_word_of_a_split_are_divided(tmp_path):
    for shard in range(3):
        write_tfrecord(tmp_path / f"{shard}.tfrecord", [example(image__encoded=png(n)) for n in range(20)])
    source = open_source(f"{tmp_path}/*.tfrecord", **FRACTIONS)
    for split, low, high in (("test", 0.0, 0.2), ("validation", 0.2, 0.4), ("train", 0.4, 1.0)):
        positions = [position(photo.name) for photo in source.items(split)]
        assert positions and all(low <= at < high for at in positions)
    assert sum(len(source.items(split)) for split in SPLITS) == 60
    whole = open_source(f"{tmp_path}/1.tfrecord", **NONE)
    assert [photo.name for photo in whole.items("train")] == [f"1.tfrecord[{n}]" for n in range(20)]


def test_a_word_of_a_split_between_underscores(tmp_path):
    for split in ("train", "val"):
        write_tfrecord(tmp_path / f"best_{split}_1.tfrecord", [example(image=png(0))] * 4)
    source = open_source(f"{tmp_path}/best_*", **NONE)
    assert [photo.name for photo in source.items("validation")] == [f"best_val_1.tfrecord[{n}]" for n in range(4)]


def test_protocols_keep_the_order_of_records(written):
    chosen = choose(PROTOCOLS["val5k"], Data(source=written["tfrecord"].pattern))
    names = [photo.name for photo in chosen.photos.items("test")]
    assert names == [photo.name for photo in open_source(written["tfrecord"].pattern, **NONE).items("validation")]
    assert chosen.photos.checked(drop_grey=False) and isinstance(chosen.training.items("test"), Packed)


# Object stores


@pytest.fixture
def remote(written):
    """The shards of TFRecord in TensorFlow's file system in memory, as on an object store; without the manifest."""
    place = "ram://bucket/set"
    tf.io.gfile.makedirs(place)
    for file in Path(written["tfrecord"].pattern).parent.glob("*.tfrecord"):
        tf.io.gfile.copy(str(file), f"{place}/{file.name}", overwrite=True)
    yield place
    tf.io.gfile.rmtree(place)


def test_an_object_store(folder, written, remote, decoded):
    photos = load(f"{remote}/set-*.tfrecord", memory_limit_bytes=0)
    assert len(decoded) == len(photos)
    expected = first(load(folder).training_batches(4, seed=1), 6)
    np.testing.assert_array_equal(first(photos.training_batches(4, seed=1), 6), expected)
    tf.io.gfile.copy(str(written["tfrecord"].manifest), f"{remote}/set.shards.json")
    decoded.clear()
    np.testing.assert_array_equal(first(load(f"{remote}/set-*").training_batches(4, seed=1), 6), expected)
    assert not [name for name in decoded if "set-" in name]


def test_an_object_store_that_fails(remote, monkeypatch):
    photos = load(f"{remote}/*.tfrecord", memory_limit_bytes=0)

    def unavailable(*_):
        raise tf.errors.UnavailableError(None, None, "the bucket does not answer\nsecond line")

    monkeypatch.setattr(tf.io.gfile.GFile, "read", unavailable)
    message = r"set-train-.*\[\d+\]: cannot be read \(the bucket does not answer\) \(it could be read before"
    with pytest.raises(ColorizeError, match=message), reading_errors():
        first(photos.evaluation_batches(4), 1)
    with pytest.raises(ColorizeError, match=r"data 'ram://.*' cannot be read: 'ram://.*' the bucket does not answer$"):
        load(f"{remote}/*.tfrecord")


def test_a_store_that_fails_during_the_scan_stops_it(remote, monkeypatch):
    source = open_source(f"{remote}/*.tfrecord", **NONE)

    def unavailable(*_):
        raise tf.errors.UnavailableError(None, None, "the bucket does not answer")

    monkeypatch.setattr(tf.io.gfile.GFile, "read", unavailable)
    with pytest.raises(OSError, match="the bucket does not answer") as caught:
        load_split(source, "train", image_size=8)
    assert caught.value.errno == errno.EIO


# Scans and what is kept of them


@pytest.mark.parametrize("record_format", FORMATS)
def test_shards_of_others_are_scanned_once(folder, tmp_path, record_format, decoded, own_cache):
    result = write_shards(
        open_source(str(folder), **NONE), tmp_path / "set", record_format=record_format, drop_grey=False
    )
    (shard,) = tmp_path.glob("set/*record")
    os.utime(shard, (HOUR_AGO, HOUR_AGO))
    assert result.left_out == [LeftOut("torn.jpg", "does not decode (Truncated File Read)")]
    first_scan = load(result.pattern, fractions=NONE)
    assert len(decoded) == 25  # the manifest says nothing of grey photos
    assert first_scan.left_out == [LeftOut(f"{shard.name}[0]", "grey")]
    second = load(result.pattern, fractions=NONE)
    assert len(decoded) == 25 and second.left_out == first_scan.left_out and len(second) == 24
    assert len(load(result.pattern, fractions=NONE, drop_grey=False)) == 25
    assert len(decoded) == 25  # of grey photos that may stay, the manifest says enough
    result.manifest.unlink()
    os.utime(shard, (HOUR_AGO + 9, HOUR_AGO + 9))
    assert len(load(result.pattern, fractions=NONE)) == 24
    assert len(decoded) == 50


def test_a_manifest_of_other_shards_is_not_trusted(written, tmp_path, decoded):
    manifest = json.loads(written["tfrecord"].manifest.read_text())
    for file in Path(written["tfrecord"].pattern).parent.glob("*.tfrecord"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    name = next(name for name in manifest["shards"] if "train" in name)
    manifest["shards"][name]["bytes"] += 1
    (tmp_path / "set.shards.json").write_text(json.dumps(manifest))
    photos = load(f"{tmp_path}/*.tfrecord")
    assert len(decoded) == len(photos)
    (tmp_path / "set.shards.json").write_text('{"shards": 3}')
    source = open_source(f"{tmp_path}/*.tfrecord", **NONE)
    assert "set.shards.json is damaged and was left out" in source.notes[0] and not source.checked(drop_grey=True)


def test_the_index_of_a_tfrecord_file_is_kept(tmp_path, own_cache, monkeypatch):
    walks = []
    walk = records._walk
    monkeypatch.setattr(records, "_walk", lambda path, size: walks.append(path) or walk(path, size))
    path = write_tfrecord(tmp_path / "a.tfrecord", [example(image=png(n)) for n in range(5)])
    names = [photo.name for photo in open_source(str(path), **NONE).items("train")]
    assert len(walks) == 1 and not cache_folder().exists()  # it may change again within the clock's resolution
    os.utime(path, (HOUR_AGO, HOUR_AGO))
    for _ in range(2):
        assert [photo.name for photo in open_source(str(path), **NONE).items("train")] == names
    assert len(walks) == 2
    (kept,) = (cache_folder() / "tfrecord").iterdir()
    kept.write_bytes(kept.read_bytes()[:-9])
    assert len(open_source(str(path), **NONE).items("train")) == 5 and len(walks) == 3
    write_tfrecord(path, [example(image=png(n)) for n in range(6)])
    os.utime(path, (HOUR_AGO, HOUR_AGO))
    assert len(open_source(str(path), **NONE).items("train")) == 6 and len(walks) == 4


def test_nothing_is_kept_for_each_photo(tmp_path):
    count = 200_000
    many = [example(image=png(0)), *([b"x"] * (count - 1))]
    path = tmp_path / "many-train.tfrecord"
    path.write_bytes(b"".join(len(record).to_bytes(8, "little") + bytes(4) + record + bytes(4) for record in many))
    lengths = np.array([len(record) for record in many], np.uint64)
    facts = {path.name: ShardFacts(count, path.stat().st_size, lengths)}
    (tmp_path / "many.shards.json").write_text(Manifest(True, facts).to_json())
    del many, facts, lengths
    tf.io.gfile.exists(str(path))
    tracemalloc.start()
    try:
        photos = load_split(open_source(str(path), **NONE), "train", image_size=8, memory_limit_bytes=0)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(photos) == len(photos.names) == count
    assert held < 32 * count  # a path alone takes 100 bytes
    assert isinstance(photos.names, Packed) and isinstance(photos._photos, Packed)
    assert (
        photos.names[count - 1] == f"many-train.tfrecord[{count - 1}]" and photos.names[-1] == photos.names[count - 1]
    )
    assert list(photos.names[5:7]) == ["many-train.tfrecord[5]", "many-train.tfrecord[6]"]


# Mistakes


def test_patterns_that_stand_for_nothing(tmp_path):
    (tmp_path / "notes.md").touch()
    write_tfrecord(tmp_path / "a.tfrecord", [example(image=png(0))])
    (tmp_path / "b.array_record-00000-of-00001").touch()
    for pattern, message in {
        "none-*.tfrecord": r"none-\*.tfrecord' matches no files",
        "none.arrayrecord": "matches no files",
        "*.md": r"matches no shards, but files such as '.*notes.md'",
        "[ab].*": r"matches shards of two formats, such as '.*a.tfrecord' and '.*b.array_record-",
        "b.*": "is cut off, or is no ArrayRecord file",
    }.items():
        with pytest.raises(ColorizeError, match=message) as caught:
            open_source(f"{tmp_path}/{pattern}", **NONE)
        assert "\n" not in str(caught.value)
    (tmp_path / "shards").mkdir()
    write_tfrecord(tmp_path / "shards" / "c.tfrecord", [])
    with pytest.raises(
        ColorizeError, match=r"no photos in folder '.*', but shards; .* such as '.*/shards/\*\.tfrecord'"
    ):
        open_source(f"{tmp_path}/shards", **NONE)
    with pytest.raises(ColorizeError, match=r"data 'nowhere://b/a-\*.tfrecord' cannot be read: .*'nowhere' not impl"):
        open_source("nowhere://b/a-*.tfrecord", **NONE)
    with pytest.raises(ColorizeError, match="ArrayRecord is read from local disks only"):
        tf.io.gfile.makedirs("ram://bucket")
        with tf.io.gfile.GFile("ram://bucket/a.arrayrecord", "w") as stream:
            stream.write("x")
        open_source("ram://bucket/a.arrayrecord", **NONE)


@pytest.mark.parametrize("record_format", FORMATS)
def test_shards_without_records(tmp_path, record_format):
    if record_format == "arrayrecord":
        from array_record.python.array_record_module import ArrayRecordWriter

        ArrayRecordWriter(str(tmp_path / "a.arrayrecord"), "group_size:1").close()
    else:
        write_tfrecord(tmp_path / "a.tfrecord", [])
    with pytest.raises(ColorizeError, match=r"there are no records in 1 shard$"):
        open_source(f"{tmp_path}/a.*", **NONE)


def test_records_without_a_photo(tmp_path):
    whole = example(image__encoded=png(1))
    for number, (record, message) in enumerate(
        [
            (
                example(label=b"3", text=b"a"),
                r"\[0\]: has no photo under 'image/encoded' or 'image' \(it has: label, text",
            ),
            (b"\xffno example", r"\[0\]: is no tf.train.Example"),
            (b"", r"\[0\]: has no photo under .* \(it is empty\)"),
        ]
    ):
        with pytest.raises(ColorizeError, match=message):
            open_source(str(write_tfrecord(tmp_path / f"{number}.tfrecord", [record, whole])), **NONE)
        photos = load(write_tfrecord(tmp_path / f"{number}.tfrecord", [whole, record]), fractions=NONE)
        assert len(photos) == 1 and photos.left_out[0].name == f"{number}.tfrecord[1]"


def test_damaged_tfrecord_files(tmp_path):
    path = write_tfrecord(tmp_path / "a.tfrecord", [example(image=png(n)) for n in range(5)])
    whole = path.read_bytes()
    for content, message in {
        whole[:-1]: r"a.tfrecord' is cut off after 4 whole records; write it again",
        whole[:40]: "is no TFRecord file, or is cut off within its first record",
        b"no records at all" * 9: "is no TFRecord file",
    }.items():
        path.write_bytes(content)
        with pytest.raises(ColorizeError, match=message):
            open_source(str(path), **NONE)
    write_tfrecord(path, [whole] * 3, tf.io.TFRecordOptions(compression_type="GZIP"))
    with pytest.raises(ColorizeError, match="is compressed; write it again without compression"):
        open_source(str(path), **NONE)


@pytest.mark.parametrize("record_format", FORMATS)
def test_a_shard_that_breaks_after_it_was_opened(folder, tmp_path, record_format):
    result = write_shards(open_source(str(folder), **NONE), tmp_path / "set", record_format=record_format)
    photos = load(result.pattern, fractions=NONE, memory_limit_bytes=0)
    (shard,) = tmp_path.glob("set/*record")
    os.truncate(shard, 100)
    with (
        pytest.raises(ColorizeError, match=r"record\[\d+\]: .*\(it could be read before training began\)$"),
        reading_errors(),
    ):
        first(photos.evaluation_batches(4), 6)


# Writing


def test_parts_and_records_of_one_pass(tmp_path):
    """Parts of photos become photos of their own; records that come once are written as they come."""
    half = np.concatenate([colorful_photo(1, 20, 20), np.full((20, 20, 3), 128, np.uint8)], axis=1)
    Image.fromarray(half).save(tmp_path / "half.png")
    parts = [Photo(tmp_path / "half.png", f"half.png {n}", (0.0, n / 2, 1.0, n / 2 + 0.5)) for n in range(2)]
    splits = {"train": parts, "validation": [], "test": []}

    class Stream(Source):
        reopens = False

        def open(self, split, photos):
            for photo in photos:
                yield photo, BytesIO(png(7))

    result = write_shards(Source("parts", splits), tmp_path / "parts")
    assert result.photos == {"train": 1} and result.left_out == [LeftOut("half.png 1", "grey")]
    (photo,) = open_source(result.pattern, **NONE).items("train")
    np.testing.assert_array_equal(read_photo(photo.file()), colorful_photo(1, 20, 20))
    streamed = Stream("stream", {"train": [], "validation": [], "test": [Photo(None, "a"), Photo(None, "b")]})
    result = write_shards(streamed, tmp_path / "stream", shard_bytes=1)
    assert sorted(result.shards) == [f"stream-test-0000{n}-of-00002.tfrecord" for n in range(2)]
    assert [photo.contents() for photo in open_source(result.pattern, **NONE).items("test")] == [
        (png(7), "a"),
        (png(7), "b"),
    ]


def test_shards_of_shards_keep_the_names_of_files(written, tmp_path):
    source = open_source(written["tfrecord"].pattern, **NONE)
    result = write_shards(source, tmp_path / "again", record_format="arrayrecord")
    assert result.photos == written["tfrecord"].photos
    again = open_source(result.pattern, **NONE)
    for split in SPLITS:
        assert [photo.contents() for photo in again.items(split)] == [photo.contents() for photo in source.items(split)]


def test_shards_are_written_whole_or_not_at_all(folder, tmp_path, monkeypatch):
    source = open_source(str(folder), **NONE)

    def interrupt(record, name):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shard_files, "make_example", interrupt)
        write_shards(source, tmp_path / "set")
    assert not list(tmp_path.iterdir())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").touch()
    for out, message in {
        tmp_path / "full": "`out` is .*full, which exists: choose a new folder",
        tmp_path / "full" / "letter.txt": "which exists",
        "gs://bucket/set": "expected a local folder; copy its files",
    }.items():
        with pytest.raises(ColorizeError, match=message):
            write_shards(source, out)
    monkeypatch.setattr(shard_files.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 5}))
    with pytest.raises(ColorizeError, match=r"the photos take 0\.0 GB, and 0\.0 GB are free in .*: free some space"):
        write_shards(source, tmp_path / "set")


def test_a_full_disk_is_told(tmp_path, folder, monkeypatch):
    class FullDisk:
        def write(self, record):
            raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.io, "TFRecordWriter", lambda path: FullDisk())
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_shards(open_source(str(folder), **NONE), tmp_path / "set")
    assert caught.value.errno == errno.ENOSPC and not (tmp_path / "set").exists()


def test_a_source_without_usable_photos(tmp_path):
    Image.new("RGB", (8, 8), (9, 9, 9)).save(tmp_path / "grey.png")
    with pytest.raises(ColorizeError, match=r"none of the 1 photos can be used; grey.png: grey"):
        write_shards(open_source(str(tmp_path), **NONE), tmp_path / "set")


def test_examples_are_those_of_tensorflow():
    record = make_example(b"photo", "a/b.jpg")
    features = tf.io.parse_single_example(
        record, {key: tf.io.FixedLenFeature([], tf.string) for key in ("image/encoded", "image/filename")}
    )
    assert features["image/encoded"] == b"photo" and features["image/filename"] == b"a/b.jpg"
    assert read_example(record, "x") == (b"photo", "a/b.jpg")


@pytest.mark.parametrize("record_format", FORMATS)
def test_the_command(folder, tmp_path, capsys, record_format):
    out = tmp_path / "small"
    arguments = ["shard", str(folder), "--out", str(out), "--format", record_format, "--shard-mb", "0.009"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "left out: old_grey.png: grey" in said and "left out: 1 grey, 1 did not decode" in said
    assert f"train on them with --data '{out}/small-*.{record_format}'" in said
    expected = {
        split: len(load(folder, split, {"validation_fraction": 0.05, "test_fraction": 0.05})) for split in SPLITS
    }
    source = open_source(f"{out}/small-*.{record_format}", **NONE)
    assert {split: len(source.items(split)) for split in SPLITS} == expected
    assert main(arguments) == 2
    assert f"--out is {out}, which exists: choose a new folder" in capsys.readouterr().err
    assert main([*arguments, "--shard-mb", "0"]) == 2
    assert "--shard-mb is 0: expected more than 0" in capsys.readouterr().err


def test_the_command_names_ten_photos_that_are_left_out_and_counts_the_rest(tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    for number in range(3):
        Image.fromarray(colorful_photo(number)).save(tmp_path / "photos" / f"colour {number}.png")
    for number in range(13):
        Image.fromarray(colorful_photo(number)).convert("L").save(tmp_path / "photos" / f"grey {number:02d}.png")
    (tmp_path / "photos" / "notes.txt").write_text("no photo")
    assert main(["shard", str(tmp_path / "photos"), "--out", str(tmp_path / "shards")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "note: files that are no photos ignored: 1 (1 .txt)" in lines
    left_out = [line.removeprefix("left out: ") for line in lines if line.startswith("left out: ")]
    assert len(left_out) == 11 and {line.partition(": ")[2] for line in left_out[:10]} == {"grey"}
    assert left_out[10].startswith("3 more, which ") and Path(left_out[10].split()[-2]).is_file()
    assert lines[-2].startswith("3 photos (train ") and lines[-2].endswith("; left out: 13 grey")
