"""Files of hints: read, written, scaled to the photo, and refused in one line."""

import json

import numpy as np
import pytest

from keras_colorize import Hint, HintSet, TimedHint, read_hints, write_hints
from keras_colorize.errors import ColorizeError
from keras_colorize.inference.hint_files import hints_of_each, hints_on

CONTRACT = """{
  "version": 1,
  "width": 4000, "height": 3000,
  "vividness": 1.5,
  "hints": [
    {"x": 1210, "y": 804, "radius": 24, "color": "#b22222"},
    {"x": 15, "y": 2000, "radius": 40, "color": [3.5, -22.0]},
    {"x": 90, "y": 90, "color": "neutral", "frame": 120},
    {"x": 90, "y": 90, "color": "neutral", "time": 4.8}
  ]
}"""


def test_a_file_has_all_that_the_format_knows(tmp_path):
    file = tmp_path / "film.mp4.hints.json"
    file.write_text(CONTRACT)
    hints = read_hints(file)
    assert (hints.width, hints.height, hints.vividness) == (4000, 3000, 1.5)
    assert hints.hints == (
        Hint(1210, 804, "#b22222", 24),
        Hint(15, 2000, (3.5, -22.0), 40),
        TimedHint(90, 90, "neutral", frame=120),
        TimedHint(90, 90, "neutral", time=4.8),
    )


def test_what_is_written_is_read_again(tmp_path):
    file = tmp_path / "photo.hints.json"
    file.write_text(CONTRACT)
    for hints in (read_hints(file), HintSet(), HintSet([Hint(0.25, 1 / 3, (1 / 3, np.float32(2)))], 1, 1, 0.0)):
        write_hints(file, hints)
        assert read_hints(file) == hints
    write_hints(file, [Hint(3, 4.5, "Red")])
    assert file.read_text() == ('{\n  "version": 1,\n  "hints": [\n    {"x": 3, "y": 4.5, "color": "red"}\n  ]\n}\n')


def test_version_size_and_vividness_may_be_missing(tmp_path):
    file = tmp_path / "photo.hints.json"
    file.write_text('{"hints": [{"x": 1, "y": 2, "color": "red", "radius": null}], "width": null, "height": null}')
    assert read_hints(file) == HintSet([Hint(1, 2, "red")])


def test_places_and_radii_are_scaled_to_the_photo():
    hints = HintSet([Hint(-0.5, 0, "red", 10), Hint(399.5, 299.5, "blue")], 400, 300)
    assert hints.on_photo(300, 400) == hints.hints
    first, last = hints.on_photo(600, 800)
    assert (first.x, first.y, first.radius) == (-0.5, 0.5, 20)
    assert (last.x, last.y, last.radius) == (799.5, 599.5, None)
    assert hints.on_photo(67, 90)[1].x == pytest.approx(89.5)  # of almost the same proportions


def test_one_and_one_make_shares():
    hints = HintSet([Hint(0, 0, "red"), Hint(0.5, 0.25, "red", 0.1), Hint(1, 1, "red")], 1, 1)
    corner, middle, end = hints.on_photo(200, 1000)
    assert (corner.x, corner.y) == (-0.5, -0.5)
    assert (middle.x, middle.y, middle.radius) == (499.5, 49.5, pytest.approx(20))
    assert (end.x, end.y) == (999.5, 199.5)


def test_a_list_of_hints_is_in_pixels_of_any_photo():
    assert hints_on([Hint(3, 4, "red")], 10, 20) == (Hint(3, 4, "red"),)


