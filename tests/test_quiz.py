"""The quiz: pairs from a run, masked in the page, shown and counted by the page itself."""

import base64
import csv
import io
import json
import re
import struct

import numpy as np
import pytest
from PIL import Image

from keras_colorize.cli import main
from keras_colorize.errors import ColorizeError
from keras_colorize.evaluation.report.page import page_file, script_json
from keras_colorize.evaluation.report.quiz import Pair, mask, pairs_in_all, practice_pairs, quiz_page
from keras_colorize.recipes import Recipe
from keras_colorize.runs.folder import RunFolder
from tests.browser import needs_browser, open_browser, wait_for
from tests.conftest import colorful_photo

NASTY = '</script><img src=x onerror="document.title=1">'


def some_pairs(count: int, size: int = 32) -> list[Pair]:
    return [
        Pair(f"photo {n} {NASTY}", colorful_photo(n, size, size), colorful_photo(100 + n, size, size))
        for n in range(count)
    ]


def data_of(page: str) -> dict:
    """Return the data that the page's script reads."""
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


def unmasked(page: str) -> list[tuple[str, bytes, bytes]]:
    """Name, real and generated JPEG of each pair."""
    data = data_of(page)
    content = mask(base64.b64decode(data["photos"]), data["key"])
    (length,) = struct.unpack(">I", content[:4])
    at = 4 + length
    pairs = []
    for pair in json.loads(content[4:at]):
        first, second = pair["sizes"]
        both = [content[at : at + first], content[at + first : at + first + second]]
        at += first + second
        pairs.append((pair["name"], both[pair["real"]], both[1 - pair["real"]]))
    assert at == len(content)
    return pairs


def pixels(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg)), np.float32)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Wilson's interval by its definition: the shares p with (p̂ − p)² ≤ z² p (1 − p) / n."""
    z = 1.959963984540054
    low, high = sorted(np.roots([1 + z * z / count, -(2 * hits / count + z * z / count), (hits / count) ** 2]).real)
    return low, high


def test_the_page_holds_both_photos_of_each_pair_encoded_alike():
    pairs = some_pairs(10)
    found = unmasked(quiz_page(pairs, model="m", data="d", seed=3))
    assert [name for name, _, _ in found] == [pair.name for pair in pairs]
    for pair, (_, real, generated) in zip(pairs, found, strict=True):
        for jpeg, original in ((real, pair.real), (generated, pair.generated)):
            assert np.abs(pixels(jpeg) - original).mean() < 3
        assert Image.open(io.BytesIO(real)).quantization == Image.open(io.BytesIO(generated)).quantization
        assert Image.open(io.BytesIO(real)).size == Image.open(io.BytesIO(generated)).size == (32, 32)


def test_the_answers_are_not_to_be_read_at_first_sight():
    page = quiz_page(some_pairs(20), model="m", data="d", seed=0)
    photos = base64.b64decode(data_of(page)["photos"])
    assert b"\xff\xd8\xff" not in photos
    assert b"photo" not in photos
    assert "photo 1" not in page
    content = mask(photos, data_of(page)["key"])
    (length,) = struct.unpack(">I", content[:4])
    assert {pair["real"] for pair in json.loads(content[4 : 4 + length])} == {0, 1}


def test_a_seed_gives_the_same_page():
    pages = [quiz_page(some_pairs(6), model="m", data="d", seed=seed) for seed in (1, 1, 2)]
    assert pages[0] == pages[1] != pages[2]


def test_a_session_is_that_of_zhang_and_shrinks_with_the_photos():
    assert (pairs_in_all(40), practice_pairs(50)) == (50, 10)
    for wanted in range(1, 120):
        count = pairs_in_all(wanted)
        assert count - practice_pairs(count) == wanted
    with pytest.raises(ColorizeError, match="at least one photo"):
        quiz_page([], model="m", data="d", seed=0)


