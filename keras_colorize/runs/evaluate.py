"""Measuring a run on held-out photos, always beside the unchanged grey photos."""

import json
from importlib.metadata import version
from typing import Any

import keras
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from keras_colorize import __version__
from keras_colorize.color import rgb_from_u8, rgb_to_lab, rgb_to_u8
from keras_colorize.data import PhotoSet, reading_errors
from keras_colorize.metrics import Means, ab_mae, colorfulness, pixel_accuracy, psnr, ssim_channels
from keras_colorize.runs.console import counting_progress
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.loading import load_generator, load_photos, open_photos
from keras_colorize.runs.pictures import colorized_columns, photo_grid
from keras_colorize.spaces import Space, grey, recolor, space_of

GRID_PHOTOS = 8
GREY, TRUTH, OWN = "grey (unchanged)", "truth", "own lightness"

Figures = dict[str, dict[str, float]]


def evaluate(
    folder: RunFolder,
    console: Console,
    *,
    data: str | None = None,
    image_size: int | None = None,
    limit: int | None = None,
    batch_size: int = 16,
) -> Figures:
    """Measure a run on the test photos of its own data, or of `data`; writes `metrics.json` and `grid.png`.

    Each row holds means over the photos: `psnr` (dB), `ssim_r`, `ssim_g`, `ssim_b`, `pixel_accuracy_2` and
    `pixel_accuracy_5` (shares), `ab_mae` (CIE units), `colorfulness`. A system's row is the photo's own lightness with
    the predicted chroma, as the user gets it; a system that predicts RGB has a second row, `own lightness`, for the
    picture exactly as the network paints it.

    Raises:
        ColorizeError: no weights, no photos, or a size that the architecture does not take.
    """
    recipe = folder.recipe()
    recipe = recipe.with_values(
        **{"data.source": data or recipe.data.source, "data.image_size": image_size or recipe.data.image_size}
    )
    generator = load_generator(folder, recipe)
    photos = load_photos(open_photos(recipe), recipe, "test", console, limit)
    with counting_progress(console, "evaluating") as progress, reading_errors():
        means = measure(generator, space_of(recipe), photos, recipe.name, batch_size, progress)
    figures = {row: values.result() for row, values in means.items()}

    folder.evaluation.mkdir(exist_ok=True)
    photo_grid(colorized_columns(generator, space_of(recipe), photos.pick(GRID_PHOTOS), recipe.name)).save(
        folder.evaluation / "grid.png"
    )
    report = {
        "run": str(folder),
        "data": recipe.data.source,
        "split": "test",
        "photos": len(photos),
        "left_out": {photo.name: photo.reason for photo in photos.left_out},
        "image_size": recipe.data.image_size,
        "versions": {
            "keras-colorize": __version__,
            **{name: version(name) for name in ("tensorflow", "keras", "numpy", "pillow")},
        },
        "metrics": figures,
    }
    (folder.evaluation / "metrics.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print_table(console, figures, title=f"{recipe.name}: {len(photos):,} test photos, {recipe.data.source}")
    if folder.recipe().data.source == "sample":
        console.print(
            "Six packaged photos trained it: the figures show that all parts work, not how good the system is."
        )
    return figures


def measure(
    generator: keras.Model, space: Space, photos: PhotoSet, name: str, batch_size: int, progress: Any = None
) -> dict[str, Means]:
    """Row → per-photo metrics of grey, the system (and the system's own lightness), and the truth's colorfulness."""

    @tf.function(autograph=False, reduce_retracing=True)
    def step(rgb_u8: Any) -> dict[str, dict[str, Any]]:
        lab = rgb_to_lab(rgb_from_u8(rgb_u8))
        L, ab = lab[..., :1], lab[..., 1:]
        condition = space.condition(L)
        prediction = generator(condition, training=False)
        chroma = space.chroma(condition, prediction)
        rows = {
            GREY: _compare(rgb_u8, ab, rgb_to_u8(grey(L)), tf.zeros_like(ab)),
            name: _compare(rgb_u8, ab, rgb_to_u8(recolor(L, chroma)), chroma),
        }
        if space.predicts_lightness:
            painted = space.merge(condition, prediction)
            rows[f"{name}, {OWN}"] = _compare(rgb_u8, ab, rgb_to_u8(painted), chroma)
        return rows | {TRUTH: {"colorfulness": colorfulness(rgb_u8)}}

    means: dict[str, Means] = {}
    done = 0
    for batch in photos.evaluation_batches(batch_size):
        for row, values in step(batch).items():
            means.setdefault(row, Means()).update(values)
        done += len(batch)
        if progress is not None:
            progress(done, len(photos))
    return {row: means[row] for row in (GREY, name, f"{name}, {OWN}", TRUTH) if row in means}


def _compare(truth_u8: Any, truth_ab: Any, rgb_u8: Any, ab: Any) -> dict[str, Any]:
    channels = tf.unstack(ssim_channels(truth_u8, rgb_u8), axis=-1)
    return {
        "psnr": psnr(truth_u8, rgb_u8),
        **{f"ssim_{channel}": value for channel, value in zip("rgb", channels, strict=True)},
        "pixel_accuracy_2": pixel_accuracy(truth_ab, ab, 0.02),
        "pixel_accuracy_5": pixel_accuracy(truth_ab, ab, 0.05),
        "ab_mae": ab_mae(truth_ab, ab),
        "colorfulness": colorfulness(rgb_u8),
    }


def print_table(console: Console, figures: Figures, title: str) -> None:
    """The figures as a table, one system a row."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for heading in ("PSNR", "SSIM R", "G", "B", "acc 2 %", "5 %", "ab MAE", "colorfulness"):
        table.add_column(heading, justify="right", no_wrap=True)
    formats = {
        "psnr": "{:.2f}",
        **dict.fromkeys(("ssim_r", "ssim_g", "ssim_b"), "{:.3f}"),
        **dict.fromkeys(("pixel_accuracy_2", "pixel_accuracy_5"), "{:.1%}"),
        "ab_mae": "{:.2f}",
        "colorfulness": "{:.1f}",
    }
    for row, values in figures.items():
        cells = (form.format(values[key]) if key in values else "" for key, form in formats.items())
        table.add_row(row, *cells)
    console.print(table)
