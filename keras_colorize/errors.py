"""The one exception that reports a user's mistake, and the helper that names the nearest right word.

Library code knows Python only. It writes the name of an argument in backticks (`` `image_size` is 0: expected at least
1``) and never names a flag, a command or a script. The command line (`cli.messages`) puts its own flag where the name
of an argument stands in backticks, and adds the command that `action` asks for.
"""

import difflib
from collections.abc import Iterable


class ColorizeError(ValueError):
    """A mistake that the user can correct.

    The command line prints the message without a traceback and exits with code 2. Any other exception is a defect
    of this package.

    Args:
        message: one line: what came, what was expected, what to do. Names of arguments stand in backticks.
        action: what the user can do next where that is a command of its own: a key of `cli.messages.ACTIONS`, such
            as "train". The message alone must make sense to somebody who calls the function from Python.
        details: the values that the text of this action takes, such as `model="unet_skip"`.
    """

    def __init__(self, message: str, action: str = "", **details: object) -> None:
        super().__init__(message)
        self.action = action
        self.details = details


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `"; did you mean 'unet_skip'?"`, or an empty string where no known word is near."""
    near = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else ""
