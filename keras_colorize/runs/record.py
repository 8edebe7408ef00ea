"""The record of a run: rows of the log, TensorBoard's events, curves and remarks."""

from collections.abc import Callable
from typing import Protocol

import tensorflow as tf

from keras_colorize.files import written_whole
from keras_colorize.runs.events import drop_events_after
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.log import Row, RunLog, read_log
from keras_colorize.runs.pictures import draw_curves


class Record(Protocol):
    """Keeps what a training tells about itself."""

    def write(self, row: Row) -> None:
        """Keep a row of figures by name."""
        ...

    def remark(self, text: str) -> None:
        """Keep one line of text."""
        ...

    def draw(self, title: str, grey: Row) -> None:
        """Draw the curves of all rows until now, beside the figures of grey photos."""
        ...


class NoRecord:
    """The record of a worker that is not the chief; it keeps nothing."""

    def write(self, row: Row) -> None:
        """Keep nothing."""

    def remark(self, text: str) -> None:
        """Keep nothing."""

    def draw(self, title: str, grey: Row) -> None:
        """Draw nothing."""


class RunRecord:
    """The record of a run folder.

    Args:
        folder: the run's.
        columns: of the log, after the leading ones.
        keep_until_step: the step from which training goes on. Later rows and events are dropped, as they will be
            written again.
        show: called with each remark, to show it to a person.
    """

    def __init__(
        self, folder: RunFolder, columns: list[str], keep_until_step: int, show: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._show = show
        self._log = RunLog(folder.log_file, columns, keep_until_step)
        drop_events_after(folder.events, keep_until_step)
        self.events = tf.summary.create_file_writer(str(folder.events))
        """The writer of TensorBoard's events, for pictures too."""

    def write(self, row: Row) -> None:
        """Append a row to the log and to TensorBoard's events."""
        self._log.append(row)
        with self.events.as_default(step=int(row["step"])):
            for name, value in row.items():
                tf.summary.scalar(name, value)
        self.events.flush()

    def remark(self, text: str) -> None:
        """Show a line and append it to the run's notes."""
        self._show(text)
        with self._folder.notes_file.open("a", encoding="utf-8") as notes:
            notes.write(f"{text}\n")

    def draw(self, title: str, grey: Row) -> None:
        """Write the curves of the log as a picture."""
        with written_whole(self._folder.curves_file) as temporary:
            draw_curves(read_log(self._folder.log_file), temporary, title, grey)
