"""Variety of colours: histograms over the ab bins of Zhang, Isola and Efros 2016, and their entropy."""

import numpy as np
from keras import ops

from keras_colorize.errors import ColorizeError
from keras_colorize.tensor import Tensor

BIN_SIZE = 10  # CIE units, as Zhang et al. 2016
# Their bins lie around the multiples of 10 (−110 … 110), so that neutral is the middle of a bin. With edges at the
# multiples, rounding errors would put a grey photo into four bins, and it would seem to have two bits of colour.
AB_CENTRES = np.arange(-110, 111, BIN_SIZE)
AB_EDGES = np.arange(-115, 116, BIN_SIZE)


def ab_histogram(ab: Tensor) -> Tensor:
    """Count pixels in bins of 10×10 CIE units: (B, H, W, 2) → (B, 23, 23) int32, first axis a, second b.

    Bin n holds values in [`AB_EDGES`[n], `AB_EDGES`[n + 1]); the outermost bins hold all beyond.

    Raises:
        ColorizeError: `ab` is not (B, H, W, 2).
    """
    ab = ops.convert_to_tensor(ab)
    if len(ab.shape) != 4 or ab.shape[-1] != 2:
        raise ColorizeError(f"expected a batch of chroma (B, H, W, 2), got shape {tuple(ab.shape)}")
    side = len(AB_CENTRES)
    scaled = (ops.cast(ab, "float32") - float(AB_EDGES[0])) / BIN_SIZE
    bins = ops.cast(ops.clip(ops.floor(scaled), 0, side - 1), "int32")
    batch = ops.shape(bins)[0]
    first = ops.arange(batch, dtype="int32")[:, None] * side**2  # each photo's own bins, one photo after another
    where = ops.reshape(first + ops.reshape(bins[..., 0] * side + bins[..., 1], (batch, -1)), (-1,))
    counts = ops.segment_sum(ops.ones_like(where), where, num_segments=batch * side**2)
    return ops.reshape(counts, (batch, side, side))


def entropy(counts: Tensor) -> Tensor:
    """Return the Shannon entropy in bits of counts over bins: (…, A, B) → (…), −Σ p·log₂ p with p = counts / Σ counts.

    It is 0 where all pixels share one bin, and log₂ K where K bins hold equally many.
    """
    counts = ops.cast(counts, "float32")
    p = counts / ops.maximum(ops.sum(counts, axis=(-2, -1), keepdims=True), 1.0)
    # p·log₂ p is 0 at p = 0, in the limit and here. The sum is above 0 by rounding only, where p is 1.
    return ops.abs(ops.sum(p * ops.log2(ops.maximum(p, 1e-30)), axis=(-2, -1)))


def ab_entropy(ab: Tensor) -> Tensor:
    """Return each photo's entropy of colours in bits: (B, H, W, 2) → (B,). A grey photo of any lightness has 0.

    See `ab_histogram` for the bins. The entropy of a whole set is `entropy` of the sum of its photos' histograms.
    """
    return entropy(ab_histogram(ab))
