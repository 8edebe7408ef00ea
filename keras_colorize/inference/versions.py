"""Versions: several colourings of one photo, each of one piece, drawn from the distribution that a network predicts.

A version draws the colour of the place where the network is least sure, and gives it to the network as a hint, there
and at places that look alike. The network then knows it, and the next colour is drawn. Grass and sky keep their colours
in every version, since nothing is uncertain about them, and a dress has one colour as a whole.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from keras_colorize.color.bins import AbBins
from keras_colorize.color.gamut import clip_chroma
from keras_colorize.color.inputs import HINT_CHANNELS, Inputs
from keras_colorize.inference.compilation import graphs
from keras_colorize.inference.distribution import DistributionNetwork, cell_means, unit_vectors
from keras_colorize.inference.frame import Frame
from keras_colorize.inference.network import LARGEST_BATCH

# [choice] Measured on 20 photos (docs/versions.md). Distances between places are in places of the prediction.
_DRAWS = 6  # colours that a version draws
_TEMPERATURE = 0.7  # of a draw: below 1, likely colours are drawn more often than the network says
_LEAST_SHARE = 0.05  # of the most likely colour: less likely ones are not drawn
_COLOR_RADIUS = 12.0  # CIE units: a colour with its neighbourhood
_OTHER_COLOR = 20.0  # CIE units: so different are the first colours that two versions draw, where there are so many
_FIRST_DRAWS = 2
_BLUR = 1.5  # of uncertainty, so that large areas come first
_NEAR = 5.0  # a place so near to a hint is settled
_ALIKE = 0.5  # cosine of two places that get the same colour
_SAME_TONE = 15.0  # in L, standard deviation
_SPACING = 3.0  # of the hints of one draw
_MOST_HINTS = 12  # of one draw
_LIKELIHOOD_RADIUS = 7.0  # CIE units: colours so near to a class count for it

_clipped = graphs(clip_chroma)


def draw_versions(
    network: DistributionNetwork, frame: Frame, count: int, seed: int, vividness: float = 1.0
) -> list[np.ndarray]:
    """Draw versions of a photo.

    Args:
        network: takes hints.
        frame: of the photo, with the hints of a person, which every version keeps.
        count: how many.
        seed: at least 0.
        vividness: 1 is the system's own.

    Returns:
        The chroma ab (H, W, 2) of each in CIE units, at the frame's size. The most likely one comes first: the one
        whose colours have, on average over the places, the highest logarithm of their probability without the draws.
    """
    given = Inputs.stack([frame.inputs])
    first = network.predict(given)
    photo = _Photo(frame, network.space.bins, first.shares[0], [features[0] for features in first.maps])
    drawn: list[list[np.ndarray]] = [[] for _ in range(_FIRST_DRAWS)]
    chromas: list[np.ndarray] = []
    likelihoods: list[float] = []
    for start in range(0, count, LARGEST_BATCH):
        numbers = range(start, min(start + LARGEST_BATCH, count))
        versions = [_Version(photo, np.random.default_rng([seed, number])) for number in numbers]
        given = Inputs.stack([frame.inputs] * len(versions))
        shares = np.repeat(photo.shares[None], len(versions), axis=0)
        for draw in range(_DRAWS):
            others = drawn[draw] if draw < _FIRST_DRAWS else None
            for version, known in zip(versions, shares, strict=True):
                color = version.draw(known, others or [])
                if others is not None:
                    others.append(color)
            hints = np.stack([version.hints for version in versions])
            prediction = network.predict(given, hints)
            shares = prediction.shares
        own = network.chroma(given, prediction.logits, hints=hints)
        likelihoods += [photo.likelihood(ab) for ab in own]
        chromas += list(own if vividness == 1 else network.chroma(given, prediction.logits, vividness, hints))
    return [chromas[number] for number in np.argsort(likelihoods, kind="stable")[::-1]]


@dataclass(frozen=True, eq=False)
class _Photo:
    """A photo as all its versions see it.

    shares: the distribution (h, w, Q) without any draw.
    maps: the network's feature maps (h', w', C) without any draw.
    """

    frame: Frame
    bins: AbBins
    shares: np.ndarray
    maps: list[np.ndarray]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the grid of places."""
        return self.shares.shape[:2]

    @property
    def step(self) -> int:
        """Pixels of the frame from place to place."""
        return self.frame.shape[0] // self.shape[0]

    @cached_property
    def vectors(self) -> np.ndarray:
        """A description of each place, (h, w, C)."""
        return unit_vectors(self.maps, *self.shape)

    @cached_property
    def lightness(self) -> np.ndarray:
        """L of each place, (h, w)."""
        return cell_means(self.frame.inputs.lightness, self.step)[..., 0]

    @cached_property
    def inside(self) -> np.ndarray:
        """The places that lie in the picture and have no hint of a person near, (h, w) in [0, 1]."""
        step, rows, columns = self.step, self.frame.rows, self.frame.columns
        inside = np.zeros(self.shape)
        inside[rows.start // step : -(-rows.stop // step), columns.start // step : -(-columns.stop // step)] = 1.0
        if self.frame.inputs.hints is not None:
            for place in np.argwhere(cell_means(self.frame.inputs.hints, self.step)[..., 2] > 0):
                inside *= 1.0 - self.nearness(*place)
        return inside

    @cached_property
    def alike_colors(self) -> np.ndarray:
        """How much each class counts for each other one, (Q, Q)."""
        return np.exp(-_squares(self.bins.centers, self.bins.centers) / (2 * _COLOR_RADIUS**2))

    def nearness(self, row: int, column: int) -> np.ndarray:
        """Return how near the places lie to one, (h, w): 1 there, 0 far away."""
        rows, columns = np.ogrid[: self.shape[0], : self.shape[1]]
        return np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * _NEAR**2))

    def likeness(self, row: int, column: int) -> np.ndarray:
        """Return how much the places look like one, (h, w): 1 there."""
        tones = (self.lightness - self.lightness[row, column]) / _SAME_TONE
        return (self.vectors @ self.vectors[row, column]) * np.exp(-np.square(tones) / 2)

    def likelihood(self, ab: np.ndarray) -> float:
        """Return the mean logarithm of the probability that colours (H, W, 2) have without any draw."""
        (height, width), centers = self.shape, self.bins.centers
        total = 0.0
        for colors, shares in zip(cell_means(ab, self.step), self.shares, strict=True):
            weights = np.exp(-_squares(colors, centers) / (2 * _LIKELIHOOD_RADIUS**2)) + 1e-12
            total += np.log((weights * shares).sum(axis=-1) / weights.sum(axis=-1) + 1e-6).sum()
        return float(total / (height * width))


