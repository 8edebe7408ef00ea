"""TensorFlow Datasets."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from keras_colorize.data.splits import SPLITS, Photo, Source, Split, carve, counted
from keras_colorize.errors import ColorizeError, did_you_mean


class TfdsSource(Source):
    """A TFDS data set with an "image" feature; downloaded and prepared at first use.

    Its own train, validation and test splits are used; a missing one is taken out of train. Records can be read in one
    pass only, and come encoded, so that the same decoder reads them as every other photo.
    """

    reopens = False

    def __init__(self, spec: str, validation_fraction: float, test_fraction: float) -> None:
        try:
            import tensorflow_datasets as tfds
        except ImportError:
            raise ColorizeError(
                f"data 'tfds:{spec}' needs TensorFlow Datasets: pip install tensorflow-datasets"
            ) from None
        self._tfds = tfds
        try:
            self._builder = tfds.builder(spec)
        except tfds.core.DatasetNotFoundError:
            known = tfds.list_builders(with_community_datasets=False)
            raise ColorizeError(
                f"TensorFlow Datasets has no '{spec}'{did_you_mean(spec.partition('/')[0], known)}"
                " (the catalogue: https://www.tensorflow.org/datasets/catalog)"
            ) from None
        except Exception as error:  # a wrong configuration or version: ValueError, AssertionError, …
            raise ColorizeError(f"data 'tfds:{spec}': {_one_line(error)}") from error
        features = dict(self._builder.info.features.items())
        if not isinstance(features.get("image"), tfds.features.Image):
            raise ColorizeError(
                f"data 'tfds:{spec}' has no feature 'image' that holds photos (its features: {', '.join(features)})"
            )
        try:
            self._builder.download_and_prepare()
        except Exception as error:  # network, disk, data that must be downloaded by hand
            raise ColorizeError(f"data 'tfds:{spec}' could not be prepared: {_one_line(error)}") from error

        own: dict[Split, list[Photo]] = {split: [] for split in SPLITS}
        available = self._builder.info.splits
        has = [split for split in SPLITS if split in available]
        if not has:
            raise ColorizeError(
                f"data 'tfds:{spec}' has none of the splits {', '.join(SPLITS)} (it has: {', '.join(available)})"
            )
        for split in has:
            # The names that TFDS gives its records (`tfds_id`), known without reading any.
            shards = zip(available[split].filenames, available[split].shard_lengths, strict=True)
            own[split] = [Photo(None, f"{shard}__{n}") for shard, length in shards for n in range(length)]
        notes: list[str] = []
        self._holds = {split: split if own[split] else "train" for split in SPLITS}
        splits = carve(own, validation_fraction, test_fraction, notes)
        super().__init__(f"tfds:{self._builder.info.full_name}: {counted(splits)}", splits, notes)

    def open(self, split: Split, photos: Sequence[Photo]) -> Iterator[tuple[Photo, Path | BytesIO]]:
        """One pass over the records, yielding those asked for; see `Source.open`."""
        tfds: Any = self._tfds
        wanted = {photo.name: photo for photo in photos}
        if not wanted:
            return
        records = self._builder.as_dataset(
            split=self._holds[split],
            shuffle_files=False,
            decoders=tfds.decode.PartialDecoding({"image": True}, decoders={"image": tfds.decode.SkipDecoding()}),
            read_config=tfds.ReadConfig(add_tfds_id=True, interleave_cycle_length=1, try_autocache=False),
        )
        for record in records.as_numpy_iterator():
            photo = wanted.pop(record["tfds_id"].decode(), None)
            if photo is not None:
                yield photo, BytesIO(record["image"])
            if not wanted:
                return


def _one_line(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):  # what some data sets need, TensorFlow Datasets does not install
        return f"needs the package '{error.name}': pip install {error.name}"
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
