"""Chroma as classes: a grid over a*b*, how often photos use each point of it, and the weights that balance them.

A colour's soft target are the bilinear weights of the four grid points around it. Their expectation is the colour
itself, exactly, and all other classes are zero, so a loss reads four logits of a pixel and not all of them.

Source: Zhang, Isola, Efros 2016, https://arxiv.org/abs/1603.08511, sections 2.1 and 2.2. There a target spreads over
the five nearest bins with Gaussian weights; here it does not spread further than it must.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np

from keras_colorize.color.operations import keras_ops as ops
from keras_colorize.errors import ColorizeError
from keras_colorize.recipes import zoo_folder
from keras_colorize.tensor import Tensor

GRID = 10.0  # distance of neighbouring bins in CIE units
SMOOTHING = 5.0  # standard deviation, in CIE units, of the Gaussian that smooths the prior

# [choice] Different colours lie so far apart, in CIE units: two grid cells, where a glance tells one from the other. A
# colour gathers the probability within this share of the distance, the eight bins around its own where none is taken.
MODE_DISTANCE = 20.0
MODE_REACH = 0.75
LEAST_MODE = 1e-3

PRIOR_FILE = "ab_prior.json"

# a, lowest b, highest b
_GAMUT_ROWS = (
    (-90, 50, 90), (-80, 20, 90), (-70, 0, 90), (-60, -20, 90), (-50, -30, 100), (-40, -40, 100), (-30, -50, 100),
    (-20, -50, 100), (-10, -60, 100), (0, -70, 100), (10, -80, 90), (20, -80, 90), (30, -90, 90), (40, -100, 80),
    (50, -100, 80), (60, -110, 80), (70, -110, 80), (80, -110, 70), (90, -110, 70), (100, -80, -20),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class AbBins:
    """The classes: every corner of a grid cell that holds a colour of sRGB.

    centers: ab (Q, 2) in CIE units, sorted.
    prior: share of the pixels of photos in each class (Q,), sum 1.
    provenance: where the prior was counted, in words.
    """

    centers: np.ndarray
    prior: np.ndarray
    provenance: str

    def __len__(self) -> int:
        return len(self.centers)

    def corners(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """The soft target of colours: ab (…, 2) in CIE units → classes (…, 4) int32, their weights (…, 4) float32.

        The weights are at least 0 and add up to 1. A corner that is no class, as an average of several colours can
        need outside the gamut, counts for the nearest class.
        """
        lowest, table = self._table
        cell = (ops.cast(ab, "float32") - ops.convert_to_tensor(lowest)) / GRID
        cell = ops.clip(cell, 0.0, ops.convert_to_tensor(np.array(table.shape, "float32") - 1.001))
        corner = ops.floor(cell)
        a, b = ops.unstack(cell - corner, 2, axis=-1)
        row, column = ops.unstack(ops.cast(corner, "int32"), 2, axis=-1)
        first = row * table.shape[1] + column
        # Towards +b, towards +a, and both: neighbours in the table, which is stored row by row.
        flat = ops.stack([first, first + 1, first + table.shape[1], first + table.shape[1] + 1], axis=-1)
        weights = ops.stack([(1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b], axis=-1)
        return ops.take(ops.convert_to_tensor(table.reshape(-1)), flat), weights

    def class_weights(self, rebalancing: float) -> np.ndarray:
        """Return the cost of an error in each class, 1 on average over photos' pixels: (Q,) float32.

        w ∝ (rebalancing · p̃ + (1 − rebalancing) / Q)⁻¹, where p̃ is the smoothed prior: equation 4 of the paper, in
        which λ = 1 − rebalancing.

        Args:
            rebalancing: 0 treats all pixels alike; the paper takes 0.5; 1 weighs by the inverse frequency alone.
        """
        smooth = self.smoothed_prior
        weights = 1.0 / (rebalancing * smooth + (1.0 - rebalancing) / len(self))
        return (weights / np.sum(smooth * weights)).astype("float32")

    def modes(
        self,
        shares: np.ndarray,
        count: int,
        to_gamut: Callable[[np.ndarray], np.ndarray] = lambda ab: ab,
        distance: float = MODE_DISTANCE,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the likeliest different colours of a distribution.

        The place around which most probability lies comes first. Its colour is the mean of what lies around it, which
        is then taken away, and the next one is sought further off.

        Args:
            shares: probability of each class (Q,), of sum 1.
            count: the most colours that are wanted.
            to_gamut: moves ab (n, 2) to colours that can be shown. Classes that become one colour count together.
            distance: the colours lie at least so far apart, in CIE units.

        Returns:
            ab (n, 2) float32 in CIE units, with n at most `count`, and the probability of each (n,) in falling order;
            their sum is at most 1. Colours of a probability below 0.1 % are left out.
        """
        places = to_gamut(self.centers)
        near = _distances(places, places) <= MODE_REACH * distance
        left, free = np.array(shares, "float64"), np.ones(len(self), bool)
        found: list[np.ndarray] = []
        probabilities: list[float] = []
        while len(found) < count:
            around = np.where(free, near @ left, 0.0)
            best = int(around.argmax())
            if around[best] < LEAST_MODE:
                break
            weights = near[best] * left
            color = to_gamut((weights @ places / around[best])[None].astype("float32"))
            if found and _distances(color, np.stack(found)).min() < distance:
                color = places[best, None]
            found.append(color[0])
            probabilities.append(float(around[best]))
            left[near[best]] = 0.0
            free &= _distances(places, color)[:, 0] >= distance
        return np.array(found, "float32").reshape(-1, 2), np.array(probabilities)

    @cached_property
    def smoothed_prior(self) -> np.ndarray:
        """The prior after a Gaussian over ab distances, so that no class is without any share: (Q,), sum 1."""
        kernel = np.exp(-0.5 * np.square(_distances(self.centers, self.centers) / SMOOTHING))
        return (kernel / kernel.sum(axis=0)) @ self.prior

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        """The grid's lowest corner (2,), and the class at or nearest to each of its points (rows a, columns b)."""
        lowest, highest = self.centers.min(axis=0), self.centers.max(axis=0)
        axes = [np.arange(low, high + GRID / 2, GRID) for low, high in zip(lowest, highest, strict=True)]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        distances = np.square(points[:, :, None] - self.centers).sum(axis=-1)
        return lowest.astype("float32"), distances.argmin(axis=-1).astype("int32")


