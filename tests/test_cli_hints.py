"""`keras-colorize colorize` with hints: on the command line, in a file, and beside photos."""

import csv
import os

import numpy as np
import pytest
from PIL import Image

from keras_colorize import Hint, HintSet, write_hints
from keras_colorize.batch.folder import colorize_folder
from keras_colorize.batch.plan import FolderSettings, plan_jobs
from keras_colorize.errors import ColorizeError
from keras_colorize.images import Picture, read_pictures, write_pictures
from keras_colorize.inference.colorizer import Colorizer
from tests.colorizing import command, fails, grey_photo, save_grey, write_run

RED = HintSet([Hint(0.5, 0.5, "red", 0.3)], 1, 1)  # on any photo


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return str(write_run(tmp_path_factory.mktemp("run"), hints=True))


@pytest.fixture(scope="module")
def colorizer(run_folder):
    return Colorizer.from_run(run_folder)


@pytest.fixture(scope="module")
def plain_run(tmp_path_factory):
    return str(write_run(tmp_path_factory.mktemp("plain")))


def pixels(file):
    return next(read_pictures(file)).pixels


def assert_alike(file, expected):
    """Whether a photo shares a batch with others changes the last bits of its chroma."""
    np.testing.assert_allclose(pixels(file), expected, atol=1)


def test_hints_of_the_command(run_folder, colorizer, tmp_path, capsys):
    photo = tmp_path / "a.png"
    save_grey(photo)
    grey = pixels(photo)
    write_hints(tmp_path / "mine.json", HintSet([Hint(40, 30, "blue", 6)], 96, 80, 1.5))
    write_hints(tmp_path / "a.hints.json", RED)  # not read, since the command has hints
    height, width = grey.shape
    asked = [
        (["--hint", "10,12,firebrick", "--hint", "50%,100%,#00f,20%"], 1.0),
        (["--hints", tmp_path / "mine.json"], 1.5),
        (["--hints", tmp_path / "mine.json", "--hint", "3, 4, neutral, 5", "--vividness", "0.8"], 0.8),
    ]
    expected = [
        [Hint(10, 12, "firebrick"), Hint(width / 2 - 0.5, height - 0.5, "#00f", 0.2 * height)],
        [Hint(40.5 / 2 - 0.5, 30.5 / 2 - 0.5, "blue", 3)],
        [Hint(40.5 / 2 - 0.5, 30.5 / 2 - 0.5, "blue", 3), Hint(3, 4, "neutral", 5)],
    ]
    for number, ((options, vividness), hints) in enumerate(zip(asked, expected, strict=True)):
        out = tmp_path / str(number)
        assert command(capsys, photo, "--out", out, "--run", run_folder, *options)[0] == 0
        assert_alike(out / "a.png", colorizer(grey, hints=hints, vividness=vividness))


def test_photos_take_the_hints_beside_them(run_folder, colorizer, tmp_path, capsys):
    folder, out = tmp_path / "photos", tmp_path / "out"
    save_grey(
        *(folder / name for name in ("a.png", "b.jpg", "in/c.png", "d.png", "broken.png", "far.png", "1950.x.png"))
    )
    blue = HintSet([Hint(0.5, 0.5, "blue", 0.3)], 1, 1, vividness=2)
    write_hints(folder / "a.hints.json", RED)
    write_hints(folder / "b.hints.json", RED)
    write_hints(folder / "b.jpg.hints.json", blue)
    write_hints(folder / "in" / "c.hints.json", blue)
    write_hints(folder / "1950.x.hints.json", RED)
    write_hints(folder / "of nobody.hints.json", RED)
    write_hints(folder / "far.hints.json", HintSet([Hint(1000, 2, "red")]))
    (folder / "broken.hints.json").write_text('{"hints": [{"x": 1, "y": 2, "color": "rde"}]}')
    code, said, _ = command(capsys, folder, "--out", out, "--run", run_folder, "--recursive", "--compare")
    assert code == 1
    given = {"a.png": RED, "b.jpg": blue, "in/c.png": blue, "d.png": HintSet(), "1950.x.png": RED}
    for name, hints in given.items():
        expected = colorizer(pixels(folder / name), hints=hints, vividness=hints.vividness or 1.0)
        if name.endswith(".png"):
            assert_alike(out / name, expected)
        else:
            assert np.abs(pixels(out / name).astype(int) - expected).mean() < 3
    with (out / "errors.csv").open(newline="", encoding="utf-8") as stream:
        errors = {row["file"]: row["error"] for row in csv.DictReader(stream)}
    assert errors.keys() == {str(folder / "broken.png"), str(folder / "far.png")}
    assert errors[str(folder / "far.png")].startswith("the hint at x 1000, y 2 lies outside the photo of 48×40 pixels")
    broken = errors[str(folder / "broken.png")]
    assert broken.startswith(f"'{folder / 'broken.hints.json'}': hint 1: the hint at x 1, y 2 has the `color` 'rde'")
    assert "done     5 of 7 photos" in said
    assert f"  2 .json: {folder / 'b.hints.json'} … of nobody.hints.json\n" in said

    # Whoever asks for a vividness or for no hints has it so.
    more = ["--run", run_folder, "--recursive", "--overwrite"]
    assert command(capsys, folder, "--out", out, *more, "--vividness", "0.5")[0] == 1
    assert_alike(out / "in" / "c.png", colorizer(pixels(folder / "in" / "c.png"), hints=blue, vividness=0.5))
    code, said, _ = command(capsys, folder, "--out", out, *more, "--ignore-hints")
    assert code == 0
    assert_alike(out / "in" / "c.png", colorizer(pixels(folder / "in" / "c.png")))
    assert f"  8 .json: {folder / '1950.x.hints.json'} … " in said


