"""The report of an evaluation: table, differences, photos under a slider, histograms of ab, curves of the runs."""

import json
from collections.abc import Iterator
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
from PIL import Image

from keras_colorize.color.lab import lab_to_rgb, rgb_to_u8
from keras_colorize.evaluation.columns import METRICS, PRINTED
from keras_colorize.evaluation.report.page import data_url, jpeg, render_page, write_page
from keras_colorize.evaluation.results import GREY, MEAN_COLOR, OWN, TRUTH, Estimate, Evaluation, Metric
from keras_colorize.runs.log import LEADING

# The size of the page is bounded. Photos come from the front of each list (random, best and worst of each system in
# turn) until the budget is used. At 256×256 a picture takes some 36 kB (mean of 60 photos, base64), so there is room
# for about 45 photos in six versions each; at 64×64 there is room for all of an evaluation.
MAX_BYTES = 10_000_000
PICTURE_SIDE = 256
QUALITY = 90
CURVE_POINTS = 300
ABOUT_CHARACTERS = 20_000
CAPTION_METRICS = ("ab_mae", "psnr", "colorfulness")  # the figures under each picture

HISTOGRAM_LIGHTNESS = 60.0  # L of the colours that the ab plane shows
OUTLINE_SHARE = 0.95  # share of the truth's pixels inside its outline


def write_report(evaluation: Evaluation, file: Path) -> None:
    """Write `report.html`, one file that any browser opens without a server or a network."""
    write_page(file, report_page(evaluation))


def report_page(evaluation: Evaluation, max_bytes: int = MAX_BYTES) -> str:
    """Return the report as HTML text.

    Args:
        evaluation: the results.
        max_bytes: largest size of the page. Photos at the ends of the lists are left out to keep it. Without photos the
            page has some 150 kB for three systems.
    """
    data = {
        "title": evaluation.title,
        "facts": [
            ["photos", f"{len(evaluation.photos):,} from {evaluation.data}"],
            ["protocol", f"{evaluation.protocol}, {evaluation.image_size}×{evaluation.image_size}"],
        ],
        "remarks": evaluation.remarks,
        "about": json.dumps(evaluation.about, indent=2, default=str)[:ABOUT_CHARACTERS],
        "rows": [{"name": row, "kind": row_kind(row, evaluation.systems)} for row in evaluation.rows],
        "columns": [
            {
                "name": metric.name,
                "heading": metric.heading,
                "higher_is_better": metric.higher_is_better,
                "meaning": metric.meaning,
                "aside": metric.name in METRICS and metric.name not in PRINTED,
            }
            for metric in evaluation.columns
        ],
        "cells": _cells(evaluation),
        "differences": _differences(evaluation),
        "classes": _classes(evaluation),
        "histograms": _histograms(evaluation),
        "curves": {system: curves(rows) for system, rows in evaluation.curves.items() if rows},
    }
    empty = render_page("report", title=evaluation.title, data=data)
    return render_page(
        "report",
        title=evaluation.title,
        data=data | {"gallery": _gallery(evaluation, max_bytes - len(empty.encode("utf-8", "replace")))},
    )


def row_kind(row: str, systems: list[str]) -> str:
    """Return the kind of a row: `grey`, `mean`, `system`, `own` (a system's own lightness) or `truth`."""
    kinds = {GREY: "grey", MEAN_COLOR: "mean", TRUTH: "truth"}
    return kinds.get(row, "system" if row in systems or not row.endswith(OWN) else "own")


def _cells(evaluation: Evaluation) -> dict[str, dict[str, dict[str, object]]]:
    """Return row → metric → value, printed value, interval and mark."""
    cells: dict[str, dict[str, dict[str, object]]] = {}
    for row in evaluation.rows:
        cells[row] = {}
        for metric in evaluation.columns:
            figure = evaluation.figures.get(row, {}).get(metric.name)
            if figure is None or not np.isfinite(figure.value):
                continue
            cell: dict[str, object] = {"value": figure.value, "text": metric.text(figure.value)}
            mark = evaluation.marks.get(row, {}).get(metric.name)
            if mark is not None:
                cell |= {"against_grey": mark.against_grey, "best": mark.best, "ties": mark.ties_with_best}
            cells[row][metric.name] = cell | _interval(figure, metric)
    return cells


