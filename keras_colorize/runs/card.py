"""The card of a shared system: one page of Markdown for whoever gets its folder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_colorize import __version__
from keras_colorize.recipes import Recipe
from keras_colorize.runs.folder import RunFolder

# Lines of a run's header that say how a system was trained.
_TRAINING = ("starts from", "data", "photos", "size", "learning rate", "precision")
# Metrics of a card: name in metrics.json → heading and form. Higher is better, except for ab MAE.
_METRICS = {
    "psnr": ("PSNR, dB", "{:.2f}"),
    "ssim": ("SSIM", "{:.3f}"),
    "ab_mae": ("ab MAE", "{:.2f}"),
    "colorfulness": ("colorfulness", "{:.1f}"),
}


@dataclass(frozen=True)
class Figures:
    """The figures of an evaluation that a card shows.

    Attributes:
        photos: how many photos were measured.
        data: their source, without the folders above it.
        protocol: one line about the protocol.
        means: row → metric → mean over the photos.
    """

    photos: int
    data: str
    protocol: str
    means: dict[str, dict[str, float]]


def read_figures(run: RunFolder) -> Figures | None:
    """Read the figures of a run's last evaluation; None where there is none, or it measured other systems too."""
    try:
        table = json.loads((run.evaluation / "metrics.json").read_text(encoding="utf-8"))
        if len(table["systems"]) != 1:
            return None
        means = {
            row: {name: float(values[name]) for name in _METRICS if values.get(name) is not None}
            for row, values in table["metrics"].items()
        }
        return Figures(table["photos"], Path(table["data"]).name, table["protocol"]["summary"], means)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def read_training(run: RunFolder) -> dict[str, str]:
    """Read from a run's header how it was trained: name of a line → its text; empty where there is no header."""
    try:
        lines = run.notes_file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        # A run that was resumed has a header for each start. Folders are nobody's business.
        found.setdefault(name, " ".join(Path(word).name if "/" in word else word for word in value.split()))
    return {name: found[name] for name in _TRAINING if name in found}


def card_text(
    recipe: Recipe,
    parameters: int,
    *,
    training: Mapping[str, str] | None = None,
    figures: Figures | None = None,
    license: str = "",
    command: str = "",
) -> str:
    """Write the card of a system.

    Args:
        recipe: of its training.
        parameters: of the generator.
        training: how it was trained, as `read_training` returns it.
        figures: of an evaluation.
        license: of the weights, in words; empty where nobody has stated one.
        command: that colours a photo with the folder, for the terminal.

    Returns:
        Markdown.
    """
    hints = "It takes hints: colours that somebody gives at places." if recipe.hints else "It takes no hints."
    size = recipe.data.image_size
    parts = [
        f"# {recipe.name or recipe.generator.name}",
        f"{recipe.summary or 'A system without a summary'}. A network that paints colour onto the lightness of a photo,"
        f" trained with Keras Colorize {__version__}.",
        "## Use",
        _block("python", "from keras_colorize import Colorizer", "", 'Colorizer.load("this folder")("old.jpg")'),
        *([_block("", command)] if command else []),
        "## System",
        _table(
            ("", ""),
            ("architecture", f"`{recipe.generator.name}`, {parameters:,} parameters"),
            ("space", f"`{recipe.space}`"),
            ("size of training photos", f"{size} × {size} pixels; it colours photos of any size"),
            ("hints", hints),
        ),
    ]
    if training:
        parts += ["## Training", _table(("", ""), *training.items())]
    if figures:
        parts += ["## Figures", _measured(figures)]
    parts += [
        "## Limits",
        "The colours are guesses. Lightness says little about them, so they can be wrong where they look right: do not"
        " take them as evidence of anything. A network knows what its training photos showed, and it is worse at"
        " everything else.",
        "## Licence",
        license or "Nobody has stated a licence for these weights. Ask the person who gave you the folder.",
    ]
    return "\n\n".join(parts) + "\n"


def _measured(figures: Figures) -> str:
    names = [name for name in _METRICS if any(name in values for values in figures.means.values())]
    rows = [
        (row, *(_METRICS[name][1].format(values[name]) if name in values else "" for name in names))
        for row, values in figures.means.items()
        if values
    ]
    head = ("", *(_METRICS[name][0] for name in names))
    about = f"Means over {figures.photos:,} photos of `{figures.data}`: {figures.protocol}."
    return about + "\n\n" + _table(head, *rows)


def _table(head: Sequence[str], *rows: Sequence[str]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _block(language: str, *lines: str) -> str:
    return "\n".join((f"```{language}", *lines, "```"))
