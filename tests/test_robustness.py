"""Damaged photos: a sample of what `benchmarks/robustness.py` does ten thousand times, and that it would notice."""

import contextlib
import csv
import io
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import robustness
from benchmarks.checking import Checker, Findings
from benchmarks.mutants import MUTATIONS, SOUND, TRUNCATED, Mutant, mutant, size_fields
from benchmarks.specimens import make_photos
from keras_colorize.batch import folder
from keras_colorize.batch.folder import colorize_folder
from keras_colorize.data import open_source
from keras_colorize.data.scan import load_split
from keras_colorize.errors import ColorizeError
from keras_colorize.images import pixels, read_photo, read_pictures

PHOTOS = make_photos()
MAX_PIXELS = 4_000_000
SEED = 2


def written(folder: Path, mutants: list[Mutant]) -> Path:
    folder.mkdir()
    for one in mutants:
        (folder / one.name).write_bytes(one.content)
    return folder


@pytest.fixture(scope="module")
def checker():
    return Checker(PHOTOS, MAX_PIXELS)


def test_mutants_are_a_pure_function_of_seed_and_number():
    assert mutant(5, 1, PHOTOS) == mutant(5, 1, make_photos())
    some = [mutant(number, SEED, PHOTOS) for number in range(1000)]
    assert {one.mutation for one in some} == set(MUTATIONS)
    assert {one.photo for one in some} == {photo.name for photo in PHOTOS}
    contents = {photo.name: photo.content for photo in PHOTOS}
    assert all(one.content == contents[one.photo] for one in some if one.mutation == SOUND)
    changed = [one for one in some if one.mutation not in (SOUND, "wrong suffix")]
    assert sum(one.content != contents[one.photo] for one in changed) > 0.95 * len(changed)


@pytest.mark.filterwarnings("ignore")
def test_damaged_photos_are_read_or_refused_in_one_line(checker, tmp_path):
    mutants = [mutant(number, SEED, PHOTOS) for number in range(200)]
    found = checker.check(written(tmp_path / "in", mutants), tmp_path / "out", mutants, command=True)
    assert found.problems == []
    assert found.loaded.keys() == found.colored.keys() == {one.name for one in mutants}
    for taken in (found.loaded, found.colored):
        assert 40 < sum(taken.values()) < 160
    with (tmp_path / "out/errors.csv").open(encoding="utf-8", newline="") as stream:
        assert len(list(csv.reader(stream))) == 1 + sum(not taken for taken in found.colored.values())


@pytest.mark.slow
def test_two_thousand_damaged_photos_in_a_process_of_their_own():
    total = robustness.run(2000, SEED, first=10_000, max_pixels=MAX_PIXELS)
    assert total.problems == []
    assert total.photos == sum(total.outcomes.values()) == 2000
    assert max(total.memories) < 4e6  # kilobytes


# What it would notice


def planted(*mutations: str) -> list[Mutant]:
    photo = next(photo for photo in PHOTOS if photo.name == "BMP")
    return [Mutant(f"{number}.bmp", photo.name, what, photo.content) for number, what in enumerate(mutations)]


def problems(checker, tmp_path, mutants):
    return dict(checker.check(written(tmp_path / "in", mutants), tmp_path / "out", mutants).problems)


def test_what_is_lost_in_silence_is_noticed(checker, tmp_path, monkeypatch):
    monkeypatch.setattr(
        folder,
        "colorize_folder",
        lambda *given, **options: (one for one in colorize_folder(*given, **options) if one.source.name != "1.bmp"),
    )
    found = problems(checker, tmp_path, planted(SOUND, SOUND))
    assert found["1.bmp"] == "colorize: lost: neither taken nor refused"
    assert found[""] == "1.bmp was left behind"
    assert "0.bmp" not in found


def test_parts_that_are_missing_are_noticed(checker, tmp_path):
    (one,) = planted(TRUNCATED)
    black = bytearray(one.content)
    black[-400:] = bytes(400)
    found = problems(checker, tmp_path, [Mutant(one.name, one.photo, TRUNCATED, bytes(black))])
    assert "parts" in found[one.name]


