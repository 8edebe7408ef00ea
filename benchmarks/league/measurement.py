"""Measurement of a trained system on the test sets of the league, with the metrics and the finish of `evaluate`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.league.plan import Scale
from benchmarks.league.results import GREY, MEAN_COLOR, OWN, PER_PHOTO, SYSTEM, TRUTH, pack, short
from keras_colorize.data.scan import load_photos
from keras_colorize.evaluation import results as evaluation
from keras_colorize.evaluation.comparison import estimates
from keras_colorize.evaluation.distances import DistanceRequest
from keras_colorize.evaluation.mean_color import mean_color
from keras_colorize.evaluation.measurement import Measurement, measure
from keras_colorize.evaluation.protocols import RECIPE, choose, get_protocol
from keras_colorize.evaluation.results import Estimate
from keras_colorize.evaluation.systems import FramedBatch, System
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.finish import finish_photos
from keras_colorize.inference.frame import Frame
from keras_colorize.metrics import AB_EDGES, FeatureNetwork, PairedBootstrap
from keras_colorize.metrics.image import colorfulness, psnr

BATCH = 32
STRONGEST = 64.0  # by which chroma is multiplied at most
HALVINGS = 12


@dataclass
class PredictedBatch:
    """Photos with the chroma that a network predicts for them."""

    rgb_u8: np.ndarray
    frames: list[Frame]
    chromas: list[np.ndarray]

    def painted(self, factor: float) -> np.ndarray:
        """Return the finished photos rgb_u8 (B, S, S, 3) with chroma times a factor."""
        scaled = [chroma * np.float32(factor) for chroma in self.chromas]
        return np.stack(finish_photos(list(self.rgb_u8), self.frames, scaled))


class KeptSystem(System):
    """A system that keeps the chroma of all photos that it has coloured, for the comparison at equal colorfulness."""

    def __init__(self, name: str, colorizer: Colorizer) -> None:
        super().__init__(name, colorizer)
        self.batches: list[PredictedBatch] = []

    def predict(self, photos: FramedBatch) -> tuple[list[Frame], list[np.ndarray]]:
        frames, chromas = super().predict(photos)
        self.batches.append(PredictedBatch(photos.rgb_u8, frames, chromas))
        return frames, chromas


@dataclass
class Matched:
    """PSNR at equal colorfulness.

    Attributes:
        factor: by which the system's chroma was multiplied; None where no factor up to `STRONGEST` is enough.
        psnr: of each photo (N,); empty without a factor.
    """

    factor: float | None
    psnr: np.ndarray = field(default_factory=lambda: np.zeros(0))


def match_colorfulness(batches: Sequence[PredictedBatch]) -> Matched:
    """Multiply a system's chroma until the mean colorfulness of all photos is the truth's, and measure PSNR.

    A system that paints half the colour gains PSNR by that alone. At equal colorfulness, places of colours count.
    """

    def mean_of(pictures: Sequence[np.ndarray]) -> float:
        return float(np.concatenate([np.asarray(colorfulness(each)) for each in pictures]).mean())

    wanted = mean_of([batch.rgb_u8 for batch in batches])
    low, high = 0.0, 1.0
    while mean_of([batch.painted(high) for batch in batches]) < wanted:
        low, high = high, 2 * high
        if high > STRONGEST:
            return Matched(None)
    for _ in range(HALVINGS):
        factor = (low + high) / 2
        enough = mean_of([batch.painted(factor) for batch in batches]) >= wanted
        low, high = (low, factor) if enough else (factor, high)
    values = [np.asarray(psnr(batch.rgb_u8, batch.painted(high))) for batch in batches]
    return Matched(high, np.concatenate(values).astype(np.float64))


def measure_sets(
    colorizer: Colorizer, sets: Mapping[str, Path], scale: Scale, network: FeatureNetwork
) -> dict[str, dict[str, Any]]:
    """Measure a system on each test set.

    Returns:
        name of the set → its figures, as they stand in a row's file.

    Raises:
        ColorizeError: a set has no photos.
    """
    return {name: _measure_set(colorizer, folder, scale, network) for name, folder in sets.items()}


def _measure_set(colorizer: Colorizer, folder: Path, scale: Scale, network: FeatureNetwork) -> dict[str, Any]:
    data = replace(
        colorizer.recipe.data, source=str(folder), image_size=scale.image_size, resize="crop", drop_grey=True
    )
    chosen = choose(get_protocol(RECIPE), data)
    photos = load_photos(chosen.photos, data, "test", limit=scale.limit)
    mean_ab, _ = mean_color(chosen, data)
    system = KeptSystem(SYSTEM, colorizer)
    measured = measure(photos, [system], mean_ab, batch_size=BATCH, network=network, keep_features=True)
    matched = match_colorfulness(system.batches)
    figures, differences = estimates(measured.rows, resamples=scale.resamples, seed=0)
    kept = {name: values for name, values in measured.rows[SYSTEM].items() if name in PER_PHOTO}
    if matched.factor is not None:
        kept["psnr_matched"] = matched.psnr
        bootstrap = PairedBootstrap({"psnr": matched.psnr}, resamples=scale.resamples)
        figures[SYSTEM]["psnr_matched"] = Estimate(*bootstrap.mean("psnr"))
    distances = DistanceRequest(network, fid=True, kid=True, reference=None)
    distances.require(len(photos))
    _, of_sets, _ = distances.measure(measured.features, measured.pixels_digest, 0)
    for row, more in of_sets.items():
        figures[row] |= {("fid" if name.startswith("fid") else "kid"): value for name, value in more.items()}
    return {
        "photos": len(photos),
        "left out": len(photos.left_out),
        "digest": measured.pixels_digest[:16],
        "matched factor": short(matched.factor),
        "figures": {
            _name(row): {name: _numbers(value) for name, value in of_row.items()} for row, of_row in figures.items()
        },
        "minus grey": {
            name: _numbers(value) for name, value in differences[SYSTEM, evaluation.GREY].items() if name in PER_PHOTO
        },
        "mean_ab": {_name(row): _mean_ab(measured, row) for row in measured.histograms},
        "per_photo": {name: pack(values) for name, values in kept.items()},
    }


def _name(row: str) -> str:
    """Name a row of an evaluation as the files of the league do."""
    names = {evaluation.GREY: GREY, evaluation.MEAN_COLOR: MEAN_COLOR, evaluation.TRUTH: TRUTH}
    return OWN if row.endswith(evaluation.OWN) else names.get(row, row)


def _numbers(estimate: Estimate) -> list[float | None]:
    return [short(estimate.value), short(estimate.low), short(estimate.high)]


def _mean_ab(measured: Measurement, row: str) -> list[float | None]:
    """Return the mean a and b of a row's pictures, to the width of the histogram's bins."""
    counts = measured.histograms[row].astype(np.float64)
    middles = (AB_EDGES[:-1] + AB_EDGES[1:]) / 2
    return [short(float((counts.sum(axis=1 - axis) @ middles) / counts.sum())) for axis in (0, 1)]
