"""A reference: another photo, in colour, whose palette a photo takes on.

Two things are taken from it. Places of the photo that look like places of the reference, to the network's own features,
get the colours of those as hints. And each class of chroma gets a weight, so that the network's distribution over the
whole photo becomes that of the reference, as far as it goes without colours that the network finds absurd. A face
stays a face: the sky's blue is unlikely there, and its weight is limited.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from keras import ops
from PIL import Image

from keras_colorize.color.bins import AbBins
from keras_colorize.color.gamut import clip_chroma
from keras_colorize.color.inputs import HINT_CHANNELS, Inputs
from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab
from keras_colorize.errors import ColorizeError
from keras_colorize.images import is_grey, to_8_bits
from keras_colorize.inference.distribution import DistributionNetwork, cell_means
from keras_colorize.inference.frame import Frame
from keras_colorize.inference.network import finite

# [choice] Tried on pairs of photos (docs/versions.md).
_LEAST_LIKENESS = 0.45  # cosine, less a penalty for another lightness
_SAME_TONE = 18.0  # in L; a difference of so much costs a tenth of likeness
_CANDIDATES = 5  # places of the reference that vote for a colour
_AGREEMENT = 14.0  # CIE units: where their colours are further apart, none is taken
_VOTE = 0.05  # a candidate that is less alike by this counts for 1/e
_MUTUAL = 2.5  # the place that is most like a place's counterpart lies at most so far from it
_SPACING = 1.5
_HINT_REACH = 3.0  # in places of the prediction: so near to a person's hint the palette changes nothing
_MOST_HINTS = 24
_COARSE_WEIGHT = 2.0  # of the coarsest features, against 1 of the finer ones
_LARGEST_WEIGHT = 3.0  # natural logarithm, of a class
_WEIGHT_STEPS = 30
_PALETTE_BLUR = 5.0  # CIE units
_LEAST_SHARE = 1e-3  # of all classes together: no class has a share of 0


@dataclass(frozen=True, eq=False)
class ReferencePhoto:
    """A photo whose palette others take on, as one network sees it. `Colorizer.reference` makes one.

    colors: ab of its pixels at the network's size, (n, 2) in CIE units.
    places: of its grid.
    place_colors: mean ab of each place, (m, 2).
    """

    colors: np.ndarray
    places: "Places"
    place_colors: np.ndarray


@dataclass(frozen=True, eq=False)
class Places:
    """The places of a photo on a coarse grid, without those in its frame's padding.

    rows, columns: of each of m places in the grid, (m,).
    step: pixels of the frame from place to place.
    lightness: L, (m,).
    features: the network's features, coarse and finer, each (m, C).
    """

    rows: np.ndarray
    columns: np.ndarray
    step: int
    lightness: np.ndarray
    features: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, frame: Frame, maps: Sequence[np.ndarray]) -> "Places":
        """Find the places of a photo.

        Args:
            maps: the network's coarser feature maps (h, w, C) of it; the grid is that of the last one.
        """
        height, width = maps[-1].shape[:2]
        step = frame.shape[0] // height
        inside = np.zeros((height, width), bool)
        inside[_cells(frame.rows, step), _cells(frame.columns, step)] = True
        rows, columns = np.nonzero(inside)
        sized = [np.asarray(ops.image.resize(each, (height, width), interpolation="bilinear")) for each in maps]
        lightness = cell_means(frame.inputs.lightness, step)[inside][:, 0]
        return cls(rows, columns, step, lightness, tuple(features[inside] for features in sized))


def make_reference(network: DistributionNetwork, pixels: np.ndarray, frame: Frame) -> ReferencePhoto:
    """Look at a photo as a reference.

    Args:
        pixels: (H, W, 3) or (H, W), uint8, uint16 or float32 in [0, 1].
        frame: of the photo.

    Raises:
        ColorizeError: the photo is grey.
    """
    picture = to_8_bits(pixels[frame.picture])
    if picture.ndim == 2 or is_grey(picture):
        raise ColorizeError("the reference is grey: expected a photo in colour")
    places = Places.of(frame, [features[0] for features in network.predict(Inputs.stack([frame.inputs])).maps[:-1]])
    rows, columns = frame.rows, frame.columns
    size = columns.stop - columns.start, rows.stop - rows.start
    small = Image.fromarray(np.ascontiguousarray(picture)).resize(size, Image.Resampling.BICUBIC)
    whole = np.zeros((*frame.shape, 2), np.float32)
    whole[rows, columns] = np.asarray(rgb_to_lab(rgb_from_u8(np.asarray(small))))[..., 1:]
    colors = cell_means(whole, places.step)[places.rows, places.columns]
    return ReferencePhoto(whole[rows, columns].reshape(-1, 2), places, colors)


def colors_like(
    network: DistributionNetwork, frame: Frame, reference: ReferencePhoto, vividness: float = 1.0
) -> np.ndarray:
    """Colour a photo with the palette of another one: chroma ab (H, W, 2) in CIE units, at the frame's size.

    A person's hints in the frame stay as they are.
    """
    space, inputs = network.space, frame.inputs
    prediction = network.predict(Inputs.stack([inputs]))
    if space.takes_hints:
        places = Places.of(frame, [features[0] for features in prediction.maps[:-1]])
        inputs = inputs._replace(hints=add_matches(inputs.hints, frame.shape, places, reference))
        prediction = network.predict(Inputs.stack([inputs]))
    logits = np.log(prediction.shares[0] + 1e-12) / space.decoding.temperature**vividness
    step = frame.shape[0] // len(logits)
    inside = logits[_cells(frame.rows, step), _cells(frame.columns, step)].reshape(-1, logits.shape[-1])
    weights = palette_weights(inside, palette_of(reference.colors, space.bins), space.bins)
    logits += weights * _freedom(frame, step)[..., None]
    ab = (_softmax(logits) @ space.bins.centers * vividness).astype(np.float32)
    ab = ops.image.resize(ab, frame.shape, interpolation="bilinear")
    return finite(space.with_hints(ab[None], Inputs.stack([frame.inputs]), vividness)[0])


def palette_of(colors: np.ndarray, bins: AbBins) -> np.ndarray:
    """Return the share of colours (n, 2) in each class: (Q,), sum 1."""
    classes, weights = (np.asarray(part).ravel() for part in bins.corners(colors.astype(np.float32)))
    return np.bincount(classes, weights, minlength=len(bins)) / len(colors)


def palette_weights(logits: np.ndarray, palette: np.ndarray, bins: AbBins) -> np.ndarray:
    """Find a weight for each class with which a photo's distribution has a palette.

    This is iterative proportional fitting: the mean distribution over all places is compared with the palette, and the
    weight of a class grows where its share is too small. Both are blurred a little, and weights are limited, so that
    colours that are nowhere likely stay so.

    Args:
        logits: (n, Q) of all places, divided by the temperature.
        palette: (Q,), sum 1.

    Returns:
        What to add to the logits, (Q,).
    """
    squares = np.square(bins.centers[:, None] - bins.centers[None]).sum(axis=-1)
    blur = np.exp(-squares / (2 * _PALETTE_BLUR**2))
    blur /= blur.sum(axis=0)
    floor = _LEAST_SHARE / len(bins)
    wanted = blur @ palette + floor
    weights = np.zeros(len(bins))
    for _ in range(_WEIGHT_STEPS):
        mean = _softmax(logits + weights).mean(axis=0)
        weights += np.log(wanted / (blur @ mean + floor))
        weights -= mean @ weights  # changes nothing, and keeps the limits away from the colours that are there
        weights = np.clip(weights, -_LARGEST_WEIGHT, _LARGEST_WEIGHT)
    return weights.astype(np.float32)


def add_matches(
    hints: np.ndarray | None, shape: tuple[int, int], places: Places, reference: ReferencePhoto
) -> np.ndarray | None:
    """Add hints with the reference's colours at the places that surely look like places of it.

    Args:
        hints: a person's, (H, W, 3), or None; they stay, and places that look like theirs get no others.
        shape: height and width of the frame.
        places: of the photo.
        reference: of the same network.

    Returns:
        (H, W, 3), or None where there are no hints and no such places.
    """
    colors, sureness = match_places(places, reference)
    drawn = np.zeros((*shape, HINT_CHANNELS), np.float32) if hints is None else hints.copy()
    free = drawn[..., 2] == 0
    if not free.all():
        given = cell_means(drawn, places.step)[places.rows, places.columns, 2] > 0
        alike = _likeness(places, places)[:, given].max(axis=1, initial=-np.inf)
        sureness = np.where(alike > _LEAST_LIKENESS, 0.0, sureness)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    taken: list[int] = []
    for place in np.argsort(-sureness, kind="stable"):
        if sureness[place] <= 0 or len(taken) == _MOST_HINTS:
            break
        apart = np.square(places.rows[taken] - places.rows[place])
        apart = apart + np.square(places.columns[taken] - places.columns[place])
        if (apart < _SPACING**2).any():
            continue
        taken.append(int(place))
        lab = np.array([[places.lightness[place], *colors[place]]], np.float32)
        middle = np.array([places.rows[place], places.columns[place]]) * places.step + (places.step - 1) / 2
        disc = (rows - middle[0]) ** 2 + (columns - middle[1]) ** 2 <= (0.4 * places.step) ** 2
        drawn[disc & free] = (*np.asarray(clip_chroma(lab))[0, 1:], 1.0)
    return drawn if drawn[..., 2].any() else None


def match_places(places: Places, reference: ReferencePhoto) -> tuple[np.ndarray, np.ndarray]:
    """Find for each place of a photo the colour of those places of the reference that look like it.

    Returns:
        Their colour ab (n, 2), and how sure it is (n,): 0 where nothing looks alike, where that which does has many
        colours, or where its own counterpart lies elsewhere.
    """
    likeness = _likeness(places, reference.places)
    nearest = np.argsort(-likeness, axis=1)[:, :_CANDIDATES]
    found = np.take_along_axis(likeness, nearest, axis=1)
    votes = np.exp((found - found[:, :1]) / _VOTE)
    votes = votes[..., None] / votes.sum(axis=1)[:, None, None]
    colors = (votes * reference.place_colors[nearest]).sum(axis=1)
    variance = (votes * np.square(reference.place_colors[nearest] - colors[:, None])).sum(axis=(1, 2))
    back = likeness.argmax(axis=0)[nearest[:, 0]]
    astray = np.square(places.rows[back] - places.rows) + np.square(places.columns[back] - places.columns)
    sure = (found[:, 0] > _LEAST_LIKENESS) & (variance < _AGREEMENT**2) & (astray <= _MUTUAL**2)
    return colors, np.where(sure, found[:, 0], 0.0)


def _likeness(places: Places, others: Places) -> np.ndarray:
    """Return how much each place looks like each other one, (n, m): 1 at the most."""
    cosines: np.ndarray | float = 0.0
    shares = np.array([_COARSE_WEIGHT, 1.0])[: len(places.features)]
    for share, mine, theirs in zip(shares / shares.sum(), places.features, others.features, strict=True):
        middle = (mine.mean(axis=0) + theirs.mean(axis=0)) / 2
        spread = np.sqrt((mine.var(axis=0) + theirs.var(axis=0)) / 2) + 1e-3
        mine, theirs = (mine - middle) / spread, (theirs - middle) / spread
        lengths = np.linalg.norm(mine, axis=1)[:, None] * np.linalg.norm(theirs, axis=1)[None]
        cosines = cosines + share * (mine @ theirs.T) / np.maximum(lengths, 1e-6)
    tones = (places.lightness[:, None] - others.lightness[None]) / _SAME_TONE
    return cosines - 0.1 * np.square(tones)


def _freedom(frame: Frame, step: int) -> np.ndarray:
    """Return how far each place (h, w) is from a person's hints: 0 at one, 1 far away."""
    height, width = frame.shape[0] // step, frame.shape[1] // step
    if frame.inputs.hints is None:
        return np.ones((height, width), np.float32)
    rows, columns = np.ogrid[:height, :width]
    nearest = np.full((height, width), np.inf)
    for row, column in np.argwhere(cell_means(frame.inputs.hints, step)[..., 2] > 0):
        nearest = np.minimum(nearest, (rows - row) ** 2 + (columns - column) ** 2)
    return (1.0 - np.exp(-nearest / (2 * _HINT_REACH**2))).astype(np.float32)


def _cells(part: slice, step: int) -> slice:
    """Return the rows or columns of a grid, at least one, that lie wholly in a part of the frame."""
    first = -(-part.start // step)
    return slice(first, max(part.stop // step, first + 1))


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
