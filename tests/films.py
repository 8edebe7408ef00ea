"""Helpers of the tests of films: tiny films that PyAV makes, and a small network with random weights."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import keras
import numpy as np

from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.models.networks import build_generator
from keras_colorize.recipes import Recipe
from keras_colorize.video.settings import FilmSettings
from tests.conftest import colorful_photo

HEIGHT, WIDTH, SIZE = 48, 64, 32
RATE = 25

# Films are compared packet by packet. x264 reads memory that nobody wrote where frames are this small, and so is no
# judge of whether two runs have made the same frames.
LOSSLESS = FilmSettings(codec="ffv1")


class Killed(Exception):
    """Raised in place of what ends a process."""


def small_colorizer(hints: bool = False) -> Colorizer:
    """A colorizer of random weights, colourful, for frames of 32 pixels."""
    recipe = Recipe.from_dict(
        {
            "name": "small",
            "space": "lab",
            "generator": {"name": "unet_maxpool", "args": {"filters": [4, 8, 8, 8]}},
            "data": {"image_size": SIZE, "batch_size": 4},
            "hints": hints,
        }
    )
    keras.utils.set_random_seed(0)
    generator = build_generator(recipe, image_size=SIZE)
    for variable in generator.variables:
        if variable.path.endswith("kernel"):
            variable.assign(keras.random.normal(variable.shape, stddev=0.3, seed=1))
    return Colorizer(generator, recipe)


def scene(number: int, height: int = HEIGHT, width: int = WIDTH, seed: int = 3) -> np.ndarray:
    """A grey frame, (height, width) uint8, of a pan over a smooth picture."""
    wide = colorful_photo(seed, 2 * height, 3 * width).mean(axis=-1)
    shown = wide[height // 2 : height // 2 + height, number : number + width]
    return np.clip(shown, 0, 255).astype(np.uint8)


def make_film(
    file: Path,
    frames: Sequence[np.ndarray] | int = 12,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: Fraction | int = RATE,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    sound: str | None = None,
    options: dict[str, str] | None = None,
    begins: float = 0.0,
    **context: Any,
) -> Path:
    """Write a film.

    frames: (H, W) uint8 each, or how many of `scene`.
    pts: of the frames, in units of `time_base`; one each by default.
    sound: a codec, such as "aac".
    begins: seconds at which pictures and sound begin.
    context: attributes of the encoder, such as sample_aspect_ratio.
    """
    if isinstance(frames, int):
        frames = [scene(number) for number in range(frames)]
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = time_base or Fraction(1) / rate
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        tone = container.add_stream(sound, rate=48000, layout="mono") if sound else None
        for number, pixels in enumerate(frames):
            rgb = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24").reformat(format=pix_fmt)
            frame.time_base = stream.codec_context.time_base
            frame.pts = (number if pts is None else pts[number]) + round(begins / frame.time_base)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if tone is not None:
            seconds = len(frames) / float(rate)
            wave = (8000 * np.sin(np.arange(int(48000 * seconds)) * 0.06)).astype(np.int16)
            for start in range(0, len(wave), 1024):
                part = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="s16", layout="mono")
                part.sample_rate, part.time_base = 48000, Fraction(1, 48000)
                part.pts = start + round(begins * 48000)
                container.mux(tone.encode(part))
            container.mux(tone.encode(None))
    return file


def read_film(file: Path) -> tuple[list[np.ndarray], list[float]]:
    """The frames of a film, rgb (H, W, 3) uint8 each, and their times."""
    with av.open(str(file)) as container:
        frames = list(container.decode(video=0))
    return [frame.to_ndarray(format="rgb24") for frame in frames], [frame.time for frame in frames]


def sound_packets(file: Path) -> list[bytes]:
    """The packets of a film's sound."""
    with av.open(str(file)) as container:
        return [bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size]


def packets_of(file: Path) -> list[tuple[int, int | None, int | None, bytes]]:
    """Stream, times and content of each packet of a film."""
    with av.open(str(file)) as container:
        return [
            (packet.stream_index, packet.pts, packet.dts, bytes(packet)) for packet in container.demux() if packet.size
        ]


def assert_same_film(ours: Path, theirs: Path) -> None:
    """The same frames at the same times, with the same sound."""
    for a, b in zip(read_film(ours)[0], read_film(theirs)[0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert read_film(ours)[1] == read_film(theirs)[1]
    assert sound_packets(ours) == sound_packets(theirs)
    assert packets_of(ours) == packets_of(theirs)


def damaged_film(
    folder: Path,
    suffix: str = "mkv",
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    sound: str | None = None,
    **options: str,
) -> Path:
    """A film whose packets 10 to 12 of 30 hold noise, with a key frame at each tenth frame."""
    whole = folder / f"whole.{suffix}"
    make_film(whole, 30, codec=codec, pix_fmt=pix_fmt, sound=sound, options={"g": "10", "bf": "0"} | options)
    data = bytearray(whole.read_bytes())
    with av.open(str(whole)) as container:
        packets = [packet for packet in container.demux(container.streams.video[0]) if packet.size]
    noise = np.random.default_rng(0)
    for packet in packets[10:13]:
        content = bytes(packet)
        place = bytes(data).find(content)
        assert place > 0
        data[place : place + len(content)] = noise.bytes(len(content))
    broken = folder / f"broken.{suffix}"
    broken.write_bytes(bytes(data))
    return broken


def cut_film(
    file: Path, shots: Sequence[int] = (14, 9, 20), size: tuple[int, int] = (HEIGHT, WIDTH), **options: Any
) -> Path:
    """Write a film of different shots, so many frames each, of this height and width."""
    frames = [
        scene(number, *size, seed=seed)
        for seed, count in zip((3, 9, 5, 7), shots, strict=False)
        for number in range(count)
    ]
    return make_film(file, frames, **options)
