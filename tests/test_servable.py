"""Checks of a SavedModel, and of a run on many machines, that need neither TensorFlow nor Apache Beam."""

import importlib.util
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from keras_colorize.batch.plan import FolderSettings, Job, plan_jobs
from keras_colorize.batch.write import reason
from keras_colorize.beam.jobs import absolute_jobs, read_jobs, write_jobs
from keras_colorize.beam.outcome import Outcome
from keras_colorize.cli import main
from keras_colorize.errors import ColorizeError
from keras_colorize.export.servable import FRAME_FILE, MODEL_FILE, ServingFrame, find_saved_model
from tests.colorizing import save_grey


def make_model(folder, frame=True):
    folder.mkdir(parents=True)
    (folder / MODEL_FILE).touch()
    if frame:
        ServingFrame(96, 16, True).write(folder)
    return folder


def test_a_model_is_found_from_any_of_its_folders_and_the_newest_version_counts(tmp_path, monkeypatch):
    newest = [make_model(tmp_path / "served" / "vivid" / version) for version in ("9", "10", "2")][1]
    monkeypatch.chdir(tmp_path)
    for path in ("served", "served/vivid", "served/vivid/10"):
        found = find_saved_model(path)
        assert (found.folder, found.frame) == (newest, ServingFrame(96, 16, True))
    assert find_saved_model(tmp_path / "served" / "vivid" / "9").folder.name == "9"


def test_what_is_no_model_of_ours_is_refused(tmp_path):
    with pytest.raises(ColorizeError, match="no folder"):
        find_saved_model(tmp_path / "nowhere")
    with pytest.raises(ColorizeError, match=f"holds no {MODEL_FILE}"):
        find_saved_model(tmp_path)
    for name, frame in {"none": None, "torn": "{", "other": "[1]", "half": '{"image_size": 96}'}.items():
        folder = make_model(tmp_path / name / "1", frame=False)
        if frame is not None:
            (folder / FRAME_FILE).parent.mkdir()
            (folder / FRAME_FILE).write_text(frame)
        with pytest.raises(ColorizeError, match="no SavedModel of keras-colorize"):
            find_saved_model(tmp_path / name)
    with pytest.raises(ColorizeError, match="several models, half, none, other, torn"):
        find_saved_model(tmp_path)


def test_jobs_reach_workers_whole(tmp_path, monkeypatch):
    names = ["a.png", "line\nbreak.png", "写真.png", b"\xff latin.png".decode(errors="surrogateescape")]
    save_grey(*(tmp_path / "in" / name for name in names))
    monkeypatch.chdir(tmp_path)
    jobs = absolute_jobs(plan_jobs(["in"], "out", FolderSettings(compare=True)).jobs)
    chunks = write_jobs(jobs, tmp_path / "jobs.jsonl", 3)
    assert len((tmp_path / "jobs.jsonl").read_text(encoding="ascii").splitlines()) == len(names)
    assert [job for chunk in chunks for job in read_jobs(tmp_path / "jobs.jsonl", chunk)] == jobs
    assert all(path.is_absolute() for job in jobs for path in (job.source, *job.missing))
    plain = absolute_jobs(plan_jobs(["in"], "out").jobs)
    first = write_jobs(plain, tmp_path / "jobs.jsonl", 1)[0]
    assert read_jobs(tmp_path / "jobs.jsonl", first)[0] == plain[0] and plain[0].comparison is None


def test_many_jobs_are_divided_into_chunks(tmp_path):
    job = Job(tmp_path / "a.png", "a.png", (tmp_path / "out" / "a.png",), None, frozenset())
    for count, largest in ((5, 4), (300, 8), (5000, 32)):
        jobs = [replace(job, name=str(number)) for number in range(count)]
        chunks = write_jobs(jobs, tmp_path / "jobs.jsonl", 4)
        assert max(chunk.count for chunk in chunks) == largest
        assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
        assert [job for chunk in chunks for job in read_jobs(tmp_path / "jobs.jsonl", chunk)] == jobs


def test_outcomes_are_read_as_they_were_written(tmp_path):
    sources = [Path("a, b.png"), Path("line\nbreak.png"), Path(b"\xff.png".decode(errors="surrogateescape"))]
    one = Outcome(3, {sources[0]: 'says "no"', sources[2]: "torn"}, {sources[1]: True}, Counter(wide=2))
    one.write(tmp_path / "0.json")
    assert Outcome.read(tmp_path / "0.json") == one
    other = Outcome(1, in_color={sources[0]: False}, remarks=Counter(wide=1, tall=1))
    both = Outcome.sum([one, other])
    assert (both.done, both.errors, both.remarks) == (4, one.errors, Counter(wide=3, tall=1))
    assert both.in_color == {sources[1]: True, sources[0]: False}


def test_reasons_are_one_line():
    source = Path("in/a.png")
    assert reason(source, ColorizeError("in/a.png: is\ntorn")) == "is torn"
    assert reason(source, MemoryError()) == "is too large for the memory of this machine"
    assert reason(source, ValueError("x " * 400)).startswith("ValueError: x x")
    assert len(reason(source, ValueError("x " * 400))) < 320
    with pytest.raises(OSError, match="No space left"):
        reason(source, OSError(28, "No space left on device"))


def test_without_apache_beam_one_line_says_what_to_install(tmp_path, capsys, monkeypatch):
    save_grey(tmp_path / "a.png")
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "apache_beam" else find_spec(name))
    given = ["colorize", str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]
    assert main([*given, "--runner", "DirectRunner"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert '--runner needs apache_beam: pip install "keras-colorize[beam]"' in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", [("--saved-model", "served"), ("--beam-option", "direct_num_workers=2")])
def test_options_of_a_runner_need_one(tmp_path, capsys, option):
    save_grey(tmp_path / "a.png")
    assert main(["colorize", str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), *option]) == 2
    assert f"{option[0]} goes with --runner" in capsys.readouterr().err


def test_the_frame_is_plain_json(tmp_path):
    folder = make_model(tmp_path / "1")
    assert json.loads((folder / FRAME_FILE).read_text(encoding="utf-8")) == {
        "image_size": 96,
        "multiple": 16,
        "takes_hints": True,
    }
