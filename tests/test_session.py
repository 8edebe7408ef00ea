"""Sessions of edits, and suggestions of colours at a place."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from keras_colorize import Hint, HintSet
from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab
from keras_colorize.errors import ColorizeError
from keras_colorize.images import Picture
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.suggestions import in_gamut
from tests.colorizing import grey_photo, hint_colorizer, write_run
from tests.conftest import colorful_photo

HINTS = [Hint(30, 20, "red", 8), Hint(10, 30, "blue")]


@pytest.fixture(scope="module")
def colorizer():
    return hint_colorizer()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return Colorizer.from_run(write_run(tmp_path_factory.mktemp("run")))


def as_u8(rgb):
    return rgb if rgb.dtype == np.uint8 else np.round(rgb * (255.0 / (65535 if rgb.dtype == np.uint16 else 1)))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 3)])
def test_a_session_gives_the_colours_of_a_call(dtype, shape, colorizer):
    photo = colorful_photo(4, 40, 60) if len(shape) == 3 else grey_photo(4, 40, 60)
    photo = {"uint8": photo, "uint16": photo.astype("uint16") * 257, "float32": np.float32(photo / 255)}[dtype]
    session = colorizer.session(photo)
    assert session.size == session.screen_size == (40, 60)
    for options in ({}, {"hints": HINTS, "vividness": 1.4}, {"hints": HintSet(HINTS, 120, 80), "edges": False}):
        expected = colorizer(photo, **options)
        result = session.result(**options)
        assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
        np.testing.assert_allclose(as_u8(result).astype(float), as_u8(expected).astype(float), atol=1)
        preview = session.preview(**options)
        assert preview.dtype == np.uint8
        np.testing.assert_allclose(preview.astype(float), as_u8(expected).astype(float), atol=1)


def test_a_preview_has_the_size_of_the_screen_and_hints_that_of_the_photo(colorizer):
    photo = colorful_photo(5, 300, 500)
    session = colorizer.session(photo, side=100)
    assert (session.size, session.screen_size) == ((300, 500), (60, 100))
    hints = [Hint(480, 20, "red", 60)]
    preview, whole = session.preview(hints=hints), session.result(hints=hints)
    assert preview.shape == (60, 100, 3)
    reduced = np.asarray(Image.fromarray(whole).resize((100, 60), Image.Resampling.BICUBIC))
    assert np.abs(preview.astype(int) - reduced).mean() < 2
    assert np.abs(preview.astype(int) - session.preview()).max() > 5


def test_what_came_comes_back(colorizer, tmp_path):
    image = Image.fromarray(colorful_photo(1)).convert("RGBA")
    assert colorizer.session(image).result().mode == "RGBA"
    picture = Picture(grey_photo(1), alpha=grey_photo(2))
    result = colorizer.session(picture).result()
    assert isinstance(result, Picture) and result.alpha is picture.alpha
    image.save(tmp_path / "a.png")
    session = colorizer.session(tmp_path / "a.png")
    (tmp_path / "a.png").unlink()
    assert session.result().shape == session.preview().shape == (40, 48, 3)


def test_a_plain_border_stays_neutral(colorizer):
    scan = np.full((400, 400, 3), 255, np.uint8)
    scan[60:340, 60:340] = colorful_photo(1, 280, 280) // 2
    session = colorizer.session(scan, side=100)
    preview = session.preview(hints=[Hint(200, 200, "red", 40)])
    assert (preview[:14] == 255).all() and (preview[:, 86:] == 255).all()
    assert np.ptp(preview[20:80, 20:80].astype(int), axis=-1).max() > 5
    assert session.suggest(10, 200) == colorizer.suggest(scan, 10, 200) == []
    assert session.suggest(200, 200)


def test_the_network_runs_once_for_the_same_hints(colorizer, monkeypatch):
    ran = []
    run_network = colorizer.run_network
    monkeypatch.setattr(colorizer, "run_network", lambda frames: ran.append(frames) or run_network(frames))
    monkeypatch.setattr(colorizer, "frame", lambda *args, frame=colorizer.frame: ran.append("framed") or frame(*args))
    session = colorizer.session(colorful_photo(3))
    for vividness in (0, 0.5, 1, 2):
        session.preview(vividness=vividness)
    session.preview(hints=HINTS)
    session.preview(hints=list(HINTS), vividness=2)
    session.result(hints=HINTS)
    session.suggest(3, 3, hints=HINTS)
    session.suggest(9, 9)
    assert len(ran) == 3 and ran[0] == "framed"


def test_several_threads_may_ask_at_once(colorizer):
    session = colorizer.session(colorful_photo(6, 600, 700))
    asked = [{"hints": [Hint(40 * number, 30, "red", 50)], "vividness": 1.5} for number in range(4)] * 3
    expected = [session.preview(**options) for options in asked[:4]] * 3
    again = colorizer.session(colorful_photo(6, 600, 700))
    with ThreadPoolExecutor(4) as pool:
        for preview, alone in zip(pool.map(lambda options: again.preview(**options), asked), expected, strict=True):
            np.testing.assert_allclose(preview.astype(int), alone, atol=1)


def test_mistakes_in_a_session_are_one_line(colorizer, plain):
    photo = colorful_photo(1)
    session, without = colorizer.session(photo), plain.session(photo)
    mistakes = {
        "`side` is 0: expected 1 pixel or more": lambda: colorizer.session(photo, side=0),
        "2 photos came: expected one photo": lambda: colorizer.session(np.stack([photo, photo])),
        "`vividness` is 11": lambda: session.preview(vividness=11),
        "x 48, y 1 lies outside the photo of 48×40 pixels": lambda: session.preview(hints=[Hint(48, 1, "red")]),
        "x 1, y 40 lies outside": lambda: session.result(hints=[Hint(1, 40, "red")]),
        "x -1, y 1 lies outside": lambda: session.suggest(-1, 1),
        "`count` is 0: expected 1 or more suggestions": lambda: session.suggest(1, 1, 0),
        "takes no hints: use a model that does": lambda: without.preview(hints=HINTS),
        "predicts one colour for each place, and no others with their probabilities": lambda: without.suggest(1, 1),
        "has the space 'binned_lab'": lambda: plain.suggest(photo, 1, 1),
    }
    for said, mistake in mistakes.items():
        with pytest.raises(ColorizeError) as refused:
            mistake()
        assert said in str(refused.value)
        assert "\n" not in str(refused.value)
    assert without.preview().shape == photo.shape  # of a network without hints


def test_suggestions_are_likely_different_and_can_be_shown(colorizer):
    photo = colorful_photo(7, 64, 96)
    session = colorizer.session(photo)
    for x, y, count in ((0, 0, 6), (50, 30, 6), (95, 63, 3), (20.4, 40.6, 1)):
        found = session.suggest(x, y, count)
        assert 0 < len(found) <= count
        shares = [suggestion.share for suggestion in found]
        assert shares == sorted(shares, reverse=True) and shares[-1] > 0 and sum(shares) <= 1 + 1e-6
        for one, other in itertools.combinations(found, 2):
            assert np.hypot(*np.subtract(one.ab, other.ab)) >= 20 - 1e-3
        for suggestion in found:
            rgb_u8 = np.array([int(suggestion.color[i : i + 2], 16) for i in (1, 3, 5)], np.uint8)
            L, *ab = np.asarray(rgb_to_lab(rgb_from_u8(rgb_u8)))
            np.testing.assert_allclose(ab, suggestion.ab, atol=1.5)  # rounded to 8 bits
            np.testing.assert_allclose(in_gamut(L, np.float32([suggestion.ab]))[0], suggestion.ab, atol=0.5)
            lightness = session._frame.inputs.lightness[*map(round, session._frame.place(x, y)), 0]
            assert abs(L - lightness) < 1
        assert found == colorizer.suggest(photo, x, y, count)


def test_suggestions_respect_hints(colorizer):
    photo = colorful_photo(7, 64, 96)
    free, hinted = colorizer.suggest(photo, 50, 30), colorizer.suggest(photo, 50, 30, hints=[Hint(50, 30, "lime", 20)])
    assert free != hinted
    assert hinted == colorizer.session(photo).suggest(50, 30, hints=[Hint(50, 30, "lime", 20)])


def test_black_and_white_have_one_suggestion(colorizer):
    photo = np.zeros((64, 96), np.uint8)
    photo[:, 40:] = 255
    for x in (5, 90):
        (only,) = colorizer.suggest(photo, x, 30)
        assert only.share == pytest.approx(1, abs=1e-3)
        assert np.hypot(*only.ab) < 1
        assert only.color == ("#ffffff" if x > 40 else "#000000")
