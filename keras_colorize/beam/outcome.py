"""Outcomes of photos on workers, in files that the command reads. Nothing here loads TensorFlow or Beam."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from keras_colorize.images import replacing


@dataclass
class Outcome:
    """The results of some photos.

    done: number of photos that have their results.
    errors: photo → why it failed.
    in_color: photos that were in colour → whether they were colorized all the same.
    remarks: → number of photos.
    """

    done: int = 0
    errors: dict[Path, str] = field(default_factory=dict)
    in_color: dict[Path, bool] = field(default_factory=dict)
    remarks: Counter[str] = field(default_factory=Counter)

    def write(self, file: Path) -> None:
        """Write it, whole or not at all; where two workers write the same file, one of them wins."""
        fields = vars(self) | {
            "errors": [(str(source), error) for source, error in self.errors.items()],
            "in_color": [(str(source), colorized) for source, colorized in self.in_color.items()],
        }
        with replacing(file, overwrite=True) as stream:
            stream.write(json.dumps(fields).encode("ascii"))

    @classmethod
    def read(cls, file: Path) -> "Outcome":
        """Read what `write` wrote."""
        fields = json.loads(file.read_bytes())
        errors, in_color = ({Path(source): value for source, value in fields[name]} for name in ("errors", "in_color"))
        return cls(fields["done"], errors, in_color, Counter(fields["remarks"]))

    @classmethod
    def sum(cls, outcomes: Iterable["Outcome"]) -> "Outcome":
        """Add up the results of different photos."""
        whole = cls()
        for each in outcomes:
            whole.done += each.done
            whole.errors |= each.errors
            whole.in_color |= each.in_color
            whole.remarks += each.remarks
        return whole
