"""A folder of photos: what is found and named, what is refused, what keeps memory bounded, what is written."""

import csv
import os
import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest
import skimage.data
from PIL import Image

from keras_colorize.batch import workers
from keras_colorize.batch import write as photo
from keras_colorize.batch.batcher import Batcher
from keras_colorize.batch.contact_sheet import COLUMNS, COMPARED_WIDTH, GAP, THUMBNAIL, _font, make_tile, tile_side
from keras_colorize.batch.folder import colorize_folder
from keras_colorize.batch.memory import PixelBudget
from keras_colorize.batch.plan import PHOTOS_PER_SHEET, FolderSettings, plan_jobs
from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab
from keras_colorize.errors import ColorizeError
from keras_colorize.images import Picture, count_pixels, read_pictures, write_pictures
from keras_colorize.inference.colorizer import Colorizer
from tests.colorizing import grey_photo, save_grey, write_run
from tests.conftest import colorful_photo


@pytest.fixture(scope="module")
def colorizer(tmp_path_factory):
    return Colorizer.from_run(write_run(tmp_path_factory.mktemp("run")))


def lightness(rgb_u8):
    return np.asarray(rgb_to_lab(rgb_from_u8(rgb_u8)))[..., 0]


def pixels(file):
    return np.asarray(Image.open(file).convert("RGB"))


def chroma(rgb_u8):
    return np.abs(np.asarray(rgb_to_lab(rgb_from_u8(rgb_u8)))[..., 1:]).mean()


