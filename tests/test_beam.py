"""`keras-colorize colorize --runner` on Beam's direct runner: what one machine makes, and what a runner does to it."""

import csv
import errno
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from keras_colorize import Hint, HintSet, write_hints
from keras_colorize.batch import write as photo
from keras_colorize.batch.plan import FolderSettings, plan_jobs
from keras_colorize.export.saved_model import Limits, save
from keras_colorize.export.session import ServingSession
from keras_colorize.images import Picture, read_pictures, write_pictures
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.graph import ColorGraph
from tests.colorizing import command, fails, grey_photo, save_grey, write_run
from tests.conftest import colorful_photo

pytest.importorskip("apache_beam")

ROOT = Path(__file__).resolve().parents[1]
# Mean difference in levels of 8 and 16 bits: a rounding that tips, and at the gamut's edge takes a few levels along.
TOLERANCE = {8: 0.01, 16: 0.1}
PROCESSES = ("--beam-option", "direct_num_workers=2", "--beam-option", "direct_running_mode=multi_processing")


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def served(run_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    save(ColorGraph(Colorizer.from_run(run_folder)), folder / "small" / "1", Limits())
    return folder


@pytest.fixture(scope="module")
def hint_run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run"), hints=True)


@pytest.fixture(scope="module")
def served_with_hints(hint_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    save(ColorGraph(Colorizer.from_run(hint_run)), folder / "small" / "1", Limits())
    return folder


@pytest.fixture
def photos(tmp_path):
    """Of every kind, two of them broken, in folders whose names a file system's patterns would trip over."""
    folder = tmp_path / "in [1]"
    (folder / "b*").mkdir(parents=True)
    deep = (grey_photo(21).astype(np.uint16) << 8) + 77
    write_pictures(folder / "16 bit.png", Picture(deep))
    write_pictures(folder / "pages.tiff", [Picture(deep), Picture(deep[:, :30].copy())])
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "maker", 6
    Image.fromarray(colorful_photo(1, 60, 90)).save(folder / "Großmutter.jpg", exif=exif)
    transparent = Image.fromarray(grey_photo(3))
    transparent.putalpha(Image.fromarray(grey_photo(20)))
    transparent.save(folder / "b*" / "alpha.png")
    save_grey(*(folder / "b*" / f"{number}.png" for number in range(9)))
    (folder / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a photo")
    (folder / "b*" / "empty.tif").write_bytes(b"")
    return folder


def contents(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def listed(out):
    with (out / "errors.csv").open(newline="", encoding="utf-8") as stream:
        return {(Path(row["file"]).name, row["error"]) for row in csv.DictReader(stream)}


def assert_same_results(ours, theirs):
    """The same files with the same pixels, transparency and metadata."""
    assert contents(ours) | {"in_color.csv"} == contents(theirs) | {"in_color.csv"}
    for name in contents(ours) - {"errors.csv", "in_color.csv"}:
        for a, b in zip(read_pictures(ours / name), read_pictures(theirs / name), strict=True):
            assert a.pixels.shape == b.pixels.shape and a.depth == b.depth
            assert np.abs(a.pixels.astype(int) - b.pixels.astype(int)).mean() <= TOLERANCE[a.depth], name
            assert (a.alpha is None) == (b.alpha is None)
            assert a.alpha is None or np.array_equal(a.alpha, b.alpha)
            assert a.metadata == b.metadata


@pytest.mark.parametrize(
    "options",
    [
        ("--compare", "--contact-sheet"),
        ("--vividness", "1.7", "--no-edges", "--format", "tiff", "--batch-size", "3"),
        ("--beam-option", "direct_runner_bundle_repeat=1"),
    ],
    ids=["as it is", "otherwise", "every bundle twice"],
)
def test_as_on_one_machine(photos, run_folder, served, tmp_path, capsys, options):
    here, there = tmp_path / "here", tmp_path / "there [2]"
    local = [option for option in options if "beam" not in option and "direct" not in option]
    code, said, _ = command(capsys, photos, "--out", here, "--recursive", "--run", run_folder, *local)
    assert code == 1
    code, said_there, error = command(
        capsys, photos, "--out", there, "--recursive", "--runner", "direct", "--saved-model", served, *options
    )
    assert (code, error) == (1, "")
    assert_same_results(here, there)
    assert listed(here) == listed(there) and len(listed(there)) == 2
    assert "done     13 of 15 photos" in said_there
    assert f"failed   2, listed in {there / 'errors.csv'}:" in said_there
    listed_in_color = (here / "in_color.csv").read_text(encoding="utf-8")
    # What is done for a second time has its results, and is not looked at again.
    if "direct_runner_bundle_repeat=1" not in options:
        assert (there / "in_color.csv").read_text(encoding="utf-8") == listed_in_color
        assert "colour   1 photo had colours" in said and "colour   1 photo had colours" in said_there


def test_photos_in_colour_are_left_alone(run_folder, served, tmp_path, capsys):
    save_grey(tmp_path / "in" / "grey.png")
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "in" / "color.png")
    runner = ("--runner", "direct", "--saved-model", served)
    for out, which in {"here": ("--run", run_folder), "there": runner}.items():
        code, said, _ = command(capsys, tmp_path / "in", "--out", tmp_path / out, "--skip-color", *which)
        assert code == 0 and "done     1 of 2 photos" in said
        assert f"left     1 photo in colour, not colorized; listed in {tmp_path / out / 'in_color.csv'}:" in said
        assert f"  {tmp_path / 'in' / 'color.png'}\n" in said
    assert_same_results(tmp_path / "here", tmp_path / "there")
    assert contents(tmp_path / "there") == {"grey.png", "in_color.csv"}


@pytest.mark.parametrize("options", [("--recursive",), ("--recursive", "--vividness", "0.6", "--batch-size", "2")])
def test_photos_take_the_hints_beside_them(options, hint_run, served_with_hints, tmp_path, capsys):
    photos = tmp_path / "in"
    save_grey(*(photos / name for name in ("a.png", "b.png", "in/c.png", "d.png", "far.png", "broken.png")))
    write_pictures(photos / "pages.tiff", [Picture(grey_photo(4)), Picture(grey_photo(5, 30, 60))])
    blue = HintSet([Hint(0.5, 0.5, "blue", 0.3)], 1, 1, vividness=2)
    for name in ("a", "pages.tiff"):
        write_hints(photos / f"{name}.hints.json", [Hint(20, 20, "red", 9)])
    for name in ("b", "in/c"):
        write_hints(photos / f"{name}.hints.json", blue)
    write_hints(photos / "far.hints.json", [Hint(48, 0, "red")])
    (photos / "broken.hints.json").write_text("{")
    here, there, plain = tmp_path / "here", tmp_path / "there", tmp_path / "plain"
    runner = ("--runner", "direct", "--saved-model", served_with_hints)
    assert command(capsys, photos, "--out", here, "--run", hint_run, *options)[0] == 1
    assert command(capsys, photos, "--out", there, *runner, *options)[0] == 1
    assert_same_results(here, there)
    assert listed(here) == listed(there) and {name for name, _ in listed(there)} == {"far.png", "broken.png"}
    assert command(capsys, photos, "--out", plain, *runner, "--recursive", "--ignore-hints")[0] == 0
    for name, is_hinted in {"a.png": True, "d.png": "--vividness" in options}.items():
        hinted, free = (next(read_pictures(out / name)).pixels.astype(int) for out in (there, plain))
        assert (np.abs(hinted - free).max() > 3) == is_hinted


def test_a_hint_of_the_command_reaches_the_workers(hint_run, served_with_hints, tmp_path, capsys):
    save_grey(tmp_path / "a.png")
    hint = ("--hint", "50%,20,#00f,10", "--hint", "3,3,neutral")
    for out, which in {
        "here": ("--run", hint_run),
        "there": ("--runner", "direct", "--saved-model", served_with_hints),
        "exported": ("--runner", "direct", "--run", hint_run),
    }.items():
        assert command(capsys, tmp_path / "a.png", "--out", tmp_path / out, *which, *hint)[0] == 0
    assert_same_results(tmp_path / "here", tmp_path / "there")
    assert_same_results(tmp_path / "here", tmp_path / "exported")


def test_an_exported_network_that_takes_no_hints_is_refused(run_folder, served, tmp_path, capsys):
    save_grey(tmp_path / "a.png")
    for which in (("--saved-model", served), ("--run", run_folder)):
        said = fails(
            capsys, tmp_path / "a.png", "--out", tmp_path / "out", "--runner", "direct", *which, "--hint", "1,2,red"
        )
        assert "takes no hints: use a model that does, or leave them out" in said


@pytest.mark.parametrize("system", ["run", pytest.param("vivid", marks=pytest.mark.slow)])
def test_the_network_is_exported_first_and_nothing_of_it_is_left(run_folder, tmp_path, capsys, system):
    which = ("--run", run_folder) if system == "run" else ("--model", system)
    save_grey(tmp_path / "in" / "a.png", tmp_path / "in" / "b.png")
    Image.fromarray(grey_photo(2, 30, 200)).save(tmp_path / "in" / "wide.png")
    for out, options in {"here": (), "there": ("--runner", "DirectRunner")}.items():
        code, _, error = command(capsys, tmp_path / "in", "--out", tmp_path / out, *which, *options)
        assert (code, error) == (0, "")
    assert_same_results(tmp_path / "here", tmp_path / "there")
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["a.png", "b.png", "wide.png"]


def test_resume_does_what_is_missing(photos, served, tmp_path, capsys):
    out = tmp_path / "out"
    run = (photos, "--out", out, "--recursive", "--compare", "--runner", "direct", "--saved-model", served)
    assert command(capsys, *run)[0] == 1
    before = {name: (out / name).read_bytes() for name in contents(out)}
    assert "exist" in fails(capsys, *run)
    missing = ["b*/0.png", "b*/1-compare.png", "pages.tiff", "pages-compare.tiff"]
    for name in missing:
        (out / name).unlink()
    (out / "b*" / "2.png").write_bytes(b"mine")
    (photos / "torn.jpg").unlink()
    code, said, _ = command(capsys, *run, "--resume")
    assert code == 1
    assert "done     3 of 14 photos" in said and "skipped  10" in said and "failed   1" in said
    assert (out / "b*" / "2.png").read_bytes() == b"mine"
    assert {name for name, _ in listed(out)} == {"empty.tif"}
    for name in contents(out) - {"b*/2.png", "errors.csv"}:
        assert (out / name).read_bytes() == before[name], name
    (photos / "b*" / "empty.tif").unlink()
    code, said, _ = command(capsys, *run, "--resume")
    assert code == 0 and "nothing to do" in said


def test_a_photo_that_another_worker_has_done_is_done(served, tmp_path, monkeypatch):
    from keras_colorize.beam.jobs import absolute_jobs
    from keras_colorize.beam.options import pipeline_options
    from keras_colorize.beam.run import run_pipeline, work_folder
    from keras_colorize.export.servable import find_saved_model

    save_grey(tmp_path / "in" / "a.png", tmp_path / "in" / "b.png")
    out = tmp_path / "out"
    monkeypatch.chdir(tmp_path)
    jobs = absolute_jobs(plan_jobs(["in"], "out").jobs)
    out.mkdir()
    (out / "a.png").write_bytes(b"another worker's")
    with work_folder(out) as work:
        given = (out, work, find_saved_model(served), FolderSettings(), pipeline_options("direct", []))
        for _ in range(2):
            outcome = run_pipeline(jobs, *given)
            assert (outcome.done, outcome.errors) == (2, {})
    assert (out / "a.png").read_bytes() == b"another worker's"
    assert contents(out) == {"a.png", "b.png"}


def test_a_photo_that_the_network_refuses_does_not_take_its_batch_along(served, tmp_path, capsys, monkeypatch):
    save_grey(*(tmp_path / "in" / f"{number}.png" for number in range(6)))
    Image.fromarray(np.zeros((40, 48), np.uint8)).save(tmp_path / "in" / "black.png")
    ask = ServingSession.__call__

    def refuses_black(self, signature, **inputs):
        answer = ask(self, signature, **inputs)
        answer["ab"] = np.where(inputs["L"].max(axis=(1, 2, 3), keepdims=True) == 0, np.nan, answer["ab"])
        return answer

    monkeypatch.setattr(ServingSession, "__call__", refuses_black)
    out = tmp_path / "out"
    code, said, _ = command(capsys, tmp_path / "in", "--out", out, "--runner", "direct", "--saved-model", served)
    assert code == 1 and "done     6 of 7 photos" in said
    reason = "the network answers with values that are no finite numbers: its weights are broken"
    assert listed(out) == {("black.png", reason)}
    assert contents(out) == {"errors.csv", *(f"{number}.png" for number in range(6))}


def test_a_full_disk_stops_the_pipeline_with_one_line(served, tmp_path, capsys, monkeypatch):
    save_grey(tmp_path / "in" / "a.png")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(photo, "write_pictures", full)
    error = fails(capsys, tmp_path / "in", "--out", tmp_path / "out", "--runner", "direct", "--saved-model", served)
    assert "the pipeline stopped: OSError: [Errno 28] No space left on device" in error and "--resume" in error
    assert not list((tmp_path / "out").iterdir())


def test_mistakes_are_one_line(photos, served, tmp_path, capsys):
    (tmp_path / "two").mkdir()
    with_runner = (photos, "--out", tmp_path / "out", "--recursive", "--saved-model", served, "--runner")
    assert "unknown runner 'flunk'; did you mean 'Flink'?" in fails(capsys, *with_runner, "flunk")
    for option, said in {
        "direct_num_workrs=2": "no option 'direct_num_workrs'; did you mean 'direct_num_workers'?",
        "direct_num_workers=two": "argument --direct_num_workers: invalid int value: 'two'",
    }.items():
        assert said in fails(capsys, *with_runner, "direct", "--beam-option", option)
    assert "Missing required option: project" in fails(capsys, *with_runner, "dataflow") or find_spec("google.cloud")
    assert "--samples and --seed do not go with --runner" in fails(capsys, *with_runner, "direct", "--samples", "2")
    assert "--samples and --seed do not go with --runner" in fails(capsys, *with_runner, "direct", "--seed", "2")
    assert "--saved-model and --model name different" in fails(capsys, *with_runner, "direct", "--model", "vivid")
    assert "choose another folder for --out" in fails(
        capsys, photos / "b*" / "0.png", "--out", photos / "b*", "--overwrite", *with_runner[4:], "direct"
    )
    assert not (tmp_path / "out").exists()


def start(photos, out, served, *options):
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "keras_colorize", "colorize", str(photos), "--out", str(out)),
            *("--runner", "direct", "--saved-model", str(served), *options),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_goes_on(served, tmp_path, signal_number):
    names = {f"{number}.jpg" for number in range(40)}
    (tmp_path / "in").mkdir()
    for seed, name in enumerate(sorted(names)):
        Image.fromarray(grey_photo(seed, 900, 1200)).save(tmp_path / "in" / name)
    out = tmp_path / "out"
    process = start(tmp_path / "in", out, served)
    until = time.monotonic() + 120
    while len(list(out.glob("*.jpg"))) < 3 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(process.pid, signal_number)
    _, error = process.communicate(timeout=60)
    done = {path.name: path.stat().st_mtime_ns for path in out.glob("*.jpg")}
    assert 3 <= len(done) < 40
    if signal_number != signal.SIGKILL:
        assert process.returncode == 130
        assert error.strip().endswith(
            f"stopped; every file in {out} is whole, and the same command with --resume goes on"
        )
        assert "Traceback" not in error
        assert not list(out.glob(".beam-*"))
    for name in done:
        assert next(read_pictures(out / name)).pixels.shape == (900, 1200, 3)
    process = start(tmp_path / "in", out, served, "--resume")
    said, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    assert f"done     {40 - len(done)} of 40 photos" in said
    assert {path.name for path in out.glob("*.jpg")} == names
    assert {name: (out / name).stat().st_mtime_ns for name in done} == done


@pytest.mark.slow
def test_several_processes_make_the_same(photos, run_folder, served, tmp_path, capsys):
    assert command(capsys, photos, "--out", tmp_path / "here", "--recursive", "--run", run_folder)[0] == 1
    process = start(photos, tmp_path / "there", served, "--recursive", *PROCESSES)
    said, error = process.communicate(timeout=300)
    assert process.returncode == 1, error
    assert "done     13 of 15 photos" in said
    assert_same_results(tmp_path / "here", tmp_path / "there")
    assert listed(tmp_path / "here") == listed(tmp_path / "there")
