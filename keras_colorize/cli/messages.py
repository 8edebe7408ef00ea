"""Errors of the library in the words of the command line: flags for arguments, commands for actions."""

import argparse
import errno
import re
from collections.abc import Mapping

# What to type for each `ColorizeError.action`. It follows the message after a semicolon.
ACTIONS = {
    "list_models": "keras-colorize zoo lists them",
    "list_recipes": "keras-colorize zoo lists the packaged recipes",
    "train": "train one first: train.py --model {model}",
    "bring_weights": "train it with train.py --model {model} and use that --run, or give a file with --weights",
    "random_backbone": "train.py --random-backbone does so",
    "extend": "train.py --resume {run} --epochs N trains it to N epochs in all",
    "resume": "train.py --resume {run} goes on",
    "resume_all": "train.py --resume {run} on each of them goes on",
    "lower_rate": "start again with train.py --recipe {recipe} --set optimizer.learning_rate=… --precision float32",
    "same_command": "the same command with --resume goes on",
    "pack_tflite": "keras-colorize pack --tflite {model} makes it",
    "make_prior": "keras-colorize prior makes one",
    "export_saved_model": "keras-colorize export --format saved_model writes one",
}

# A library that writes files gives no number with its error; a full disk is the usual cause.
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, None}


def flags_of(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Return the long flag of every option of a command by the name of its argument: `image_size` → `--image-size`."""
    return {
        action.dest: next(flag for flag in action.option_strings if flag.startswith("--"))
        for action in parser._actions  # argparse offers no public list of them
        if action.option_strings
    }


def with_flags(text: str, flags: Mapping[str, str]) -> str:
    """Put a flag where the name of an argument stands in backticks; other names only lose their backticks."""
    return re.sub(r"`([^`]+)`", lambda found: flags.get(found[1], found[1]), text)


def error_line(error: BaseException, flags: Mapping[str, str], actions: Mapping[str, str] = ACTIONS) -> str:
    """Return one line about an error for the terminal, in the words of the command.

    Args:
        error: a `ColorizeError`, or any exception that carries `action` and `details` as it does.
        flags: of the command, from `flags_of`.
        actions: the text for each action; a command may have texts of its own (`ACTIONS` in its module).
    """
    line = with_flags(" ".join(str(error).split()), flags)
    action, details = getattr(error, "action", ""), getattr(error, "details", {})
    if not action:
        return line
    return f"{line}{'' if line.endswith('?') else ';'} {actions[action].format(**details)}"


def disk_error_line(error: OSError, flags: Mapping[str, str]) -> str:
    """Return one line about a file that the system refused to read or write, with what the user can do."""
    reason = error.strerror or str(error) or type(error).__name__
    line = f"{reason}: '{error.filename}'" if error.filename is not None else reason
    if error.errno in _NO_SPACE:
        return f"{line}; free some space" + (
            f", or choose another folder with {flags['out']}" if "out" in flags else ""
        )
    return f"{line}; check the path" + (f", or choose another with {flags['out']}" if "out" in flags else "")
