"""The network file: a network as TFLite at one size, from which the file of every other size is made.

Browsers run TFLite files of fixed size only, while a photo's frame has the photo's own proportions: some fifty sizes.
The file is therefore made at one size, and facts beside it list where the numbers of that size lie: the shapes of
tensors and the targets of enlargements. Whoever runs the file writes the numbers of the size that is needed over them.
The studio's page does so, and `inference.litert_network`. Nothing here loads TensorFlow.

The package has such a file for a system that comes with weights, as `NAME.tflite` and `NAME.tflite.json`.
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from keras_colorize.errors import ColorizeError
from keras_colorize.files import written_whole
from keras_colorize.recipes import Recipe, packaged_sha256, zoo_folder

SUFFIX, FACTS_SUFFIX = ".tflite", ".tflite.json"
LOGITS, AB = "logits", "ab"


@dataclass(frozen=True, eq=False)
class NetworkFile:
    """A network as TFLite with float16 weights, and facts about it.

    The file has the inputs `L` (1, h, w, 1) and, for a network that takes hints, `hints` (1, h, w, 3), as `Inputs` has
    them. Its output is `logits` (1, h', w', classes), with the rebalancing taken back as far as the recipe asks for it,
    for a network that predicts a distribution; or else `ab` (1, h, w, 2) in CIE units, at vividness 1 and before it is
    moved to hints.

    Attributes:
        content: of the TFLite file.
        facts: for JSON. `name` of the system; `size` at which it was trained; `multiple`, as `ChromaNetwork.multiple`;
            `height` and `width` of the file; `hints`, whether it takes them; `output`, its name; `places`, a list of
            (place in bytes, factor, power of the height, power of the width) of each number that follows from the size,
            in steps of `multiple`; `probe`, the network's answer to a small test picture; `source`, the digest of
            `network_digest`.
    """

    content: bytes
    facts: Mapping[str, Any]

    def sized(self, height: int, width: int) -> bytes:
        """Return the TFLite file for inputs of another size, each side a multiple of `multiple`."""
        multiple = self.facts["multiple"]
        if multiple is None:
            return self.content
        changed = bytearray(self.content)
        for at, factor, rows, columns in self.facts["places"]:
            number = factor * (height // multiple) ** rows * (width // multiple) ** columns
            struct.pack_into("<i", changed, at, number)
        return bytes(changed)

    def write(self, folder: Path, name: str) -> Path:
        """Write both files into a folder, each whole or not at all, and return the TFLite file."""
        file, facts = folder / f"{name}{SUFFIX}", folder / f"{name}{FACTS_SUFFIX}"
        with written_whole(file) as temporary:
            temporary.write_bytes(self.content)
        text = json.dumps({**self.facts, "sha256": hashlib.sha256(self.content).hexdigest()}, ensure_ascii=False)
        with written_whole(facts) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
        return file


def read_network_file(folder: Traversable, name: str, source: str) -> NetworkFile | None:
    """Read what `NetworkFile.write` wrote.

    Args:
        folder: where both files are.
        name: of the system.
        source: the digest of the network that is expected: see `network_digest`.

    Returns:
        The file, or None where there is none.

    Raises:
        ColorizeError: it is damaged, or was made of another network.
    """
    file, beside = folder / f"{name}{SUFFIX}", folder / f"{name}{FACTS_SUFFIX}"
    if not (file.is_file() and beside.is_file()):
        return None
    try:
        content, facts = file.read_bytes(), json.loads(beside.read_text(encoding="utf-8"))
        expected, made_of = facts.pop("sha256"), facts["source"]
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ColorizeError(f"{beside} cannot be read ({error})", action="pack_tflite", model=name) from error
    if made_of != source:
        raise ColorizeError(
            f"{file} was made of other weights or of another recipe than '{name}' has now: make it again",
            action="pack_tflite",
            model=name,
        )
    if hashlib.sha256(content).hexdigest() != expected:
        raise ColorizeError(f"{file} is damaged: its SHA-256 is not {expected[:12]}…; install the package again")
    return NetworkFile(content, facts)


def packaged_network_file(recipe: Recipe) -> NetworkFile | None:
    """Read the packaged network file of a system of the zoo; None where the package has none.

    Raises:
        ColorizeError: the system comes without weights, or the file is damaged or was made of others.
    """
    return read_network_file(zoo_folder(), recipe.name, packaged_digest(recipe))


def packaged_digest(recipe: Recipe) -> str:
    """Return the digest of the network of a system of the zoo with its packaged weights.

    Raises:
        ColorizeError: the system comes without weights.
    """
    return network_digest(recipe, packaged_sha256(recipe.name))


def network_digest(recipe: Recipe, weights_sha256: str) -> str:
    """Return the SHA-256 over all that a network file is made of: weights, and the recipe's part of the network."""
    parts = {
        "weights": weights_sha256,
        "generator": asdict(recipe.generator),
        "image_size": recipe.data.image_size,
        "space": recipe.space,
        "hints": recipe.hints,
        "rebalancing": recipe.loss.rebalancing,
        "undo_rebalancing": recipe.decoding.undo_rebalancing,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
