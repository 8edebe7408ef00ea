"""The human test: which of two photos is real? One page that shows them, asks, and reports the fooling rate.

[choice] Pairs, as Zhang, Isola and Efros have it (Colorful Image Colorization, ECCV 2016, section 3.1): the real photo
and the same one recolored, a second each, then as much time as one likes; 10 practice pairs with feedback, 40 without.
In a pair everything but colour is equal, so that a dull photo does not pass for a generated one, and 50 % is the rate
of guessing whatever habits people have. Single photos ("real or generated?") would mix the rate with how readily
somebody says "generated".
"""

import base64
import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_colorize.errors import ColorizeError
from keras_colorize.evaluation.report.page import jpeg, render_page

PAIRS, PRACTICE = 40, 10  # of a session of Zhang et al.
PRACTICE_SHARE = 5  # where photos are few: one in so many is for practice
QUALITY = 95


@dataclass(frozen=True)
class Pair:
    """A photo in its own colours and in the system's: two rgb_u8 (S, S, 3)."""

    name: str
    real: np.ndarray
    generated: np.ndarray


def quiz_page(pairs: Sequence[Pair], *, model: str, data: str, seed: int, seconds: float = 1.0) -> str:
    """The quiz as HTML text.

    Both photos of a pair go through the same JPEG encoder at the same quality, and stand in the file in an order drawn
    with `seed`; the page draws the order in which they are shown anew for each session. All of it is masked: enough
    that neither "view source" nor the size of an entry gives answers away, not that nobody could find them out.

    Args:
        pairs: the first ones are for practice, as many as `practice_pairs` says.
        model, data: what the results name.
        seed: of the order in the file.
        seconds: how long each photo is shown.

    Raises:
        ColorizeError: no pairs.
    """
    if not pairs:
        raise ColorizeError("a quiz needs at least one photo: none came")
    rng = np.random.default_rng(seed)
    header, blobs = [], []
    for pair in pairs:
        both = [jpeg(pair.real, QUALITY), jpeg(pair.generated, QUALITY)]
        place = int(rng.integers(2))  # of the real one
        ordered = both if place == 0 else both[::-1]
        header.append({"name": pair.name, "real": place, "sizes": [len(blob) for blob in ordered]})
        blobs += ordered
    head = json.dumps(header).encode("ascii")
    content = b"".join((struct.pack(">I", len(head)), head, *blobs))
    key = int(rng.integers(2**32))
    return render_page(
        "quiz",
        title="Which colours are real?",
        data={
            "model": model,
            "data": data,
            "quiz": hashlib.sha256(content).hexdigest()[:12],
            "exposure": round(1000 * seconds),
            "practice": practice_pairs(len(pairs)),
            "key": key,
            "photos": base64.b64encode(mask(content, key)).decode("ascii"),
        },
    )


def practice_pairs(pairs: int) -> int:
    """How many of so many pairs are for practice: 10 of 50, a fifth of fewer."""
    return min(PRACTICE, pairs // PRACTICE_SHARE)


def pairs_in_all(wanted: int) -> int:
    """How many pairs there are at most when `wanted` of them count: 50 for 40."""
    return next(count for count in range(wanted + PRACTICE, 0, -1) if count - practice_pairs(count) == wanted)


def mask(content: bytes, key: int) -> bytes:
    """XOR with the high bytes of a multiplicative sequence that starts at `key`; the same call undoes it."""
    numbers = np.arange(len(content), dtype=np.uint32) + np.uint32(key)
    sequence = (numbers * np.uint32(2654435761)) >> np.uint32(24)  # Knuth's multiplier, 2³² divided by the golden ratio
    return (np.frombuffer(content, np.uint8) ^ sequence.astype(np.uint8)).tobytes()
