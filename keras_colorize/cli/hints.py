"""`--hint`, `--hints` and `--ignore-hints`: colours that somebody gives at places of a photo."""

import argparse
import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_colorize.batch.plan import FolderSettings, Plan
    from keras_colorize.inference.hints import Hint

FORMAT = "X,Y,COLOR or X,Y,COLOR,RADIUS"
_EXAMPLE = "such as 640,480,firebrick or 50%,30%,#b22222,2%"


def add_arguments(group: argparse._ArgumentGroup) -> None:
    """Add the options for hints."""
    group.add_argument(
        "--hint",
        action="append",
        default=[],
        metavar="X,Y,COLOR",
        help="for one photo: the colour at a place, for a network that takes hints; several times for several. X and Y"
        " in pixels or as 50%%; COLOR as #b22222, firebrick or neutral; a fourth value is the radius",
    )
    group.add_argument("--hints", metavar="FILE", help="for one photo: a file of hints, such as the studio writes")
    group.add_argument(
        "--ignore-hints",
        action="store_true",
        help="do not read the hints beside photos, which are photo.jpg.hints.json or photo.hints.json for photo.jpg",
    )


def are_given(options: argparse.Namespace) -> bool:
    """Tell whether the command has hints of its own, which take the place of those beside the photo."""
    return bool(options.hint or options.hints)


def with_hints(options: argparse.Namespace, settings: "FolderSettings", plan: "Plan") -> "FolderSettings":
    """Return the settings with the hints of the command, in pixels of the only photo.

    Raises:
        ColorizeError: there are several photos, the photo cannot be read, or a hint is none or lies outside it.
    """
    from keras_colorize.errors import ColorizeError
    from keras_colorize.images import read_pictures
    from keras_colorize.inference.hint_files import HINTS_SUFFIX, HintSet, read_hints

    if not are_given(options):
        return settings
    flag = "--hint" if options.hint else "--hints"
    if len(plan.jobs) > 1:
        raise ColorizeError(
            f"{flag} is for one photo, and there are {len(plan.jobs):,}: put a file NAME{HINTS_SUFFIX} beside each"
        )
    sets = [] if options.hints is None else [read_hints(options.hints)]
    parsed = [_parse(text) for text in options.hint]
    source = plan.jobs[0].source
    # Before the network is loaded: a hint outside the photo is a mistake in the command.
    height, width = next(read_pictures(source, max_pixels=settings.max_pixels, name=str(source))).pixels.shape[:2]
    sets.append(HintSet([_on_photo(*values, height, width) for values in parsed]))
    try:
        hints = [hint for hint_set in sets for hint in hint_set.on_photo(height, width)]
    except ColorizeError as error:
        raise ColorizeError(f"{source}: {error}") from None
    vividness = sets[0].vividness if settings.vividness is None else settings.vividness
    return replace(settings, hints=hints, vividness=vividness)


_Length = tuple[float, bool]  # a number, and whether it is a share of a side


def _parse(text: str) -> tuple[_Length, _Length, str, _Length | None]:
    """Split a value of `--hint`.

    Raises:
        ColorizeError: it is no place and colour.
    """
    from keras_colorize.errors import ColorizeError
    from keras_colorize.inference.hints import Hint

    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (3, 4):
        raise ColorizeError(f"--hint '{text}': expected {FORMAT}, {_EXAMPLE}")
    x, y, color = _length(parts[0], text), _length(parts[1], text), parts[2]
    radius = _length(parts[3], text) if len(parts) == 4 else None
    try:
        Hint(x[0], y[0], color, radius and radius[0])
    except ColorizeError as error:
        raise ColorizeError(f"--hint '{text}': {error}") from None
    return x, y, color, radius


def _length(part: str, text: str) -> _Length:
    from keras_colorize.errors import ColorizeError

    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)%?", part):
        raise ColorizeError(
            f"--hint '{text}': '{part}' is no number of pixels and no share; expected {FORMAT}, {_EXAMPLE}"
        )
    return float(part.removesuffix("%")), part.endswith("%")


def _on_photo(x: _Length, y: _Length, color: str, radius: _Length | None, height: int, width: int) -> "Hint":
    """Make the hint in pixels of the photo; 0 % and 100 % are its edges, half a pixel beyond the outer middles."""
    from keras_colorize.inference.hints import Hint

    def place(value: float, is_share: bool, side: int) -> float:
        return value / 100 * side - 0.5 if is_share else value

    size = None if radius is None else radius[0] * (min(height, width) / 100 if radius[1] else 1)
    return Hint(place(*x, width), place(*y, height), color, size)
