"""The cache of scans: known photos are not decoded again, changed ones are, and a broken cache does no harm."""

import os
import sqlite3
import time

import numpy as np
import pytest
from PIL import Image

from keras_colorize.data import open_source
from keras_colorize.data.scan import load_split
from keras_colorize.data.scan_cache import Finding, ScanCache
from keras_colorize.files import cache_folder
from tests.conftest import colorful_photo

HOUR_AGO = time.time() - 3_600


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """An empty cache folder for each test."""
    monkeypatch.setenv("KERAS_COLORIZE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def settled(photo_folder):
    """Photos that were written an hour ago."""
    for file in photo_folder.iterdir():
        os.utime(file, (HOUR_AGO, HOUR_AGO))
    return photo_folder


def load(folder, **options):
    source = open_source(str(folder), validation_fraction=0, test_fraction=0)
    return load_split(source, "train", **{"image_size": 8, **options})


def write(file, photo, modified=HOUR_AGO):
    Image.fromarray(photo).save(file)
    os.utime(file, (modified, modified))


@pytest.mark.parametrize("memory", [0, 1 << 20], ids=["streamed", "in memory"])
def test_a_second_scan_decodes_nothing_and_finds_the_same(settled, decoded, memory):
    first = load(settled, memory_limit_bytes=memory)
    assert len(decoded) == 26
    second = load(settled, memory_limit_bytes=memory)
    assert len(decoded) == 26
    assert (second.names, second.left_out, second.remarks) == (first.names, first.left_out, first.remarks)
    assert {out.name: out.reason for out in second.left_out}["old_grey.png"] == "grey"
    for one, other in zip(first.evaluation_batches(5), second.evaluation_batches(5), strict=True):
        np.testing.assert_array_equal(one, other)


def test_pixels_stay_in_memory_from_their_first_use(settled):
    load(settled)
    photos = load(settled)
    assert not photos.summary.startswith("0")
    before = np.concatenate([batch.numpy() for batch in photos.evaluation_batches(4)])
    for file in settled.iterdir():
        file.unlink()
    after = np.concatenate([batch.numpy() for batch in photos.evaluation_batches(4)])
    np.testing.assert_array_equal(before, after)
    assert len(photos.pick(3)) == 3


def test_training_batches_do_not_depend_on_the_cache(settled):
    one, other = (iter(load(settled).training_batches(6, seed=3)) for _ in range(2))
    for _ in range(12):  # three passes
        np.testing.assert_array_equal(next(one), next(other))


def test_a_changed_photo_is_decoded_again(settled, decoded):
    load(settled)
    decoded.clear()
    write(settled / "photo_03.png", np.repeat(colorful_photo(3)[..., :1], 3, axis=2))
    write(settled / "photo_04.png", colorful_photo(4), modified=HOUR_AGO + 60)
    photos = load(settled)
    assert sorted(decoded) == ["photo_03.png", "photo_04.png"]
    assert "photo_03.png" in {out.name for out in photos.left_out}
    assert "photo_04.png" in photos.names


@pytest.mark.parametrize("options", [{"image_size": 9}, {"resize": "squash"}, {"drop_grey": False}])
def test_other_settings_are_another_question(settled, decoded, options):
    load(settled)
    decoded.clear()
    photos = load(settled, **options)
    assert len(decoded) == 26
    assert ("old_grey.png" in photos.names) == (options == {"drop_grey": False})


def test_a_file_that_has_just_changed_is_not_trusted(photo_folder, decoded):
    load(photo_folder)
    load(photo_folder)
    assert len(decoded) == 52


def test_parts_of_a_photo_are_told_apart(tmp_path, decoded):
    from keras_colorize.data import Photo, Source

    half = np.concatenate([colorful_photo(1, 20, 20), np.full((20, 20, 3), 128, np.uint8)], axis=1)
    write(tmp_path / "half.png", half)
    boxes = [(0.0, 0.0, 1.0, 0.5), (0.0, 0.5, 1.0, 1.0)]
    parts = [Photo(tmp_path / "half.png", f"half.png {box}", box) for box in boxes]
    for _ in range(2):
        photos = load_split(Source("parts", {"train": parts, "validation": [], "test": []}), "train", image_size=8)
        assert [out.reason for out in photos.left_out] == ["grey"]
        assert photos.names == [parts[0].name]
    assert len(decoded) == 2


def test_an_interrupted_scan_keeps_what_it_found(settled, decoded):
    def interrupt(done, total):
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(settled, progress=interrupt, workers=1)
    found = len(decoded)
    load(settled)
    assert len(decoded) == 26 + found - 10


def test_a_damaged_cache_is_made_anew(settled, decoded):
    cache_folder().mkdir()
    file = cache_folder() / "scan.sqlite"
    file.write_bytes(b"this is no database" * 100)
    assert len(load(settled)) == 24
    assert len(load(settled)) == 24
    assert len(decoded) == 26
    with sqlite3.connect(file) as database:
        assert database.execute("SELECT count(*) FROM findings").fetchone() == (26,)


def test_without_a_place_for_the_cache_every_photo_is_decoded(settled, decoded, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("KERAS_COLORIZE_CACHE", str(tmp_path / "file"))
    assert len(load(settled)) == len(load(settled)) == 24
    assert len(decoded) == 52


def test_a_cache_that_breaks_while_it_is_used_is_done_without(settled, decoded):
    (photo, *_) = open_source(str(settled), validation_fraction=0, test_fraction=0).items("train")
    with ScanCache(32, "crop", True) as cache:
        version, finding = cache.find(photo)
        assert version is not None and finding is None
        with sqlite3.connect(cache_folder() / "scan.sqlite") as other:
            other.execute("DROP TABLE findings")
        cache.add(photo, version, Finding("grey"))
        assert cache.find(photo) == (version, None)
        cache.add(photo, version, Finding("grey"))
    assert len(load(settled)) == 24


def test_a_cache_that_another_process_holds_is_done_without(settled, decoded, monkeypatch):
    monkeypatch.setattr("keras_colorize.data.scan_cache._BUSY_SECONDS", 0.1)
    load(settled)
    with sqlite3.connect(cache_folder() / "scan.sqlite", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert len(load(settled)) == 24
    assert len(decoded) == 52
