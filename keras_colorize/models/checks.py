"""Checks of the arguments that builders of networks share."""

from collections.abc import Iterable, Sequence

from keras_colorize.errors import ColorizeError, did_you_mean


def check_choice(what: str, word: str, known: Iterable[str]) -> None:
    """Refuse a word that is not one of `known`.

    Raises:
        ColorizeError: `word` is not in `known`; the message names `what`, the nearest word and all of them.
    """
    known = list(known)
    if word not in known:
        raise ColorizeError(f"unknown {what} '{word}'{did_you_mean(word, known)} (known: {', '.join(known)})")


def check_image_size(model: str, image_size: int | None, multiple: int, smallest: int | None = None) -> None:
    """Refuse a side, in pixels, that is not a multiple of `multiple` or is below `smallest` (by default `multiple`).

    None stands for free sizes and passes.

    Raises:
        ColorizeError: the size does not fit; the message names the nearest two that do.
    """
    if image_size is None:
        return
    smallest = smallest or multiple
    if image_size % multiple or image_size < smallest:
        below = max(int(image_size // multiple) * multiple, smallest)
        raise ColorizeError(
            f"'{model}' cannot take image_size {image_size}: it needs a multiple of {multiple}, at least {smallest}; "
            f"the nearest are {below} and {below + multiple}"
        )


def check_filters(model: str, filters: Sequence[int], least: int) -> None:
    """Refuse a list of filters that is too short or has a value below 1.

    Raises:
        ColorizeError: fewer than `least` values, or one that is not a positive whole number.
    """
    if len(filters) < least or any(not isinstance(width, int) or width < 1 for width in filters):
        raise ColorizeError(
            f"'{model}' cannot take filters {list(filters)}: it needs at least {least} whole numbers of 1 or more"
        )


def check_dropout(model: str, rate: float) -> None:
    """Refuse a dropout rate outside [0, 1).

    Raises:
        ColorizeError: the rate is outside.
    """
    if not 0 <= rate < 1:
        raise ColorizeError(f"'{model}' cannot take dropout {rate:g}: it needs a rate of 0 or more, below 1")
