"""PSNR against colorfulness for a system over quantized chroma: the curve of its vividness, and how it was set.

    python benchmarks/vividness.py --model vivid --data PHOTOS --out curve.png
    python benchmarks/vividness.py --run runs/vivid/TIME --data PHOTOS --split validation --tune

The network runs once; every setting decodes the same logits. Rows are means over a split's photos at the recipe's size,
grey ones left out. `--tune` tries temperatures and shares of the rebalancing that are undone, each with the lift at
which the photos are as colourful as the truth. It shows PSNR and the difference of colorfulness for each kind of photo
(each data set, or else the first folder) too. Do that on validation photos of all kinds and measure on others.
"""

import argparse
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from keras_colorize.cli.startup import load_tensorflow
from keras_colorize.defaults import DEFAULT_MODEL
from keras_colorize.recipes import Decoding, Recipe

VIVIDNESS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0)
TEMPERATURES = (1.0, 0.7, 0.5, 0.38)
UNDONE = (0.0, 0.25, 0.5, 0.75)
BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--run", metavar="DIR", help="a run of a system in the space binned_lab")
    what.add_argument("--model", default=DEFAULT_MODEL, help="or a system with packaged weights (default: %(default)s)")
    parser.add_argument("--data", required=True, help="photos, as train.py takes them")
    parser.add_argument("--split", default="test", choices=("train", "validation", "test"))
    parser.add_argument("--limit", type=int, help="at most so many photos")
    parser.add_argument("--tune", action="store_true", help="search the decoding instead of drawing the curve")
    parser.add_argument("--out", metavar="FILE", help="draw the curve (PNG)")
    options = parser.parse_args()
    load_tensorflow()
    photos = predict(options)
    print(f"{photos.count:,} photos; grey: {photos.line(photos.grey())}; truth: colorfulness {photos.truth:.2f}")
    if options.tune:
        tune(photos)
        return
    rows = {vividness: photos.figures(photos.recipe.decoding, vividness) for vividness in VIVIDNESS}
    for vividness, row in rows.items():
        print(f"vividness {vividness:4.2f}: {photos.line(row)}")
    if options.out:
        draw(rows, photos, Path(options.out))


def tune(photos: "Predicted") -> None:
    """A line for each setting, at the lift that makes the photos as colourful as they were."""
    for undone, temperature in product(UNDONE, TEMPERATURES):
        low, high = 0.0, 0.1
        decoding = Decoding(temperature=temperature, undo_rebalancing=undone)
        for _ in range(9):
            decoding = replace(decoding, lift=(low + high) / 2)
            row = photos.figures(decoding)
            low, high = (decoding.lift, high) if row["colorfulness"] < photos.truth else (low, decoding.lift)
        print(
            f"undo {undone:4.2f}, temperature {temperature:4.2f}, lift {decoding.lift:.4f}: {photos.line(row)}"
            f" | {photos.kinds(decoding)}",
            flush=True,
        )