def test_nothing_is_loaded_and_no_name_is_markup():
    page = quiz_page(some_pairs(3), model=NASTY, data=NASTY, seed=0)
    assert "://" not in re.sub(r"http://www\.w3\.org/2000/svg", "", page)
    assert "<img src=x" not in page
    assert page.count("</script>") == 2
    assert "default-src 'none'" in page
    assert json.loads(script_json({"a": NASTY})) == {"a": NASTY}


def test_a_page_is_not_written_over_a_photo(tmp_path):
    with pytest.raises(ColorizeError, match=r"expected a name that ends in \.html"):
        page_file(tmp_path / "photo.jpg")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(ColorizeError, match="is a folder"):
        page_file(tmp_path / "folder.html")


@pytest.fixture
def run_folder(tmp_path, photo_folder):
    """A run that has not trained: random weights, and half of the photos for the test."""
    from keras_colorize.models.networks import build_generator

    recipe = Recipe.load(
        "unet_skip",
        [
            "generator.args={filters=[8,8,8,8,8], skips=true}",
            "data.image_size=32",
            "data.test_fraction=0.5",
            "data.drop_grey=false",
            f"data.source='{photo_folder}'",
        ],
    )
    folder = RunFolder.create(tmp_path / "runs", recipe)
    build_generator(recipe, image_size=32).save_weights(folder.generator_weights)
    return folder


def test_the_command_draws_pairs_from_a_run(run_folder, tmp_path, capsys):
    from keras_colorize.inference.colorizer import Colorizer

    def quiz(name, *options):
        arguments = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "new" / name)]
        assert main(["quiz", *arguments, *options]) == 0
        return (tmp_path / "new" / name).read_text(encoding="utf-8")

    page = quiz("a.html", "--photos", "5", "--seed", "1")
    assert "5 pairs after 1 for practice" in capsys.readouterr().out
    assert not list((tmp_path / "new").glob("*.tmp"))
    pairs = unmasked(page)
    names = [name for name, _, _ in pairs]
    assert len(set(names)) == 6
    assert page == quiz("b.html", "--photos", "5", "--seed", "1")
    assert names != [name for name, _, _ in unmasked(quiz("c.html", "--photos", "5", "--seed", "2"))]

    colorizer = Colorizer.from_run(run_folder.path)
    for name, real, generated in pairs:
        photo = colorful_photo(int(name[-6:-4]))[:, 4:44]  # the centre square
        photo = np.asarray(Image.fromarray(photo).resize((32, 32), Image.Resampling.BICUBIC))
        assert np.abs(pixels(real) - photo).mean() < 4
        assert np.abs(pixels(generated) - colorizer(photo)).mean() < 4

    everything = unmasked(quiz("d.html", "--photos", "1000"))
    assert "there are no more" in " ".join(capsys.readouterr().out.split())
    assert 6 < len(everything) < 24
    assert "old_grey.png" not in {name for name, _, _ in everything}


