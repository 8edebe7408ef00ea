"""Results: one JSON file per row, and differences between rows.

The files are small enough for the repository. They hold every figure with its interval, and the values photo by photo
from which differences between two rows are taken. Nothing here loads TensorFlow.
"""

import base64
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.league.plan import Competitor, Table, competitors
from keras_colorize.files import written_whole
from keras_colorize.metrics.bootstrap import PairedBootstrap

FOLDER = Path(__file__).resolve().parents[2] / "zoo" / "results"
SPEEDS = "speeds.json"
MAIN_SET = "world"
# Rows of the figures of a set.
SYSTEM, OWN, GREY, MEAN_COLOR, TRUTH = "system", "own lightness", "grey", "mean colour", "truth"
# The metrics whose values are kept photo by photo, and whether more is better; None where neither is.
PER_PHOTO: dict[str, bool | None] = {
    "psnr": True,
    "psnr_matched": True,
    "ssim": True,
    "pixel_accuracy_2": True,
    "pixel_accuracy_5": True,
    "ab_mae": False,
    "colorfulness": None,
}


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval; the ends are NaN where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def half(self) -> float:
        """Half the width of the interval, at its wider side."""
        return max(self.high - self.value, self.value - self.low)


@dataclass(frozen=True)
class Difference:
    """The difference of two competitors on the same photos, mean over the seeds that both have.

    Attributes:
        figure: first minus second; the interval covers the choice of photos.
        by_seed: the difference of each seed.
        better: whether more is better in this metric.
    """

    figure: Figure
    by_seed: tuple[float, ...]
    better: bool | None

    @property
    def is_one(self) -> bool:
        """Tell whether this is to be called a difference: 0 lies outside the interval, and all seeds agree in sign."""
        outside = self.figure.low > 0 or self.figure.high < 0
        return outside and len({value > 0 for value in self.by_seed}) == 1

    @property
    def verdict(self) -> str:
        """Return "better", "worse" or "the same" for the first of the two."""
        if not self.is_one:
            return "the same"
        return "better" if (self.figure.value > 0) == bool(self.better) else "worse"


class Result:
    """The contents of a row's file."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data

    @property
    def name(self) -> str:
        """The competitor's name."""
        return self.data["competitor"]

    @property
    def table(self) -> Table:
        return self.data["table"]

    @property
    def curve(self) -> list[dict[str, float]]:
        """Rows of the run's log, thinned."""
        columns = self.data["curve"]["columns"]
        return [
            {name: value for name, value in zip(columns, row, strict=True) if value is not None}
            for row in self.data["curve"]["rows"]
        ]

    @property
    def sets(self) -> list[str]:
        """The names of the test sets."""
        return list(self.data["sets"])

    def figure(self, metric: str, photos: str = MAIN_SET, row: str = SYSTEM) -> Figure | None:
        """Return a figure of one set; None where there is none."""
        stored = self.data["sets"].get(photos, {}).get("figures", {}).get(row, {}).get(metric)
        if stored is None:
            return None
        return Figure(*(math.nan if number is None else number for number in stored))

    def mean_ab(self, row: str, photos: str = MAIN_SET) -> tuple[float, float] | None:
        """Return the mean a and b of a row's pictures in CIE units."""
        stored = self.data["sets"].get(photos, {}).get("mean_ab", {}).get(row)
        return (stored[0], stored[1]) if stored else None

    def values(self, metric: str, photos: str = MAIN_SET) -> np.ndarray | None:
        """Return the values (N,) of the system's row, photo by photo; None where they were not kept."""
        stored = self.data["sets"].get(photos, {}).get("per_photo", {}).get(metric)
        return None if stored is None else unpack(stored)

    def digest(self, photos: str = MAIN_SET) -> str | None:
        """Return the checksum of a set's photos."""
        return self.data["sets"].get(photos, {}).get("digest")


class Results:
    """All rows that have been measured.

    Args:
        rows: of the folder.
        everyone: who takes part.
    """

    def __init__(self, rows: Iterable[Result], everyone: Sequence[Competitor] | None = None) -> None:
        self.competitors = list(competitors() if everyone is None else everyone)
        self._rows = {(row.name, row.table): row for row in rows}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Result]:
        return iter(self._rows.values())

    def get(self, name: str, table: Table = "images") -> Result | None:
        """Return a row; None where it has not been measured."""
        return self._rows.get((name, table))

    def seeds(self, name: str, table: Table = "images") -> dict[int, Result]:
        """Return the rows of a competitor that differ by their seeds only."""
        (own,) = [competitor for competitor in self.competitors if competitor.name == name]
        alike = [
            other
            for other in self.competitors
            if (other.system, other.note, other.pretrained, dict(other.values))
            == (own.system, own.note, own.pretrained, dict(own.values))
        ]
        return {other.seed: row for other in alike if (row := self.get(other.name, table))}

    def difference(
        self, first: str, second: str, metric: str, *, photos: str = MAIN_SET, table: Table = "images"
    ) -> Difference | None:
        """Compare two competitors over the seeds that both have; None while one of them has not been measured.

        Rows that were measured on other photos are not compared.
        """
        ours, theirs = self.seeds(first, table), self.seeds(second, table)
        pairs = []
        for seed in sorted(ours.keys() & theirs.keys()):
            a, b = ours[seed].values(metric, photos), theirs[seed].values(metric, photos)
            if a is not None and b is not None and ours[seed].digest(photos) == theirs[seed].digest(photos):
                pairs.append(a - b)
        if not pairs:
            return None
        figure = Figure(*PairedBootstrap({"difference": np.mean(pairs, axis=0)}).mean("difference"))
        return Difference(figure, tuple(float(pair.mean()) for pair in pairs), PER_PHOTO[metric])


def read_results(folder: Path = FOLDER, everyone: Sequence[Competitor] | None = None) -> Results:
    """Read the rows of a folder, which need not exist."""
    files = [file for file in sorted(folder.glob("*.json")) if file.name != SPEEDS]
    return Results([Result(json.loads(file.read_text("utf-8"))) for file in files], everyone)


def row_file(folder: Path, name: str, table: Table) -> Path:
    """Return the file of a row."""
    return folder / f"{name}.{table}.json"


def keep_result(folder: Path, data: Mapping[str, Any]) -> Path:
    """Write a row's file and return it."""
    file = row_file(folder, data["competitor"], data["table"])
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(file) as temporary:
        temporary.write_text(_json(data) + "\n", encoding="utf-8")
    return file


def pack(values: np.ndarray) -> str:
    """Write values as text, in half precision: 11 bits, which is finer than a mean over photos needs."""
    return base64.b64encode(np.asarray(values, "<f2").tobytes()).decode("ascii")


def unpack(text: str) -> np.ndarray:
    """Read values that `pack` wrote, as float64 (N,)."""
    return np.frombuffer(base64.b64decode(text), "<f2").astype(np.float64)


def short(value: float | None) -> float | None:
    """Round to six digits; what is not finite becomes None, since JSON has no word for it."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}")


def _json(data: Any, indent: str = "") -> str:
    """Write JSON with a line for each small object, so that a file is short and its changes can be read."""
    flat = json.dumps(data, ensure_ascii=False)
    if not isinstance(data, dict) or len(flat) + len(indent) <= 120:
        return flat
    inner = indent + " "
    lines = (f"{inner}{json.dumps(key, ensure_ascii=False)}: {_json(value, inner)}" for key, value in data.items())
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
