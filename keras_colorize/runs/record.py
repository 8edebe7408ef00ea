"""What a run writes as it goes: the log's rows, TensorBoard's events, previews, curves."""

import numpy as np
import tensorflow as tf

from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.log import Row, RunLog, read_log
from keras_colorize.runs.pictures import draw_curves, photo_grid


class RunRecord:
    """Writes into one run folder.

    Args:
        folder: the run's.
        means: names of the trainer's running means, in order.
        step: where training begins or goes on; later rows of an earlier log are dropped.
    """

    def __init__(self, folder: RunFolder, means: list[str], step: int) -> None:
        self._folder = folder
        self._log = RunLog(folder.log_file, [*means, *(f"val_{name}" for name in means)], keep_until_step=step)
        self._events = tf.summary.create_file_writer(str(folder.events))

    def write(self, row: Row) -> None:
        """A row of figures, to the log and to TensorBoard."""
        self._log.append(row)
        with self._events.as_default(step=int(row["step"])):
            for name, value in row.items():
                tf.summary.scalar(name, value)
        self._events.flush()

    def preview(self, columns: dict[str, np.ndarray], epoch: int, step: int) -> None:
        """Columns of photos (heading → rgb_u8 (N, S, S, 3)), as a PNG and in TensorBoard."""
        sheet = photo_grid(columns)
        sheet.save(self._folder.previews / f"epoch-{epoch:04d}.png")
        with self._events.as_default(step=step):
            tf.summary.image("grey | colour | truth", np.asarray(sheet)[None])

    def draw(self, title: str) -> None:
        """The curves so far."""
        draw_curves(read_log(self._folder.log_file), self._folder.curves_file, title)