def contents(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# What is found, and what it becomes


def names(jobs, out):
    return {job.source.name: [file.relative_to(out).as_posix() for file in job.colored] for job in jobs}


def test_a_folder_a_file_and_a_pattern(tmp_path):
    save_grey(*(tmp_path / "in" / name for name in ("b.jpg", "a.PNG", ".hidden.jpg", "deeper/c.jpg")))
    save_grey(tmp_path / "scan 1.tif", tmp_path / "scan 2.tif")
    (tmp_path / "in" / "notes.txt").write_text("no photo")
    (tmp_path / "scan 3.txt").write_text("no photo")
    plan = plan_jobs([tmp_path / "in", tmp_path / "in" / "b.jpg", tmp_path / "scan*"], tmp_path / "out")
    assert [job.name for job in plan.jobs] == ["a.PNG", "b.jpg", "scan 1.tif", "scan 2.tif"]
    assert plan.others == (tmp_path / "in" / "notes.txt", tmp_path / "scan 3.txt")
    assert plan.closed == (tmp_path / "in" / "deeper",)
    assert not (tmp_path / "out").exists(), "planning writes nothing"


def test_folders_are_kept_with_recursive_and_results_are_no_photos(tmp_path):
    save_grey(*(tmp_path / name for name in ("1950/a.jpg", "1960/a.jpg", "out/1950/a.jpg")))
    (tmp_path / "1960" / "loop").symlink_to(tmp_path, target_is_directory=True)
    jobs = plan_jobs([tmp_path], tmp_path / "out", FolderSettings(recursive=True, resume=True)).jobs
    assert [job.name for job in jobs] == ["1950/a.jpg", "1960/a.jpg"]
    assert [bool(job.missing) for job in jobs] == [False, True]


@pytest.mark.parametrize(
    ("name", "options", "results"),
    [
        ("a.JPG", {}, ["a.JPG"]),
        ("a.gif", {}, ["a.png"]),
        ("a.pgm", {}, ["a.ppm"]),
        ("scan.1950", {}, ["scan.1950.png"]),
        ("a.b.jpg", {"format": "png"}, ["a.b.png"]),
        ("a.jpg", {"samples": 2}, ["a-1.jpg", "a-2.jpg"]),
    ],
)
def test_names_of_results(name, options, results, tmp_path):
    (tmp_path / name).write_bytes(b"planning opens no photo")
    plan = plan_jobs([tmp_path / name], tmp_path / "out", FolderSettings(**options))
    assert names(plan.jobs, tmp_path / "out") == {name: results}


@pytest.mark.parametrize(
    ("paths", "options", "message"),
    [
        (["photso"], {}, "did you mean 'photos'?"),
        ([], {}, "no photos given"),
        (["empty"], {}, "no photos in folder"),
        (["parent"], {}, "the folders in it hold 2: add `recursive`"),
        (["empty"], {"recursive": True}, "or the folders in it (looked for"),
        (["photos/*.tif"], {}, "no photos match"),
        (["photos"], {"format": "docx"}, "docx"),
        (["photos"], {"resume": True, "overwrite": True}, "give one of the two"),
        (["photos"], {"samples": 0}, "`samples` is 0: expected 1 to 1000"),
        (["parent/1950", "parent/1960"], {}, "would both become"),
        (["photos", "photos/a.png", "other/a.gif"], {"format": "png"}, "would both become"),
        (["photos", "clash/contact-sheet-001.jpg"], {"contact_sheet": True}, "the contact sheet and"),
    ],
)
def test_what_is_refused(paths, options, message, tmp_path):
    save_grey(*(tmp_path / name for name in ("photos/a.jpg", "photos/b.png", "parent/1950/a.jpg", "parent/1960/a.jpg")))
    save_grey(tmp_path / "other/a.gif", tmp_path / "photos/a.png.jpg", tmp_path / "clash/contact-sheet-001.jpg")
    (tmp_path / "empty").mkdir()
    save_grey(tmp_path / "photos/a.png") if "photos/a.png" in paths else None
    before = contents(tmp_path)
    with pytest.raises(ColorizeError) as error:
        plan_jobs([tmp_path / path for path in paths], tmp_path / "out", FolderSettings(**options))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert contents(tmp_path) == before


def test_a_clash_names_both_photos(tmp_path):
    save_grey(tmp_path / "a.gif", tmp_path / "a.png")
    with pytest.raises(ColorizeError, match=r"a\.gif.*a\.png.* would both become .*a\.png"):
        plan_jobs([tmp_path], tmp_path / "out")


def test_results_never_replace_a_photo_unasked(tmp_path):
    save_grey(tmp_path / "a.jpg", tmp_path / "a-1.jpg")
    for options in ({}, {"resume": True}):
        with pytest.raises(ColorizeError, match="would replace the photo it is made from"):
            plan_jobs([tmp_path / "a.jpg"], tmp_path, FolderSettings(**options))
    assert plan_jobs([tmp_path / "a.jpg"], tmp_path, FolderSettings(overwrite=True)).jobs[0].missing == {
        tmp_path / "a.jpg"
    }
    with pytest.raises(ColorizeError, match="another of the photos"):  # read after it was replaced
        plan_jobs([tmp_path], tmp_path, FolderSettings(samples=2, overwrite=True))


def test_results_that_exist(tmp_path):
    save_grey(tmp_path / "in/a.jpg", tmp_path / "in/b.jpg", tmp_path / "out/a.jpg")
    with pytest.raises(ColorizeError, match=r"1 result exists .* first 'a.jpg': `resume` .* `overwrite`"):
        plan_jobs([tmp_path / "in"], tmp_path / "out")
    resumed = plan_jobs([tmp_path / "in"], tmp_path / "out", FolderSettings(resume=True))
    assert [len(job.missing) for job in resumed.jobs] == [0, 1]
    again = plan_jobs([tmp_path / "in"], tmp_path / "out", FolderSettings(overwrite=True))
    assert [len(job.missing) for job in again.jobs] == [1, 1]


def test_errors_csv_of_somebody_else_stays(tmp_path):
    save_grey(tmp_path / "a.jpg")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "errors.csv").write_text("date,machine\n")
    with pytest.raises(ColorizeError, match="no list of failures"):
        plan_jobs([tmp_path / "a.jpg"], tmp_path / "out")