def _differences(evaluation: Evaluation) -> list[dict[str, object]]:
    """Return each pair of rows both ways round, so that the page can compare with any row."""
    both: dict[tuple[str, str], dict[str, Estimate]] = {}
    for (row, other), figures in evaluation.differences.items():
        both[row, other] = figures
        both.setdefault((other, row), {name: Estimate(-f.value, -f.high, -f.low) for name, f in figures.items()})
    return [
        {
            "row": row,
            "other": other,
            "cells": {
                metric.name: {
                    "value": figures[metric.name].value,
                    "text": _signed(metric, figures[metric.name].value),
                    "significant": figures[metric.name].significant,
                    **_interval(figures[metric.name], metric, signed=True),
                }
                for metric in evaluation.columns
                if metric.name in figures and np.isfinite(figures[metric.name].value)
            },
        }
        for (row, other), figures in both.items()
    ]


def _interval(figure: Estimate, metric: Metric, signed: bool = False) -> dict[str, str]:
    if not np.isfinite([figure.low, figure.high]).all():
        return {}
    if signed:
        return {"interval": f"{_signed(metric, figure.low)} … {_signed(metric, figure.high)}"}
    return {"interval": f"{metric.text(figure.low)} … {metric.text(figure.high)}"}


def _signed(metric: Metric, value: float) -> str:
    """Format a value with its sign. A value that prints as zero has none."""
    text = metric.text(abs(value))
    if not any(digit in text for digit in "123456789"):
        return text
    return ("+" if value > 0 else "−") + text


def _classes(evaluation: Evaluation) -> list[dict[str, object]]:
    """Return each class with its number of photos and its figures, as numbers and as printed."""
    return [
        {
            "name": name,
            "photos": figures.photos,
            "cells": {
                row: {
                    metric.name: {"value": means[metric.name], "text": metric.text(means[metric.name])}
                    for metric in evaluation.columns
                    if metric.name in means and np.isfinite(means[metric.name])
                }
                for row, means in figures.means.items()
            },
        }
        for name, figures in evaluation.per_class.items()
    ]


def _histograms(evaluation: Evaluation) -> dict[str, object] | None:
    """Return the histograms of truth and systems. Those of the other rows show nothing new."""
    counts = {
        row: np.asarray(evaluation.histograms[row], np.float64)
        for row in sorted(evaluation.histograms, key=lambda row: (row != TRUTH, evaluation.rows.index(row)))
        if row_kind(row, evaluation.systems) in ("system", "truth")
    }
    if not counts:
        return None
    edges = np.asarray(evaluation.ab_edges, np.float64)
    centers = (edges[:-1] + edges[1:]) / 2
    lab = np.full((len(centers), len(centers), 3), HISTOGRAM_LIGHTNESS, np.float32)
    lab[..., 1], lab[..., 2] = centers[:, None], centers[None, :]
    most = max(values.max() for values in counts.values())
    truth = counts.get(TRUTH)
    return {
        "edges": edges,
        "colors": np.asarray(rgb_to_u8(lab_to_rgb(lab))).reshape(-1, 3),
        "outline": None if truth is None else densest(truth, OUTLINE_SHARE).astype(int).ravel(),
        "panels": [
            {
                "row": row,
                "levels": log_levels(values, most).ravel(),
                "overlap": None if truth is None or row == TRUTH else overlap(values, truth),
            }
            for row, values in counts.items()
        ],
    }


def log_levels(counts: np.ndarray, most: float) -> np.ndarray:
    """Put counts on a log scale, uint8 of the same shape: 0 for none, 255 for `most`."""
    return np.round(255 * np.log1p(counts) / np.log1p(max(most, 1))).astype(np.uint8)


