"""Where the time goes when a photo is colorized, stage by stage, and how fast a folder is.

    python benchmarks/inference.py --repeats 7 --folder 64

Photos are made from those that scikit-image packages: enlarged, grey and in colour, saved as JPEG, 12 and 1
megapixels, and with --large 100 megapixels. Start-up and compilation happen before the clock starts. `outside` is the
share of a photo's pixels whose predicted colour sRGB does not show, which the finish brings into the gamut.

The script uses public steps of the Colorizer only, so that it also measures other versions of the package. To compare
two, run it with PYTHONPATH on one and the other in turns.

    python benchmarks/inference.py --model pix2pix --pytorch

adds what published colorization code does with the same folder: Pillow, scikit-image's Lab, the same network in
PyTorch at 256×256, chroma enlarged, one photo after the other. Needs `pip install keras-colorize[convert]`.
"""

import argparse
import itertools
import os
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import skimage.color
import skimage.data
from PIL import Image

from keras_colorize.batch.folder import colorize_folder
from keras_colorize.batch.plan import FolderSettings
from keras_colorize.color.lab import lab_to_rgb, rgb_from_u8, rgb_to_lab
from keras_colorize.defaults import DEFAULT_MODEL
from keras_colorize.images import read_pictures, write_pictures
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.finish import frame_coefficients
from keras_colorize.models.networks import build_generator
from keras_colorize.recipes import Recipe, packaged_names

SIZES = {"12 megapixels": (3000, 4000), "1 megapixel": (833, 1200)}
LARGE = {"100 megapixels": (8660, 11547)}
SCENES = (skimage.data.astronaut, skimage.data.chelsea, skimage.data.coffee, skimage.data.rocket)
STAGES = ("decode", "frame", "network", "finish", "encode")


def load(model: str) -> Colorizer:
    """The packaged weights, or random ones, which take as long."""
    if model in packaged_names():
        return Colorizer.from_zoo(model)
    recipe = Recipe.load(model).with_values(backbone_weights="random")
    return Colorizer(build_generator(recipe), recipe)