# What keeps it in bounds


def test_a_budget_of_pixels_holds_and_lets_a_large_photo_in_alone():
    budget = PixelBudget(100)
    seen = []

    def photo(count):
        with budget.room_for(count):
            seen.append((count, budget.held))
            time.sleep(0.001)

    threads = [threading.Thread(target=photo, args=(count,)) for count in [30, 60, 500, 10, 40, 1] * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.held == 0
    assert len(seen) == 30
    assert all(held <= 100 or held == count == 500 for count, held in seen)


@dataclass
class Slow:
    """A network that notes its batches; items are (shape, number)."""

    batches: list

    def __call__(self, items):
        self.batches.append([number for _, number in items])
        if any(number < 0 for _, number in items):
            raise MemoryError
        return [-number for _, number in items]


def ask_all(batcher, items):
    answers = {}

    def photo(item):
        with batcher.request() as ask:
            started.wait()
            try:
                answers[item] = ask(item, item[0])
            except MemoryError:
                answers[item] = "failed"

    started = threading.Barrier(len(items))
    threads = [threading.Thread(target=photo, args=(item,)) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    batcher.close()
    return answers


def test_photos_of_one_shape_share_a_batch_and_an_odd_one_does_not_wait_long():
    network = Slow([])
    batcher = Batcher(network, 4, linger=60)
    items = [("square", number) for number in range(8)] + [("tall", 8)]
    began = time.monotonic()
    answers = ask_all(batcher, items)
    assert answers == {item: -item[1] for item in items}
    assert sorted(map(len, network.batches)) == [1, 4, 4]
    assert time.monotonic() - began < 30, "nobody else was expected: the odd one need not linger"


def test_a_request_lingers_only_so_long():
    batcher = Batcher(Slow([]), 4, linger=0.05)
    with batcher.request():  # another photo, that takes for ever to decode
        began = time.monotonic()
        with batcher.request() as ask:
            assert ask(("square", 1), "square") == -1
        assert 0.04 < time.monotonic() - began < 5
    batcher.close()


def test_a_photo_that_fails_does_not_take_its_batch_along():
    network = Slow([])
    items = [("square", number) for number in (1, 2, -3, 4)]
    answers = ask_all(Batcher(network, 4, linger=60), items)
    assert answers == {("square", 1): -1, ("square", 2): -2, ("square", -3): "failed", ("square", 4): -4}


def test_pixels_are_counted_from_the_header(tmp_path):
    pages = [Image.new("L", size) for size in ((10, 10), (30, 20), (5, 5))]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    Image.new("L", (7, 11)).save(tmp_path / "one.png")
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    counts = [count_pixels(tmp_path / name) for name in ("pages.tif", "one.png", "broken.jpg", "absent.jpg")]
    assert counts == [600, 77, 0, 0]


def test_the_pixels_of_all_photos_in_work_stay_within_the_budget(colorizer, tmp_path, monkeypatch):
    save_grey(*(tmp_path / "in" / f"{number}.png" for number in range(20)))  # of 1,920 pixels each
    held, lock, highest = 0, threading.Lock(), 0

    def counted_read(file, **options):
        nonlocal held, highest
        for picture in read_pictures(file, **options):
            with lock:
                held += picture.pixels.size
                highest = max(highest, held)
            yield picture

    def counted_write(file, pictures, **options):
        nonlocal held
        remarks = write_pictures(file, pictures, **options)
        with lock:
            held -= 1920
        return remarks

    monkeypatch.setattr(workers, "read_pictures", counted_read)
    monkeypatch.setattr(photo, "write_pictures", counted_write)
    results = list(
        colorize_folder(colorizer, tmp_path / "in", tmp_path / "out", FolderSettings(pixels_in_flight=3 * 1920 + 100))
    )
    assert not [result.error for result in results if result.error]
    assert 1920 < highest <= 3 * 1920


# What is written


def test_results_have_the_photos_lightness_and_the_networks_colour(colorizer, tmp_path):
    save_grey(*(tmp_path / "in" / name for name in ("a.png", "b.tif", "c.webp", "d.gif")))
    results = list(colorize_folder(colorizer, tmp_path / "in", tmp_path / "out"))
    assert sorted(file.name for result in results for file in result.outputs) == ["a.png", "b.tif", "c.webp", "d.png"]
    assert contents(tmp_path / "out") == ["a.png", "b.tif", "c.webp", "d.png"], "and no errors.csv"
    for result in results:
        assert result.error is None
        assert not result.remarks
        assert result.seconds > 0
    colored = pixels(tmp_path / "out" / "a.png")
    assert np.abs(lightness(colored) - lightness(pixels(tmp_path / "in" / "a.png"))).max() < 1
    assert chroma(colored) > 2
    alone = colorizer(tmp_path / "in" / "a.png")
    assert np.abs(colored.astype(int) - alone).mean() < 0.05, "as one photo alone, but for rounding in a batch"
    again = colorize_folder(colorizer, tmp_path / "in" / "a.png", tmp_path / "again")
    assert [result.outputs for result in again] == [(tmp_path / "again" / "a.png",)]


def test_photos_in_one_batch_are_as_each_alone(colorizer, tmp_path):
    for number, (height, width) in enumerate([(40, 48), (48, 40), (64, 20), (40, 48), (33, 33)] * 3):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(grey_photo(number, height, width)).save(tmp_path / "in" / f"{number}.png")
    list(colorize_folder(colorizer, tmp_path / "in", tmp_path / "many", FolderSettings(batch_size=4)))
    list(colorize_folder(colorizer, tmp_path / "in", tmp_path / "single", FolderSettings(batch_size=1)))
    assert len(contents(tmp_path / "many")) == 15
    for name in contents(tmp_path / "many"):
        difference = pixels(tmp_path / "many" / name).astype(int) - pixels(tmp_path / "single" / name)
        # The gamut is searched in steps, so that rounding in the network may show in single pixels.
        assert np.abs(difference).mean() < 0.1, name


def test_pages_of_a_tiff_come_back_as_pages(colorizer, tmp_path):
    pages = [Image.fromarray(grey_photo(number, 32 + number, 40)) for number in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    (result,) = colorize_folder(colorizer, tmp_path / "pages.tif", tmp_path / "out", FolderSettings(compare=True))
    assert result.error is None
    colored = list(read_pictures(tmp_path / "out" / "pages.tif"))
    assert [page.pixels.shape for page in colored] == [(32, 40, 3), (33, 40, 3), (34, 40, 3)]
    assert len(list(read_pictures(tmp_path / "out" / "pages-compare.tif"))) == 1, "of the first page only"


def test_a_broken_file_and_one_too_large_fail_alone(colorizer, tmp_path):
    save_grey(tmp_path / "in/a.png", tmp_path / "in/b.png")
    Image.new("L", (100, 100)).save(tmp_path / "in" / "huge.png")
    (tmp_path / "in" / "torn, twice.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a photo")
    results = list(colorize_folder(colorizer, tmp_path / "in", tmp_path / "out", FolderSettings(max_pixels=5000)))
    errors = {result.source.name: result.error for result in results if result.error}
    assert errors.keys() == {"huge.png", "torn, twice.jpg"}
    assert "max_pixels" in errors["huge.png"]
    assert all(str(tmp_path) not in error and "\n" not in error for error in errors.values())
    assert contents(tmp_path / "out") == ["a.png", "b.png", "errors.csv"]
    with (tmp_path / "out" / "errors.csv").open(newline="", encoding="utf-8") as stream:
        rows = {row["file"]: row["error"] for row in csv.DictReader(stream)}
    assert rows == {str(tmp_path / "in" / name): error for name, error in errors.items()}


def test_the_list_of_failures_is_of_the_last_run(colorizer, tmp_path):
    save_grey(tmp_path / "in/a.png")
    broken = tmp_path / "in" / "b.png"
    broken.write_bytes(b"")
    list(colorize_folder(colorizer, tmp_path / "in", tmp_path / "out"))
    assert "is empty" in (tmp_path / "out" / "errors.csv").read_text()
    save_grey(broken)
    results = {
        result.source.name: result
        for result in colorize_folder(colorizer, tmp_path / "in", tmp_path / "out", FolderSettings(resume=True))
    }
    assert results["a.png"].skipped
    assert results["a.png"].outputs == ()
    assert not results["b.png"].skipped
    assert contents(tmp_path / "out") == ["a.png", "b.png"]


@pytest.mark.parametrize("failure", [MemoryError(), RuntimeError("OOM when allocating tensor")])
def test_a_network_that_fails_leaves_no_grey_photo(failure, colorizer, tmp_path, monkeypatch):
    save_grey(tmp_path / "in/a.png", tmp_path / "in/b.png")
    monkeypatch.setattr(colorizer, "predict", lambda *_: (_ for _ in ()).throw(failure))
    results = list(colorize_folder(colorizer, tmp_path / "in", tmp_path / "out"))
    assert len([result.error for result in results if result.error]) == 2
    assert contents(tmp_path / "out") == ["errors.csv"]


def test_chroma_that_is_no_number_leaves_no_grey_photo(colorizer, tmp_path, monkeypatch):
    save_grey(tmp_path / "a.png")
    predict_ab = colorizer.network.predict_ab
    monkeypatch.setattr(colorizer.network, "predict_ab", lambda *arguments: predict_ab(*arguments) * np.nan)
    (result,) = colorize_folder(colorizer, tmp_path / "a.png", tmp_path / "out")
    assert "no finite numbers" in result.error
    assert contents(tmp_path / "out") == ["errors.csv"]


def test_a_full_disk_stops_the_work(colorizer, tmp_path, monkeypatch):
    save_grey(*(tmp_path / "in" / f"{number}.png" for number in range(40)))

    def full(file, pictures, **_):
        raise ColorizeError(f"{file}: cannot be written") from OSError(28, "No space left on device")

    monkeypatch.setattr(photo, "write_pictures", full)
    with pytest.raises(OSError, match="No space left"):
        list(colorize_folder(colorizer, tmp_path / "in", tmp_path / "out"))
    assert contents(tmp_path / "out") == []


def test_a_photo_in_colour_is_recoloured_and_listed(colorizer, tmp_path):
    (tmp_path / "in").mkdir()
    Image.fromarray(colorful_photo(1)).save(tmp_path / "in" / "color.png")
    save_grey(tmp_path / "in" / "grey.png")
    results = {result.source.name: result for result in colorize_folder(colorizer, tmp_path / "in", tmp_path / "out")}
    assert results["color.png"].in_color and results["color.png"].remarks == ()
    assert not results["grey.png"].in_color
    with (tmp_path / "out" / "in_color.csv").open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream)) == [["file", "colorized"], [str(tmp_path / "in" / "color.png"), "yes"]]
    colored, own = pixels(tmp_path / "out" / "color.png"), pixels(tmp_path / "in" / "color.png")
    assert np.abs(lightness(colored) - lightness(own)).mean() < 1
    assert np.abs(colored.astype(int) - own).mean() > 5


def test_samples_differ_and_the_seed_decides_them(colorizer, tmp_path):
    save_grey(tmp_path / "in/a.png", tmp_path / "in/b.png")
    for out, seed in (("one", 0), ("again", 0), ("other", 1)):
        list(colorize_folder(colorizer, tmp_path / "in", tmp_path / out, FolderSettings(samples=3, seed=seed)))
    names = [f"{photo}-{number}.png" for photo in "ab" for number in (1, 2, 3)]
    assert contents(tmp_path / "one") == names
    first = {name: pixels(tmp_path / "one" / name) for name in names}
    for name in names:
        assert np.array_equal(first[name], pixels(tmp_path / "again" / name))
        assert not np.array_equal(first[name], pixels(tmp_path / "other" / name))
    assert not np.array_equal(first["a-1.png"], first["a-2.png"])


def test_resume_writes_only_what_is_missing(colorizer, tmp_path):
    save_grey(tmp_path / "in/a.png")
    options = {"samples": 2, "compare": True}
    list(colorize_folder(colorizer, tmp_path / "in", tmp_path / "out", FolderSettings(**options)))
    files = {name: (tmp_path / "out" / name).read_bytes() for name in contents(tmp_path / "out")}
    assert files.keys() == {"a-1.png", "a-2.png", "a-compare.png"}
    (tmp_path / "out" / "a-1.png").write_bytes(b"mine")
    (tmp_path / "out" / "a-2.png").unlink()
    (tmp_path / "out" / "a-compare.png").unlink()
    (result,) = colorize_folder(colorizer, tmp_path / "in", tmp_path / "out", FolderSettings(resume=True, **options))
    assert [file.name for file in result.outputs] == ["a-2.png", "a-compare.png"]
    assert (tmp_path / "out" / "a-1.png").read_bytes() == b"mine"
    for name in ("a-2.png", "a-compare.png"):
        assert (tmp_path / "out" / name).read_bytes() == files[name]


def test_a_run_removes_what_a_killed_one_left_half_written(colorizer, tmp_path):
    save_grey(tmp_path / "in/a.png", tmp_path / "in/deeper/b.png")
    left = [tmp_path / "out" / folder / f".{1:016x}.part" for folder in ("", "deeper")]
    for file in left:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half")
        os.utime(file, (time.time() - 60, time.time() - 60))
    list(colorize_folder(colorizer, tmp_path / "in", tmp_path / "out", FolderSettings(recursive=True)))
    assert contents(tmp_path / "out") == ["a.png", "deeper/b.png"]


def test_a_comparison_is_grey_and_colour_side_by_side(colorizer, tmp_path):
    Image.fromarray(colorful_photo(3)).save(tmp_path / "a.png")
    list(colorize_folder(colorizer, tmp_path / "a.png", tmp_path / "out", FolderSettings(compare=True)))
    row = pixels(tmp_path / "out" / "a-compare.png")
    assert row.shape == (40, 2 * 48 + GAP, 3)
    grey, gap, color = row[:, :48], row[:, 48 : 48 + GAP], row[:, 48 + GAP :]
    assert np.ptp(grey, axis=-1).max() <= 1
    assert np.abs(lightness(grey) - lightness(pixels(tmp_path / "a.png"))).max() < 1
    assert (gap == 255).all()
    assert np.array_equal(color, pixels(tmp_path / "out" / "a.png"))


def test_comparisons_stay_of_a_size_to_look_at():
    wide = Picture(np.zeros((30, 9000), np.uint16), np.zeros((30, 9000), np.uint16))
    tile = make_tile(wide)
    assert tile.shape == (14, 4096, 3)
    assert (tile == 255).all(), "transparency lies over white"
    for tiles in (2, 5, 40):
        assert tiles * (tile_side(tiles) + GAP) <= COMPARED_WIDTH


def test_the_contact_sheet_has_every_photo_and_pages(colorizer, tmp_path):
    save_grey(*(tmp_path / "in" / f"{number:02d}.png" for number in range(PHOTOS_PER_SHEET + 1)))
    (tmp_path / "in" / "03.png").write_bytes(b"")
    results = list(colorize_folder(colorizer, tmp_path / "in", tmp_path / "out", FolderSettings(contact_sheet=True)))
    assert len(results) == PHOTOS_PER_SHEET + 1
    first, second = (pixels(tmp_path / "out" / f"contact-sheet-00{page}.jpg").astype(int) for page in (1, 2))
    assert first.shape[0] > (PHOTOS_PER_SHEET // COLUMNS) * THUMBNAIL
    assert second.shape[0] < 2 * THUMBNAIL, "one photo, one row"
    middle = slice(THUMBNAIL // 2 - 10, THUMBNAIL // 2 + 10)
    grey = second[middle, THUMBNAIL // 2 - 10 : THUMBNAIL // 2 + 10]
    color = second[middle, 3 * THUMBNAIL // 2 - 10 : 3 * THUMBNAIL // 2 + 10]
    assert np.ptp(grey, axis=-1).mean() < 3
    assert np.ptp(color, axis=-1).mean() > 5
    failed = first[THUMBNAIL + 60 : THUMBNAIL + 100, 30:THUMBNAIL]  # the fourth, below the first
    assert (np.abs(failed - 220) < 8).all(), "the place of a photo that failed"


def test_names_on_contact_sheets_have_their_letters():
    font = _font()
    missing = font.getmask("\uffff").getbbox(), bytes(font.getmask("\uffff"))
    for letter in "äöüßéčłñŐБюЩжΑλΩ":
        mask = font.getmask(letter)
        assert (mask.getbbox(), bytes(mask)) != missing, letter


def save_sepia(file, seed=1):
    """A brownish print, as a scanner sees it."""
    share = grey_photo(seed, 300, 400)[..., None] / np.float32(255)
    dark, light = np.float32([40, 25, 15]), np.float32([245, 228, 190])
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((dark + share * (light - dark)).round().astype("uint8")).save(file, quality=85)


def test_tones_of_photos(tmp_path):
    save_sepia(tmp_path / "sepia.jpg")
    assert photo.tone_of(pixels(tmp_path / "sepia.jpg")) == "tinted"
    assert photo.tone_of(grey_photo()) == photo.tone_of(np.dstack([grey_photo()] * 3)) == "grey"
    for scene in (skimage.data.astronaut, skimage.data.coffee, skimage.data.chelsea, skimage.data.rocket):
        assert photo.tone_of(scene()) == "color", scene.__name__
        assert photo.tone_of(scene().astype(np.uint16) * 257) == "color"


def test_skip_color_leaves_photos_in_colour_alone(colorizer, tmp_path):
    (tmp_path / "in").mkdir()
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "in" / "color.png")
    save_grey(tmp_path / "in" / "grey.png")
    save_sepia(tmp_path / "in" / "sepia.jpg")
    settings = FolderSettings(skip_color=True, compare=True, contact_sheet=True)
    results = list(colorize_folder(colorizer, tmp_path / "in", tmp_path / "out", settings))
    by_name = {result.source.name: result for result in results}
    assert by_name["color.png"].in_color and by_name["color.png"].outputs == () and not by_name["color.png"].error
    assert by_name["grey.png"].outputs and not by_name["grey.png"].in_color
    assert by_name["sepia.jpg"].outputs and by_name["sepia.jpg"].remarks == (photo.TINTED,)
    assert contents(tmp_path / "out") == [
        *("contact-sheet-001.jpg", "grey-compare.png", "grey.png", "in_color.csv", "sepia-compare.jpg", "sepia.jpg")
    ]
    with (tmp_path / "out" / "in_color.csv").open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream))[1:] == [[str(tmp_path / "in" / "color.png"), "no"]]


def test_leaving_the_loop_stops_the_work_and_leaves_whole_files(colorizer, tmp_path):
    save_grey(*(tmp_path / "in" / f"{number}.png" for number in range(60)))
    for _ in colorize_folder(colorizer, tmp_path / "in", tmp_path / "out", FolderSettings(batch_size=2)):
        break
    written = contents(tmp_path / "out")
    assert 1 <= len(written) < 60
    for name in written:
        assert pixels(tmp_path / "out" / name).shape == (40, 48, 3)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("photo-", "network"))]
