"""The terminal: aligned headers, progress bars, and the reporter that training commands use."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from keras_colorize.progress import Advance
from keras_colorize.tensor import Tensor

WIDTH_OF_A_FILE = 120  # characters in a line where the output goes to a file or a pipe


def make_console() -> Console:
    """Return a console on standard output; where that is no terminal, its lines are 120 characters wide."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH_OF_A_FILE)


def print_header(console: Console, title: str, lines: Sequence[tuple[str, str]]) -> None:
    """Print a title and aligned lines of a name and a value."""
    table = Table.grid(padding=(0, 2))
    for name, value in lines:
        table.add_row(f"[dim]{name}[/]", escape(value))
    console.print(f"[bold]{title}[/]", highlight=False)
    console.print(table, highlight=False)


@contextmanager
def counting_progress(console: Console, description: str) -> Iterator[Advance]:
    """Show a bar for work that reports its progress as calls with (done, total)."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


class EpochBar:
    """A bar for the steps of one epoch, with losses and images per second, which it reads about once a second.

    Args:
        progress: the display, which shows bars on a terminal only.
        steps: steps of an epoch.
    """

    def __init__(self, progress: Progress, steps: int) -> None:
        self._progress = progress
        self._steps = steps
        self._task = progress.add_task("", total=steps, figures="")
        self._shown = time.monotonic()

    def begin(self, title: str, done: int) -> None:
        """Start an epoch of which `done` steps have been taken already."""
        self._progress.reset(self._task, total=self._steps, completed=done, description=title)

    def advance(self, losses: Mapping[str, Tensor], images_per_second: float) -> None:
        """Count one step."""
        self._progress.advance(self._task)
        now = time.monotonic()
        if now - self._shown < 1 or self._progress.disable:
            return  # reading a loss waits for the device
        self._shown = now
        figures = "  ".join(f"{name} {float(value):.3g}" for name, value in losses.items())
        self._progress.update(self._task, figures=f"{figures}  {images_per_second:.0f} images/s")


class ConsoleReporter:
    """Reports a training on a console; it fits `training.reporter.Reporter`.

    Args:
        console: of rich. On a terminal that cannot redraw only the header and the epochs' lines appear.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def header(self, lines: Sequence[tuple[str, str]]) -> None:
        """Print the header."""
        print_header(self._console, "Keras Colorize", lines)

    def line(self, text: str) -> None:
        """Print one line as it is."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def counting(self, description: str) -> AbstractContextManager[Advance]:
        """Show a bar for one piece of work."""
        return counting_progress(self._console, description)

    @contextmanager
    def training(self, steps_per_epoch: int) -> Iterator[EpochBar]:
        """Show a bar while training runs."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[figures]}"),
        )
        console = self._console
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            yield EpochBar(progress, steps_per_epoch)
