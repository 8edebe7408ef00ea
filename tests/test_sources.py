"""Sources: the photos that each finds, those that it leaves out, and splits that do not change."""

import functools
import hashlib
import itertools
import os
import subprocess
import sys
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from keras_colorize.data import SPLITS, TfdsSource, open_source, position
from keras_colorize.errors import ColorizeError
from keras_colorize.images import read_photo

FRACTIONS = {"validation_fraction": 0.1, "test_fraction": 0.1}


def make(root, *names):
    """Empty files: sources do not open what they list."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return str(root)


def many(count, folder=""):
    return [f"{folder}{n:04d}.jpg" for n in range(count)]


def names(source):
    return {split: [photo.name for photo in source.items(split)] for split in SPLITS}


def test_import_loads_no_tensorflow():
    code = "import sys, keras_colorize.data; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# The sample


@pytest.fixture(scope="module")
def sample():
    return open_source("sample", validation_fraction=0.5, test_fraction=0.3)


def test_sample_tiles(sample):
    assert sample.description == "sample: 9 photos packaged with scikit-image"
    counts = {split: len(sample.items(split)) for split in SPLITS}
    assert counts["train"] >= 250
    assert sample.notes == [
        f"sample tiles: train {counts['train']} of 6 photos, validation {counts['validation']} of 1 photos,"
        f" test {counts['test']} of 2 photos"
    ]
    files = [{photo.path for photo in sample.items(split)} for split in SPLITS]
    assert len(set.union(*files)) == sum(map(len, files)) == 9  # no photo in two splits
    every = [photo.name for split in SPLITS for photo in sample.items(split)]
    assert len(set(every)) == len(every)


def test_sample_tiles_are_square_and_cover_the_photo(sample):
    photos = [photo for photo in sample.items("test") if photo.path.name == "chelsea.png"]
    with Image.open(photos[0].path) as image:
        width, height = image.size
    covered = {}
    for photo in photos:
        top, left, bottom, right = photo.box
        assert (bottom - top) * height == pytest.approx((right - left) * width)
        assert 0 <= top < bottom <= 1 + 1e-9 and 0 <= left < right <= 1 + 1e-9
        scale = covered.setdefault(round(bottom - top, 6), np.zeros((height, width), bool))
        scale[round(top * height) : round(bottom * height), round(left * width) : round(right * width)] = True
    assert sorted(covered) == [0.4, 0.6, 1.0]
    assert all(scale.all() for scale in covered.values())


# Folders


def test_folder_is_searched_and_the_rest_counted(tmp_path):
    photos = ["a.jpg", "deep/er/B.JPEG", "deep/c.Png", "ä/d.webp", "e.tif", "f.pgm"]
    root = make(tmp_path / "set", *photos, "notes.txt", "deep/labels.csv", "x.cr2", "y.cr2", "README")
    make(tmp_path / "set", ".hidden.jpg", ".thumbs/t.jpg", "__MACOSX/._a.jpg")
    source = open_source(root, validation_fraction=0, test_fraction=0)
    assert [photo.name for photo in source.items("train")] == sorted(photos)
    assert source.description == "set: 6 photos (train 6, validation 0, test 0)"
    assert len(source.notes) == 1
    assert source.notes[0].startswith("files that are no photos ignored: 5 (2 .cr2, ")
    assert all(photo.path.is_file() for photo in source.items("train"))


def test_links(tmp_path):
    root = tmp_path / "set"
    make(tmp_path, "set/a/1.jpg", "elsewhere/2.jpg")
    (root / "a" / "loop").symlink_to(root)
    (root / "outside").symlink_to(tmp_path / "elsewhere")
    (root / "outside_again").symlink_to(tmp_path / "elsewhere")
    (root / "self").symlink_to(root / "self")
    (root / "dangling.jpg").symlink_to(root / "nothing")
    source = open_source(str(root), validation_fraction=0, test_fraction=0)
    assert [photo.name for photo in source.items("train")] == ["a/1.jpg", "outside/2.jpg"]
    assert sum("searched already" in note for note in source.notes) == 2


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_folder_that_may_not_be_searched(tmp_path):
    root = make(tmp_path, "a/1.jpg", "locked/2.jpg")
    (tmp_path / "locked").chmod(0)
    try:
        source = open_source(root, validation_fraction=0, test_fraction=0)
    finally:
        (tmp_path / "locked").chmod(0o700)
    assert [photo.name for photo in source.items("train")] == ["a/1.jpg"]
    assert "cannot be searched" in source.notes[0]


def test_a_folder_that_the_system_does_not_list_is_noted(tmp_path, monkeypatch):
    root = make(tmp_path, "a/1.jpg", "locked/2.jpg")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    source = open_source(root, validation_fraction=0, test_fraction=0)
    assert [photo.name for photo in source.items("train")] == ["a/1.jpg"]
    assert source.notes[0] == f"{tmp_path / 'locked'} cannot be searched (Permission denied): left out"


def test_the_sample_needs_a_scikit_image_that_packages_it(monkeypatch, tmp_path):
    from keras_colorize.data import sample

    for spec, message in {
        None: "needs scikit-image, which packages the photos: pip install scikit-image",
        tmp_path / "__init__.py": "this scikit-image packages no .*; update it",
    }.items():
        found = spec and SimpleNamespace(origin=str(spec))
        monkeypatch.setattr(sample.importlib.util, "find_spec", lambda name, found=found: found)
        with pytest.raises(ColorizeError, match=message):
            open_source("sample", **FRACTIONS)


@pytest.mark.parametrize(("color", "gray"), [("color", "gray"), ("Colour", "Grey")])
def test_gray_beside_color_is_left_out(tmp_path, color, gray):
    root = make(tmp_path, *many(30, f"land/{color}/"), *many(31, f"land/{gray}/"), "other/gray/1.jpg")
    source = open_source(root, **FRACTIONS)
    every = [*itertools.chain(*names(source).values())]
    assert len(every) == 31 and "other/gray/1.jpg" in every  # a grey/ on its own stays
    assert f"{gray}/ beside {color}/ left out: 31 files" in source.notes


def test_names_that_are_no_utf8(tmp_path):
    make(tmp_path, "a.jpg")
    with open(os.fsencode(tmp_path) + b"/caf\xe9.jpg", "wb"):
        pass
    source = open_source(str(tmp_path), validation_fraction=0, test_fraction=0)
    assert [photo.name for photo in source.items("train")] == ["a.jpg", "caf?.jpg"]
    assert source.items("train")[1].path.is_file()


def test_folder_without_photos(tmp_path):
    with pytest.raises(ColorizeError, match=r"no photos in folder .*looked for \.apng .* \.webp; other files: 1\)"):
        open_source(make(tmp_path, "a.txt"), **FRACTIONS)


# Splits


def test_position_is_the_documented_one():
    digest = hashlib.sha256("sea/é.jpg".encode()).hexdigest()
    assert position("sea/é.jpg") == position("sea/e\u0301.jpg") == int(digest[:16], 16) / 2**64


def test_hash_split_has_the_sizes_and_stays(tmp_path):
    root = make(tmp_path, *many(2000))
    before = names(open_source(root, **FRACTIONS))
    assert {split: len(before[split]) for split in SPLITS} == pytest.approx(
        {"train": 1600, "validation": 200, "test": 200}, abs=60
    )
    assert all(position(name) < 0.1 for name in before["test"])
    assert all(0.1 <= position(name) < 0.2 for name in before["validation"])
    make(tmp_path, *many(500, "new/"))
    after = names(open_source(root, **FRACTIONS))
    for split in SPLITS:
        assert [name for name in after[split] if not name.startswith("new/")] == before[split]


def test_fractions_of_zero(tmp_path):
    found = names(open_source(make(tmp_path, *many(50)), validation_fraction=0.2, test_fraction=0))
    assert len(found["test"]) == 0 and 3 < len(found["validation"]) < 20


@pytest.mark.parametrize("count", [3, 4, 5, 8])
def test_few_photos_still_make_three_splits(tmp_path, count):
    source = open_source(make(tmp_path, *many(count)), validation_fraction=0.01, test_fraction=0.01)
    found = names(source)
    ranked = sorted(itertools.chain(*found.values()), key=position)
    assert found["test"] == ranked[:1] and found["validation"] == ranked[1:2]
    assert found["train"] == sorted(ranked[2:])
    assert "validation and test would be empty" in source.notes[0]


def test_few_photos_and_large_fractions_leave_some_to_train(tmp_path):
    found = names(open_source(make(tmp_path, *many(3)), validation_fraction=0.45, test_fraction=0.45))
    assert [len(found[split]) for split in SPLITS] == [1, 1, 1]
    two = names(open_source(make(tmp_path / "two", *many(2)), validation_fraction=0.01, test_fraction=0.01))
    assert [len(two[split]) for split in SPLITS] == [2, 0, 0]


def test_split_folders_are_respected(tmp_path):
    root = make(tmp_path, *many(30, "Train/x/"), *many(5, "valid/"), *many(4, "test/"), *many(2, "predict/"), "top.jpg")
    source = open_source(root, **FRACTIONS)
    found = names(source)
    assert [len(found[split]) for split in SPLITS] == [30, 5, 4]
    assert {name.split("/")[0] for name in found["validation"]} == {"valid"}
    assert source.notes == ["photos beside train/ left out: 3 (such as predict/0000.jpg)"]


def test_missing_splits_are_carved_from_train(tmp_path):
    root = make(tmp_path / "a", *many(300, "train/"), *many(4, "test/"))
    source = open_source(root, **FRACTIONS)
    found = names(source)
    assert len(found["test"]) == 4 and 15 < len(found["validation"]) < 50
    assert len(found["train"]) + len(found["validation"]) == 300
    assert source.notes == ["no validation split of its own: 10% of the training photos are kept for it"]
    both = names(open_source(make(tmp_path / "b", *many(300, "train/")), **FRACTIONS))
    assert min(len(both[split]) for split in SPLITS) > 15
    only_val = names(open_source(make(tmp_path / "c", *many(300, "train/"), *many(3, "val/")), **FRACTIONS))
    assert len(only_val["validation"]) == 3 and 15 < len(only_val["test"]) < 50


def test_data_sets_side_by_side(tmp_path):
    root = make(
        tmp_path / "a",
        *many(30, "sea/train/"),
        *many(3, "sea/test/"),
        *many(20, "town/train/x/"),
        *many(2, "town/test/"),
    )
    source = open_source(root, **FRACTIONS)
    found = names(source)
    assert len(found["test"]) == 5 and len(found["train"]) + len(found["validation"]) == 50
    assert source.notes[0] == "2 data sets side by side: sea, town"
    # A folder that is no data set: then `train` is a subject like any other.
    mixed = names(open_source(make(tmp_path / "b", *many(30, "trips/train/"), *many(30, "trips/car/")), **FRACTIONS))
    assert any("/car/" in name for name in mixed["train"]) and any("/train/" in name for name in mixed["train"])


def test_test_folder_without_train_folder(tmp_path):
    found = names(open_source(make(tmp_path / "a", *many(40, "sea/"), *many(4, "test/")), **FRACTIONS))
    assert len(found["test"]) == 4 and all(name.startswith("sea/") for name in found["train"] + found["validation"])
    alone = open_source(make(tmp_path / "b", *many(4, "test/")), **FRACTIONS)
    assert [len(alone.items(split)) for split in SPLITS] == [0, 0, 4] and alone.notes == []


# List files


def test_list_file(tmp_path):
    make(tmp_path, "photos/a b.jpg", "photos/c#1.png", "odd.raw")
    listing = tmp_path / "some.txt"
    listing.write_text(
        f"\ufeff# the good ones\nphotos/a b.jpg\n\n  photos/c#1.png  \n./photos/a b.jpg\n{tmp_path}/odd.raw\n", "utf-8"
    )
    source = open_source(str(listing), validation_fraction=0, test_fraction=0)
    assert [photo.name for photo in source.items("train")] == [
        "photos/a b.jpg",
        "photos/c#1.png",
        f"{tmp_path}/odd.raw",
    ]
    assert [photo.path.is_file() for photo in source.items("train")] == [True] * 3
    assert source.description == "some.txt: 3 photos (train 3, validation 0, test 0)"
    assert source.notes == ["lines that repeat a photo ignored: 1"]


def test_csv_takes_the_first_column(tmp_path):
    make(tmp_path, "a.jpg", "b, c.jpg")
    listing = tmp_path / "some.csv"
    listing.write_text('path,label\na.jpg,1\n"b, c.jpg",2\n')
    source = open_source(str(listing), validation_fraction=0, test_fraction=0)
    assert [photo.name for photo in source.items("train")] == ["a.jpg", "b, c.jpg"]


def test_list_and_folder_split_alike(tmp_path):
    root = make(tmp_path, *many(200, "x/"))
    listing = tmp_path / "all.txt"
    listing.write_text("\n".join(many(200, "x/")))
    assert names(open_source(str(listing), **FRACTIONS)) == names(open_source(root, **FRACTIONS))


def test_list_errors(tmp_path):
    listing = tmp_path / "some.txt"
    make(tmp_path, "a.jpg")
    listing.write_text("a.jpg\nb.jpg\n# no\nc.jpg\n")
    with pytest.raises(ColorizeError, match=r"names 2 of 3 files that do not exist, first line 2: 'b.jpg'"):
        open_source(str(listing), **FRACTIONS)
    listing.write_text("# nothing\n")
    with pytest.raises(ColorizeError, match="names no photos"):
        open_source(str(listing), **FRACTIONS)
    listing.write_bytes(b"caf\xe9.jpg")
    with pytest.raises(ColorizeError, match=r"is not UTF-8 text \(byte 3\)"):
        open_source(str(listing), **FRACTIONS)


# Errors


def test_what_is_no_source(tmp_path):
    make(tmp_path, "landscapes/a.jpg", "one.jpg")
    for spec, message in {
        f"{tmp_path}/landscape": "no data at .*landscape'; did you mean 'landscapes'",
        "sampel": "no data at 'sampel'; did you mean 'sample'",
        f"{tmp_path}/gone/deep": "no data at .*a folder, a list file, a pattern of shards, 'tfds:NAME', or 'sample'",
        f"{tmp_path}/one.jpg": r"one.jpg' is a single file; expected a folder of photos, a list .*\(.txt or .csv\)",
    }.items():
        with pytest.raises(ColorizeError, match=message):
            open_source(spec, **FRACTIONS)
    with pytest.raises(ColorizeError, match="unknown split 'val'"):
        open_source("sample", **FRACTIONS).items("val")


@pytest.mark.parametrize(
    ("validation", "test", "message"),
    [(-0.1, 0.1, "validation_fraction is -0.1"), (0.1, 1, "test_fraction is 1"), (0.5, 0.5, "leave nothing to train")],
)
def test_impossible_fractions(validation, test, message):
    with pytest.raises(ColorizeError, match=message):
        open_source("sample", validation_fraction=validation, test_fraction=test)


# TensorFlow Datasets


@pytest.fixture(scope="module")
def tfds(tmp_path_factory):
    """TensorFlow Datasets with two data sets prepared in a temporary folder: 120 + 5 photos, and one without photos."""
    tfds = pytest.importorskip("tensorflow_datasets")
    pytest.importorskip("importlib_resources")  # which it needs and does not install

    class TinyPhotos(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {
                "image": tfds.features.Image(shape=(None, None, 3)),
                "label": tfds.features.ClassLabel(num_classes=2),
            }
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples(120, 0), "test": self._generate_examples(5, 200)}

        def _generate_examples(self, count, first):
            for n in range(count):
                yield n, {"image": np.full((8, 12, 3), (first + n, 0, 99), np.uint8), "label": n % 2}

    class TinyNumbers(TinyPhotos):
        def _info(self):
            features = {"number": np.int64, "words": tfds.features.Text()}
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    tfds.disable_progress_bar()
    builder = functools.partial(tfds.builder, data_dir=tmp_path_factory.mktemp("tfds"))
    builder("tiny_photos").download_and_prepare()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfds, "builder", builder)
        yield tfds


def test_tfds_names_are_tfds_ids(tfds):
    source = open_source("tfds:tiny_photos", validation_fraction=0, test_fraction=0)
    config = tfds.ReadConfig(add_tfds_id=True)
    records = tfds.builder("tiny_photos").as_dataset(split="train", read_config=config).as_numpy_iterator()
    assert [photo.name for photo in source.items("train")] == [record["tfds_id"].decode() for record in records]


def test_tfds_splits(tfds):
    source = open_source("tfds:tiny_photos:1.0.0", **FRACTIONS)
    found = {split: source.items(split) for split in SPLITS}
    assert len(found["test"]) == 5  # its own
    assert len(found["train"]) + len(found["validation"]) == 120 and 4 <= len(found["validation"]) <= 25
    assert all(0 <= position(photo.name) < 0.1 for photo in found["validation"])
    assert source.description.startswith("tfds:tiny_photos/1.0.0: 125 photos (train ")
    assert source.notes == ["no validation split of its own: 10% of the training photos are kept for it"]


def test_tfds_reads_what_is_asked_for_in_order(tfds):
    source = open_source("tfds:tiny_photos", **FRACTIONS)
    assert isinstance(source, TfdsSource) and not source.reopens
    reds = set()
    for split in SPLITS:
        asked = source.items(split)[::2]
        read = [(photo, read_photo(file)) for photo, file in source.open(split, asked)]
        assert [photo for photo, _ in read] == asked
        assert all(rgb_u8.shape == (8, 12, 3) and rgb_u8[3, 3, 2] == 99 for _, rgb_u8 in read)
        reds |= {int(rgb_u8[0, 0, 0]) for _, rgb_u8 in read}
    assert len(reds) == sum(-(-len(source.items(split)) // 2) for split in SPLITS)  # no record twice
    assert list(source.open("train", [])) == []


def test_tfds_errors(tfds, monkeypatch):
    for spec, message in {
        "tfds:oxford_flowers10": "has no 'oxford_flowers10'; did you mean 'oxford_flowers102'",
        "tfds:coco/1066": "data 'tfds:coco/1066': .*not found",
        "tfds:": "data 'tfds:': Parsing builder name string",
        "tfds:tiny_numbers": r"has no feature 'image' that holds photos \(its features: number, words\)",
    }.items():
        with pytest.raises(ColorizeError, match=message) as error:
            open_source(spec, **FRACTIONS)
        assert "\n" not in str(error.value)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ColorizeError, match=r"needs TensorFlow Datasets: pip install tensorflow-datasets$"):
        open_source("tfds:coco", **FRACTIONS)


def test_tfds_that_cannot_be_prepared(tfds, monkeypatch):
    for error, message in (
        (ConnectionError("\n  no route to host\nmore lines"), "no route to host"),
        (ModuleNotFoundError("No module named 'cv2'", name="cv2"), "needs the package 'cv2': pip install cv2"),
    ):
        monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", Mock(side_effect=error))
        with pytest.raises(ColorizeError, match=f"'tfds:tiny_photos' could not be prepared: {message}$"):
            open_source("tfds:tiny_photos", **FRACTIONS)


def test_tfds_without_network_says_so_soon_and_once(tfds, monkeypatch, capfd):
    import socket

    def unreachable(address, timeout):
        assert address == ("www.robots.ox.ac.uk", 443) and timeout <= 10
        raise OSError(113, "No route to host")

    monkeypatch.setattr("keras_colorize.data.tfds.getproxies", dict)
    monkeypatch.setattr(socket, "create_connection", unreachable)
    message = r"'tfds:oxford_flowers102' must be downloaded once, and www\.robots\.ox\.ac\.uk cannot be reached"
    with pytest.raises(ColorizeError, match=message):
        open_source("tfds:oxford_flowers102", **FRACTIONS)
    assert capfd.readouterr().err == ""


def test_tfds_downloads_give_up_after_a_few_retries():
    downloader = pytest.importorskip("tensorflow_datasets.core.download.downloader")
    from keras_colorize.data.tfds import RETRIES, _few_retries

    before = downloader.MAX_RETRIES
    with _few_retries():
        assert downloader.MAX_RETRIES == RETRIES < before
    assert before == downloader.MAX_RETRIES
