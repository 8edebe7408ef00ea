"""Means of per-image metrics over a data set that arrives in batches."""

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np


class Means:
    """Every image's value of every metric, and what follows from them: means, intervals, best and worst.

    It keeps one float per image and metric and nothing else. Sums are correctly rounded (`math.fsum`), so the means do
    not depend on batch sizes or on order.

        means = Means()
        for truth, prediction in batches:
            means.update({"psnr": psnr(truth, prediction), "ssim": ssim(truth, prediction)})
        means.result()              # {"psnr": 23.1, "ssim": 0.91}
        means.ranked("psnr", 5)     # the five images with the lowest PSNR
    """

    def __init__(self) -> None:
        self.rows: dict[str, list[float]] = {}

    def __len__(self) -> int:
        """How many images were seen."""
        return len(next(iter(self.rows.values()), []))

    def update(self, values: Mapping[str, Any]) -> None:
        """Add a batch: name → (B,) values in the order of the images.

        Raises:
            ValueError: values are not (B,) with the same B, or their names are not those of the batches before, so that
                the n-th value of a metric would no longer belong to the n-th image.
        """
        batch = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}
        if self.rows and batch.keys() != self.rows.keys():
            raise ValueError(f"a batch has metrics {sorted(batch)}, the batches before had {sorted(self.rows)}")
        shapes = {name: value.shape for name, value in batch.items()}
        if any(len(shape) != 1 for shape in shapes.values()) or len(set(shapes.values())) > 1:
            raise ValueError(f"metrics need one value per image, all of one batch; their shapes are {shapes}")
        for name, value in batch.items():
            self.rows.setdefault(name, []).extend(value.tolist())

    def mean(self, name: str) -> float:
        """Mean over all images seen; NaN before the first."""
        return math.fsum(self.rows[name]) / len(self.rows[name]) if self.rows.get(name) else math.nan

    def result(self) -> dict[str, float]:
        """Name → mean, in the order in which the metrics first came."""
        return {name: self.mean(name) for name in self.rows}

    def interval(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """Confidence interval of the mean: mean ± z·s/√n.

        The normal approximation, good from about 30 images on; NaN below 2.
        """
        row = self.rows[name]
        if len(row) < 2:
            return math.nan, math.nan
        half = NormalDist().inv_cdf(0.5 + level / 2) * float(np.std(row, ddof=1)) / math.sqrt(len(row))
        return self.mean(name) - half, self.mean(name) + half

    def ranked(self, name: str, count: int, highest: bool = False) -> list[tuple[int, float]]:
        """The `count` images with the lowest (or highest) values: (index in the order seen, value), most extreme first.

        Equal values keep the order seen.
        """
        row = np.asarray(self.rows[name])
        order = np.argsort(-row if highest else row, kind="stable")[:count]
        return [(int(index), float(row[index])) for index in order]
