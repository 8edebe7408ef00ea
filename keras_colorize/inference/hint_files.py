"""Files of hints: the JSON that lies beside a photo or a film. Nothing here loads TensorFlow or Keras.

    {
      "version": 1,
      "width": 4000,
      "height": 3000,
      "vividness": 1.2,
      "hints": [
        {"x": 1210, "y": 804, "color": "#b22222", "radius": 24},
        {"x": 15, "y": 2000, "color": [3.5, -22.0]}
      ]
    }

`docs/inference.md` describes the fields.
"""

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path

from keras_colorize.color.vividness import check_vividness
from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.images import replacing
from keras_colorize.inference.hints import Hint, check_hints, finite_number

HINTS_SUFFIX = ".hints.json"

_VERSION = 1
_KEYS = ("version", "width", "height", "vividness", "hints")
_HINT_KEYS = ("x", "y", "color", "radius", "frame", "time")

# [choice] The photo's proportions may differ so much from those of the photo on which places were chosen: a copy of 100
# pixels has rounded sides. Beyond it lies a photo that has been cut or turned.
_PROPORTION = 0.05


@dataclass(frozen=True)
class TimedHint(Hint):
    """A hint of a film, with the moment from which it holds.

    Args:
        frame: number of the first frame, from 0.
        time: the same in seconds; give one of the two.

    Raises:
        ColorizeError: both or none are given, one is below 0, or as for a hint.
    """

    frame: int | None = None
    time: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.frame is None) == (self.time is None):
            raise ColorizeError(
                f"the hint at {self.place} has a `frame` and a `time`, or neither: expected one of them"
            )
        if self.frame is not None:
            if not _is_whole(self.frame, least=0):
                raise ColorizeError(f"the hint at {self.place} has the `frame` {self.frame!r}: expected 0, 1, 2, …")
            object.__setattr__(self, "frame", int(self.frame))
        if self.time is not None:
            object.__setattr__(self, "time", finite_number("`time` of a hint", self.time))
            if self.time < 0:
                raise ColorizeError(
                    f"the hint at {self.place} has the `time` {self.time:g}: expected 0 seconds or more"
                )


@dataclass(frozen=True)
class HintSet:
    """The hints of a photo or a film, as a file has them.

    Args:
        hints: in pixels of a photo of `width` and `height`.
        width, height: of the upright photo on which the places were chosen. On a photo of another size they are scaled.
            1 and 1 make them shares of the photo: x and y from 0 to 1, a radius in shorter sides. By default the places
            are pixels of whatever photo they are given for.
        vividness: for photos where nobody asks for another, or None.

    Raises:
        ColorizeError: `hints` holds something else, one of width and height is missing or below 1, or the vividness is
            out of range.
    """

    hints: Sequence[Hint] = ()
    width: int | None = None
    height: int | None = None
    vividness: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.hints, (Hint, str)) or not isinstance(self.hints, Iterable):
            raise ColorizeError(f"`hints` are {self.hints!r}: expected a list of `Hint`")
        object.__setattr__(self, "hints", tuple(self.hints))
        for hint in self.hints:
            if not isinstance(hint, Hint):
                raise ColorizeError(f"one of the `hints` is {hint!r}: expected a `Hint`")
        if (self.width is None) != (self.height is None):
            raise ColorizeError("`width` and `height` of hints belong together: give both or neither")
        for name in ("width", "height"):
            side = getattr(self, name)
            if side is None:
                continue
            if not _is_whole(side, least=1):
                raise ColorizeError(f"`{name}` of hints is {side!r}: expected a whole number of pixels")
            object.__setattr__(self, name, int(side))
        if self.vividness is not None:
            object.__setattr__(self, "vividness", finite_number("`vividness`", self.vividness))
            check_vividness(self.vividness)

    def on_photo(self, height: int, width: int) -> tuple[Hint, ...]:
        """Return the hints in pixels of a photo of this size.

        Raises:
            ColorizeError: one lies outside the photo or belongs to a film, or the photo has other proportions.
        """
        for number, hint in enumerate(self.hints, start=1):
            if isinstance(hint, TimedHint):
                moment = "frame" if hint.time is None else "time"
                raise ColorizeError(f"hint {number} at {hint.place} has a '{moment}', which only hints for films have")
        return self.scaled(height, width)

    def scaled(self, height: int, width: int) -> tuple[Hint, ...]:
        """Return the hints, those of a film too, in pixels of a photo or film of this size.

        Raises:
            ColorizeError: one lies outside it, or it has other proportions.
        """
        hints = tuple(self.hints)
        if self.width is not None and self.height is not None and (self.width, self.height) != (width, height):
            hints = self._enlarged(hints, self.width, self.height, width, height)
        check_hints(hints, height, width)
        return hints

    @staticmethod
    def _enlarged(
        hints: tuple[Hint, ...], from_width: int, from_height: int, width: int, height: int
    ) -> tuple[Hint, ...]:
        are_shares = (from_width, from_height) == (1, 1)
        if not are_shares and abs(math.log(width * from_height / (height * from_width))) > _PROPORTION:
            raise ColorizeError(
                f"the hints are for a photo of {from_width}×{from_height} pixels, and this one has {width}×{height}:"
                " expected the same proportions"
            )
        # Places are middles of pixels, where the photo's edge lies half a pixel further out; shares begin at the edge.
        half = 0.0 if are_shares else 0.5
        scale = min(height, width) / min(from_height, from_width)
        return tuple(
            replace(
                hint,
                x=(hint.x + half) * width / from_width - 0.5,
                y=(hint.y + half) * height / from_height - 0.5,
                radius=None if hint.radius is None else hint.radius * scale,
            )
            for hint in hints
        )


