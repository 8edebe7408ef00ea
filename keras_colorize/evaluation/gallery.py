"""Pictures of a few photos, kept while all photos pass by."""

from collections.abc import Mapping, Sequence

import numpy as np

from keras_colorize.evaluation.results import Gallery


class GalleryKeeper:
    """Keeps pictures of random photos, and of each system's best and worst photos so far.

    It holds at most `random + 2 · extreme · systems` photos and one batch.

    Args:
        systems: names of the systems.
        photos: number of photos that will pass.
        random: number of photos to draw at random.
        extreme: number of best and of worst photos to keep for each system.
        seed: seed of the draw.
    """

    def __init__(self, systems: Sequence[str], photos: int, *, random: int, extreme: int, seed: int) -> None:
        drawn = np.random.default_rng(seed).choice(photos, min(random, photos), replace=False)
        self._random = [int(index) for index in drawn]
        self._extreme = extreme
        self._gains: dict[str, dict[int, float]] = {system: {} for system in systems}
        self._pictures: dict[int, dict[str, np.ndarray]] = {}
        self._seen = 0

    def update(self, pictures: Mapping[str, np.ndarray], gains: Mapping[str, np.ndarray]) -> None:
        """Look at the next batch.

        Args:
            pictures: row → rgb_u8 (B, S, S, 3).
            gains: system → (B,) ab MAE of the grey photo minus that of the system's picture.
        """
        count = len(next(iter(pictures.values())))
        indices = range(self._seen, self._seen + count)
        self._seen += count
        for system, kept in self._gains.items():
            kept.update(zip(indices, map(float, gains[system]), strict=True))
            keep = {*self._best(system), *self._worst(system)}
            self._gains[system] = {index: gain for index, gain in kept.items() if index in keep}
        wanted = {*self._random}.union(*self._gains.values())
        for number, index in enumerate(indices):
            if index in wanted:  # copied: a view would keep the whole batch
                self._pictures[index] = {row: batch[number].copy() for row, batch in pictures.items()}
        self._pictures = {index: rows for index, rows in self._pictures.items() if index in wanted}

    def gallery(self) -> Gallery:
        """Return the pictures kept."""
        rows = next(iter(self._pictures.values()), {})
        return Gallery(
            random=self._random,
            best={system: self._best(system) for system in self._gains},
            worst={system: self._worst(system) for system in self._gains},
            pictures={row: {index: self._pictures[index][row] for index in sorted(self._pictures)} for row in rows},
        )

    def _best(self, system: str) -> list[int]:
        gains = self._gains[system]
        return sorted(gains, key=lambda index: (-gains[index], index))[: self._extreme]

    def _worst(self, system: str) -> list[int]:
        gains = self._gains[system]
        return sorted(gains, key=lambda index: (gains[index], index))[: self._extreme]