def test_packaged_weights_do_without_a_run(photo_folder, tmp_path, capsys):
    file, data = tmp_path / "quiz.html", tmp_path / "set"
    data.mkdir()
    photo_folder.rename(data / "test")
    arguments = ["--runs", str(tmp_path), "--data", str(data), "--photos", "2", "--out", str(file)]
    assert main(["quiz", "--model", "vivid", *arguments]) == 0
    assert "2 pairs after" in capsys.readouterr().out
    page = file.read_text(encoding="utf-8")
    assert data_of(page)["model"] == "vivid"
    for _, real, generated in unmasked(page):
        assert pixels(real).shape == pixels(generated).shape == (128, 128, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--photos", "0"], "--photos is 0"),
        (["--seconds", "0"], "--seconds is 0"),
        (["--seed", "-1"], "--seed is -1"),
        (["--out", "quiz.png"], "ends in .html"),
        (["--out", "/proc/x/quiz.html"], "nothing can be written to '/proc/x'"),
        (["--model", "vivd"], "vivd"),
        (["--model", "unet_skip"], "no run of 'unet_skip'"),
        (["--run", "/no/such/run"], "is no run folder"),
    ],
)
def test_mistakes(arguments, message, capsys, tmp_path):
    assert main(["quiz", "--runs", str(tmp_path), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


def has_content(file):
    return file.stat().st_size > 0


@needs_browser
@pytest.mark.slow
def test_a_session_from_the_first_key_to_the_saved_results(tmp_path):
    file = tmp_path / "quiz.html"
    file.write_text(quiz_page(some_pairs(10), model="m", data="d", seed=0, seconds=0.05), encoding="utf-8")
    with open_browser(tmp_path) as browser:
        browser.open(file)
        body = browser.find("body")
        assert browser.texts("#plan") == [
            "First comes practice, 2 pairs, where you are told whether you were right. "
            "What counts is 8 pairs and takes about 1 minute."
        ]
        body.send_keys("1")  # too early: nothing is asked yet
        browser.find("#begin").click()
        told = []
        for pair in range(10):
            wait_for(lambda: browser.texts("#message") == ["Which one was real?"])
            assert not browser.look("return document.querySelector('.frame img')"), "the photos are gone when it asks"
            if pair % 2:
                body.send_keys("2")
            else:
                browser.find(".frame").click()
            if pair < 2:
                told.append(wait_for(lambda: re.match("(Right|Wrong): the ", browser.texts("#message")[0])))
                browser.look("document.getElementById('next').click()")
            if pair == 1:
                wait_for(lambda: "That was the practice" in browser.texts("#message")[0])
                browser.look("document.getElementById('next').click()")
        assert len(told) == 2
        wait_for(lambda: browser.look("return !document.getElementById('result').hidden"))

        taken = browser.texts("#answers td:nth-child(4)")
        fooled = taken.count("generated")
        assert len(taken) == 8
        low, high = wilson(fooled, 8)
        assert browser.texts("#rate") == [f"{int(100 * fooled / 8 + 0.5)} %"]
        verdict = browser.texts("#verdict")[0]
        assert f"In {fooled} of 8 pairs" in verdict
        assert f"interval {100 * low:.0f} % to {100 * high:.0f} %" in verdict
        assert set(browser.texts("#answers td:first-child")) == {f"photo {n} {NASTY}" for n in range(2, 10)}
        assert browser.look("return document.images.length") == 16, "names stay text"

        browser.find("#save-json").click()
        browser.find("#save-csv").click()
        saved_json, saved_csv = (
            # The browser makes the file before it has anything to put in.
            wait_for(lambda suffix=suffix: next(filter(has_content, tmp_path.glob(f"quiz-*.{suffix}")), None))
            for suffix in ("json", "csv")
        )
        results = json.loads(saved_json.read_text(encoding="utf-8"))
        assert (results["fooled"], results["trials"]) == (fooled, 8)
        assert results["fooling_rate"] == fooled / 8
        assert results["interval_95"] == pytest.approx([low, high], abs=1e-9)
        assert [answer["chosen"] for answer in results["answers"]] == ["first", "second"] * 4
        assert all(answer["fooled"] == (answer["chosen"] != answer["real"]) for answer in results["answers"])
        assert all(40 <= shown <= 250 for answer in results["answers"] for shown in answer["exposures_ms"])
        rows = list(csv.DictReader(saved_csv.read_text(encoding="utf-8").splitlines()))
        assert [row["photo"] for row in rows] == [answer["photo"] for answer in results["answers"]]

        other = tmp_path / "other.json"
        other.write_text("{}")
        browser.find("#others").send_keys(f"{saved_json}\n{other}")
        wait_for(lambda: f"{2 * fooled} of 16 pairs" in browser.texts("#pooled")[0])
        low, high = wilson(2 * fooled, 16)
        assert f"interval {100 * low:.1f} % to {100 * high:.1f} %" in browser.texts("#pooled")[0]
        assert "Not results of this quiz: other.json" in browser.texts("#pooled")[0]
        assert browser.complaints() == []
        assert browser.requests() == []
