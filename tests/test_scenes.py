"""Scenes: a part of a film that is read and coloured on its own is that part of the whole film."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("av", reason="films need the extra `video`")
pytest.importorskip("cv2", reason="films need the extra `video`")

from keras_colorize.errors import ColorizeError
from keras_colorize.inference.hint_files import TimedHint
from keras_colorize.inference.hints import Hint
from keras_colorize.video.film_file import FilmFile
from keras_colorize.video.pipeline import color_frames, color_scene, find_scenes
from keras_colorize.video.scenes import ScenePlan, scene_frames
from keras_colorize.video.settings import FilmSettings
from keras_colorize.video.source import open_film
from tests.films import cut_film, small_colorizer

pytestmark = pytest.mark.usefixtures("short_scenes")

GOP = {"g": "5", "x264-params": "scenecut=0"}


@pytest.fixture(scope="module")
def colorizer():
    return small_colorizer(hints=True)


@pytest.mark.parametrize("steady", [True, False])
def test_scenes_alone_are_the_whole_film(tmp_path, colorizer, steady):
    source = open_film(cut_film(tmp_path / "old.mp4", options=GOP))
    settings = FilmSettings(steady=steady, hints=[TimedHint(30, 20, "red", 6, frame=18)])
    whole = list(color_frames(colorizer, source, settings))
    find_scenes(colorizer, source, settings).write(tmp_path / "plan")
    plan = ScenePlan.read(tmp_path / "plan", Hint)
    firsts = [scene.first for scene in plan.scenes]
    assert firsts == ([0, 14, 23] if steady else [0, 8, 16, 24, 32, 40])
    assert [list(scene.segments) for scene in plan.scenes] == (
        [[0, 1], [2, 3], [4, 5, 6]] if steady else [[number] for number in range(6)]
    )
    assert [scene.ends_film for scene in plan.scenes] == [False] * (len(firsts) - 1) + [True]
    alone = [
        frame
        for scene in reversed(plan.scenes)
        for frame in color_scene(colorizer, source, scene, plan.picture, replace(settings, hints=()))
    ]
    alone.sort(key=lambda frame: frame.frame.number)
    assert len(alone) == len(whole) == 43
    for a, b in zip(whole, alone, strict=True):
        assert (a.frame.number, a.frame.pts, a.place) == (b.frame.number, b.frame.pts, b.place)
        np.testing.assert_array_equal(a.pixels, b.pixels)


def test_a_scene_goes_on_at_a_segment(tmp_path, colorizer):
    source = open_film(cut_film(tmp_path / "old.mp4", options=GOP))
    plan = find_scenes(colorizer, source, FilmSettings())
    scene = plan.scenes[2]
    given = (colorizer, source, scene, plan.picture, FilmSettings())
    whole = list(color_scene(*given))
    rest = list(color_scene(*given, place=8, trail=whole[7].trail))
    assert [frame.place for frame in rest] == list(range(8, 20))
    for a, b in zip(whole[8:], rest, strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)


@pytest.mark.parametrize(
    ("suffix", "codec", "options"),
    [
        ("mp4", "libx264", GOP),
        ("mkv", "libx264", {"g": "12", "x264-params": "scenecut=0:open-gop=1:bframes=3"}),
        ("mkv", "libx264", {"g": "300", "x264-params": "scenecut=0:intra-refresh=1"}),
        ("ts", "mpeg2video", {"g": "6", "bf": "2"}),
        ("mkv", "ffv1", {"g": "1"}),
        ("avi", "mpeg4", {"g": "6"}),
    ],
)
def test_a_scene_has_the_frames_of_the_film_wherever_decoding_begins(tmp_path, colorizer, suffix, codec, options):
    begins = 3.0 if suffix == "ts" else 0.0
    source = open_film(cut_film(tmp_path / f"old.{suffix}", (30, 30, 30), codec=codec, options=options, begins=begins))
    whole = list(source.frames())
    for scene in find_scenes(colorizer, source, FilmSettings()).scenes:
        for place in (0, 9):
            found = list(scene_frames(source, scene, place))
            assert [frame.number for frame in found] == list(range(scene.first + place, scene.first + 30))
            for frame in found:
                assert frame.time == whole[frame.number].time
                np.testing.assert_array_equal(frame.pixels, whole[frame.number].pixels)


def test_a_scene_is_reached_without_the_film_before_it_unless_that_makes_other_frames(tmp_path, colorizer, monkeypatch):
    source = open_film(cut_film(tmp_path / "old.mp4", (30, 30, 30), options=GOP))
    whole = list(source.frames())
    scene = find_scenes(colorizer, source, FilmSettings()).scenes[2]
    from_the_beginning = []
    frames, near = FilmFile.frames, FilmFile.frames_near
    monkeypatch.setattr(
        FilmFile, "frames", lambda self, first=0: from_the_beginning.append(first) or frames(self, first)
    )
    assert len(list(scene_frames(source, scene))) == 30 and not from_the_beginning

    def off_by_one(self, time):
        for frame in near(self, time):
            yield replace(frame, pixels=frame.pixels + 1) if frame.time > 70 / 25 else frame

    monkeypatch.setattr(FilmFile, "frames_near", off_by_one)
    found = list(scene_frames(source, scene))
    assert from_the_beginning == [71]  # those before were right
    for a, b in zip(whole[60:], found, strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)


def test_another_film_is_refused(tmp_path, colorizer):
    plan = find_scenes(colorizer, open_film(cut_film(tmp_path / "old.mp4")), FilmSettings())
    other = open_film(cut_film(tmp_path / "other.mp4", (14, 8, 20)))
    with pytest.raises(ColorizeError, match="has other frames than when its scenes were found"):
        list(scene_frames(other, plan.scenes[2]))


def test_a_preview_and_a_folder_of_frames_have_scenes(tmp_path, colorizer):
    source = open_film(cut_film(tmp_path / "old.mp4"))
    plan = find_scenes(colorizer, source, FilmSettings(preview=0.8))
    assert [len(scene.pts) for scene in plan.scenes] == [14, 6]
    from PIL import Image

    folder = tmp_path / "frames"
    folder.mkdir()
    for frame in source.frames():
        Image.fromarray(frame.pixels).save(folder / f"{frame.number}.png")
    source = open_film(folder)
    plan = find_scenes(colorizer, source, FilmSettings())
    assert [scene.first for scene in plan.scenes] == [0, 14, 23]
    assert [frame.number for frame in scene_frames(source, plan.scenes[1], 2)] == list(range(16, 23))
