"""Output of an evaluation: a table on the terminal, `metrics.json`, a CSV file of values per row, `grid.png`."""

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from keras_colorize.evaluation.columns import METRICS, PRINTED
from keras_colorize.evaluation.results import GREY, TRUTH, Estimate, Evaluation, Mark, Metric
from keras_colorize.runs.pictures import photo_grid

GRID_PHOTOS = 8
LONGEST_HEADING = 16  # letters that fit over a photo


def print_table(console: Console, evaluation: Evaluation) -> None:
    """Print the figures, one row for each system, with marks for significant differences."""
    columns = [metric for metric in evaluation.columns if metric.name in PRINTED or metric.name not in METRICS]
    table = Table(title=escape(evaluation.title), title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("")
    for metric in columns:
        table.add_column(metric.heading.replace(" (", "\n("), justify="right", no_wrap=True)
    several = len(evaluation.systems) > 1
    for row in evaluation.rows:
        figures, marks = evaluation.figures[row], evaluation.marks.get(row, {})
        table.add_row(escape(row), *(_cell(metric, figures, marks, several) for metric in columns))
    console.print(table, highlight=False)
    best = "; * marks the best system and those not significantly worse" if several else ""
    console.print(f"[dim]↑ ↓ significantly better, worse than grey (95 %, paired bootstrap){best}[/]", highlight=False)
    for remark in evaluation.remarks:
        console.print(remark, highlight=False, markup=False)


def _cell(metric: Metric, figures: dict[str, Estimate], marks: dict[str, Mark], several: bool) -> str:
    if metric.name not in figures:
        return ""
    text = metric.text(figures[metric.name].value)
    mark = marks.get(metric.name)
    if mark is None:
        return f"{text} " + " " * several if metric.higher_is_better is not None else text
    arrow = {1: "↑", -1: "↓", 0: " "}[mark.against_grey]
    star = ("*" if mark.ties_with_best else " ") if several else ""
    return (f"[bold]{text}[/]" if mark.best and several else text) + arrow + star


def write_files(evaluation: Evaluation, folder: Path) -> None:
    """Write `metrics.json`, `grid.png`, and each row's values photo by photo as `metrics.ROW.csv`.

    They replace the files of an earlier evaluation.
    """
    folder.mkdir(parents=True, exist_ok=True)
    report = json.dumps(_finite(as_dict(evaluation)), indent=2, ensure_ascii=False)
    (folder / "metrics.json").write_text(report + "\n", encoding="utf-8")
    for old in folder.glob("metrics.*.csv"):
        old.unlink()
    for row in evaluation.rows:
        _write_values(evaluation, row, folder / f"metrics.{file_name(row)}.csv")
    shown = evaluation.gallery.random[:GRID_PHOTOS]
    columns = {
        "grey" if row == GREY else row: np.stack([evaluation.gallery.pictures[row][index] for index in shown])
        for row in (GREY, *evaluation.systems, TRUTH)
    }
    upright = any(len(heading) > LONGEST_HEADING for heading in columns)
    photo_grid(columns, upright_headings=upright).save(folder / "grid.png")


def file_name(row: str) -> str:
    """Turn a row's name into a part of a file name: `unet_skip-own-lightness`."""
    return re.sub(r"[^\w.]+", "-", row).strip("-")


def as_dict(evaluation: Evaluation) -> dict[str, object]:
    """Return the contents of metrics.json."""
    return {
        **evaluation.about,
        "remarks": evaluation.remarks,
        "metrics": evaluation.means(),
        "intervals": {
            row: {name: [figure.low, figure.high] for name, figure in evaluation.figures[row].items()}
            for row in evaluation.rows
        },
        "differences": [
            {"row": row, "minus": other}
            | {name: [difference.value, difference.low, difference.high] for name, difference in differences.items()}
            for (row, other), differences in evaluation.differences.items()
        ],
        "per_class": {
            name: {"photos": figures.photos, "metrics": figures.means} for name, figures in evaluation.per_class.items()
        },
    }


def _write_values(evaluation: Evaluation, row: str, file: Path) -> None:
    metrics = evaluation.per_photo[row]
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["photo", *metrics])
        for photo, *values in zip(evaluation.photos, *metrics.values(), strict=True):
            writer.writerow([photo, *(f"{value:.6g}" for value in values)])


def _finite(value: object) -> object:
    """Replace NaN and infinities, which JSON does not know, by None."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
