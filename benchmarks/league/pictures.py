"""Pictures of the league: the same packaged photos through all systems, and curves of the runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import skimage.data
from PIL import Image, ImageDraw, ImageFont

from benchmarks.league.results import Result, Results

if TYPE_CHECKING:
    from keras_colorize.inference.colorizer import Colorizer

SIDE = 96  # pixels of a tile
GAP = 4
QUALITY = 86
# Square parts of colour photos that scikit-image packages: name, and centre and side in shares of the short side. None
# of them is in the league's photos.
TILES: tuple[tuple[str, float, float, float], ...] = (
    ("astronaut", 0.50, 0.50, 1.0),
    ("astronaut", 0.43, 0.25, 0.5),
    ("chelsea", 0.75, 0.50, 1.0),
    ("chelsea", 0.72, 0.45, 0.6),
    ("coffee", 0.75, 0.50, 1.0),
    ("coffee", 0.95, 0.40, 0.6),
    ("rocket", 0.50, 0.50, 1.0),
    ("rocket", 0.75, 0.65, 0.6),
    ("stereo_motorcycle", 0.75, 0.50, 1.0),
    ("stereo_motorcycle", 0.60, 0.55, 0.6),
    ("hubble_deep_field", 0.50, 0.50, 0.4),
    ("retina", 0.50, 0.50, 1.0),
)


def tiles() -> np.ndarray:
    """Cut the photos: rgb_u8 (N, SIDE, SIDE, 3)."""
    cut = []
    for name, x, y, side in TILES:
        photo = getattr(skimage.data, name)()
        image = Image.fromarray(photo[0] if isinstance(photo, tuple) else photo)  # the left of a stereo pair
        short = min(image.size)
        left = min(max(0, round((x - side / 2) * short)), image.width - round(side * short))
        top = min(max(0, round((y - side / 2) * short)), image.height - round(side * short))
        box = (left, top, left + round(side * short), top + round(side * short))
        cut.append(np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS, box)))
    return np.stack(cut)


def keep_strip(colorizer: "Colorizer", file: Path) -> None:
    """Colour the tiles, and keep them as one picture, a tile above the other; grey and truth are kept beside it."""
    from keras_colorize.inference.finish import color_photos

    photos = tiles()
    grey = color_photos(photos, np.zeros((len(photos), 1, 1, 4), np.float32))
    for name, pictures in ((file.name, np.asarray(colorizer(photos))), ("grey.png", grey), ("truth.png", photos)):
        target = file.with_name(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pictures.reshape(-1, SIDE, 3)).save(target)


def draw_sheet(strips: Mapping[str, Path], file: Path) -> bool:
    """Draw columns of tiles, heading → strip; those that do not exist are left out.

    Returns:
        Whether there was a column beside grey and truth.
    """
    columns = {heading: np.asarray(Image.open(strip)) for heading, strip in strips.items() if strip.is_file()}
    if not columns.keys() - {"grey", "truth"}:
        return False
    font = ImageFont.load_default(size=12)
    heading_height = max(int(font.getlength(heading)) for heading in columns) + 2 * GAP
    count, step = len(TILES), SIDE + GAP
    sheet = Image.new("RGB", (len(columns) * step - GAP, heading_height + count * step - GAP), "white")
    for number, (heading, strip) in enumerate(columns.items()):
        label = Image.new("RGB", (heading_height, SIDE), "white")
        ImageDraw.Draw(label).text((GAP, SIDE / 2), heading, fill="black", font=font, anchor="lm")
        sheet.paste(label.transpose(Image.Transpose.ROTATE_90), (number * step, 0))
        for row in range(count):
            tile = Image.fromarray(strip[row * SIDE : (row + 1) * SIDE])
            sheet.paste(tile, (number * step, heading_height + row * step))
    file.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(file, quality=QUALITY)
    return True


# The curves of a report: file, competitors, and the figures of a panel each.
CURVES: dict[str, tuple[Sequence[str], Sequence[tuple[str, Sequence[str]]]]] = {
    "league_b.png": (
        ("pix2pix", "resnet18_gan", "resnet18_gan-random"),
        (
            ("validation L1", ("val_g_reconstruction",)),
            ("D loss, real (–) and generated (··)", ("d_real", "d_fake")),
            ("G adversarial", ("g_adversarial",)),
            ("G total", ("g_total",)),
        ),
    ),
    "league_d.png": (
        ("unet_noskip", "unet_skip"),
        (
            ("D loss, real (–) and generated (··)", ("d_real", "d_fake")),
            ("G adversarial", ("g_adversarial",)),
            ("validation ab MAE", ("val_ab_mae",)),
        ),
    ),
}


def draw_curves(results: Results, folder: Path) -> list[Path]:
    """Draw the curves of the reports that have some, over the images seen; return the files.

    A report's picture is drawn as soon as one of its systems has been measured.
    """
    drawn = []
    for name, (competitors, panels) in CURVES.items():
        rows = {each: row for each in competitors if (row := _longest(results, each)) is not None}
        if rows:
            folder.mkdir(parents=True, exist_ok=True)
            _draw(rows, panels, folder / name)
            drawn.append(folder / name)
    return drawn


def _longest(results: Results, name: str) -> Result | None:
    """Return a competitor's row of the same images, or of the same time where that is all there is."""
    return results.get(name, "images") or results.get(name, "time")


def _draw(rows: Mapping[str, Result], panels: Sequence[tuple[str, Sequence[str]]], file: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(panels), 3.8), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (title, names) in zip(axes, panels, strict=True):
        for number, (competitor, row) in enumerate(rows.items()):
            for name, style in zip(names, ("-", ":"), strict=False):
                points = [(point["step"] * row.data["batch_size"], point[name]) for point in row.curve if name in point]
                if points:
                    label = competitor if style == "-" else None
                    axis.plot(*zip(*points, strict=True), style, color=f"C{number}", label=label)
        axis.set(xlabel="images", title=title)
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    figure.savefig(file, dpi=100)
