"""FID and KID as a part of an evaluation: what has to be there before it starts, and the figures after it."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from keras_colorize.errors import ColorizeError
from keras_colorize.evaluation.columns import distance_column
from keras_colorize.evaluation.results import TRUTH, Estimate, Metric
from keras_colorize.metrics import (
    FeatureNetwork,
    FeatureStatistics,
    ImageSet,
    feature_network,
    fid_between,
    kid_between,
)
from keras_colorize.metrics.fid import FEW_IMAGES

Figures = dict[str, dict[str, Estimate]]


@dataclass(frozen=True)
class Distances:
    """Which distances are asked for.

    network: makes the features.
    fid, kid: which of the two.
    reference: file of FID's statistics of the truth: read where it exists, else written.
    """

    network: FeatureNetwork
    fid: bool
    kid: bool
    reference: Path | None

    @classmethod
    def prepare(cls, fid: str | None, kid: str | None, reference: str | None) -> "Distances | None":
        """Fetch and try the network, before any other work; None where neither distance is asked for.

        Args:
            fid, kid: names or files of a feature network (`metrics.feature_network`).

        Raises:
            ColorizeError: two networks, a network that cannot be had, or statistics of another network.
        """
        if fid is None and kid is None:
            if reference is not None:
                raise ColorizeError("--fid-reference holds statistics for FID: add --fid")
            return None
        if fid is not None and kid is not None and fid != kid:
            raise ColorizeError(f"--fid {fid} and --kid {kid}: one evaluation uses one network, name the same twice")
        if reference is not None and fid is None:
            raise ColorizeError("--fid-reference holds statistics for FID, and only --kid is asked for: add --fid")
        distances = cls(
            feature_network(fid or kid or ""), fid is not None, kid is not None, Path(reference) if reference else None
        )
        stored = distances.stored()
        if stored is not None and stored.network != distances.network.label:
            raise ColorizeError(
                f"'{reference}' was measured with '{stored.network}' and --fid is '{distances.network.label}':"
                " take the same network, or another file"
            )
        if distances.reference is not None and not distances.reference.parent.is_dir():
            raise ColorizeError(f"--fid-reference '{reference}': there is no folder '{distances.reference.parent}'")
        return distances

    def stored(self) -> FeatureStatistics | None:
        """The reference's statistics, where they are on disk."""
        if self.reference is None or not self.reference.is_file():
            return None
        return FeatureStatistics.load(self.reference)

    @property
    def truth_needed(self) -> bool:
        """Whether the truth's features have to be measured."""
        return self.kid or self.stored() is None

    def require(self, photos: int) -> None:
        """ColorizeError where there are too few photos."""
        least = 4 if self.kid else 2
        if photos < least:
            raise ColorizeError(f"{'KID' if self.kid else 'FID'} needs {least} photos or more, there are {photos}")

    def measure(
        self, features: Mapping[str, ImageSet], digest: str, seed: int
    ) -> tuple[list[Metric], Figures, list[str]]:
        """Columns, row → their figures, and remarks; the reference is written where it was not there.

        Args:
            features: row → features of its pictures, truth among them where `truth_needed`.
            digest: of the photos, kept with the reference.
            seed: of KID's subsets.
        """
        columns: list[Metric] = []
        remarks: list[str] = []
        figures: Figures = {row: {} for row in features}
        if self.fid:
            column = distance_column("fid", self.network.label)
            columns.append(column)
            reference, told = self._reference(features, digest)
            remarks += told
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about few photos: one remark instead of one for each row
                for row, own in features.items():
                    if row != TRUTH:
                        figures[row][column.name] = Estimate(fid_between(reference, own).value)
            count = min([reference.count, *map(len, features.values())])
            if count < FEW_IMAGES:
                remarks.append(
                    f"FID of {count:,} photos is biased upwards, below {FEW_IMAGES:,} strongly: compare it only at"
                    " equal numbers of photos, or use --kid"
                )
        if self.kid:
            column = distance_column("kid", self.network.label)
            columns.append(column)
            for row, own in features.items():
                if row != TRUTH:
                    kid = kid_between(features[TRUTH], own, seed=seed)
                    error = 1.96 * (kid.error or 0.0)
                    figures[row][column.name] = Estimate(kid.value, kid.value - error, kid.value + error)
        return columns, figures, remarks

    def _reference(self, features: Mapping[str, ImageSet], digest: str) -> tuple[FeatureStatistics, list[str]]:
        stored = self.stored()
        if stored is None:
            statistics = features[TRUTH].statistics
            if self.reference is None:
                return statistics, []
            statistics.digest = digest
            statistics.save(self.reference)
            return statistics, [f"FID reference: statistics of {statistics.count:,} photos kept in {self.reference}"]
        same = "the same photos" if stored.digest == digest else "other photos than those measured"
        return stored, [f"FID reference: {self.reference}, statistics of {stored.count:,} photos ({same})"]
