"""The soak's own checks: it must notice what is lost, doubled, half written or left behind. No network runs here."""

import csv
import os
import shutil
import sys
import textwrap
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.ledger import Ledger
from benchmarks.soak import Sample, Soak, memory_slope, tree_memory
from benchmarks.soak_photos import PHOTOS, Entry, make_folder
from keras_colorize.batch.plan import ERRORS_FILE, FolderSettings, plan_jobs
from tests.conftest import colorful_photo, write_photos

BROKEN = "broken.jpg"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of 150 files, with what is known of them."""
    root = tmp_path_factory.mktemp("soak")
    sources = sorted(write_photos(root / "sources").glob("photo_*.png"))
    return root, sources, make_folder(root / "soak", sources, 150, seed=3)


def test_the_photos_are_planned_as_the_list_says(made):
    root, _, entries = made
    photos, out = root / "soak" / PHOTOS, root / "out"
    plan = plan_jobs([photos], out, FolderSettings(recursive=True))
    expected = {entry.name: entry.result for entry in entries if entry.fate != "passed"}
    found = {job.source.relative_to(photos).as_posix(): job.colored[0].relative_to(out).as_posix() for job in plan.jobs}
    assert found == expected
    assert {entry.fate for entry in entries} == {"colored", "failed", "either", "passed"}
    stems = [name.rpartition(".")[0] for name in expected]
    assert len(set(stems)) < len(stems), "no two photos differ in their suffix only"


def test_the_photos_are_a_pure_function_of_the_seed(made, tmp_path):
    root, sources, entries = made
    assert make_folder(tmp_path / "again", sources, 150, seed=3) == entries
    one, other = root / "soak" / PHOTOS, tmp_path / "again" / PHOTOS
    same = [(one / entry.name).read_bytes() == (other / entry.name).read_bytes() for entry in entries]
    assert sum(same) > 0.9 * len(same)  # colour profiles have the date in them
    assert make_folder(root / "soak", sources, 150, seed=3) == entries, "the list is not read back as it was"
    with pytest.raises(SystemExit, match="other arguments"):
        make_folder(root / "soak", sources, 150, seed=4)


# The ledger


@pytest.fixture
def ledger(tmp_path):
    """Three photos with their results, one file that is no photo, and its place among the failures."""
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    (out / "inner").mkdir(parents=True)
    entries = [Entry(BROKEN, BROKEN, "failed"), Entry("notes.txt", "notes.txt", "passed")]
    for number, name in enumerate(("0.png", "inner/1.png", "inner/2.png")):
        Image.fromarray(colorful_photo(number)).save(out / name)
        entries.append(Entry(name, name, "colored", ((40, 48),)))
    list_failures(out, photos / BROKEN)
    ledger = Ledger(entries, photos, out)
    ledger.look()
    return ledger


def list_failures(out: Path, *photos: Path) -> None:
    with (out / ERRORS_FILE).open("w", newline="") as stream:
        csv.writer(stream).writerows([("file", "error"), *((str(photo), "is no photo") for photo in photos)])


def problems(ledger: Ledger, finished: bool = True) -> list[str]:
    ledger.close(finished)
    return ledger.problems


def test_a_folder_in_order_has_no_problem(ledger):
    assert problems(ledger) == []


def test_a_lost_photo_is_noticed(ledger):
    ledger.stamps.pop("0.png")  # as if it had not been there at the last look
    (ledger.out / "0.png").unlink()
    assert problems(ledger) == ["0.png: is lost: no result and no failure"]


def test_a_photo_that_is_not_done_is_no_problem_before_the_end(ledger):
    ledger.stamps.pop("0.png")
    (ledger.out / "0.png").unlink()
    assert problems(ledger, finished=False) == []


def test_a_result_that_vanishes_is_noticed(ledger):
    (ledger.out / "0.png").unlink()
    assert problems(ledger, finished=False) == ["0.png: was there and is gone"]


def test_a_result_that_is_made_again_is_noticed(ledger):
    file = ledger.out / "inner/1.png"
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content)
    os.utime(file, ns=(1, 1))
    assert problems(ledger) == ["inner/1.png: was whole and was made again"]


def test_a_photo_with_a_result_and_a_failure_is_noticed(ledger):
    list_failures(ledger.out, ledger.photos / BROKEN, ledger.photos / "0.png")
    assert "0.png: has a result and is listed among the failures" in problems(ledger)


def test_a_failure_that_is_listed_twice_is_noticed(ledger):
    list_failures(ledger.out, ledger.photos / BROKEN, ledger.photos / BROKEN)
    assert problems(ledger) == [f"{ledger.photos / BROKEN}: is listed 2 times among the failures"]


def test_a_second_result_and_a_temporary_file_are_noticed(ledger):
    shutil.copy(ledger.out / "0.png", ledger.out / "0-again.png")
    (ledger.out / "inner/.0123456789abcdef.part").write_bytes(b"half")
    assert problems(ledger) == [
        "0-again.png: belongs to no photo",
        "inner/.0123456789abcdef.part: is a temporary file that was left",
    ]


def test_a_half_written_result_is_noticed(ledger):
    file = ledger.out / "inner/2.png"
    file.write_bytes(file.read_bytes()[:-200])
    ledger.look()
    ledger.problems.clear()  # that it has changed is another test
    (problem,) = problems(ledger)
    assert problem.startswith("inner/2.png: cannot be read")


def test_a_result_of_another_size_is_noticed(ledger):
    Image.fromarray(colorful_photo(0, 20, 24)).save(ledger.out / "0.png")
    assert "0.png: has the pages ((20, 24),), and the photo has ((40, 48),)" in problems(ledger)


def test_a_photo_that_fails_without_need_is_noticed(ledger):
    ledger.stamps.pop("0.png")
    (ledger.out / "0.png").unlink()
    list_failures(ledger.out, ledger.photos / BROKEN, ledger.photos / "0.png")
    assert problems(ledger) == ["0.png: is a whole photo and has failed"]


def test_results_are_compared_with_an_undisturbed_run(ledger, tmp_path):
    other = tmp_path / "reference"
    shutil.copytree(ledger.out, other)
    rounded = colorful_photo(1).copy()
    rounded[0, 0, 0] ^= 1
    Image.fromarray(rounded).save(other / "inner/1.png")
    assert ledger.compare(other, ["0.png", "inner/1.png", "inner/3.png"]) == (2, 1)
    assert ledger.problems == []
    Image.fromarray(colorful_photo(7)).save(other / "inner/2.png")
    assert ledger.compare(other, ["inner/2.png"]) == (1, 0)
    assert ledger.problems[0].startswith("inner/2.png: is not what an undisturbed run makes")


# The runs

COPIES = """
    import pathlib, sys, time

    photos, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[3])
    out.mkdir(exist_ok=True)
    for leftover in out.glob("*.part"):
        leftover.unlink()
    for photo in sorted(photos.iterdir()):
        result, half = out / photo.name, out / f"{photo.name}.part"
        if not result.exists():
            half.write_bytes(photo.read_bytes())
            time.sleep(0.03)
            BREAK
            half.rename(result)