def test_hints_are_of_the_first_page(run_folder, colorizer, tmp_path, capsys):
    pages = [Picture(grey_photo(1)), Picture(grey_photo(2))]
    write_pictures(tmp_path / "two.tif", pages)
    code, _, _ = command(
        capsys, tmp_path / "two.tif", "--out", tmp_path / "out", "--run", run_folder, "--hint", "9,9,red"
    )
    assert code == 0
    first, second = (page.pixels for page in read_pictures(tmp_path / "out" / "two.tif"))
    np.testing.assert_allclose(first, colorizer(pages[0].pixels, hints=[Hint(9, 9, "red")]), atol=1)
    np.testing.assert_allclose(second, colorizer(pages[1].pixels), atol=1)


def test_resume_samples_and_the_contact_sheet_go_with_hints(run_folder, tmp_path, capsys):
    photo, out = tmp_path / "a.png", tmp_path / "out"
    save_grey(photo)
    options = ["--out", out, "--run", run_folder, "--hint", "20,20,red,20", "--samples", "2", "--contact-sheet"]
    assert command(capsys, photo, *options)[0] == 0
    first, second = pixels(out / "a-1.png"), pixels(out / "a-2.png")
    assert np.abs(first.astype(int) - second).max() > 2
    assert (out / "contact-sheet-001.jpg").is_file()
    (out / "a-2.png").unlink()
    assert command(capsys, photo, *options, "--resume")[0] == 0
    np.testing.assert_array_equal(pixels(out / "a-2.png"), second)
    assert command(capsys, photo, *options[:4], "--samples", "2", "--overwrite")[0] == 0
    assert np.abs(first.astype(int) - pixels(out / "a-1.png")).max() > 2


