"""PSNR against colorfulness over the temperature: what a system over quantized chroma can be set to.

    python benchmarks/vividness.py --run runs/vivid/TIME --data PHOTOS --out curve.png

One pass through the network; each temperature decodes the same logits. Prints a row per temperature (means over the
test photos, grey ones left out, at the recipe's size) with grey and the truth, and draws the curve.
"""

import argparse
from pathlib import Path

from keras_colorize.cli.quiet import load_tensorflow

TEMPERATURES = (1.0, 0.8, 0.6, 0.5, 0.45, 0.38, 0.33, 0.28, 0.24, 0.2, 0.15, 0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--run", metavar="DIR", help="a run of a system in the space binned_lab")
    what.add_argument("--model", default="vivid", help="or a system with packaged weights (default: %(default)s)")
    parser.add_argument("--data", required=True, help="photos with a test split, as train.py takes them")
    parser.add_argument("--image-size", type=int, help="another size than the recipe's")
    parser.add_argument("--limit", type=int, help="measure on so many test photos (default: all)")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--out", metavar="FILE", help="draw the curve (PNG)")
    options = parser.parse_args()
    load_tensorflow()
    rows = measure(options)
    print(f"{'temperature':>12} {'PSNR':>7} {'ab MAE':>7} {'CF':>7} {'ΔCF':>7}")
    truth = rows["truth"]["cf"]
    for name, row in rows.items():
        print(f"{name:>12} {row['psnr']:7.2f} {row['ab_mae']:7.2f} {row['cf']:7.2f} {abs(row['cf'] - truth):7.2f}")
    if options.out:
        draw(rows, Path(options.out))


def measure(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Row → mean PSNR, ab MAE and colorfulness."""
    import tensorflow as tf

    from keras_colorize.color import rgb_from_u8, rgb_to_lab, rgb_to_u8
    from keras_colorize.metrics import Means, ab_mae, colorfulness, psnr
    from keras_colorize.packed import load_packaged
    from keras_colorize.recipe import Recipe
    from keras_colorize.runs.console import make_console
    from keras_colorize.runs.folder import RunFolder
    from keras_colorize.runs.loading import load_generator, load_photos, open_photos
    from keras_colorize.spaces import BinnedLabSpace, grey, recolor
    from keras_colorize.training import build_generator

    folder = RunFolder.open(options.run) if options.run else None
    recipe = folder.recipe() if folder else Recipe.load(options.model)
    size = options.image_size or recipe.data.image_size
    recipe = recipe.with_values(**{"data.source": options.data, "data.image_size": size})
    if folder:
        generator = load_generator(folder, recipe)
    else:
        generator = build_generator(recipe, image_size=size)
        load_packaged(recipe.name, generator)
    spaces = {f"{temperature:g}": BinnedLabSpace(temperature) for temperature in TEMPERATURES}

    @tf.function(autograph=False, reduce_retracing=True)
    def step(rgb_u8: tf.Tensor) -> dict[str, dict[str, tf.Tensor]]:
        lab = rgb_to_lab(rgb_from_u8(rgb_u8))
        L, ab = lab[..., :1], lab[..., 1:]
        condition = spaces["1"].condition(L)
        logits = generator(condition, training=False)
        painted = {"grey": (rgb_to_u8(grey(L)), tf.zeros_like(ab))}
        for name, space in spaces.items():
            chroma = space.chroma(condition, logits)
            painted[name] = rgb_to_u8(recolor(L, chroma)), chroma
        painted["truth"] = rgb_u8, ab
        return {
            name: {"psnr": psnr(rgb_u8, rgb), "ab_mae": ab_mae(ab, chroma), "cf": colorfulness(rgb)}
            for name, (rgb, chroma) in painted.items()
        }

    photos = load_photos(open_photos(recipe), recipe, "test", make_console(), options.limit)
    means: dict[str, Means] = {}
    for batch in photos.evaluation_batches(options.batch_size):
        for name, values in step(batch).items():
            means.setdefault(name, Means()).update(values)
    return {name: values.result() for name, values in means.items()}


def draw(rows: dict[str, dict[str, float]], file: Path) -> None:
    """PSNR over colorfulness, a point per temperature."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    points = {name: row for name, row in rows.items() if name not in ("grey", "truth")}
    axis.plot([row["cf"] for row in points.values()], [row["psnr"] for row in points.values()], marker=".")
    for name, row in points.items():
        axis.annotate(name, (row["cf"], row["psnr"]), textcoords="offset points", xytext=(4, 4), fontsize=8)
    axis.plot(rows["grey"]["cf"], rows["grey"]["psnr"], "s", color="grey", label="grey")
    axis.axvline(rows["truth"]["cf"], color="black", linestyle=":", label="the photos' colorfulness")
    axis.set(xlabel="colorfulness", ylabel="PSNR (dB)", title="temperature of the annealed mean")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(file, dpi=100)


if __name__ == "__main__":
    main()
