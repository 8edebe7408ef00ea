"""Comparison of rows: means, intervals, differences, marks and classes from values photo by photo, with NumPy only."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np

from keras_colorize.evaluation.columns import DELTAS, METRICS
from keras_colorize.evaluation.results import GREY, TRUTH, ClassFigures, Estimate, Figures, Mark
from keras_colorize.metrics import PairedBootstrap

Values = Mapping[str, Mapping[str, np.ndarray]]  # row → metric → (N,)


def estimates(rows: Values, *, resamples: int, seed: int) -> tuple[Figures, dict[tuple[str, str], dict[str, Estimate]]]:
    """Estimate every row's means and ΔCF, and the difference of any two rows, all with intervals.

    All of them share the draws of one bootstrap, so that differences are paired.

    Args:
        rows: values of each row.
        resamples: number of the bootstrap's draws.
        seed: seed of the draws.

    Returns:
        The figures, and the differences by (row, other row). Each pair comes once, with the earlier row second: models
        minus baselines.
    """
    columns = {(row, name): column for row, metrics in rows.items() for name, column in metrics.items()}
    for delta, name in DELTAS.items():
        for row in rows:
            if row != TRUTH:
                columns[row, delta] = rows[row][name] - rows[TRUTH][name]
    bootstrap = PairedBootstrap(columns, resamples=resamples, seed=seed)

    figures: Figures = {row: {} for row in rows}
    for row, name in columns:
        figures[row][name] = (
            _of_distance(*bootstrap.mean((row, name))) if name in DELTAS else Estimate(*bootstrap.mean((row, name)))
        )
    compared = [row for row in rows if row != TRUTH]
    differences: dict[tuple[str, str], dict[str, Estimate]] = {}
    for number, row in enumerate(compared):
        for other in compared[:number]:
            pair = differences[row, other] = {}
            for name in figures[row]:
                keys = (row, name), (other, name)
                pair[name] = Estimate(
                    *bootstrap.function(lambda a, b: np.abs(a) - np.abs(b), *keys)
                    if name in DELTAS
                    else bootstrap.difference(*keys)
                )
    return figures, differences


def _of_distance(value: float, low: float, high: float) -> Estimate:
    """Return |x| with its interval from that of x. Where x may be 0, so may |x|, though no resample hits 0 exactly."""
    ends = sorted((abs(low), abs(high)))
    return Estimate(abs(value), 0.0 if low <= 0 <= high else ends[0], ends[1])


def marks(
    figures: Figures, differences: Mapping[tuple[str, str], Mapping[str, Estimate]], systems: Sequence[str]
) -> dict[str, dict[str, Mark]]:
    """Compare every row but grey and truth with grey and with the best system, metric by metric."""
    marked: dict[str, dict[str, Mark]] = {}
    for name, metric in METRICS.items():
        if metric.higher_is_better is None or name not in differences.get((systems[0], GREY), {}):
            continue
        sign = 1 if metric.higher_is_better else -1
        best = max(systems, key=lambda row: sign * figures[row][name].value)
        for row in figures:
            if row in (GREY, TRUTH):
                continue
            against_best = 0 if row == best else _sign(differences, row, best, name) * sign
            marked.setdefault(row, {})[name] = Mark(
                against_grey=_sign(differences, row, GREY, name) * sign,
                best=row == best,
                ties_with_best=against_best >= 0,
            )
    return marked


def _sign(differences: Mapping[tuple[str, str], Mapping[str, Estimate]], row: str, other: str, name: str) -> int:
    """Return 1 or −1 where row − other is significantly above or below 0, else 0."""
    swapped = (row, other) not in differences
    difference = differences[(other, row) if swapped else (row, other)][name]
    if not difference.significant:
        return 0
    return 1 if (difference.value > 0) != swapped else -1


def per_class(rows: Values, photos: Sequence[str]) -> dict[str, ClassFigures]:
    """Return the means by class folder, such as `forest` for `test/forest/0001.jpg`.

    A class is the innermost folder whose name differs from photo to photo. The result is empty where there is none, or
    where most folders hold a single photo (folders of days or of persons).
    """
    folders = [PurePosixPath(photo).parts[-2::-1] for photo in photos]  # innermost first
    for depth in range(max(map(len, folders), default=0)):
        names = [parts[depth] if len(parts) > depth else "" for parts in folders]
        if len(set(names)) > 1:
            break
    else:
        return {}
    classes: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        classes.setdefault(name, []).append(index)
    if 2 * len(classes) > len(photos):
        return {}
    return {
        name or "(no folder)": ClassFigures(len(indices), _means_of(rows, indices))
        for name, indices in sorted(classes.items())
    }


def _means_of(rows: Values, indices: list[int]) -> dict[str, dict[str, float]]:
    means = {
        row: {name: float(column[indices].mean()) for name, column in metrics.items()} for row, metrics in rows.items()
    }
    for row, metrics in means.items():
        if row != TRUTH:
            metrics |= {delta: abs(metrics[name] - means[TRUTH][name]) for delta, name in DELTAS.items()}
    return means
