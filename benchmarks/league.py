"""Train every system of the zoo on the same photos for the same number of images, and set them side by side.

    python benchmarks/league.py --data PHOTOS --images 8000 --out runs/league

Each system trains for two epochs of half the images each; a pretrained system trains for one epoch of each stage. A
system that has been measured is not trained again, so an interrupted league goes on. The output folder gets `league.md`
(the table) and `league.jpg` (the same packaged photos through all systems).
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from keras_colorize.cli.startup import load_tensorflow
from keras_colorize.recipes import Recipe, load_card, zoo_names
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.log import read_log

ROOT = Path(__file__).resolve().parents[1]
PICTURED = 8


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="photos with a test split, as train.py takes them")
    parser.add_argument(
        "--images", type=int, default=8000, help="number of images that each system sees (default: %(default)s)"
    )
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--limit", type=int, help="largest number of test photos to measure (default: all)")
    parser.add_argument("--out", default="runs/league")
    parser.add_argument("--models", nargs="*", help="only these, in this order (default: the whole zoo)")
    parser.add_argument("--random-backbone", action="store_true", help="as in train.py")
    options = parser.parse_args()
    models = options.models or zoo_names()
    for model in models:
        if not measured(options.out, model):
            train(model, options)
    write(models, options)


def measured(out: str, model: str) -> RunFolder | None:
    """Find the newest run of a model that has been evaluated."""
    files = sorted(Path(out).glob(f"{model}/*/evaluation/metrics.json"))
    return RunFolder(files[-1].parents[1]) if files else None


def train(model: str, options: argparse.Namespace) -> None:
    """Train one system for two epochs of half the images each, then evaluate it."""
    recipe = Recipe.load(model)
    epochs = ["--epochs", "1", "--set", "pretrain.epochs=1"] if recipe.pretrain.epochs else ["--epochs", "2"]
    command = [
        *("train.py", "--model", model, "--data", options.data, "--out", options.out, *epochs),
        *("--image-size", str(options.image_size), "--batch-size", str(options.batch_size)),
        *("--steps-per-epoch", str(options.images // 2 // options.batch_size)),
        *("--limit", "0", "--set", "early_stopping.monitor=none", "--set", "schedule.checkpoint_minutes=60"),
        *("--set", "data.validation_fraction=0.02"),
    ]
    if options.random_backbone:
        command.append("--random-backbone")
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True)
    limit = ["--limit", str(options.limit)] if options.limit else []
    subprocess.run(
        [sys.executable, "evaluate.py", "--model", model, "--out", options.out, *limit], cwd=ROOT, check=True
    )


def write(models: list[str], options: argparse.Namespace) -> None:
    """Write the table and the picture of all systems that have been measured."""
    lines = [
        "| system | PSNR | SSIM | acc 2 % | acc 5 % | ab MAE | colorfulness | ΔCF | images/s | parameters |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    runs = {model: folder for model in models if (folder := measured(options.out, model))}
    for number, (model, folder) in enumerate(runs.items()):
        report = json.loads((folder.evaluation / "metrics.json").read_text(encoding="utf-8"))
        figures = report["metrics"]
        if number == 0:
            lines.append(row("grey", figures["grey (unchanged)"], figures["truth"], "", ""))
        # The speed is that of the main stage's quickest interval: other work on the machine can only slow a run down.
        speeds = [row["images_per_second"] for row in read_log(folder.log_file)[1:] if row["epoch"] > 1]
        speed = f"{max(speeds):.0f}" if speeds else ""
        random = folder.recipe().backbone_weights == "random" and load_card(model).needs
        only_fid = random and all("FID" in need for need in load_card(model).needs)
        name = f"`{model}`" + (" (random backbone)" if random and not only_fid else "")
        lines.append(row(name, figures[model], figures["truth"], speed, f"{load_card(model).parameters:,}"))
    text = "\n".join(lines) + "\n"
    (Path(options.out) / "league.md").write_text(text, encoding="utf-8")
    print(text)
    picture(runs, options)


def row(name: str, figures: dict, truth: dict, speed: str, parameters: str) -> str:
    """Return one line of the table."""
    ssim = sum(figures[f"ssim_{channel}"] for channel in "rgb") / 3
    cells = [
        name,
        f"{figures['psnr']:.2f}",
        f"{ssim:.3f}",
        f"{figures['pixel_accuracy_2']:.1%}",
        f"{figures['pixel_accuracy_5']:.1%}",
        f"{figures['ab_mae']:.2f}",
        f"{figures['colorfulness']:.1f}",
        f"{abs(figures['colorfulness'] - truth['colorfulness']):.1f}",
        speed,
        parameters,
    ]
    return f"| {' | '.join(cells)} |"


def picture(runs: dict[str, RunFolder], options: argparse.Namespace) -> None:
    """Draw the packaged test photos through all systems, a column each."""
    load_tensorflow()
    import keras
    import numpy as np

    from keras_colorize import Colorizer
    from keras_colorize.data.scan import load_photos
    from keras_colorize.data.sources import open_photos
    from keras_colorize.evaluation.systems import FramedBatch, System
    from keras_colorize.inference.finish import color_photos
    from keras_colorize.runs.pictures import photo_grid

    sample = Recipe.load("unet_skip", [f"data.image_size={options.image_size}"])
    photos = load_photos(open_photos(sample.data), sample.data, "test").pick(PICTURED)
    columns = {"grey": color_photos(photos, np.zeros((len(photos), 1, 1, 4), np.float32))}
    for model, folder in runs.items():
        keras.backend.clear_session()
        columns[model] = System(model, Colorizer.from_run(folder.path)).colorize(FramedBatch(photos))
    sheet = photo_grid(columns | {"truth": photos}, smallest_cell=options.image_size, upright_headings=True)
    sheet.save(Path(options.out) / "league.jpg", quality=88)


if __name__ == "__main__":
    main()
