"""`keras-colorize colorize` as a user runs it: every format, broken files, exit codes, Ctrl-C."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from keras_colorize.color.lab import rgb_to_lab
from keras_colorize.images import Picture, read_pictures, write_pictures
from tests.colorizing import command, fails, grey_photo, save_grey, write_run
from tests.conftest import colorful_photo

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return str(write_run(tmp_path_factory.mktemp("run")))


@pytest.fixture
def photos(tmp_path):
    """One photo of each format, and three broken files."""
    folder = tmp_path / "my photos"
    folder.mkdir()
    color = [Image.fromarray(colorful_photo(number)) for number in range(12)]
    color[0].save(folder / "Großmutter 1931.JPG")
    color[1].save(folder / "progressive.jpg", progressive=True)
    color[2].convert("CMYK").save(folder / "cmyk.jpeg")
    color[3].convert("L").save(folder / "grey.jpg")
    color[4].convert("1").save(folder / "1 bit.png")
    color[5].convert("P").save(folder / "palette.png")
    color[6].putalpha(Image.fromarray(grey_photo(20)))
    color[6].save(folder / "alpha.png")
    color[7].convert("LA").save(folder / "grey and alpha.png")
    color[8].save(folder / "写真.webp", lossless=True)
    color[9].save(folder / "plain.bmp")
    color[10].convert("L").save(folder / "animation.gif", save_all=True, append_images=[color[0].convert("L")])
    color[11].save(folder / "plain.tif")
    deep = (grey_photo(21).astype(np.uint16) << 8) + 77
    write_pictures(folder / "16 bit.png", Picture(deep))
    write_pictures(folder / "16 bit, two pages.tiff", [Picture(deep), Picture(deep[:, ::-1].copy())])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.png").write_text("not a photo")
    whole = (folder / "plain.tif").read_bytes()
    (folder / "torn.tif").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("no photo, and not asked for")
    return folder


BROKEN = {"empty.jpg", "text.png", "torn.tif"}


def lightness(picture):
    """L of a picture of any depth."""
    rgb = picture.pixels / np.float32(2**picture.depth - 1)
    return np.asarray(rgb_to_lab(np.repeat(rgb[..., None], 3, -1) if picture.is_grey else rgb))[..., 0]


def test_one_of_each_format_and_three_broken_files(photos, run_folder, tmp_path, capsys):
    out = tmp_path / "in colour"
    code, said, error = command(capsys, photos, "--out", out, "--run", run_folder)
    assert (code, error) == (1, "")
    whole = {path.name for path in photos.iterdir()} - BROKEN - {"notes.txt"}
    expected = (whole - {"animation.gif"}) | {"animation.png", "errors.csv", "in_color.csv"}
    assert {path.name for path in out.iterdir()} == expected
    assert "done     14 of 17 photos" in said
    assert f"failed   3, listed in {out / 'errors.csv'}" in said
    assert set(re.findall(r"^  .*/([^/\n]+?): ", said, re.M)) == BROKEN
    in_color = re.search(r"^colour   (\d+) photos had colours", said, re.M)
    with (out / "in_color.csv").open(newline="", encoding="utf-8") as stream:
        listed = list(csv.DictReader(stream))
    assert len(listed) == int(in_color[1]) > 3 and {row["colorized"] for row in listed} == {"yes"}
    assert f"  1 .txt: {photos / 'notes.txt'}\n" in said
    with (out / "errors.csv").open(newline="", encoding="utf-8") as stream:
        assert {Path(row["file"]).name for row in csv.DictReader(stream)} == BROKEN
    for name in whole:
        sources = list(read_pictures(photos / name))
        results = list(read_pictures(out / name.replace(".gif", ".png")))
        assert len(sources) == len(results)
        for source, result in zip(sources, results, strict=True):
            assert not result.is_grey, name
            assert (result.depth, result.pixels.shape[:2]) == (source.depth, source.pixels.shape[:2]), name
            assert (result.alpha is None) == (source.alpha is None), name
            lossy = name.lower().endswith((".jpg", ".jpeg"))
            assert np.abs(lightness(result) - lightness(source)).mean() < (1.5 if lossy else 0.3), name
            if name != "1 bit.png":  # black and white have no colour
                assert np.ptp(result.pixels.astype(int), axis=-1).mean() > 0.02 * 2**source.depth, f"{name} is grey"


def test_resume_overwrite_and_neither(photos, run_folder, tmp_path, capsys):
    out = tmp_path / "out"
    for name in BROKEN:
        (photos / name).unlink()
    assert command(capsys, photos / "*.jp*g", "--out", out, "--run", run_folder)[0] == 0
    first = {path.name: path.stat().st_mtime_ns for path in out.iterdir() if path.suffix != ".csv"}
    assert first.keys() == {"progressive.jpg", "cmyk.jpeg", "grey.jpg"}
    message = fails(capsys, photos, "--out", out, "--run", run_folder)
    assert "3 results exist" in message
    assert "--resume" in message
    assert "--overwrite" in message

    code, said, _ = command(capsys, photos, "--out", out, "--run", run_folder, "--resume")
    assert code == 0
    assert "done     11 of 14 photos" in said
    assert "skipped  3" in said
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()}.items() >= first.items()
    code, said, _ = command(capsys, photos, "--out", out, "--run", run_folder, "--resume")
    assert code == 0
    assert "nothing to do" in said

    assert command(capsys, photos / "grey.jpg", "--out", out, "--run", run_folder, "--overwrite")[0] == 0
    assert (out / "grey.jpg").stat().st_mtime_ns > first["grey.jpg"]


def test_all_that_can_be_asked_for_at_once(run_folder, tmp_path, capsys):
    save_grey(tmp_path / "in/1950/a b.jpg", tmp_path / "in/c.bmp")
    code, said, error = command(
        capsys, tmp_path / "in", "--out", tmp_path / "out", "--run", run_folder, "--recursive", "--compare",
        "--contact-sheet", "--samples", "2", "--seed", "3", "--format", "tiff", "--vividness", "1.5", "--no-edges",
        "--batch-size", "1", "--quality", "80", "--max-megapixels", "1",
    )  # fmt: skip
    assert (code, error) == (0, "")
    assert "contact-sheet-001.jpg" in said
    assert sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")) == [
        "1950/a b-1.tif", "1950/a b-2.tif", "1950/a b-compare.tif", "c-1.tif", "c-2.tif", "c-compare.tif",
        "contact-sheet-001.jpg",
    ]  # fmt: skip


def test_lines_instead_of_a_bar_where_there_is_no_terminal(run_folder, tmp_path, capsys):
    save_grey(*(tmp_path / "in" / f"{number}.png" for number in range(20)))
    _, said, _ = command(capsys, tmp_path / "in", "--out", tmp_path / "out", "--run", run_folder)
    lines = re.findall(r"^(\d+)/20 photos  [\d.]+ photos/s  \d:\d\d:\d\d left$", said, re.M)
    assert lines == [str(count) for count in range(2, 20, 2)]


def test_what_is_passed_over_is_counted_and_named(run_folder, tmp_path, capsys):
    save_grey(tmp_path / "in/a.png", tmp_path / "in/deeper/b.png", tmp_path / "in/.hidden/c.png")
    for name in ("IMG_1.CR2", "IMG_2.cr2", "film.mp4", "README"):
        (tmp_path / "in" / name).write_bytes(b"not read")
    code, said, _ = command(capsys, tmp_path / "in", "--out", tmp_path / "in/out", "--run", run_folder)
    assert code == 0
    folder = tmp_path / "in"
    assert said.splitlines()[-5:] == [
        "passed   4 files over, of kinds that are not read:",
        f"  2 .cr2: {folder / 'IMG_1.CR2'} … IMG_2.cr2",
        f"  1 without suffix: {folder / 'README'}",
        f"  1 .mp4: {folder / 'film.mp4'}",
        f"passed   1 folder over, which --recursive searches: {folder / 'deeper'}",
    ]
    code, said, _ = command(capsys, folder, "--out", tmp_path / "out", "--run", run_folder, "--recursive")
    assert "done     3 of 3 photos" in said, "of the first run's results too, which are not in --out now"
    assert "folder over" not in said


def test_skip_color_names_the_photos_that_it_leaves_alone(run_folder, tmp_path, capsys):
    save_grey(tmp_path / "in/grey.png")
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "in/in colour.png")
    code, said, _ = command(capsys, tmp_path / "in", "--out", tmp_path / "out", "--run", run_folder, "--skip-color")
    assert code == 0 and "done     1 of 2 photos" in said
    assert f"left     1 photo in colour, not colorized; listed in {tmp_path / 'out' / 'in_color.csv'}:" in said
    assert f"  {tmp_path / 'in' / 'in colour.png'}\n" in said
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["grey.png", "in_color.csv"]
    code, said, _ = command(capsys, tmp_path / "in", "--out", tmp_path / "out", "--run", run_folder, "--resume")
    assert code == 0 and "done     1 of 2 photos" in said
    assert "colour   1 photo had colours, which were replaced (--skip-color leaves them as they are)" in said


def test_a_folder_that_cannot_be_written_is_one_line(run_folder, tmp_path, capsys):
    save_grey(tmp_path / "a.png")
    (tmp_path / "file").write_text("no folder")
    for out, message in {
        tmp_path / "file": "is a file; expected a folder",
        tmp_path / "file" / "deeper": "cannot be made (Not a directory)",
        "/proc/colour": "--out '/proc/colour' cannot be made",
    }.items():
        if Path(out).parent.exists():
            assert message in fails(capsys, tmp_path / "a.png", "--out", out, "--run", run_folder)


def test_vividness_nought_is_pale(run_folder, tmp_path, capsys):
    save_grey(tmp_path / "a.png")
    for vividness in ("0", "1"):
        command(
            capsys, tmp_path / "a.png", "--out", tmp_path / vividness, "--run", run_folder, "--vividness", vividness
        )
    pale, own = (np.ptp(np.asarray(Image.open(tmp_path / each / "a.png")).astype(int), axis=-1) for each in "01")
    assert pale.max() <= 1
    assert own.mean() > 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["phtos"], "did you mean 'photos'?"),
        (["empty"], "no photos in folder"),
        (["photos", "--vividness", "-1"], "--vividness is -1: expected 0 to 10"),
        (["photos", "--vividness", "nan"], "--vividness is nan"),
        (["photos", "--samples", "0"], "--samples is 0: expected 1 to 1000"),
        (["photos", "--quality", "101"], "--quality is 101"),
        (["photos", "--batch-size", "0"], "--batch-size is 0"),
        (["photos", "--max-megapixels", "0"], "--max-megapixels is 0"),
        (["photos", "--seed", "-1"], "--seed is -1"),
        (["photos", "--format", "jepg"], "jepg"),
        (["photos", "--resume", "--overwrite"], "give one of the two"),
        (["photos", "--model", "pix2pxi"], "did you mean 'pix2pix'?"),
        (["photos", "--run", "runs/none"], "is no run folder"),
        (["photos", "--run", "runs/none", "--model", "pix2pix"], "give one of the two"),
        (["photos", "--weights", "none.h5"], "no file 'none.h5'"),
        (["photos/a.png", "photos/a.gif"], "would both become"),
        (["photos", "--saved-model", "model"], "--saved-model goes with --runner, such as"),
        (["photos", "--beam-option", "a=b"], "--beam-option goes with --runner, such as"),
        (["photos", "--runner", "direct", "--samples", "2"], "--samples and --seed do not go with --runner"),
        (["photos", "--runner", "direct", "--reference", "a.jpg"], "--reference does not go with --runner"),
    ],
)
def test_mistakes_are_one_line_and_load_no_tensorflow(arguments, message, tmp_path, capsys, monkeypatch):
    save_grey(tmp_path / "photos/a.png", tmp_path / "photos/a.gif")
    if "photos/a.gif" not in arguments:
        (tmp_path / "photos/a.gif").unlink()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("keras_colorize.cli.colorize.load_tensorflow", lambda: pytest.fail("TensorFlow was loaded"))
    assert message in fails(capsys, *arguments, "--out", "out")
    assert not (tmp_path / "out").exists(), "a refused command leaves nothing behind"


def test_a_runner_needs_beam(tmp_path, capsys, monkeypatch):
    save_grey(tmp_path / "a.png")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = fails(capsys, tmp_path / "a.png", "--out", tmp_path / "out", "--runner", "direct")
    assert '--runner needs apache_beam: pip install "keras-colorize[beam]"' in said


def test_mistakes_that_only_the_system_knows(run_folder, tmp_path, capsys):
    save_grey(tmp_path / "a.png")
    assert "without weights" in fails(capsys, tmp_path / "a.png", "--out", tmp_path / "out", "--model", "autoencoder")
    still = str(write_run(tmp_path / "runs", dropout_ups=()))
    assert "no dropout" in fails(
        capsys, tmp_path / "a.png", "--out", tmp_path / "out", "--run", still, "--samples", "2"
    )
    assert not (tmp_path / "out").exists()


def test_results_go_nowhere_near_the_photos_unasked(run_folder, tmp_path, capsys):
    save_grey(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    assert "would replace the photo" in fails(capsys, tmp_path, "--out", tmp_path, "--run", run_folder)
    assert (tmp_path / "a.png").read_bytes() == before
    assert command(capsys, tmp_path, "--out", tmp_path, "--run", run_folder, "--overwrite")[0] == 0
    assert not next(read_pictures(tmp_path / "a.png")).is_grey


@pytest.mark.slow
@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_leaves_whole_files_and_resume_goes_on(presses, run_folder, tmp_path):
    save_grey(tmp_path / "in" / "0.png")
    for number in range(1, 2000):
        os.link(tmp_path / "in" / "0.png", tmp_path / "in" / f"{number}.png")
    out = tmp_path / "out"
    arguments = [
        *(sys.executable, "-m", "keras_colorize", "colorize", tmp_path / "in"),
        *("--out", out, "--run", run_folder),
    ]
    process = subprocess.Popen(
        [str(argument) for argument in arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("100/2,000 photos")
    for _ in range(presses):
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    began = time.monotonic()
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert time.monotonic() - began < 20
    assert error.count("\n") == 1
    files = [path for path in out.iterdir() if not path.name.startswith(".")]
    assert 100 <= len(files) < 2000
    for file in files:
        assert np.asarray(Image.open(file)).shape == (40, 48, 3)
    assert "--resume" in error
    if presses == 1:
        assert len(files) == len(list(out.iterdir())), "no temporary file is left"
        done = int(re.search(r"stopped by Ctrl-C: ([\d,]+) of 2,000 photos are done", error)[1].replace(",", ""))
        assert done == len(files)