def densest(counts: np.ndarray, share: float) -> np.ndarray:
    """Return the fewest bins that hold `share` of all counts, as a mask of the same shape."""
    order = np.argsort(counts, axis=None)[::-1]
    before = np.cumsum(counts.ravel()[order]) - counts.ravel()[order]
    mask = np.zeros(counts.size, bool)
    mask[order[before < share * counts.sum()]] = True
    return mask.reshape(counts.shape)


def overlap(counts: np.ndarray, truth: np.ndarray) -> float:
    """Return the area that two normalised histograms share, in [0, 1] (intersection of Swain & Ballard 1991)."""
    return float(np.minimum(counts / max(counts.sum(), 1), truth / max(truth.sum(), 1)).sum())


def curves(rows: list[dict[str, float]]) -> dict[str, list[list[float]]]:
    """Turn a log into lines: column → [step, value] points, evenly thinned to `CURVE_POINTS`, the last one kept."""
    columns = dict.fromkeys(chain.from_iterable(rows))
    lines = {}
    for column in columns:
        if column in LEADING:
            continue
        points = [[row["step"], row[column]] for row in rows if column in row and np.isfinite(row[column])]
        if points:
            kept = np.unique(np.linspace(len(points) - 1, 0, min(len(points), CURVE_POINTS)).round().astype(int))
            lines[column] = [[step, float(f"{value:.5g}")] for step, value in (points[n] for n in kept)]
    return lines


def _gallery(evaluation: Evaluation, budget: int) -> dict[str, object]:
    """Return lists of photos and the pictures of each, as many as fit into `budget` bytes."""
    gallery = evaluation.gallery
    lists: list[tuple[str, str | None, list[int]]] = [("random", None, gallery.random)]
    for system in evaluation.systems:
        lists += [("best", system, gallery.best.get(system, [])), ("worst", system, gallery.worst.get(system, []))]
    shown = [row for row in evaluation.rows if row in gallery.pictures]
    photos: dict[int, dict[str, object]] = {}
    left = budget
    for index in _in_turn([indices for _, _, indices in lists]):
        if index in photos:
            continue
        pictures = {row: data_url(jpeg(_bounded(gallery.pictures[row][index]), QUALITY)) for row in shown}
        photo: dict[str, object] = {
            "name": evaluation.photos[index],
            "pictures": pictures,
            "captions": _captions(evaluation, index),
        }
        left -= len(json.dumps(photo)) + 100  # for the index, and for escapes of rare letters in a name
        if left < 0:
            break
        photos[index] = photo
    return {
        "photos": photos,
        "lists": [
            {
                "kind": kind,
                "system": system,
                "photos": [index for index in indices if index in photos],
                "measured": len(indices),
            }
            for kind, system, indices in lists
            if indices
        ],
    }


def _in_turn(lists: list[list[int]]) -> Iterator[int]:
    """Yield the first of each list, then the second of each, and so on."""
    return (index for round_ in zip_longest(*lists) for index in round_ if index is not None)


def _bounded(rgb_u8: np.ndarray) -> np.ndarray:
    """Return the picture with at most `PICTURE_SIDE` pixels a side."""
    if max(rgb_u8.shape[:2]) <= PICTURE_SIDE:
        return rgb_u8
    image = Image.fromarray(rgb_u8)
    image.thumbnail((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(image)


def _captions(evaluation: Evaluation, index: int) -> dict[str, list[str]]:
    """Return row → its printed figures for one photo."""
    metrics = [metric for metric in evaluation.columns if metric.name in CAPTION_METRICS]
    captions = {}
    for row, values in evaluation.per_photo.items():
        parts = [
            f"{metric.heading} {metric.text(float(values[metric.name][index]))}"
            for metric in metrics
            if metric.name in values and np.isfinite(values[metric.name][index])
        ]
        captions[row] = parts
    return captions
