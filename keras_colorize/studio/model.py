"""The studio's model: a network file, and what the page must know of it."""

from typing import Any

from keras_colorize.color import hints
from keras_colorize.color.spaces import HINTED_SHARE, LEAST_DISTANCE, BinnedLabSpace, Space
from keras_colorize.inference.network_file import NetworkFile


def page_facts(file: NetworkFile, space: Space) -> dict[str, Any]:
    """Return the facts of a network file with those of the space, for JSON.

    Args:
        file: of the network.
        space: of the network: classes, decoding, and how hints are obeyed.
    """
    facts = {
        **file.facts,
        "hint_kernel": [float(weight) for weight in hints.HINT_KERNEL],
        "hint_spread": {
            "distance": hints.NODE_DISTANCE,
            "deviation": hints.NODE_DEVIATION,
            "scale": hints.NODE_SCALE,
            "levels": hints.NODE_LEVELS,
            "prediction_weight": hints.PREDICTION_WEIGHT,
        },
    }
    if isinstance(space, BinnedLabSpace):
        decoding = space.decoding
        facts["bins"] = [[float(a), float(b)] for a, b in space.bins.centers]
        facts["decoding"] = {
            "temperature": decoding.temperature,
            "lift": decoding.lift,
            "least_distance": LEAST_DISTANCE,
            "hinted_share": HINTED_SHARE,
        }
    return facts
