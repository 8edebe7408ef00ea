"""Films: every kind of film in, the same film in colour out, whatever happens to the process."""

import importlib.util
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from fractions import Fraction
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="films need the extra `video`")
pytest.importorskip("cv2", reason="films need the extra `video`")

import av
from PIL import Image
from rich.console import Console

from keras_colorize.cli import film as film_command
from keras_colorize.cli import main
from keras_colorize.errors import ColorizeError
from keras_colorize.inference.hint_files import HintSet, TimedHint
from keras_colorize.inference.hints import Hint
from keras_colorize.video.film import colorize_film
from keras_colorize.video.frames import clock
from keras_colorize.video.hints import carry_hints
from keras_colorize.video.output import FilmResult, stretches_of
from keras_colorize.video.pipeline import film_frames
from keras_colorize.video.settings import FilmSettings, check_installed
from keras_colorize.video.source import open_film
from keras_colorize.video.threads import in_thread
from tests.colorizing import hint_colorizer
from tests.conftest import colorful_photo
from tests.films import (
    HEIGHT,
    LOSSLESS,
    WIDTH,
    Killed,
    damaged_film,
    make_film,
    packets_of,
    read_film,
    scene,
    small_colorizer,
    sound_packets,
)

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def colorizer():
    return small_colorizer()


def colorfulness(rgb):
    return float(np.asarray(rgb, float).std(axis=-1).mean())


def luma(rgb):
    return np.asarray(rgb, float) @ (0.2126, 0.7152, 0.0722)


def video_of(file):
    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        return {
            "codec": context.name,
            "size": (stream.width, stream.height),
            "aspect": stream.sample_aspect_ratio,
            "format": context.pix_fmt,
            "tags": (context.color_range, context.colorspace, context.color_primaries, context.color_trc),
        }


def test_a_film_keeps_its_times_its_sound_and_its_lightness(tmp_path, colorizer):
    film = make_film(tmp_path / "old.mp4", 20, sound="aac", sample_aspect_ratio=Fraction(16, 15))
    progress = []
    result = colorize_film(colorizer, film, tmp_path / "new.mp4", advance=lambda *at: progress.append(at))
    grey, times = read_film(film)
    colored, new_times = read_film(result.out)
    assert result.frames == 20 and not result.stopped and not result.damaged and not result.lost
    assert progress == [(number + 1, 20) for number in range(20)]
    assert new_times == times
    assert sound_packets(result.out) == sound_packets(film)
    assert min(map(colorfulness, colored)) > 5 > max(map(colorfulness, grey))
    L = [np.asarray(Image.fromarray(frame).convert("L"), float).mean() for frame in (grey[7], colored[7])]
    assert abs(L[0] - L[1]) < 8
    video = video_of(result.out)
    assert video["codec"] == "h264" and video["format"] == "yuv420p" and video["aspect"] == Fraction(16, 15)
    assert video["tags"] == (1, 1, 1, 1)  # limited range, BT.709 three times
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(("new", "tmp"))] == ["new.mp4"]


def test_frames_come_one_by_one_in_python(tmp_path, colorizer):
    film = make_film(tmp_path / "old.mp4", 10)
    frames = list(colorizer.film(film))
    assert [frame.number for frame in frames] == list(range(10))
    assert frames[3].time == pytest.approx(3 / 25)
    assert frames[0].pixels.shape == (HEIGHT, WIDTH, 3) and frames[0].pixels.dtype == np.uint8
    assert colorfulness(frames[5].pixels) > 5
    first = next(colorizer.film(film))  # whoever stops early stops the threads
    np.testing.assert_array_equal(first.pixels, frames[0].pixels)


def test_frame_by_frame_is_the_photo_of_each_frame(tmp_path, colorizer):
    film = make_film(tmp_path / "old.mp4", 3)
    source = list(open_film(film).frames())
    assert source[0].pixels.shape == (HEIGHT, WIDTH)  # a grey film is read as grey
    alone = list(colorizer.film(film, steady=False))
    for grey, colored in zip(source, alone, strict=True):
        np.testing.assert_allclose(colored.pixels.astype(int), colorizer(grey.pixels), atol=1)


def test_times_that_vary_are_kept(tmp_path, colorizer):
    pts = [0, 40, 45, 130, 131, 200, 333, 400, 1000, 1040]
    film = make_film(tmp_path / "old.mkv", 10, pts=pts, time_base=Fraction(1, 1000), sound="libopus")
    result = colorize_film(colorizer, film, tmp_path / "new.mkv")
    assert read_film(result.out)[1] == pytest.approx([time / 1000 for time in pts], abs=0.0006)
    assert sound_packets(result.out) == sound_packets(film)


