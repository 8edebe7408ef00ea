"""The manifest of shards: a JSON file beside them that says how their photos were checked."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from keras_colorize.data.scan_cache import READER_VERSION

MANIFEST_SUFFIX = ".shards.json"


@dataclass(frozen=True)
class ShardFacts:
    """Facts about one shard.

    Attributes:
        photos: number of its records.
        size: of the file in bytes; a file of another size is another file.
        lengths: uint64 (N,), the lengths of its records in bytes, for a format without an index; None for others.
    """

    photos: int
    size: int
    lengths: np.ndarray | None = None


@dataclass(frozen=True)
class Manifest:
    """Facts about shards that were written together.

    Attributes:
        drop_grey: whether photos without colour were left out.
        shards: facts by file name.
        left_out: photo → why it was left out.
        reader: version of the reader that looked at every photo.
    """

    drop_grey: bool
    shards: Mapping[str, ShardFacts]
    left_out: Mapping[str, str] = field(default_factory=dict)
    reader: int = READER_VERSION

    def covers(self, drop_grey: bool) -> bool:
        """Tell whether today's scan would find nothing that was not found when the shards were written."""
        return self.reader == READER_VERSION and (self.drop_grey or not drop_grey)

    def to_json(self) -> str:
        """Return the text of the file."""
        shards = {
            name: {"photos": facts.photos, "bytes": facts.size}
            | ({} if facts.lengths is None else {"lengths": _packed(facts.lengths)})
            for name, facts in self.shards.items()
        }
        table = {
            "reader": self.reader,
            "grey_photos": "left out" if self.drop_grey else "kept",
            "left_out": dict(self.left_out),
            "shards": shards,
        }
        return json.dumps(table, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """Read the text of a file.

        Raises:
            ValueError: it is no manifest.
        """
        try:
            table = json.loads(text)
            shards = {
                str(name): ShardFacts(
                    int(facts["photos"]),
                    int(facts["bytes"]),
                    _unpacked(facts["lengths"]) if "lengths" in facts else None,
                )
                for name, facts in table["shards"].items()
            }
            return cls(table["grey_photos"] == "left out", shards, dict(table["left_out"]), int(table["reader"]))
        except (KeyError, TypeError, AttributeError, binascii.Error) as error:
            raise ValueError(f"no manifest of shards ({error})") from error


def _packed(lengths: np.ndarray) -> str:
    """Write lengths as little-endian uint32 in base64: a list of a million numbers would take memory for each."""
    return base64.b64encode(lengths.astype("<u4").tobytes()).decode()


def _unpacked(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text, validate=True), "<u4").astype(np.uint64)
