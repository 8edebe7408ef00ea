"""Pictures that a run leaves: rows of photos side by side, and the curves of its log."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_colorize.color.lab import rgb_from_u8, rgb_to_u8
from keras_colorize.color.spaces import Space, grey
from keras_colorize.runs.log import Row
from keras_colorize.tensor import Tensor

GAP = 4
HEADING = 22
SMALLEST_CELL = 128  # smaller photos are enlarged to be looked at


def photo_grid(
    columns: dict[str, np.ndarray], smallest_cell: int = SMALLEST_CELL, upright_headings: bool = False
) -> Image.Image:
    """Arrange photos on a sheet: one column per heading, one row per photo.

    Args:
        columns: heading → rgb_u8 (N, S, S, 3), the same N photos in each.
        smallest_cell: smaller photos are enlarged by a whole number to at least so many pixels.
        upright_headings: turn headings by 90°, where they are longer than the columns are wide.
    """
    count, size = next(iter(columns.values())).shape[:2]
    cell = size * -(-smallest_cell // size)
    step = cell + GAP
    font = ImageFont.load_default(size=14)
    heading_height = HEADING
    if upright_headings:
        heading_height = max(int(font.getlength(heading)) for heading in columns) + GAP
    sheet = Image.new("RGB", (len(columns) * step - GAP, heading_height + count * step - GAP), "white")
    for column, (heading, photos) in enumerate(columns.items()):
        label = Image.new("RGB", (heading_height, cell) if upright_headings else (cell, heading_height), "white")
        ImageDraw.Draw(label).text((label.width / 2, label.height / 2), heading, fill="black", font=font, anchor="mm")
        sheet.paste(label.transpose(Image.Transpose.ROTATE_90) if upright_headings else label, (column * step, 0))
        for row, photo in enumerate(photos):
            tile = Image.fromarray(photo).resize((cell, cell), Image.Resampling.BICUBIC)
            sheet.paste(tile, (column * step, heading_height + row * step))
    return sheet


def colorized(generator: keras.Model, space: Space, rgb_u8: Tensor) -> np.ndarray:
    """Colorize photos with a generator: rgb_u8 (N, S, S, 3) in and out, their own lightness kept."""
    inputs, _ = space.split(rgb_from_u8(rgb_u8))
    prediction = generator(space.condition(inputs), training=False)
    return np.asarray(rgb_to_u8(space.colorize(inputs, prediction)))


def decolorized(space: Space, rgb_u8: Tensor) -> np.ndarray:
    """Remove the colour of photos and keep their lightness: rgb_u8 (N, S, S, 3) in and out."""
    return np.asarray(rgb_to_u8(grey(space.split(rgb_from_u8(rgb_u8))[0].lightness)))


def colorized_columns(generator: keras.Model, space: Space, truth: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Make the columns of a picture of photos rgb_u8 (N, S, S, 3): grey, the system's colours, truth."""
    return {"grey": decolorized(space, truth), name: colorized(generator, space, truth), "truth": truth}


def draw_curves(rows: Sequence[Row], file: Path, title: str, grey: Row) -> None:
    """Draw the log as a picture: D real and fake, G adversarial and total, and validation, over steps.

    Each panel's legend stands below it, where it covers no line.

    Args:
        rows: of the log.
        file: the picture; its suffix says which format.
        title: above the panels.
        grey: figures of the validation photos left grey, by their names in the log; each is a dashed line.
    """
    from matplotlib.figure import Figure  # not pyplot, which has a global state and looks for a window system

    panels = [
        ("discriminator loss", {"d_real": "D real", "d_fake": "D fake"}),
        (
            "generator loss",
            {
                "g_total": "G total",
                "g_adversarial": "G adversarial",
                "g_reconstruction": "reconstruction",
                "g_perceptual": "perceptual",
            },
        ),
        ("validation ab MAE (CIE units)", {"val_ab_mae": "ab MAE"}),
        ("validation PSNR (dB)", {"val_psnr": "PSNR"}),
        ("validation FID", {"val_fid": "FID"}),
    ]
    panels = [(label, names) for label, names in panels if any(name in row for row in rows for name in names)]
    figure = Figure(figsize=(4.5 * len(panels), 4.2), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (label, names) in zip(axes, panels, strict=True):
        for name, legend in names.items():
            points = [(row["step"], row[name]) for row in rows if name in row]
            if points:
                axis.plot(*zip(*points, strict=True), label=legend, marker="." if len(points) < 40 else None)
        if label == "generator loss" and all(min(line.get_ydata(), default=0) > 0 for line in axis.lines):
            axis.set_yscale("log")  # the total is some hundred times its parts
        for name in names.keys() & grey.keys():
            axis.axhline(grey[name], color="grey", linestyle="--", label="grey photos")
        axis.set(xlabel="step", title=label)
        axis.grid(alpha=0.3)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, frameon=False)
    figure.suptitle(title)
    figure.savefig(file, dpi=100)