def test_sound_and_pictures_stay_together_where_a_film_begins_late(tmp_path, colorizer):
    film = make_film(tmp_path / "old.ts", 12, sound="aac", codec="mpeg2video", begins=5.0)
    with av.open(str(film)) as container:
        assert container.start_time > 4_000_000
        began = [float(stream.start_time * stream.time_base) for stream in container.streams]
    result = colorize_film(colorizer, film, tmp_path / "new.mkv")
    with av.open(str(result.out)) as container:
        new = [float(stream.start_time * stream.time_base) for stream in container.streams]
    assert (new[1] - new[0]) == pytest.approx(began[1] - began[0], abs=0.04)
    assert min(new) < 0.1


def test_a_film_with_ten_bits_stays_so(tmp_path, colorizer):
    film = make_film(tmp_path / "old.mkv", 6, codec="ffv1", pix_fmt="yuv420p10le")
    assert next(open_film(film).frames()).pixels.dtype == np.uint16
    result = colorize_film(colorizer, film, tmp_path / "new.mp4")
    assert video_of(result.out)["codec"] == "hevc" and video_of(result.out)["format"] == "yuv420p10le"
    assert colorfulness(read_film(result.out)[0][3]) > 5


@pytest.mark.parametrize(
    ("suffix", "codec", "name"),
    [("mov", "prores", "prores"), ("mkv", "ffv1", "ffv1"), ("mp4", "hevc", "hevc"), ("mkv", "av1", "libdav1d")],
)
def test_other_codecs(tmp_path, colorizer, suffix, codec, name):
    film = make_film(tmp_path / "old.mp4", 4)
    result = colorize_film(colorizer, film, tmp_path / f"new.{suffix}", FilmSettings(codec=codec))
    assert video_of(result.out)["codec"] == name
    frames = read_film(result.out)[0]
    shown = [frame.pixels for frame in colorizer.film(film)]
    assert np.abs(frames[2].astype(int) - shown[2]).mean() < (0.1 if codec == "ffv1" else 12)


def test_a_grey_film_is_read_with_its_full_range(tmp_path):
    ramp = np.tile(np.linspace(0, 255, WIDTH).round().astype(np.uint8), (HEIGHT, 1))
    for number, (codec, pix_fmt) in enumerate((("ffv1", "yuv420p"), ("ffv1", "gray"), ("mjpeg", "yuvj420p"))):
        film = make_film(tmp_path / f"{number}.mkv", [ramp] * 2, codec=codec, pix_fmt=pix_fmt)
        pixels = next(open_film(film).frames()).pixels
        assert np.abs(pixels.astype(int) - ramp).max() <= (1 if codec == "ffv1" else 6), pix_fmt


