"""The quiz: a page that shows pairs of photos, asks which one is real, and reports the fooling rate.

[choice] The quiz shows pairs as Zhang, Isola and Efros do (Colorful Image Colorization, ECCV 2016, section 3.1): the
real photo and the same photo recolored, a second each, then unlimited time to answer; 10 practice pairs with feedback,
40 without. The photos of a pair differ in colour only, so a dull photo does not pass for a generated one, and guessing
gives 50 % whatever habits people have. With single photos ("real or generated?") the rate would depend on how readily
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

PRACTICE = 10  # pairs before those that count, as in Zhang et al. 2016
PRACTICE_SHARE = 5  # where photos are few, one in this many is for practice
QUALITY = 95


@dataclass(frozen=True)
class Pair:
    """A photo in its own colours and in the system's, both rgb_u8 (S, S, 3)."""

    name: str
    real: np.ndarray
    generated: np.ndarray


def quiz_page(pairs: Sequence[Pair], *, model: str, data: str, seed: int, seconds: float = 1.0) -> str:
    """Return the quiz as HTML text.

    Both photos of a pair are encoded as JPEG of the same quality. `seed` draws their order in the file; the page draws
    the order in which it shows them anew for each session. Photos and names are masked, so that neither the source of
    the page nor the size of an entry gives the answers away at first sight. The mask is no encryption.

    Args:
        pairs: the first `practice_pairs` of them are for practice.
        model, data: names of the model and of the photos, for the results.
        seed: seed of the order in the file.
        seconds: time for which each photo is shown.

    Raises:
        ColorizeError: there are no pairs.
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
    """Return the number of pairs for practice: 10 of 50, a fifth of fewer."""
    return min(PRACTICE, pairs // PRACTICE_SHARE)


def pairs_in_all(wanted: int) -> int:
    """Return the largest number of pairs of which `wanted` count: 50 for 40."""
    return next(count for count in range(wanted + PRACTICE, 0, -1) if count - practice_pairs(count) == wanted)


def mask(content: bytes, key: int) -> bytes:
    """Combine content with a pseudo-random sequence by XOR; the same call undoes it.

    The sequence is the high bytes of the multiples of a constant from `key` on.
    """
    numbers = np.arange(len(content), dtype=np.uint32) + np.uint32(key)
    sequence = (numbers * np.uint32(2654435761)) >> np.uint32(24)  # Knuth's multiplier, 2³² divided by the golden ratio
    return (np.frombuffer(content, np.uint8) ^ sequence.astype(np.uint8)).tobytes()
