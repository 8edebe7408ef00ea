"""What a run writes as it goes: the log's rows, TensorBoard's events, previews, curves, remarks."""

import numpy as np
import tensorflow as tf
from rich.console import Console

from keras_colorize.files import written_whole
from keras_colorize.runs.events import drop_events_after
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.log import Row, RunLog, read_log
from keras_colorize.runs.pictures import draw_curves, photo_grid


class NoRecord:
    """The record of a worker that is not the chief: nothing is written."""

    def write(self, row: Row) -> None:
        """Nothing."""

    def remark(self, text: str) -> None:
        """Nothing."""

    def preview(self, columns: dict[str, np.ndarray], epoch: int, step: int) -> None:
        """Nothing."""

    def draw(self, title: str) -> None:
        """Nothing."""


class RunRecord(NoRecord):
    """Writes into one run folder.

    Args:
        folder: the run's.
        columns: of the log, after the leading ones.
        keep_until_step: where training goes on; later rows and events are dropped, as they will be written again.
        console: for remarks.
    """

    def __init__(self, folder: RunFolder, columns: list[str], keep_until_step: int, console: Console) -> None:
        self._folder = folder
        self._console = console
        self._log = RunLog(folder.log_file, columns, keep_until_step)
        drop_events_after(folder.events, keep_until_step)
        self._events = tf.summary.create_file_writer(str(folder.events))

    def write(self, row: Row) -> None:
        """A row of figures, to the log and to TensorBoard."""
        self._log.append(row)
        with self._events.as_default(step=int(row["step"])):
            for name, value in row.items():
                tf.summary.scalar(name, value)
        self._events.flush()

    def remark(self, text: str) -> None:
        """A line on the terminal and in the run's notes."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
        with self._folder.notes_file.open("a", encoding="utf-8") as notes:
            notes.write(f"{text}\n")

    def preview(self, columns: dict[str, np.ndarray], epoch: int, step: int) -> None:
        """Columns of photos (heading → rgb_u8 (N, S, S, 3)), as a PNG and in TensorBoard."""
        sheet = photo_grid(columns)
        sheet.save(self._folder.previews / f"epoch-{epoch:04d}.png")
        with self._events.as_default(step=step):
            tf.summary.image("grey | colour | truth", np.asarray(sheet)[None])

    def draw(self, title: str) -> None:
        """The curves so far."""
        with written_whole(self._folder.curves_file) as temporary:
            draw_curves(read_log(self._folder.log_file), temporary, title)