def test_a_film_in_colour_is_read_by_its_matrix(tmp_path):
    red = np.zeros((HEIGHT, WIDTH, 3), np.uint8) + np.uint8([180, 60, 40])
    for name, matrix in (("bt709", 1), ("bt601", 5)):
        file = tmp_path / f"{name}.mkv"
        with av.open(str(file), "w") as container:
            stream = container.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv444p"
            stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 1
            frame = av.VideoFrame.from_ndarray(red, "rgb24")
            frame = frame.reformat(format="yuv444p", dst_colorspace=matrix, dst_color_range=1)
            frame.pts = 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        pixels = next(open_film(file).frames()).pixels
        assert np.abs(pixels.astype(int) - red).max() <= 3, name


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_mapped_to_the_light_of_other_films(tmp_path, colorizer, transfer, name):
    ramp = np.tile(np.linspace(0, 255, 16).round().astype(np.uint8).repeat(WIDTH // 16), (HEIGHT, 1))
    film = make_film(
        tmp_path / "old.mkv", [ramp] * 3, codec="ffv1", pix_fmt="yuv420p10le",
        color_trc=transfer, color_primaries=9, colorspace=9, color_range=1,
    )  # fmt: skip
    source = open_film(film)
    assert source.format.hdr == name and source.format.bits == 10
    pixels = next(source.frames()).pixels
    assert pixels.dtype == np.uint16
    steps = pixels[HEIGHT // 2, 2 :: WIDTH // 16].astype(int)
    assert np.ptp(steps, axis=1).max() < 700  # grey stays grey
    light = steps.mean(axis=1)
    assert light[0] < 300 and light[-1] > 55000 and (np.diff(light) > 0).all()  # black, white, and nothing cut off
    result = colorize_film(colorizer, film, tmp_path / "new.mp4")
    assert video_of(result.out)["tags"] == (1, 1, 1, 1)
    assert result.remarks == (f"the film is HDR ({name}): its light was mapped to BT.709",)


def test_a_turned_film_comes_out_upright(tmp_path, colorizer):
    film = tmp_path / "turned.mp4"
    with av.open(str(film), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.set_display_rotation(90)
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(np.dstack([scene(number)] * 3), "rgb24").reformat(format="yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    source = open_film(film)
    assert (source.format.width, source.format.height) == (HEIGHT, WIDTH)
    assert source.format.aspect == Fraction(3, 4)
    upright = next(source.frames()).pixels
    assert np.abs(upright.astype(int) - np.rot90(scene(0))).mean() < 4
    result = colorize_film(colorizer, film, tmp_path / "new.mp4")
    assert video_of(result.out)["size"] == (HEIGHT, WIDTH) and video_of(result.out)["aspect"] == Fraction(3, 4)


def test_an_interlaced_film_is_deinterlaced_and_that_is_said(tmp_path, colorizer):
    fields = []
    for number in range(8):  # a bar that moves between the two fields
        frame = np.full((HEIGHT, WIDTH), 40, np.uint8)
        frame[0::2, 6 * number : 6 * number + 8] = 220
        frame[1::2, 6 * number + 3 : 6 * number + 11] = 220
        fields.append(frame)
    film = make_film(tmp_path / "old.mkv", fields, codec="mpeg2video", options={"flags": "+ildct+ilme", "b": "4000000"})
    source = open_film(film)
    assert source.format.interlaced

    def comb(pixels):
        rows = pixels.astype(float)
        return np.abs(rows[1:-1] - (rows[:-2] + rows[2:]) / 2).mean()

    shown = [frame.pixels for frame in source.frames()]
    assert len(shown) == 8
    assert comb(shown[4]) < comb(fields[4]) / 3
    result = colorize_film(colorizer, film, tmp_path / "new.mp4")
    assert result.frames == 8 and any("interlaced" in remark for remark in result.remarks)


def test_folders_of_frames_in_and_out(tmp_path, colorizer):
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(5):
        Image.fromarray(scene(number)).save(frames / f"shot_{number + 8}.png")  # 8 to 12: by number, not by name
    result = colorize_film(colorizer, frames, tmp_path / "colour", FilmSettings(fps=12))
    files = sorted(result.out.iterdir())
    assert [file.name for file in files] == [f"{number:08d}.png" for number in range(1, 6)]
    shown = [frame.pixels for frame in colorizer.film(frames, fps=12)]
    np.testing.assert_array_equal(np.asarray(Image.open(files[4])), shown[4])
    made = colorize_film(colorizer, frames, tmp_path / "new.mp4", FilmSettings(fps=12))
    assert read_film(made.out)[1] == pytest.approx([number / 12 for number in range(5)], abs=1e-4)
    assert not (tmp_path / "colour.parts").exists()
    with pytest.raises(ColorizeError, match="holds files: `overwrite` replaces"):
        colorize_film(colorizer, frames, tmp_path / "colour", FilmSettings(fps=12))


def test_odd_sizes_get_one_more_row_and_column(tmp_path, colorizer):
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(3):
        Image.fromarray(scene(number, 47, 63)).save(frames / f"{number}.png")
    result = colorize_film(colorizer, frames, tmp_path / "new.mp4")
    assert video_of(result.out)["size"] == (64, 48)
    assert any("odd size" in remark for remark in result.remarks)


def test_a_preview_ends_with_its_sound(tmp_path, colorizer):
    film = make_film(tmp_path / "old.mp4", 30, sound="aac")
    result = colorize_film(colorizer, film, tmp_path / "new.mp4", FilmSettings(preview=0.4))
    assert result.frames == 10 and result.seconds == pytest.approx(0.4)
    packets = sound_packets(result.out)
    assert packets == sound_packets(film)[: len(packets)]
    assert 0.4 * 48000 / 1024 - 2 <= len(packets) <= 0.4 * 48000 / 1024 + 3


def test_subtitles_chapters_and_metadata_are_copied(tmp_path, colorizer):
    film, words = tmp_path / "old.mkv", tmp_path / "words.srt"
    words.write_text("1\n00:00:00,080 --> 00:00:00,180\nBonjour\n")
    with (
        av.open(str(make_film(tmp_path / "plain.mkv", 10))) as plain,
        av.open(str(words)) as said,
        av.open(str(film), "w") as container,
    ):
        container.metadata["title"] = "Arrival of a train"
        copies = [(each, container.add_stream_from_template(each)) for each in (plain.streams[0], said.streams[0])]
        copies[1][1].metadata["language"] = "fra"
        container.set_chapters(
            [{"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000), "metadata": {"title": "The platform"}}]
        )
        for stream, copy in copies:
            for packet in stream.container.demux(stream):
                if packet.size:
                    packet.stream = copy
                    container.mux(packet)
    result = colorize_film(colorizer, film, tmp_path / "new.mkv")
    with av.open(str(result.out)) as container:
        assert container.metadata["title"] == "Arrival of a train"
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["The platform"]
        assert container.streams.subtitles[0].metadata["language"] == "fra"
        packets = [packet for packet in container.demux(container.streams.subtitles[0]) if packet.size]
        assert [(bytes(packet), packet.pts) for packet in packets] == [(b"Bonjour", 80)]
    left_out = colorize_film(colorizer, film, tmp_path / "new.mp4")
    assert left_out.remarks == ("subtitles in srt are left out: .mp4 does not hold them, .mkv does",)


# Hints


def test_a_hint_is_carried_through_its_shot_both_ways(tmp_path):
    hinted = small_colorizer(hints=True)
    wide = np.random.default_rng(2).integers(20, 236, (28, 60), dtype=np.uint8)
    wide = np.asarray(Image.fromarray(wide).resize((240, 112), Image.Resampling.BICUBIC))
    pan = [wide[20 : 20 + HEIGHT, 2 * n : 2 * n + WIDTH] for n in range(12)]
    other = [np.flipud(255 - wide)[20 : 20 + HEIGHT, 90 : 90 + WIDTH] for n in range(6)]
    film = make_film(tmp_path / "old.mkv", [*pan, *other], codec="ffv1")
    source = open_film(film)
    picture = slice(0, HEIGHT), slice(0, WIDTH)
    carried = carry_hints(hinted, source, [TimedHint(30, 20, "firebrick", 4, frame=6)], picture)
    assert min(carried) <= 1 and max(carried) == 11  # not beyond the cut
    for number, (hint,) in carried.items():
        assert abs(hint.x - (30 - 2 * (number - 6))) < 2.5 and abs(hint.y - 20) < 2
        assert hint.radius == 4 and hint.color == "firebrick"
    later = carry_hints(hinted, source, [TimedHint(30, 20, "firebrick", time=14 / 25)], picture)
    assert sorted(later) == list(range(12, 18))
    assert 0 in carry_hints(hinted, source, [Hint(30, 20, "#b22")], picture)
    with pytest.raises(ColorizeError, match="after the end"):
        carry_hints(hinted, source, [TimedHint(30, 20, "red", frame=18)], picture)

    plain = [frame.pixels for frame in hinted.film(film)]
    asked = [frame.pixels for frame in hinted.film(film, hints=[TimedHint(30, 20, "red", 8, frame=6)])]
    changed = [np.abs(a.astype(int) - b).max() > 0 for a, b in zip(plain, asked, strict=True)]
    assert all(changed[2:12]) and not any(changed[12:])
    half = HintSet([TimedHint(0.5, 0.5, "red", frame=0)], 1, 1)
    assert next(hinted.film(film, hints=half)).pixels.shape == (HEIGHT, WIDTH, 3)


def test_hints_that_do_not_fit_a_film_are_refused(tmp_path, colorizer):
    film = make_film(tmp_path / "old.mp4", 3)
    with pytest.raises(ColorizeError, match="'small' takes no hints"):
        colorizer.film(film, hints=[Hint(3, 3, "red")])
    with pytest.raises(ColorizeError, match="lies outside the film of 64×48"):
        small_colorizer(hints=True).film(film, hints=[Hint(64, 3, "red")])


def test_a_film_takes_on_the_palette_of_a_reference(tmp_path, colorizer):
    film = make_film(tmp_path / "old.mp4", 4)
    photo = colorful_photo(5)
    binned = hint_colorizer()
    plain, like = ([frame.pixels for frame in binned.film(film, reference=each)] for each in (None, photo))
    assert all(np.abs(a.astype(int) - b).max() > 3 for a, b in zip(plain, like, strict=True))
    made = [frame.pixels for frame in binned.film(film, reference=binned.reference(photo))]
    np.testing.assert_array_equal(made[3], like[3])
    with pytest.raises(ColorizeError, match="takes no reference"):
        colorizer.film(film, reference=photo)


# Work that is stopped


RESUMED = replace(LOSSLESS, resume=True)


@pytest.mark.parametrize("moment", [3, 8, 13, 16, 21])
def test_a_film_that_is_resumed_is_the_film_that_nobody_disturbed(tmp_path, colorizer, short_scenes, moment):
    film = make_film(tmp_path / "old.mp4", [*map(scene, range(14)), *(scene(n, seed=9) for n in range(8))], sound="aac")
    whole = colorize_film(colorizer, film, tmp_path / "whole.mkv", LOSSLESS)

    def die(done, total):
        if done == moment:
            raise Killed

    out = tmp_path / "new.mkv"
    with pytest.raises(Killed):
        colorize_film(colorizer, film, out, LOSSLESS, die)
    assert not out.exists()
    if moment >= 8:
        with pytest.raises(ColorizeError, match="`resume` goes on"):
            colorize_film(colorizer, film, out, LOSSLESS)
        with pytest.raises(ColorizeError, match=r"vividness 1\.0, and now it is 2\.0"):
            colorize_film(colorizer, film, out, replace(RESUMED, vividness=2.0))
    done = []
    colorize_film(colorizer, film, out, RESUMED, advance=lambda *at: done.append(at[0]))
    begun = max(first for first in (0, 8, 14) if first <= moment)  # a scene begins at 14
    assert done == list(range(begun + 1, 23))
    assert packets_of(out) == packets_of(whole.out)
    assert not (tmp_path / "new.mkv.parts").exists()


def test_a_segment_that_was_only_half_written_is_no_part_of_a_film(tmp_path, colorizer, short_scenes):
    film, out = make_film(tmp_path / "old.mp4", 10), tmp_path / "new.mkv"

    def die(done, total):
        raise Killed

    with pytest.raises(Killed):
        colorize_film(colorizer, film, out, LOSSLESS, die)
    (tmp_path / "new.mkv.parts" / "tmp-0123abcd-000000.npz").write_bytes(b"half")
    with pytest.raises(ColorizeError, match=r"begun with vividness 1\.0, and now it is 2\.0"):
        colorize_film(colorizer, film, out, replace(RESUMED, vividness=2.0))
    done = []
    colorize_film(colorizer, film, out, replace(LOSSLESS, vividness=2.0), lambda *at: done.append(at[0]))
    assert done == list(range(1, 11)) and not (tmp_path / "new.mkv.parts").exists()


def test_a_film_that_is_stopped_plays_and_is_resumed(tmp_path, colorizer, short_scenes):
    film = make_film(tmp_path / "old.mp4", 22, sound="aac")
    whole = colorize_film(colorizer, film, tmp_path / "whole.mkv", LOSSLESS)
    out, seen = tmp_path / "new.mkv", []
    stopped = colorize_film(
        colorizer, film, out, LOSSLESS, lambda done, total: seen.append(done), lambda: len(seen) == 11
    )
    assert stopped.stopped and stopped.frames == 11
    frames, times = read_film(out)
    assert len(frames) == 11 and np.subtract(times, times[0]) == pytest.approx(np.arange(11) / 25, abs=0.002)
    assert len(sound_packets(out)) < len(sound_packets(film))
    colorize_film(colorizer, film, out, RESUMED)
    assert packets_of(out) == packets_of(whole.out)


def test_a_stopped_folder_of_frames_is_resumed(tmp_path, colorizer, short_scenes):
    film = make_film(tmp_path / "old.mp4", 20)
    whole = colorize_film(colorizer, film, tmp_path / "whole")
    seen = []
    colorize_film(
        colorizer, film, tmp_path / "new", advance=lambda done, total: seen.append(done), stop=lambda: len(seen) == 13
    )
    colorize_film(colorizer, film, tmp_path / "new", FilmSettings(resume=True))
    names = [file.name for file in sorted(whole.out.iterdir())]
    assert [file.name for file in sorted((tmp_path / "new").iterdir())] == names and len(names) == 20
    for name in names:
        assert (whole.out / name).read_bytes() == (tmp_path / "new" / name).read_bytes()


@pytest.mark.slow
def test_a_process_that_is_killed_is_resumed(tmp_path, colorizer):
    """With SIGKILL, which no handler sees, at several moments."""
    film = make_film(tmp_path / "old.mp4", [scene(number % 100) for number in range(60)], sound="aac")
    code = (
        "import sys; from keras_colorize.video import film, scenes\n"
        "scenes.SEGMENT_FRAMES = 8; scenes.SHORTEST_SCENE = 20\n"
        "from keras_colorize.video.settings import FilmSettings\n"
        "from tests.films import small_colorizer\n"
        "import os, signal\n"
        "kill = int(sys.argv[3])\n"
        "def advance(done, total):\n"
        "    if done == kill: os.kill(os.getpid(), signal.SIGKILL)\n"
        "settings = FilmSettings(codec='ffv1', resume=True)\n"
        "film.colorize_film(small_colorizer(), sys.argv[1], sys.argv[2], settings, advance)\n"
    )
    out = tmp_path / "new.mkv"
    for kill in (5, 20, 33, 0):
        done = subprocess.run([sys.executable, "-c", code, str(film), str(out), str(kill)], cwd=ROOT, timeout=300)
        assert done.returncode == (-9 if kill else 0)
    code = code.replace("resume=True", "overwrite=True")
    subprocess.run([sys.executable, "-c", code, str(film), str(tmp_path / "whole.mkv"), "0"], cwd=ROOT, check=True)
    assert packets_of(out) == packets_of(tmp_path / "whole.mkv")


# Films that are damaged, and mistakes


def test_a_damaged_stretch_stays_grey_and_its_time_is_told(tmp_path, colorizer):
    film = damaged_film(tmp_path, **{"x264-params": "scenecut=0"})
    result = colorize_film(colorizer, film, tmp_path / "new.mkv")
    frames, times = read_film(result.out)
    assert result.lost[0] == pytest.approx(0.4) and set(np.round(np.multiply(result.lost, 25))) >= {10, 11, 12}
    # No frame is left out: where the decoder makes none, the one before is there, in grey.
    assert times == pytest.approx(np.arange(30) / 25, abs=0.002)
    assert np.abs(luma(frames[12]) - luma(frames[9])).mean() < 2
    grey = [time for frame, time in zip(frames, times, strict=True) if colorfulness(frame) < 3]
    inside = [time for time in times if any(start - 1e-3 <= time <= end + 1e-3 for start, end in result.damaged)]
    assert grey == inside and grey[:3] == pytest.approx([0.4, 0.44, 0.48], abs=0.002)
    assert max(grey) < 0.79  # the next key frame


@pytest.mark.parametrize(
    ("suffix", "codec", "pix_fmt", "options"),
    [
        ("mkv", "libx264", "yuv420p", {"bf": "3", "x264-params": "scenecut=0"}),
        ("mp4", "libx264", "yuv420p", {"x264-params": "scenecut=0"}),
        ("mkv", "libx265", "yuv420p", {"x265-params": "keyint=10:bframes=0:log-level=none"}),
        ("avi", "mpeg4", "yuv420p", {}),
        ("avi", "mjpeg", "yuvj420p", {}),
        ("mkv", "ffv1", "yuv420p", {"level": "3", "slicecrc": "1"}),
        ("mov", "prores_ks", "yuv422p10le", {}),
    ],
)
def test_a_frame_that_no_decoder_makes_is_there_again(tmp_path, suffix, codec, pix_fmt, options):
    source = open_film(damaged_film(tmp_path, suffix, codec, pix_fmt, **options))
    frames = list(source.frames())
    assert [frame.time for frame in frames] == pytest.approx(np.arange(30) / 25, abs=0.002)
    damaged = [frame.number for frame in frames if frame.damaged]
    assert {10, 11, 12} <= set(damaged) and damaged == list(range(damaged[0], damaged[-1] + 1))
    assert {round(time * 25) for time in source.lost} <= set(damaged)
    assert [frame.number for frame in source.frames(11)] == list(range(11, 30))


def test_a_frame_that_does_not_decode_is_grey_in_a_folder(tmp_path, colorizer):
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(10):
        Image.fromarray(scene(number)).save(frames / f"{number}.png")
    (frames / "4.png").write_bytes((frames / "4.png").read_bytes()[:60])
    result = colorize_film(colorizer, frames, tmp_path / "new", FilmSettings(fps=10))
    assert result.damaged == ((0.4, 0.4),) and result.lost == (0.4,)
    files = sorted(result.out.iterdir())
    assert colorfulness(Image.open(files[4])) == 0 and colorfulness(Image.open(files[5])) > 5
    assert np.abs(luma(Image.open(files[4])) - scene(3)).max() <= 2  # the frame before


def refused(capsys, *arguments):
    """The line with which the command refuses."""
    with pytest.raises(SystemExit) as stop:
        sys.exit(main(["film", *map(str, arguments)]))
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.count("\n") == 1 and said.startswith("keras-colorize film: "), said
    return said


def test_mistakes_are_answered_in_one_line(tmp_path, colorizer, capsys, monkeypatch):
    monkeypatch.setattr("keras_colorize.cli.system.load", lambda options: colorizer)
    film = make_film(tmp_path / "old.mp4", 4, sound="aac")
    text = tmp_path / "text.mp4"
    text.write_text("no film")
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    sound = tmp_path / "sound.m4a"
    with av.open(str(film)) as container, av.open(str(sound), "w", format="mp4") as only:
        copy = only.add_stream_from_template(container.streams.audio[0])
        for packet in container.demux(container.streams.audio[0]):
            if packet.size:
                packet.stream = copy
                only.mux(packet)
    avi = make_film(tmp_path / "old.avi", 4, codec="mpeg4", sound="adpcm_ms")
    out = tmp_path / "new.mp4"
    folder = tmp_path / "frames"
    folder.mkdir()
    assert "no file or folder" in refused(capsys, tmp_path / "odl.mp4", "--out", out)
    assert "did you mean 'old.mp4'" in refused(capsys, tmp_path / "odl.mp4", "--out", out)
    (tmp_path / "zzzzzzzzzz.txt").write_text("no film")
    assert "did you mean" not in refused(capsys, tmp_path / "zzzzzzzzzz.mp4", "--out", out)
    assert "did you mean 'frames'" in refused(capsys, tmp_path / "frame", "--out", out)
    assert "no film that FFmpeg reads" in refused(capsys, text, "--out", out)
    assert "no film that FFmpeg reads" in refused(capsys, empty, "--out", out)
    assert "no pictures, only audio" in refused(capsys, sound, "--out", out)
    assert "no numbered frames" in refused(capsys, folder, "--out", out)
    assert "is the film itself" in refused(capsys, film, "--out", film)
    assert "ends in '.avi'" in refused(capsys, film, "--out", tmp_path / "new.avi")
    assert "lies in no folder" in refused(capsys, film, "--out", tmp_path / "none" / "new.mp4")
    assert "unknown --codec 'h246'; did you mean 'h264'" in refused(capsys, film, "--out", out, "--codec", "h246")
    assert "'.mp4' does not hold prores" in refused(capsys, film, "--out", out, "--codec", "prores")
    assert "--fps is for folders" in refused(capsys, film, "--out", out, "--fps", "25")
    assert "--quality is 0" in refused(capsys, film, "--out", out, "--quality", "0")
    assert "--preview is 0" in refused(capsys, film, "--out", out, "--preview", "0")
    assert "--vividness is 11" in refused(capsys, film, "--out", out, "--vividness", "11")
    assert "adpcm_ms, which .mp4 does not hold" in refused(capsys, avi, "--out", out)
    assert not out.exists() and not (tmp_path / "new.mp4.parts").exists()
    out.write_text("mine")
    assert "--overwrite replaces it" in refused(capsys, film, "--out", out)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10_000_000})())
    assert "free some space or choose another --out" in refused(capsys, film, "--out", out, "--overwrite")


def test_a_film_that_changes_its_size_is_refused(tmp_path, colorizer):
    first = make_film(tmp_path / "a.ts", 6, codec="mpeg2video")
    second = make_film(tmp_path / "b.ts", [scene(number, 64, 80) for number in range(6)], codec="mpeg2video")
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(ColorizeError, match="changes from 64×48 to 80×64 pixels at 0:00:00"):
        list(film_frames(colorizer, both))


def test_the_command_reports_and_leaves_a_film(tmp_path, colorizer, capsys, monkeypatch):
    monkeypatch.setattr("keras_colorize.cli.system.load", lambda options: colorizer)
    film = make_film(tmp_path / "old.mp4", 12, sound="aac")
    assert main(["film", str(film), "--out", str(tmp_path / "new.mp4"), "--quality", "60"]) == 0
    said = capsys.readouterr().out
    assert "12 frames, 0:00:00.5" in said
    assert len(read_film(tmp_path / "new.mp4")[0]) == 12


def test_the_command_says_how_far_a_stopped_film_is(tmp_path, colorizer, capsys, monkeypatch):
    def stopped(colorizer, path, out, settings, advance, stop):
        signal.raise_signal(signal.SIGINT)
        assert stop()
        return FilmResult(Path(out), 12, 0.48, stopped=True)

    monkeypatch.setattr("keras_colorize.cli.system.load", lambda options: colorizer)
    monkeypatch.setattr("keras_colorize.video.film.colorize_film", stopped)
    film, out = make_film(tmp_path / "old.mp4", 3), tmp_path / "new.mp4"
    assert main(["film", str(film), "--out", str(out)]) == 130
    assert capsys.readouterr().err == (
        f"keras-colorize film: stopped by Ctrl-C: 0:00:00.5 of the film are done, which play in {out}; the same command"
        " with --resume goes on\n"
    )


def test_the_report_names_what_is_damaged_and_lost_and_counts_the_rest():
    written = StringIO()
    damaged = tuple((float(n), n + 0.5) for n in range(23))
    result = FilmResult(Path("new.mp4"), 1234, 60.0, damaged, tuple(map(float, range(21))), ("it is odd",))
    film_command._report(Console(file=written, width=100), result, 75.4)
    lines = written.getvalue().splitlines()
    assert lines[:3] == [
        "done     1,234 frames, 0:01:00.0, in 0:01:15: new.mp4",
        "note     it is odd",
        "damaged  these stretches of the film are damaged, and stay grey:",
    ]
    assert lines[3] == "  0:00:00.0 to 0:00:00.5" and lines[23] == "  and 3 more"
    assert lines[24].startswith("lost     nothing decodes at 0:00:00.0, 0:00:01.0, ")
    assert lines[24].endswith("0:00:19.0 and at 1 more times; the frame before stays on the screen, in grey")


# Small parts


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fps": 0.0}, "`fps` is 0: expected frames per second"),
        ({"fps": float("nan")}, "`fps` is nan"),
        ({"preview": float("inf")}, "`preview` is inf"),
        ({"resume": True, "overwrite": True}, "give one of the two"),
    ],
)
def test_settings_out_of_range(values, message):
    with pytest.raises(ColorizeError, match=re.escape(message)):
        FilmSettings(**values)


@pytest.mark.parametrize(("module", "package"), [("av", "PyAV"), ("cv2", "OpenCV")])
def test_films_need_their_packages(monkeypatch, module, package):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else find(name))
    with pytest.raises(ColorizeError, match=rf'films need {package}: pip install "keras-colorize\[video\]"'):
        check_installed()


def test_folders_of_frames_that_are_no_film(tmp_path):
    for number, size in enumerate([(64, 48), (64, 48), (48, 64)]):
        Image.fromarray(scene(number)).resize(size).save(tmp_path / f"{number}.png")
    with pytest.raises(ColorizeError, match=r"2\.png' has 48×64 pixels and the frames before it 64×48"):
        list(open_film(tmp_path).frames())
    source = open_film(tmp_path)
    (tmp_path / "1.png").write_bytes(b"torn")
    frame = next(source.frames(1))  # a run that goes on there shows the last one that decodes
    assert frame.damaged and source.lost == [1 / 24]
    np.testing.assert_array_equal(frame.pixels, scene(0))
    (tmp_path / "0.png").write_bytes(b"torn")
    with pytest.raises(ColorizeError, match="holds no frame that decodes"):
        next(source.frames(1))


def test_a_thread_passes_on_what_it_makes_and_what_it_raises():
    def broken():
        yield 1
        raise KeyError("two")

    assert list(in_thread(range(5), 2, "five")) == list(range(5))
    found = in_thread(broken(), 1, "broken")
    assert next(found) == 1
    with pytest.raises(KeyError, match="two"):
        next(found)
    endless = in_thread(iter(int, 1), 1, "endless")
    next(endless)
    endless.close()


def test_a_thread_ends_where_ctrl_c_comes_as_it_starts(monkeypatch):
    start = threading.Thread.start

    def interrupted(thread):
        start(thread)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(threading.Thread, "start", interrupted)
        next(in_thread(iter(int, 1), 1, "endless"))
    assert "endless" not in {thread.name for thread in threading.enumerate()}


def test_times_in_words():
    assert clock(0) == "0:00:00.0" and clock(3723.46) == "1:02:03.5" and clock(59.97) == "0:01:00.0"
    assert stretches_of([0.2, 0.24, 1.0], 0.08) == ((0.2, 0.24), (1.0, 1.0))
