"""`keras-colorize film --runner` on Beam's direct runner: the film of one machine, whatever happens to a worker."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("apache_beam")
pytest.importorskip("av", reason="films need the extra `video`")
pytest.importorskip("cv2", reason="films need the extra `video`")

from keras_colorize.beam import film as beam_film
from keras_colorize.beam.film import run_film
from keras_colorize.beam.options import pipeline_options
from keras_colorize.cli import main
from keras_colorize.errors import ColorizeError
from keras_colorize.inference.hint_files import TimedHint
from keras_colorize.video.film import colorize_film
from tests.colorizing import hint_colorizer, write_run
from tests.conftest import colorful_photo
from tests.films import (
    LOSSLESS,
    Killed,
    assert_same_film,
    cut_film,
    damaged_film,
    read_film,
    small_colorizer,
    sound_packets,
)

pytestmark = pytest.mark.usefixtures("short_scenes")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def colorizer():
    return small_colorizer(hints=True)


def direct(*options):
    return pipeline_options("direct", options)


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        (LOSSLESS, ()),
        (replace(LOSSLESS, hints=[TimedHint(30, 20, "red", 6, frame=18)], vividness=1.4), ()),
        (replace(LOSSLESS, steady=False, edges=False), ("direct_runner_bundle_repeat=1",)),
        (replace(LOSSLESS, preview=1.0), ()),
        (LOSSLESS, ("direct_num_workers=2", "direct_running_mode=multi_threading")),
    ],
    ids=["as it is", "hints", "every bundle twice", "preview", "threads"],
)
def test_as_on_one_machine(tmp_path, colorizer, settings, options):
    film = cut_film(tmp_path / "old.mp4", sound="aac", options={"g": "5"})
    here = colorize_film(colorizer, film, tmp_path / "here.mkv", settings)
    read, done = [], []
    there = run_film(
        colorizer, film, tmp_path / "there.mkv", settings, direct(*options),
        lambda *at: read.append(at), lambda *at: done.append(at),
    )  # fmt: skip
    assert_same_film(here.out, there.out)
    assert replace(here, out=there.out) == there
    assert read[-1][0] == there.frames and done[-1] == (there.frames, there.frames)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["here.mkv", "old.mp4", "there.mkv"]


def test_h264_is_the_same_file(tmp_path, colorizer):
    # x264 reads memory that nobody wrote where frames are as small as in the other tests.
    film = cut_film(tmp_path / "old.mp4", size=(192, 256), sound="aac")
    here = colorize_film(colorizer, film, tmp_path / "here.mp4")
    there = run_film(colorizer, film, tmp_path / "there.mp4", None, direct())
    assert here.out.read_bytes() == there.out.read_bytes()
    assert sound_packets(there.out) == sound_packets(film)


def test_a_reference_reaches_the_workers(tmp_path):
    film = cut_film(tmp_path / "old.mp4", (6, 6), sound="aac")
    binned, settings = hint_colorizer(), replace(LOSSLESS, reference=colorful_photo(5))
    here = colorize_film(binned, film, tmp_path / "here.mkv", settings)
    there = run_film(binned, film, tmp_path / "there.mkv", settings, direct())
    assert_same_film(here.out, there.out)


def test_a_damaged_stretch_stays_grey_and_its_time_is_told(tmp_path, colorizer):
    film = damaged_film(tmp_path, sound="aac", **{"x264-params": "scenecut=0"})
    here = colorize_film(colorizer, film, tmp_path / "here.mkv", LOSSLESS)
    there = run_film(colorizer, film, tmp_path / "there.mkv", LOSSLESS, direct())
    assert_same_film(here.out, there.out)
    assert replace(here, out=there.out) == there and there.damaged and there.lost


def test_folders_of_frames_in_and_out(tmp_path, colorizer):
    frames = tmp_path / "frames"
    frames.mkdir()
    for number, pixels in enumerate(read_film(cut_film(tmp_path / "old.mp4"))[0]):
        Image.fromarray(pixels).save(frames / f"{number}.png")
    here, there = tmp_path / "here", tmp_path / "there"
    colorize_film(colorizer, frames, here)
    run_film(colorizer, frames, there, None, direct())
    assert [file.name for file in sorted(there.iterdir())] == [f"{number:08d}.png" for number in range(1, 44)]
    for file in here.iterdir():
        assert file.read_bytes() == (there / file.name).read_bytes()


def test_a_pipeline_that_stops_goes_on_where_it_was(tmp_path, colorizer, monkeypatch):
    film = cut_film(tmp_path / "old.mp4", sound="aac")
    whole = colorize_film(colorizer, film, tmp_path / "whole.mkv", LOSSLESS)
    out, color = tmp_path / "new.mkv", beam_film.color_scene
    colored = []

    def dies(colorizer, source, scene, *given):
        for frame in color(colorizer, source, scene, *given):
            if len(colored) == 24:
                raise Killed("the power went")
            colored.append((scene.number, frame.place))
            yield frame

    monkeypatch.setattr(beam_film, "color_scene", dies)
    with pytest.raises(ColorizeError, match=r"the pipeline stopped: .*the power went") as stopped:
        run_film(colorizer, film, out, LOSSLESS, direct())
    assert stopped.value.action == "same_command"
    kept = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "new.mkv.parts").glob("*.npz")}
    assert len(kept) >= 2 and not out.exists()
    with pytest.raises(ColorizeError, match="`resume` goes on"):
        run_film(colorizer, film, out, LOSSLESS, direct())
    resumed = []

    def colors(colorizer, source, scene, *given):
        for frame in color(colorizer, source, scene, *given):
            resumed.append((scene.number, frame.place))
            yield frame

    monkeypatch.setattr(beam_film, "color_scene", colors)
    monkeypatch.setattr(beam_film, "find_scenes", None)  # they are known
    run_film(colorizer, film, out, replace(LOSSLESS, resume=True), direct())
    assert_same_film(whole.out, out)
    # Only what was in no whole segment is coloured again: less than a segment.
    assert len(set(colored) & set(resumed)) < 8 and len(set(colored) | set(resumed)) == 43
    assert not (tmp_path / "new.mkv.parts").exists()


def test_one_machine_goes_on_with_what_workers_began(tmp_path, colorizer, monkeypatch):
    film = cut_film(tmp_path / "old.mp4", sound="aac")
    whole = colorize_film(colorizer, film, tmp_path / "whole.mkv", LOSSLESS)
    out, color = tmp_path / "new.mkv", beam_film.color_scene

    def refuses(colorizer, source, scene, *given):
        if scene.number == 1:
            raise Killed
        return color(colorizer, source, scene, *given)

    monkeypatch.setattr(beam_film, "color_scene", refuses)
    with pytest.raises(ColorizeError, match="the pipeline stopped"):
        run_film(colorizer, film, out, LOSSLESS, direct())
    colorize_film(colorizer, film, out, replace(LOSSLESS, resume=True))
    assert_same_film(whole.out, out)


def test_the_command_takes_a_runner(tmp_path, capsys):
    run, film = write_run(tmp_path / "run"), cut_film(tmp_path / "old.mp4", sound="aac")
    command = ("film", str(film), "--run", str(run), "--codec", "ffv1", "--out")
    assert main([*command, str(tmp_path / "here.mkv")]) == 0
    assert main([*command, str(tmp_path / "there.mkv"), "--runner", "direct"]) == 0
    assert capsys.readouterr().out.count("43 frames, 0:00:01.7") == 2
    assert_same_film(tmp_path / "here.mkv", tmp_path / "there.mkv")
    for options, said in {
        ("--runner", "flunk"): "unknown runner 'flunk'; did you mean 'Flink'?",
        ("--beam-option", "direct_num_workers=2"): "--beam-option goes with --runner",
        ("--runner", "direct"): "exists: --overwrite replaces it",
    }.items():
        assert main([*command, str(tmp_path / "there.mkv"), *options]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_goes_on(tmp_path, signal_number):
    run = write_run(tmp_path / "run")
    film = cut_film(tmp_path / "old.mp4", (130, 130, 130, 130), sound="aac")
    out, code = tmp_path / "new.mkv", "from keras_colorize.video import scenes; scenes.SEGMENT_FRAMES = 40\n"
    code += "import sys; from keras_colorize.cli import main; sys.exit(main())"
    words = ("film", film, "--run", run, "--codec", "ffv1", "--out")

    def start(*options):
        return subprocess.Popen(
            [sys.executable, "-c", code, *map(str, (*words, *options))],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True,
        )  # fmt: skip

    process = start(out, "--runner", "direct")
    until = time.monotonic() + 200
    whole = "new.mkv.parts/[0-9]*.npz"
    while len(list(tmp_path.glob(whole))) < 3 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(process.pid, signal_number)
    _, error = process.communicate(timeout=100)
    done = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob(whole)}
    assert 3 <= len(done) < 16 and not out.exists()
    if signal_number != signal.SIGKILL:
        assert process.returncode == 130, error
        assert error.strip().endswith(f"whole segments stay beside {out}, and the same command with --resume goes on")
        assert "Traceback" not in error
    process = start(out, "--runner", "direct", "--resume")
    said, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    assert "520 frames" in said
    process = start(tmp_path / "whole.mkv")
    assert process.wait(timeout=300) == 0
    assert_same_film(tmp_path / "whole.mkv", out)


@pytest.mark.slow
def test_several_processes_make_the_same(tmp_path, colorizer, monkeypatch):
    monkeypatch.undo()  # worker processes have the package's own lengths
    film = cut_film(tmp_path / "old.mp4", (130, 130, 30), sound="aac")
    here = colorize_film(colorizer, film, tmp_path / "here.mkv", LOSSLESS)
    options = direct("direct_num_workers=2", "direct_running_mode=multi_processing")
    there = run_film(colorizer, film, tmp_path / "there.mkv", LOSSLESS, options)
    assert_same_film(here.out, there.out)