@pytest.mark.parametrize(
    ("hints", "size", "said"),
    [
        (HintSet([Hint(1, 1, "red")], 400, 300), (400, 300), "for a photo of 400×300 pixels, and this one has 300×400"),
        (HintSet([Hint(1.2, 0.5, "red")], 1, 1), (10, 20), "x 23.5, y 4.5 lies outside the photo of 20×10 pixels"),
        ([Hint(1, 1, "red"), TimedHint(1, 2, "red", time=2)], (9, 9), "hint 2 at x 1, y 2 has a 'time', which only"),
        (
            [TimedHint(1, 2, "red", frame=0)],
            (9, 9),
            "hint 1 at x 1, y 2 has a 'frame', which only hints for films have",
        ),
        ([(1, 2, "red")], (9, 9), "one of the `hints` is (1, 2, 'red'): expected a `Hint`"),
        (Hint(1, 2, "red"), (9, 9), "expected a list of `Hint`"),
    ],
)
def test_hints_that_do_not_fit_the_photo_are_refused(hints, size, said):
    with pytest.raises(ColorizeError) as refused:
        hints_on(hints, *size)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: HintSet(width=3), "`width` and `height` of hints belong together"),
        (lambda: HintSet(width=3, height=0.5), "`height` of hints is 0.5: expected a whole number of pixels"),
        (lambda: HintSet(vividness=11), "`vividness` is 11: expected 0 to 10"),
        (lambda: TimedHint(1, 2, "red"), "the hint at x 1, y 2 has a `frame` and a `time`, or neither"),
        (lambda: TimedHint(1, 2, "red", frame=1, time=1), "has a `frame` and a `time`, or neither"),
        (lambda: TimedHint(1, 2, "red", frame=1.5), "has the `frame` 1.5: expected 0, 1, 2, …"),
        (lambda: TimedHint(1, 2, "red", time=-1), "has the `time` -1: expected 0 seconds or more"),
    ],
)
def test_what_cannot_be_is_refused(make, said):
    with pytest.raises(ColorizeError) as refused:
        make()
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON (Expecting property name"),
        ("[]", 'it holds a list: expected an object with "hints"'),
        ("{}", 'its "hints" are missing or null: expected a list'),
        ('{"hints": {}}', 'its "hints" are an object: expected a list'),
        ('{"hints": [], "version": 2}', 'its "version" is 2: expected 1'),
        ('{"hints": [], "heigth": 2}', "it has the unknown key 'heigth'; did you mean 'height'? (known: version"),
        ('{"hints": [], "height": 2}', "`width` and `height` of hints belong together"),
        ('{"hints": [], "vividness": "much"}', "`vividness` is 'much': expected a finite number"),
        ('{"hints": [7]}', 'hint 1 is a number: expected an object with "x", "y" and "color"'),
        ('{"hints": [{"x": 1, "y": 2}]}', 'hint 1 has no "color"'),
        (
            '{"hints": [{"x": 1, "y": 2, "colour": "red"}]}',
            "hint 1 has the unknown key 'colour'; did you mean 'color'?",
        ),
        ('{"hints": [{"x": 1, "y": 2, "color": "rde"}]}', "hint 1: the hint at x 1, y 2 has the `color` 'rde'"),
        ('{"hints": [{"x": "1", "y": 2, "color": "red"}]}', "hint 1: `x` of a hint is '1': expected a finite number"),
        ('{"hints": [{"x": 1, "y": NaN, "color": "red"}]}', "hint 1: `y` of a hint is nan: expected a finite number"),
        ('{"hints": [{"x": 1, "y": 2, "color": [1]}]}', "hint 1: the hint at x 1, y 2 has the `color` [1]: expected"),
        ('{"hints": [{"x": 1, "y": 2, "color": "red", "time": "4"}]}', "hint 1: `time` of a hint is '4'"),
    ],
)
def test_a_broken_file_is_one_line_that_names_it(text, said, tmp_path):
    file = tmp_path / "photo.hints.json"
    file.write_text(text)
    with pytest.raises(ColorizeError) as refused:
        read_hints(file)
    assert str(refused.value).startswith(f"'{file}'")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(ColorizeError, match=r"no file '.*none\.json'"):
        read_hints(tmp_path / "none.json")
    with pytest.raises(ColorizeError, match="cannot be read"):
        read_hints(tmp_path)
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ColorizeError, match="is no JSON"):
        read_hints(tmp_path / "bytes.json")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(ColorizeError, match="is no JSON"):
        read_hints(tmp_path / "deep.json")


def test_one_list_serves_all_photos_and_a_list_of_lists_each():
    one, other = Hint(1, 1, "red"), HintSet([Hint(2, 2, "blue")])
    assert [hints_on(each, 9, 9) for each in hints_of_each([one], 2)] == [(one,), (one,)]
    assert hints_of_each(other, 2) == [other, other]
    assert [hints_on(each, 9, 9) for each in hints_of_each([], 2)] == [(), ()]
    assert hints_of_each([[one], other, []], 3) == [[one], other, []]
    for wrong, said in (([[one], []], "for 2 photos"), ([one, []], "expected a `Hint`"), (7, "expected a list")):
        with pytest.raises(ColorizeError, match=said):
            [hints_on(each, 9, 9) for each in hints_of_each(wrong, 3)]


def test_a_file_is_json_of_anybody(tmp_path):
    file = tmp_path / "photo.hints.json"
    write_hints(file, HintSet([Hint(1, 2, (3, 4), 5.5), TimedHint(1, 2, "red", frame=np.int64(7))], 40, 30, 1.2))
    assert json.loads(file.read_text()) == {
        "version": 1,
        "width": 40,
        "height": 30,
        "vividness": 1.2,
        "hints": [
            {"x": 1, "y": 2, "color": [3, 4], "radius": 5.5},
            {"x": 1, "y": 2, "color": "red", "frame": 7},
        ],
    }