def save_photo(file: Path, scene: np.ndarray, height: int, width: int, grey: bool) -> None:
    """A scene cut to the shape and enlarged, with grain so that it compresses as photos do."""
    rows = min(len(scene), scene.shape[1] * height // width)
    cut = Image.fromarray(scene[:rows, : rows * width // height])
    pixels = np.asarray(cut.resize((width, height), Image.Resampling.BICUBIC)).astype("int16")
    grain = np.random.default_rng(0).integers(-4, 5, (height, width, 1), "int16")
    image = Image.fromarray(np.clip(pixels + grain, 0, 255).astype("uint8"))
    (image.convert("L") if grey else image).save(file, quality=92)


def timed(seconds: dict[str, float], stage: str, work: Callable[[], Any]) -> Any:
    """The result of `work`, its time added to the stage."""
    start = time.perf_counter()
    result = work()
    seconds[stage] = time.perf_counter() - start
    return result


def outside(colorizer: Colorizer, file: Path) -> float:
    """The share of a photo's pixels whose predicted colour lies outside the gamut, in a reduced copy."""
    (picture,) = read_pictures(file)
    frame = colorizer.frame(picture.pixels)
    lines = frame_coefficients(frame, colorizer.predict([frame])[0])
    small = Image.fromarray(picture.pixels).convert("RGB").resize((lines.shape[1], lines.shape[0]))
    L = np.asarray(rgb_to_lab(rgb_from_u8(np.asarray(small))))[..., :1]
    rgb = np.asarray(lab_to_rgb(np.concatenate([L, lines[..., :2] * L + lines[..., 2:]], axis=-1), clip=False))
    return float(np.mean(np.any((rgb < -1e-4) | (rgb > 1 + 1e-4), axis=-1)))


def stages(colorizer: Colorizer, file: Path, out: Path) -> dict[str, float]:
    """Seconds of each stage for one photo; their sum is the time of the whole."""
    seconds: dict[str, float] = {}
    (picture,) = timed(seconds, "decode", lambda: list(read_pictures(file)))
    frame = timed(seconds, "frame", lambda: colorizer.frame(picture.pixels))
    (ab,) = timed(seconds, "network", lambda: colorizer.predict([frame]))
    picture.pixels = timed(seconds, "finish", lambda: colorizer.finish(picture.pixels, frame, ab))
    timed(seconds, "encode", lambda: write_pictures(out, [picture], overwrite=True))
    return seconds


def colorize_with_pytorch(photos: list[Path], out: Path) -> None:
    """Each photo's lightness through pix2pix's U-Net, chroma enlarged to the photo's size; quality 95, as ours."""
    import torch

    from keras_colorize.convert.torch_modules import UNetBlocks

    generator = UNetBlocks(1, 2, Recipe.load("pix2pix").generator.args["filters"]).eval()
    for file in photos:
        lab = skimage.color.rgb2lab(np.asarray(Image.open(file).convert("RGB")))
        L = torch.from_numpy(lab[None, None, ..., 0].astype("float32"))
        with torch.inference_mode():
            small = torch.nn.functional.interpolate(L, (256, 256), mode="bilinear", antialias=True)
            ab = generator(small / 50.0 - 1.0) * 110.0
            ab = torch.nn.functional.interpolate(ab, L.shape[2:], mode="bilinear")
        lab[..., 1:] = ab[0].permute(1, 2, 0).numpy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of colours outside sRGB, which scikit-image cuts
            rgb = skimage.color.lab2rgb(lab)
        Image.fromarray((rgb * 255.0).round().astype("uint8")).save(out / file.name, quality=95)


def race(colorizer: Colorizer, photos: list[Path], out: Path, repeats: int, pytorch: bool) -> None:
    """The folder as often as asked for, in turns; photos per second."""

    def ours() -> None:
        results = colorize_folder(colorizer, photos[0].parent, out, FolderSettings(overwrite=True))
        assert not [result.error for result in results if result.error]

    runners: dict[str, Callable[[], None]] = {"keras_colorize": ours}
    if pytorch:
        runners["PyTorch, scikit-image"] = lambda: colorize_with_pytorch(photos, out)
    speeds: dict[str, list[float]] = {name: [] for name in runners}
    for _, (name, runner) in itertools.product(range(repeats), runners.items()):
        start = time.perf_counter()
        runner()
        speeds[name].append(len(photos) / (time.perf_counter() - start))
    print(f"a folder of {len(photos)} photos of 1 megapixel, median of {repeats}:")
    for name, speed in speeds.items():
        print(f"  {name:24}{statistics.median(speed):6.1f} per second")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="of the zoo; without packaged weights, random ones")
    parser.add_argument("--repeats", type=int, default=7, help="turns of each photo")
    parser.add_argument(
        "--folder", type=int, default=64, metavar="N", help="photos of 1 megapixel in a folder; 0: none"
    )
    parser.add_argument("--large", action="store_true", help="a photo of 100 megapixels too")
    parser.add_argument("--pytorch", action="store_true", help="with --model pix2pix: the folder in PyTorch too")
    args = parser.parse_args()
    if args.pytorch and args.model != "pix2pix":
        parser.error(f"--pytorch runs pix2pix's network, --model is {args.model}: add --model pix2pix")

    colorizer = load(args.model)
    print(
        f"{colorizer.name} at {colorizer.image_size} pixels, {os.cpu_count()} CPUs ({platform.machine()}), load "
        f"{os.getloadavg()[0]:.1f}; TensorFlow {version('tensorflow')}, Keras {version('keras')}; "
        f"medians of {args.repeats}, ms"
    )
    print(f"{'':24}" + "".join(f"{stage:>11}" for stage in (*STAGES, "all", "best", "outside")))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, (height, width) in (SIZES | (LARGE if args.large else {})).items():
            for grey in (True, False):
                file = folder / f"{height}-{grey}.jpg"
                save_photo(file, SCENES[0](), height, width, grey)
                turns = [stages(colorizer, file, folder / "out.jpg") for _ in range(args.repeats + 1)][1:]
                wholes = [sum(turn.values()) for turn in turns]
                figures = [statistics.median(turn[stage] for turn in turns) for stage in STAGES]
                row = (*figures, statistics.median(wholes), min(wholes))
                print(
                    f"{name + (', grey' if grey else ', colour'):24}"
                    + "".join(f"{1000 * f:11.0f}" for f in row)
                    + f"{outside(colorizer, file):11.1%}"
                )
        if args.folder:
            (folder / "in").mkdir()
            for number in range(args.folder):
                scene = SCENES[number % len(SCENES)]()
                save_photo(folder / "in" / f"{number:04}.jpg", scene, *SIZES["1 megapixel"], grey=True)
            (folder / "out").mkdir()
            race(colorizer, sorted((folder / "in").iterdir()), folder / "out", min(args.repeats, 3), args.pytorch)
    print(f"load afterwards {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
