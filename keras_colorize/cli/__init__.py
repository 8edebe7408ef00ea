"""The command line: `keras-colorize COMMAND …`, and the scripts `train.py` and `evaluate.py`.

Importing this package loads no TensorFlow. A command imports it when it has checked its arguments.
"""

import argparse
import atexit
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from keras_colorize import __version__
from keras_colorize.cli import (
    colorize,
    convert,
    evaluate,
    export,
    film,
    pack,
    prior,
    quiz,
    shard,
    share,
    studio,
    train,
    zoo,
)
from keras_colorize.cli.messages import ACTIONS, disk_error_line, error_line, flags_of
from keras_colorize.cli.startup import quiet_readers
from keras_colorize.errors import ColorizeError
from keras_colorize.packages import without_tensorflow

COMMANDS = {
    "colorize": colorize,
    "film": film,
    "train": train,
    "evaluate": evaluate,
    "export": export,
    "convert": convert,
    "shard": shard,
    "share": share,
    "pack": pack,
    "prior": prior,
    "quiz": quiz,
    "studio": studio,
    "zoo": zoo,
}

# These leave without finalizing Python: see `ProcessExit`. Training is not among them: on several machines, TensorFlow
# takes leave of the other workers while Python is finalized.
THREADED = (colorize, film)

USER_ERROR, INTERRUPTED = 2, 130


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Print one line, as for every other mistake, instead of the whole usage."""
        self.exit(USER_ERROR, f"{self.prog}: {message} (see {self.prog} --help)\n")


class ProcessExit:
    """The end of a process that has nothing left to do: exit functions run, but Python is not finalized.

    To finalize Python with TensorFlow in it takes half a second, and a photo that is coloured has no use for it. A
    command of `THREADED` that fails can also leave threads, such as a worker of Beam or a step of a film, in the middle
    of C++ code of TensorFlow or FFmpeg. While Python is finalized, it ends such a thread as soon as the thread asks for
    the interpreter. Where the thread has C++ functions that may not throw on its stack, C++ aborts the process, whose
    exit code is lost.

    Exit functions run in the reverse order of their registration. So make this object before the packages are imported
    that clean up at the exit.

    Attributes:
        code: the exit code of the command; None leaves the exit to Python.
    """

    def __init__(self) -> None:
        self.code: int | None = None
        atexit.register(self._leave)

    def _leave(self) -> None:
        if self.code is None:
            return
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # nobody reads it, or it is closed
                stream.flush()
        os._exit(self.code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: the words after `keras-colorize`; by default those of this process. Then the command is all that the
            process does: after one of `THREADED` it ends with the exit code and is not finalized.

    Returns:
        The exit code: 0, 1 where some photos failed, 2 for a mistake of the user, 130 for Ctrl-C.
    """
    process_exit = ProcessExit() if arguments is None else None
    parser = _Parser(prog="keras-colorize", description="Colorization of photographs with Keras 3.")
    parser.add_argument("--version", action="version", version=f"keras-colorize {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        sub = commands.add_parser(name, help=command.SUMMARY, description=command.SUMMARY)
        command.add_arguments(sub)
        sub.set_defaults(command=command, prog=sub.prog, flags=flags_of(sub))
    options = parser.parse_args(arguments)
    code = _run(options)
    if process_exit is not None and options.command in THREADED:
        process_exit.code = code
    return code


def run_script(name: str) -> NoReturn:
    """Run one command as a script of its own, as `train.py` and `evaluate.py` do, and exit with its code."""
    parser = _Parser(prog=f"{name}.py", description=COMMANDS[name].SUMMARY)
    COMMANDS[name].add_arguments(parser)
    parser.set_defaults(command=COMMANDS[name], prog=f"{name}.py", flags=flags_of(parser))
    sys.exit(_run(parser.parse_args()))


def _run(options: argparse.Namespace) -> int:
    quiet_readers()
    try:
        return options.command.run(options) or 0
    except ColorizeError as error:
        actions = ACTIONS | getattr(options.command, "ACTIONS", {})
        return _fail(options, error_line(error, options.flags, actions), USER_ERROR)
    except KeyboardInterrupt as stop:
        line = error_line(stop, options.flags) or "stopped by Ctrl-C at once, without saving"
        return _fail(options, line, INTERRUPTED)
    except BrokenPipeError:  # `keras-colorize zoo | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ImportError as error:
        advice = without_tensorflow(error, "this command")
        if advice is None:
            raise
        return _fail(options, str(advice), USER_ERROR)
    except OSError as error:
        return _fail(options, disk_error_line(error, options.flags), USER_ERROR)


def _fail(options: argparse.Namespace, line: str, code: int) -> int:
    print(f"{options.prog}: {line}", file=sys.stderr)
    return code