class _Version:
    """A version on its way: the hints that it has so far.

    Attributes:
        hints: (H, W, 3), those of a person and those that were drawn.
    """

    def __init__(self, photo: _Photo, rng: np.random.Generator) -> None:
        given = photo.frame.inputs.hints
        self.hints = np.zeros((*photo.frame.shape, HINT_CHANNELS), np.float32) if given is None else given.copy()
        self._photo = photo
        self._rng = rng
        self._open = photo.inside

    def draw(self, shares: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
        """Draw the colour of the least certain place and add it to the hints; returns the colour ab (2,).

        Args:
            shares: the distribution (h, w, Q), given the hints so far.
            others: colours that other versions have drawn at this point.
        """
        photo = self._photo
        unsure = np.where(photo.inside > 0, _blurred(_spread(shares, photo.bins)) * self._open, -1.0)
        row, column = divmod(int(unsure.argmax()), photo.shape[1])
        around = shares[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].mean(axis=(0, 1), dtype=np.float64)
        color = self._color(around, others)
        likeness = photo.likeness(row, column)
        self._open = self._open * (1 - photo.nearness(row, column)) * (1 - np.clip(likeness / _ALIKE, 0, 1) ** 2)
        self._add(color, self._places(row, column, likeness))
        return color

    def _color(self, shares: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
        """Draw one of the modes of a distribution (Q,), far from the others if there is another likely one."""
        photo, centers = self._photo, self._photo.bins.centers
        mass = shares @ photo.alike_colors
        likely = np.where(mass >= _LEAST_SHARE * mass.max(), shares, 0.0) ** (1 / _TEMPERATURE)
        fresh = likely.copy()
        for other in others:
            fresh *= 1 - np.exp(-_squares(centers, other[None])[:, 0] / (2 * _OTHER_COLOR**2))
        if fresh.sum() > 0.1 * likely.sum():
            likely = fresh
        chosen = self._rng.choice(len(centers), p=likely / likely.sum())
        weights = shares**2 * photo.alike_colors[chosen]
        return weights @ centers / weights.sum()

    def _places(self, row: int, column: int, likeness: np.ndarray) -> list[tuple[int, int]]:
        """Choose the places that get a colour: one, and others that look like it, spread over all of them."""
        photo = self._photo
        alike = (likeness > _ALIKE) & (photo.inside > 0) & (cell_means(self.hints, photo.step)[..., 2] == 0)
        places = [(row, column)]
        for place in np.argsort(-np.where(alike, likeness, -np.inf), axis=None, kind="stable")[: alike.sum()]:
            other = divmod(int(place), photo.shape[1])
            if min((other[0] - r) ** 2 + (other[1] - c) ** 2 for r, c in places) >= _SPACING**2:
                places.append(other)
            if len(places) == _MOST_HINTS:
                break
        return places

    def _add(self, color: np.ndarray, places: list[tuple[int, int]]) -> None:
        """Give a colour to places, as far as their lightness can show it; a person's hints stay."""
        photo = self._photo
        lab = [(photo.lightness[place], *color) for place in places]
        rows, columns = np.ogrid[: self.hints.shape[0], : self.hints.shape[1]]
        mine = self._photo.frame.inputs.hints
        free = np.ones(photo.frame.shape, bool) if mine is None else mine[..., 2] == 0
        for (row, column), shown in zip(places, np.asarray(_clipped(np.array(lab, np.float32))), strict=True):
            middle = np.array([row, column]) * photo.step + (photo.step - 1) / 2
            disc = (rows - middle[0]) ** 2 + (columns - middle[1]) ** 2 <= (photo.step / 2) ** 2
            self.hints[disc & free] = (*shown[1:], 1.0)


def _spread(shares: np.ndarray, bins: AbBins) -> np.ndarray:
    """Return the standard deviation of a distribution (h, w, Q) over colours in CIE units, (h, w)."""
    mean = shares @ bins.centers
    squares = shares @ np.square(bins.centers).sum(axis=-1)
    return np.sqrt(np.maximum(squares - np.square(mean).sum(axis=-1), 0.0))


def _blurred(field: np.ndarray) -> np.ndarray:
    """Blur a field (h, w) with a Gaussian of `_BLUR`; beyond the edges it continues as it ends."""
    reach = int(np.ceil(3 * _BLUR))
    kernel = np.exp(-np.square(np.arange(-reach, reach + 1)) / (2 * _BLUR**2))
    for _ in range(2):
        padded = np.pad(field, ((reach, reach), (0, 0)), mode="edge")
        field = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0) @ (kernel / kernel.sum())
        field = field.T
    return field


def _squares(colors: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the squared distances of colours (n, 2) from others (m, 2): (n, m)."""
    return np.square(colors[:, None] - others[None]).sum(axis=-1)
