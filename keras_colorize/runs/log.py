"""The log of a run, `log.csv`: one row per logging interval, continued without gaps or doubles."""

import csv
from pathlib import Path

from keras_colorize.files import written_whole

Row = dict[str, float]
LEADING = ("step", "epoch", "seconds", "images_per_second")


class RunLog:
    """Appends rows of numbers to a CSV file; a column that a row lacks is left empty.

    Args:
        file: the CSV file, continued if it exists.
        columns: losses and validation figures, in order.
        keep_until_step: the last step whose row is kept; later rows will be written again.
    """

    def __init__(self, file: Path, columns: list[str], keep_until_step: int = 0) -> None:
        self._file = file
        self._columns = [*LEADING, *columns]
        rows = [row for row in read_log(file) if row["step"] <= keep_until_step] if file.exists() else []
        with written_whole(file) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, self._columns)
            writer.writeheader()
            writer.writerows({key: _short(value) for key, value in row.items()} for row in rows)

    def append(self, row: Row) -> None:
        """Write one row at once."""
        with self._file.open("a", newline="", encoding="utf-8") as stream:
            csv.DictWriter(stream, self._columns).writerow({key: _short(value) for key, value in row.items()})


def read_log(file: Path) -> list[Row]:
    """Read the rows of a log, each with the columns that have a value; a last line that was cut short is no row."""
    with file.open(newline="", encoding="utf-8") as stream:
        lines = [line for line in stream if line.endswith("\n")]
    return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(lines)]


def _short(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:.6g}"