def _distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the distances (n, m) of colours ab (n, 2) and (m, 2)."""
    return np.sqrt(np.square(some[:, None] - others[None]).sum(axis=-1))


class PriorCount:
    """Counts how photos' pixels fall on the grid's points, photo after photo."""

    def __init__(self) -> None:
        self.photos = 0
        self._shares = np.zeros(len(gamut_points()))
        self._bins = AbBins(gamut_points(), self._shares, "")

    def update(self, ab: Tensor) -> None:
        """Add photos, each with the same weight: ab (B, H, W, 2) in CIE units."""
        classes, weights = (np.asarray(part) for part in self._bins.corners(ab))
        pixels = classes[0].size // 4
        self._shares += np.bincount(classes.ravel(), weights.ravel() / pixels, minlength=len(self._shares))
        self.photos += len(classes)

    def result(self, provenance: str) -> AbBins:
        """The classes with the shares counted so far.

        Raises:
            ColorizeError: nothing was counted.
        """
        if not self.photos:
            raise ColorizeError("no photo was counted: the prior needs at least one")
        return AbBins(gamut_points(), self._shares / self._shares.sum(), provenance)


def save_bins(bins: AbBins, file: Path) -> None:
    """Write classes and prior as JSON, one class per line."""
    rows = [
        json.dumps([int(a), int(b), float(f"{share:.4g}")])
        for (a, b), share in zip(bins.centers, bins.prior, strict=True)
    ]
    text = ",\n    ".join(rows)
    file.write_text(
        f'{{\n  "provenance": {json.dumps(bins.provenance, ensure_ascii=False)},\n'
        f'  "columns": ["a", "b", "share"],\n  "bins": [\n    {text}\n  ]\n}}\n',
        encoding="utf-8",
    )


def read_bins(file: Traversable) -> AbBins:
    """Read what `save_bins` wrote.

    Raises:
        ColorizeError: the file is missing or is something else.
    """
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
        rows = np.array(table["bins"], "float64")
        centers, prior = rows[:, :2].astype("float32"), rows[:, 2]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ColorizeError(f"{file} is no colour prior ({error})", action="make_prior") from error
    return AbBins(centers, prior / prior.sum(), str(table.get("provenance", "")))


@cache
def packaged_bins() -> AbBins:
    """The classes and the prior that the package comes with (`zoo/ab_prior.json`)."""
    return read_bins(zoo_folder() / PRIOR_FILE)


@cache
def gamut_points() -> np.ndarray:
    """ab (309, 2) of every grid point that is a corner of a cell with a colour of sRGB in it, sorted.

    Found from all 16.7 million colours (`tests/test_bins.py` does it again): for each a, the lowest and highest b.
    """
    return np.array([(a, b) for a, low, high in _GAMUT_ROWS for b in range(low, high + 1, int(GRID))], "float32")
