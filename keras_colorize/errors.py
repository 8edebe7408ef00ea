"""The one exception that reports a user's mistake, and the helper that names the nearest right word."""

import difflib
from collections.abc import Iterable


class ColorizeError(ValueError):
    """Something that the user can put right.

    The message is one line: what came, what was expected, what to do. The command line prints it
    without a traceback and exits with code 2; any other exception is a defect of ours.
    """


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`"; did you mean 'unet_skip'?"`, or an empty string where nothing is near."""
    near = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else ""
