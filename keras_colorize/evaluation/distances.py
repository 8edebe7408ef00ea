"""FID and KID in an evaluation: the checks before it starts, and the figures after it."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from keras_colorize.errors import ColorizeError
from keras_colorize.evaluation.columns import distance_column
from keras_colorize.evaluation.results import TRUTH, Estimate, Figures, Metric
from keras_colorize.metrics import (
    FeatureNetwork,
    FeatureStatistics,
    ImageSet,
    feature_network,
    fid_between,
    kid_between,
)
from keras_colorize.metrics.fid import FEW_IMAGES


@dataclass(frozen=True)
class DistanceRequest:
    """A request for FID, KID or both.

    network: turns photos into features.
    fid, kid: the distances asked for.
    reference: the file of FID's statistics of the true photos: read where it exists, else written.
    """

    network: FeatureNetwork
    fid: bool
    kid: bool
    reference: Path | None

    @classmethod
    def prepare(cls, fid: str | None, kid: str | None, fid_reference: str | None) -> "DistanceRequest | None":
        """Fetch and try the network before any other work. The result is None where no distance is asked for.

        Args:
            fid, kid: name or file of a feature network (`metrics.feature_network`).
            fid_reference: the file of FID's statistics of the true photos.

        Raises:
            ColorizeError: `fid` and `kid` name two networks, the network cannot be fetched, or the statistics are of
                another network.
        """
        if fid is None and kid is None:
            if fid_reference is not None:
                raise ColorizeError("`fid_reference` holds statistics for FID: add `fid`")
            return None
        if fid is not None and kid is not None and fid != kid:
            raise ColorizeError(f"`fid` is {fid} and `kid` is {kid}: one evaluation uses one network, name it twice")
        if fid_reference is not None and fid is None:
            raise ColorizeError("`fid_reference` holds statistics for FID, and only `kid` is asked for: add `fid`")
        reference = Path(fid_reference) if fid_reference else None
        distances = cls(feature_network(fid or kid or ""), fid is not None, kid is not None, reference)
        stored = distances.stored()
        if stored is not None and stored.network != distances.network.label:
            raise ColorizeError(
                f"'{reference}' was measured with '{stored.network}' and `fid` is '{distances.network.label}':"
                " take the same network, or another file"
            )
        if reference is not None and not reference.parent.is_dir():
            raise ColorizeError(f"`fid_reference` is '{reference}': there is no folder '{reference.parent}'")
        return distances

    def stored(self) -> FeatureStatistics | None:
        """Read the statistics of the reference, where the file exists."""
        if self.reference is None or not self.reference.is_file():
            return None
        return FeatureStatistics.load(self.reference)

    @property
    def truth_needed(self) -> bool:
        """Tell whether the truth's features have to be measured."""
        return self.kid or self.stored() is None

    def require(self, photos: int) -> None:
        """Raise a ColorizeError where there are too few photos."""
        least = 4 if self.kid else 2
        if photos < least:
            raise ColorizeError(f"{'KID' if self.kid else 'FID'} needs {least} photos or more, there are {photos}")

    def measure(
        self, features: Mapping[str, ImageSet], digest: str, seed: int
    ) -> tuple[list[Metric], Figures, list[str]]:
        """Measure the distances, and write the reference where the file does not exist.

        Args:
            features: row → features of its pictures, with the truth's where `truth_needed`.
            digest: checksum of the photos, kept with the reference.
            seed: seed of KID's subsets.

        Returns:
            Columns, figures and remarks.
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
                warnings.simplefilter("ignore")  # about few photos: one remark replaces a warning for each row
                for row, own in features.items():
                    if row != TRUTH:
                        figures[row][column.name] = Estimate(fid_between(reference, own).value)
            count = min([reference.count, *map(len, features.values())])
            if count < FEW_IMAGES:
                remarks.append(
                    f"FID of {count:,} photos is biased upwards, below {FEW_IMAGES:,} strongly: compare it only at"
                    " equal numbers of photos, or use KID"
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
