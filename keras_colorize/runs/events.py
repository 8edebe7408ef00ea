"""TensorBoard's event files of a run, continued without doubles."""

from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from keras_colorize.files import written_whole


def drop_events_after(folder: Path, step: int) -> None:
    """Rewrite the event files of a folder without the events of later steps, which will be written again.

    A record that a kill has cut short is dropped too.
    """
    for file in sorted(folder.glob("events.out.tfevents.*")):
        records = list(_records(file))
        kept = [record for record in records if tf.compat.v1.Event.FromString(record).step <= step]
        if len(kept) == len(records) and sum(map(_size, records)) == file.stat().st_size:
            continue
        with (
            written_whole(file, folder / "tmp-events") as temporary,  # not a name that TensorBoard would read
            tf.io.TFRecordWriter(str(temporary)) as writer,
        ):
            for record in kept:
                writer.write(record)


def _records(file: Path) -> Iterator[bytes]:
    try:
        yield from tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    except tf.errors.DataLossError:
        return


def _size(record: bytes) -> int:
    """Return the bytes of a record on disk: length, its checksum, data, their checksum."""
    return 8 + 4 + len(record) + 4
