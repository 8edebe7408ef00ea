"""Means of metrics over the images of a data set that arrives in batches."""

import math
from collections.abc import Mapping

import numpy as np

from keras_colorize.tensor import Tensor


class Means:
    """The values of metrics, image by image, and their means.

    It keeps one float per image and metric and nothing else. Sums are rounded correctly (`math.fsum`), so the means
    depend neither on batch sizes nor on the order.

        means = Means()
        for truth, prediction in batches:
            means.update({"psnr": psnr(truth, prediction), "ssim": ssim(truth, prediction)})
        means.result()              # {"psnr": 23.1, "ssim": 0.91}

    Attributes:
        rows: metric → values in the order in which the images came.
    """

    def __init__(self) -> None:
        self.rows: dict[str, list[float]] = {}

    def __len__(self) -> int:
        """Count the images seen."""
        return len(next(iter(self.rows.values()), []))

    def update(self, values: Mapping[str, Tensor]) -> None:
        """Add a batch: name → (B,) values in the order of the images.

        Raises:
            ValueError: the values are not (B,) with one B, or their names are not those of the batches before. The n-th
                value of a metric would no longer belong to the n-th image.
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
        """Return the mean over all images seen; NaN before the first."""
        return math.fsum(self.rows[name]) / len(self.rows[name]) if self.rows.get(name) else math.nan

    def result(self) -> dict[str, float]:
        """Return name → mean, in the order in which the metrics first came."""
        return {name: self.mean(name) for name in self.rows}