def test_resume_makes_photos_again_whose_hints_have_changed(run_folder, colorizer, tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out"
    save_grey(folder / "a.png", folder / "b.png", folder / "c.png")
    for name in "ab":
        write_hints(folder / f"{name}.hints.json", RED)
    resume = [folder, "--out", out, "--run", run_folder, "--compare", "--resume"]
    assert command(capsys, *resume)[0] == 0
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    assert "nothing to do" in command(capsys, *resume)[1]
    blue = HintSet([Hint(0.5, 0.5, "blue", 0.3)], 1, 1)
    for name in "ac":
        write_hints(folder / f"{name}.hints.json", blue)
        later = (out / f"{name}-compare.png").stat().st_mtime_ns + 1_000_000
        os.utime(folder / f"{name}.hints.json", ns=(later, later))
    code, said, _ = command(capsys, *resume)
    assert code == 0 and "done     2 of 3 photos" in said
    for name in "ac":
        assert_alike(out / f"{name}.png", colorizer(pixels(folder / f"{name}.png"), hints=blue))
        assert (out / f"{name}-compare.png").read_bytes() != before[f"{name}-compare.png"]
    assert (out / "b.png").read_bytes() == before["b.png"]
    (folder / "c.hints.json").unlink()  # a result does not tell that it had hints
    assert [len(job.missing) for job in plan_jobs([folder], out, FolderSettings(resume=True)).jobs] == [0, 0, 0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--hint", "1,2"],
            "--hint '1,2': expected X,Y,COLOR or X,Y,COLOR,RADIUS, such as 640,480,firebrick or 50%,30%",
        ),
        (["--hint", "1,2,rgb(3,4,5)"], "--hint '1,2,rgb(3,4,5)': expected X,Y,COLOR"),
        (["--hint", "a,2,red"], "--hint 'a,2,red': 'a' is no number of pixels and no share; expected X,Y,COLOR"),
        (["--hint", "nan,2,red"], "'nan' is no number of pixels"),
        (["--hint", "1,2,rde"], "--hint '1,2,rde': the hint at x 1, y 2 has the color 'rde'; did you mean 'red'?"),
        (["--hint", "1,2,red,-1"], "--hint '1,2,red,-1': the hint at x 1, y 2 has the radius -1: expected 0 or more"),
        (
            ["--hint", "48,2,red"],
            "a.png: the hint at x 48, y 2 lies outside the photo of 48×40 pixels: expected x from",
        ),
        (["--hint", "101%,2,red"], "a.png: the hint at x 47.98, y 2 lies outside the photo of 48×40 pixels"),
        (["--hints", "none.json"], "no file 'none.json' (expected hints in JSON)"),
        (["--hints", "a.png"], "'a.png' is no JSON"),
        (["--hints", "film.json"], "a.png: hint 1 at x 1, y 2 has a 'time', which only hints for films have"),
        (["--hints", "large.json"], "a.png: the hints are for a photo of 30×30 pixels, and this one has 48×40"),
        (["b.png", "--hint", "1,2,red"], "--hint is for one photo, and there are 2: put a file NAME.hints.json beside"),
        (["b.png", "--hints", "large.json"], "--hints is for one photo, and there are 2: put a file NAME.hints.json"),
    ],
)
def test_mistakes_are_one_line_and_load_no_tensorflow(options, said, run_folder, tmp_path, capsys, monkeypatch):
    def loaded():
        raise AssertionError("TensorFlow was loaded for a mistake")

    monkeypatch.setattr("keras_colorize.cli.colorize.load_tensorflow", loaded)
    monkeypatch.chdir(tmp_path)
    save_grey(tmp_path / "a.png", tmp_path / "b.png")
    (tmp_path / "film.json").write_text('{"hints": [{"x": 1, "y": 2, "color": "red", "time": 3}]}')
    write_hints(tmp_path / "large.json", HintSet([Hint(1, 1, "red")], 30, 30))
    assert said in fails(capsys, "a.png", *options, "--out", "out", "--run", run_folder)


def test_a_network_that_takes_no_hints_is_refused_before_the_first_photo(plain_run, tmp_path, capsys):
    save_grey(tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.png")
    options = ["--out", tmp_path / "out", "--run", plain_run]
    said = fails(capsys, tmp_path / "a.png", "--hint", "1,2,red", *options)
    assert "takes no hints: use a model that does, or leave them out" in said
    write_hints(tmp_path / "b.hints.json", RED)
    said = fails(capsys, tmp_path, *options)
    assert f"takes no hints, and 1 photo has hints beside it, first '{tmp_path / 'b.hints.json'}'" in said
    assert said.endswith("use a model that takes hints, or --ignore-hints\n")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ColorizeError, match="takes no hints, and 1 photo"):
        colorize_folder(Colorizer.from_run(plain_run), tmp_path, tmp_path / "out")
    write_hints(tmp_path / "c.png.hints.json", RED)
    assert "takes no hints, and 2 photos have hints beside them, first" in fails(capsys, tmp_path, *options)
    assert command(capsys, tmp_path, *options, "--ignore-hints")[0] == 0
    (tmp_path / "out" / "a.png").unlink()
    assert command(capsys, tmp_path, *options, "--resume")[0] == 0  # those with hints are done


def test_settings_take_hints_for_one_photo(colorizer, tmp_path):
    save_grey(tmp_path / "a.png", tmp_path / "b.png")
    settings = FolderSettings(hints=[Hint(9, 9, "red", 9)])
    (result,) = colorize_folder(colorizer, tmp_path / "a.png", tmp_path / "out", settings)
    assert_alike(result.outputs[0], colorizer(pixels(tmp_path / "a.png"), hints=settings.hints))
    with pytest.raises(ColorizeError, match="`hints` are for one photo, and there are 2"):
        plan_jobs([tmp_path], tmp_path / "out", settings)
    with pytest.raises(ColorizeError, match="expected a `Hint`"):
        FolderSettings(hints=["red"])


def test_a_hint_outside_takes_no_other_photo_along(colorizer, tmp_path):
    save_grey(tmp_path / "a.png", tmp_path / "b.png")
    Image.fromarray(grey_photo(3, 20, 20)).save(tmp_path / "small.png")
    for name in "a", "small":
        write_hints(tmp_path / f"{name}.hints.json", HintSet([Hint(30, 30, "red")]))
    results = {result.source.name: result.error for result in colorize_folder(colorizer, tmp_path, tmp_path / "out")}
    assert results.pop("small.png").startswith("the hint at x 30, y 30 lies outside the photo of 20×20 pixels")
    assert results == {"a.png": None, "b.png": None}