"""
STEPS = {
    "well": "pass",
    "in place": "result.write_bytes(photo.read_bytes()[:50]); time.sleep(0.03)",
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("step", "finding"), [("well", ""), ("in place", "cannot be read")])
def test_a_program_that_is_killed_is_held_to_account(step, finding, tmp_path, monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: None)
    folder = tmp_path / "soak"
    (folder / PHOTOS).mkdir(parents=True)
    entries = []
    for number in range(20):
        Image.fromarray(colorful_photo(number)).save(folder / PHOTOS / f"{number:02d}.png")
        entries.append(Entry(f"{number:02d}.png", f"{number:02d}.png", "colored", ((40, 48),)))
    script = tmp_path / "colorize.py"
    script.write_text(textwrap.dedent(COPIES).replace("BREAK", STEPS[step]))
    command = [sys.executable, "-S", str(script)]
    soak = Soak(command, entries, folder, minutes=5.0, seed=1, longest=0.4, every=0.05, limit=60.0)
    soak.go(sample=4, rounds=2)
    kills = [run for run in soak.runs if run.end.startswith("SIG")]
    assert kills, "nothing was killed"
    assert soak.compared == 8
    report = (folder / "report.txt").read_text()
    assert f"{len(soak.problems)} problems" in report
    if finding:
        assert any(finding in problem for problem in soak.problems)
    else:
        assert soak.problems == []
        assert soak.same == soak.compared
        assert any(run.samples for run in soak.runs)


def test_the_slope_of_memory_is_that_within_runs():
    steady = [[Sample(n, 100 * n, level + 0.5 * n) for n in range(10, 20)] for level in (900.0, 1500.0)]
    slope, samples = memory_slope([*steady, [Sample(1.0, 50, 10.0)]])
    assert slope == pytest.approx(5.0)
    assert samples == 20
    assert memory_slope([]) == (0.0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_that_of_the_whole_tree():
    assert tree_memory(os.getpid()) > 20
    assert tree_memory(2**22 + 1) == 0.0
