"""What a run says on the terminal: a header, a progress bar, what to do next."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

WIDTH_OF_A_FILE = 120  # where the output goes to a file or a pipe, which has no width of its own


def make_console() -> Console:
    """The terminal, or standard output at a fixed width."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH_OF_A_FILE)


def print_header(console: Console, title: str, lines: list[tuple[str, str]]) -> None:
    """A title and aligned `name  value` lines."""
    table = Table.grid(padding=(0, 2))
    for name, value in lines:
        table.add_row(f"[dim]{name}[/]", escape(value))
    console.print(f"[bold]{title}[/]", highlight=False)
    console.print(table, highlight=False)


class TrainingProgress:
    """A bar per epoch with losses and images per second, which are read about once a second."""

    def __init__(self, progress: Progress, steps: int) -> None:
        self._progress = progress
        self._steps = steps
        self._task = progress.add_task("", total=steps, figures="")
        self._shown = time.monotonic()

    def begin(self, title: str, done: int = 0) -> None:
        """Start over for an epoch, `done` steps into it."""
        self._progress.reset(self._task, total=self._steps, completed=done, description=title)

    def advance(self, losses: Mapping[str, Any], images_per_second: float) -> None:
        """One step done."""
        self._progress.advance(self._task)
        now = time.monotonic()
        if now - self._shown < 1 or self._progress.disable:
            return  # reading a loss waits for the device
        self._shown = now
        figures = "  ".join(f"{name} {float(value):.3g}" for name, value in losses.items())
        self._progress.update(self._task, figures=f"{figures}  {images_per_second:.0f} images/s")


@contextmanager
def training_progress(console: Console, steps: int) -> Iterator[TrainingProgress]:
    """The bar while training runs; a terminal that cannot redraw gets only the epochs' own lines."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield TrainingProgress(progress, steps)


@contextmanager
def counting_progress(console: Console, description: str) -> Iterator:
    """A bar for work whose progress comes as `(done, total)` calls."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