@dataclass
class Predicted:
    """Photos with the network's logits for them, all in memory."""

    recipe: Recipe
    rgb_u8: Any
    lab: Any
    logits: Any
    names: list[str]

    @property
    def count(self) -> int:
        return len(self.rgb_u8)

    @property
    def truth(self) -> float:
        """The photos' own colorfulness."""
        from keras_colorize.metrics import colorfulness

        return float(np.concatenate([colorfulness(part) for part in self._parts(self.rgb_u8)]).mean())

    def grey(self) -> dict[str, float]:
        return self._measure(lambda L, logits: 0.0 * L.repeat(2, axis=-1))

    def figures(self, decoding: Decoding, vividness: float = 1.0) -> dict[str, float]:
        """Mean `psnr`, `ab_mae` and `colorfulness` of one setting."""
        return self._measure(self._chroma(decoding, vividness))

    def _chroma(self, decoding: Decoding, vividness: float) -> Any:
        from keras_colorize.color.inputs import Inputs
        from keras_colorize.color.spaces import BinnedLabSpace

        space = BinnedLabSpace(decoding, self.recipe.loss.rebalancing)
        return lambda L, logits: space.chroma(Inputs(L), logits, vividness)

    def kinds(self, decoding: Decoding) -> str:
        """PSNR and the difference of colorfulness from the truth for each kind of photo."""
        from keras_colorize.metrics import colorfulness

        rows = self._rows(self._chroma(decoding, 1.0))
        apart = rows["colorfulness"] - np.concatenate([colorfulness(part) for part in self._parts(self.rgb_u8)])
        kinds = np.array([name.split("/")[0] for name in self.names])
        return ", ".join(
            f"{kind} {rows['psnr'][kinds == kind].mean():.2f} {apart[kinds == kind].mean():+.1f}"
            for kind in np.unique(kinds)
        )

    @staticmethod
    def line(row: dict[str, float]) -> str:
        return f"PSNR {row['psnr']:.2f}, ab MAE {row['ab_mae']:.2f}, colorfulness {row['colorfulness']:.2f}"

    def _measure(self, chroma: Any) -> dict[str, float]:
        return {name: float(values.mean()) for name, values in self._rows(chroma).items()}

    def _rows(self, chroma: Any) -> dict[str, Any]:
        """Measure each photo as `evaluate.py` does: on the pixels that the finish of inference makes of its chroma."""
        from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab
        from keras_colorize.inference.finish import color_photos, guided_coefficients
        from keras_colorize.metrics import Means, ab_mae, colorfulness, psnr

        means = Means()
        for rgb_u8, lab, logits in zip(*map(self._parts, (self.rgb_u8, self.lab, self.logits)), strict=True):
            lines = guided_coefficients(lab[..., :1], chroma(lab[..., :1], logits))
            painted = color_photos(rgb_u8, np.asarray(lines))
            ab = rgb_to_lab(rgb_from_u8(painted))[..., 1:]
            means.update(
                {
                    "psnr": psnr(rgb_u8, painted),
                    "ab_mae": ab_mae(lab[..., 1:], ab),
                    "colorfulness": colorfulness(painted),
                }
            )
        return {name: np.asarray(values) for name, values in means.rows.items()}

    @staticmethod
    def _parts(array: Any) -> Any:
        return (array[start : start + BATCH] for start in range(0, len(array), BATCH))


def predict(options: argparse.Namespace) -> Predicted:
    """The split's photos through the network."""
    import tensorflow as tf

    from keras_colorize.cli.console import ConsoleReporter, make_console
    from keras_colorize.color.inputs import Inputs
    from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab
    from keras_colorize.data.scan import load_photos
    from keras_colorize.data.sources import open_photos
    from keras_colorize.inference.colorizer import Colorizer

    colorizer = Colorizer.from_run(options.run) if options.run else Colorizer.from_zoo(options.model)
    recipe = colorizer.recipe.with_values(**{"data.source": options.data})
    generator, condition = colorizer.generator, colorizer.space.condition
    step = tf.function(
        lambda L: generator(condition(Inputs(L)), training=False), autograph=False, reduce_retracing=True
    )
    photos = load_photos(
        open_photos(recipe.data),
        recipe.data,
        options.split,
        limit=options.limit,
        progress=ConsoleReporter(make_console()),
    )
    rgb_u8, lab, logits = [], [], []
    for batch in photos.evaluation_batches(BATCH):
        rgb_u8.append(batch.numpy())
        lab.append(np.asarray(rgb_to_lab(rgb_from_u8(batch))))
        logits.append(step(lab[-1][..., :1]).numpy())
    return Predicted(recipe, *map(np.concatenate, (rgb_u8, lab, logits)), photos.names)


def draw(rows: dict[float, dict[str, float]], photos: Predicted, file: Path) -> None:
    """PSNR over colorfulness, a point per vividness."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    axis.plot([row["colorfulness"] for row in rows.values()], [row["psnr"] for row in rows.values()], marker=".")
    for vividness, row in rows.items():
        axis.annotate(
            f"{vividness:g}",
            (row["colorfulness"], row["psnr"]),
            textcoords="offset points",
            xytext=(4, 4),
            fontsize=8,
        )
    axis.axvline(photos.truth, color="black", linestyle=":", label="the photos' own")
    axis.set(xlabel="colorfulness", ylabel="PSNR (dB)", title=f"{photos.recipe.name}: vividness")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(file, dpi=100)


if __name__ == "__main__":
    main()