def test_results_of_another_size_and_broken_ones_are_noticed(checker, tmp_path, monkeypatch):

    def spoilt(*given, **options):
        for result in colorize_folder(*given, **options):
            if result.source.name == "0.bmp":
                Image.new("RGB", (3, 4)).save(result.outputs[0])
            elif result.source.name == "1.bmp":
                result.outputs[0].write_bytes(b"BM")
            yield result

    monkeypatch.setattr(folder, "colorize_folder", spoilt)
    found = problems(checker, tmp_path, planted(SOUND, SOUND))
    assert "Pillow says" in found["0.bmp"]
    assert "cannot be read" in found["1.bmp"]


def test_a_whole_photo_that_is_refused_is_noticed(checker, tmp_path):
    (one,) = planted(SOUND)
    assert (
        "a whole photo was refused"
        in problems(checker, tmp_path, [Mutant(one.name, one.photo, SOUND, one.content[:-9])])[one.name]
    )


def _dies(connection, max_pixels, temporary):
    """Checks nothing; `crash` kills the process, `hang` sleeps, `raise` raises."""
    connection.send(("ready", None))
    while True:
        folder, _, mutants = connection.recv()
        contents = {path.read_bytes() for path in folder.iterdir()}
        if b"crash" in contents:
            os.abort()
        if b"hang" in contents:
            time.sleep(60)
        if b"raise" in contents:
            connection.send(("done", "raises ValueError"))
            continue
        taken = dict.fromkeys((one.name for one in mutants), True)
        connection.send(("done", Findings(taken, taken, memory=1)))


@pytest.mark.slow
def test_a_crash_a_hang_and_an_exception_are_put_down_to_the_photo(monkeypatch):
    contents = {1: b"crash", 3: b"hang", 5: b"raise"}
    monkeypatch.setattr(
        robustness, "mutant", lambda n, seed, photos: Mutant(f"{n}.png", "PNG", SOUND, contents.get(n, b"%d" % n))
    )
    total = robustness.run(7, 0, limit_s=1.5, serve=_dies)
    found = {one.name: what for one, what in total.problems}
    assert found == {"1.png": "crashes: signal 6", "3.png": "hangs: nothing for 1.5 s", "5.png": "raises ValueError"}
    assert total.photos == 7


def test_a_photo_of_missing_strips_is_refused_by_both():
    photo = next(photo for photo in PHOTOS if photo.name == "TIFF big-endian 16 bits")
    taller = bytearray(photo.content)
    _, (place, _) = size_fields(photo.content)
    taller[place + 3] = 60
    for read in (read_photo, lambda file: next(read_pictures(file))):
        with pytest.raises(ColorizeError, match=r"[^(]*does not decode \(parts of the picture are missing\)$"):
            read(io.BytesIO(bytes(taller)))


def test_a_profile_that_is_cut_off_is_told(tmp_path):
    photo = next(photo for photo in PHOTOS if photo.name == "TIFF 16 bits")
    (whole,), (cut,) = (list(read_pictures(io.BytesIO(content))) for content in (photo.content, photo.content[:-4]))
    assert whole.metadata.icc and not whole.metadata.remarks
    assert cut.metadata.icc is None
    assert cut.metadata.remarks == ("its colour profile is cut off and was not applied",)
    (tmp_path / "cut.tif").write_bytes(photo.content[:-4])
    photos = load_split(open_source(str(tmp_path), validation_fraction=0, test_fraction=0), "train", image_size=16)
    assert photos.remarks == {"cut.tif": "its colour profile is cut off and was not applied"}


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about the damage
def test_libtiff_says_nothing_of_its_own(capfd):
    for photo in PHOTOS:
        if photo.name in ("TIFF tiff_lzw", "TIFF jpeg", "TIFF group4", "TIFF pages"):
            damaged = photo.content[:60] + bytes(200) + photo.content[260:]
            for content in (damaged, photo.content[:-30]):
                with contextlib.suppress(ColorizeError):
                    read_photo(io.BytesIO(content))
    assert capfd.readouterr() == ("", "")


def test_a_tiff_that_lacks_the_places_of_its_pixels_is_refused():
    photo = next(photo for photo in PHOTOS if photo.name == "TIFF 16 bits with transparency")
    with pytest.raises(ColorizeError, match="ends before the places of its pixels"):  # bits per sample come last
        next(read_pictures(io.BytesIO(photo.content[:-2])))


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: photo.name)
def test_large_photos_are_converted_in_strips_to_the_same(photo, monkeypatch):
    whole = read_photo(io.BytesIO(photo.content))
    monkeypatch.setattr(pixels, "STRIP", 130)
    assert np.array_equal(read_photo(io.BytesIO(photo.content)), whole)