Hints = Sequence[Hint] | HintSet
"""The hints of one photo."""


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def hints_on(hints: Hints, height: int, width: int) -> tuple[Hint, ...]:
    """Return the hints of a photo of this size in its pixels.

    Raises:
        ColorizeError: as `HintSet.on_photo`.
    """
    return (hints if isinstance(hints, HintSet) else HintSet(hints)).on_photo(height, width)


def hints_of_each(hints: Hints | Sequence[Hints], photos: int) -> list[Hints]:
    """Return the hints of each of several photos: one list serves all, and a list of lists has one for each.

    Raises:
        ColorizeError: there are lists for another number of photos.
    """
    if isinstance(hints, HintSet) or not isinstance(hints, Sequence):
        return [hints] * photos  # `HintSet` refuses what is no list
    lists: list[Hints] = [each for each in hints if not isinstance(each, Hint)]
    if not hints or len(lists) < len(hints):
        return [HintSet(hints)] * photos  # type: ignore[arg-type]  # it refuses a mixture
    if len(lists) != photos:
        raise ColorizeError(f"hints came for {len(lists)} photos: expected a list for each of {photos}, or one for all")
    return lists


def read_hints(file: str | os.PathLike[str]) -> HintSet:
    """Read a file of hints.

    Raises:
        ColorizeError: no such file, no JSON, unknown keys, or a hint that is none; one line that names the file.
    """
    try:
        table = json.loads(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ColorizeError(f"no file '{file}' (expected hints in JSON)") from None
    except OSError as error:
        raise ColorizeError(f"'{file}' cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ColorizeError(f"'{file}' is no JSON ({error or 'too deep'})") from None
    try:
        return _hint_set(table)
    except ColorizeError as error:
        raise ColorizeError(f"'{file}': {error}") from None


def write_hints(file: str | os.PathLike[str], hints: Hints) -> None:
    """Write hints as `read_hints` reads them, one on a line; an existing file is replaced, whole or not at all.

    Raises:
        ColorizeError: the folder is missing or may not be written.
    """
    hint_set = hints if isinstance(hints, HintSet) else HintSet(hints)
    head: dict[str, object] = {"version": _VERSION}
    head |= {key: value for key in _KEYS[1:-1] if (value := getattr(hint_set, key)) is not None}
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    rows = ",\n".join(f"    {json.dumps(_fields_of(hint))}" for hint in hint_set.hints)
    lines.append(f'  "hints": [\n{rows}\n  ]' if rows else '  "hints": []')
    with replacing(Path(file), overwrite=True) as stream:
        stream.write(("{\n" + ",\n".join(lines) + "\n}\n").encode())


def _fields_of(hint: Hint) -> dict[str, object]:
    """Return the fields of a hint that are given; a whole number is written without a point."""
    fields = {key: getattr(hint, key, None) for key in _HINT_KEYS}
    return {
        key: int(value) if isinstance(value, float) and value.is_integer() else value
        for key, value in fields.items()
        if value is not None
    }


def _hint_set(table: object) -> HintSet:
    """Make a set of hints of what a file holds."""
    if not isinstance(table, dict):
        raise ColorizeError(f'it holds {_kind(table)}: expected an object with "hints"')
    _refuse_unknown(table, _KEYS, "it has ")
    if table.get("version", _VERSION) != _VERSION:
        raise ColorizeError(f'its "version" is {table["version"]!r}: expected {_VERSION}')
    rows = table.get("hints")
    if not isinstance(rows, list):
        raise ColorizeError(f'its "hints" are {_kind(rows)}: expected a list')
    hints = [_hint(row, f"hint {number}") for number, row in enumerate(rows, start=1)]
    return HintSet(hints, *(table.get(key) for key in ("width", "height", "vividness")))


def _hint(row: object, name: str) -> Hint:
    if not isinstance(row, dict):
        raise ColorizeError(f'{name} is {_kind(row)}: expected an object with "x", "y" and "color"')
    _refuse_unknown(row, _HINT_KEYS, f"{name} has ")
    for key in ("x", "y", "color"):
        if key not in row:
            raise ColorizeError(f'{name} has no "{key}"')
    try:
        return (TimedHint if {"frame", "time"} & row.keys() else Hint)(**row)
    except ColorizeError as error:
        raise ColorizeError(f"{name}: {error}") from None


def _refuse_unknown(table: Mapping[str, object], known: Sequence[str], has: str) -> None:
    unknown = [key for key in table if key not in known]
    if unknown:
        raise ColorizeError(
            f"{has}the unknown key '{unknown[0]}'{did_you_mean(unknown[0], known)} (known: {', '.join(known)})"
        )


def _kind(value: object) -> str:
    """Name the kind of a JSON value."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "missing or null"}
    return names.get(type(value), "a number")
