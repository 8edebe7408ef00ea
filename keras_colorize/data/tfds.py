"""TensorFlow Datasets as a source of photos."""

import logging
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies

from keras_colorize.data.splits import SPLITS, Photo, Source, Split, carve, counted
from keras_colorize.errors import ColorizeError, did_you_mean

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

CONNECT_SECONDS = 8.0  # to see whether a data set's server can be reached
RETRIES = 3  # of a download; they take three seconds


class TfdsSource(Source):
    """A TFDS data set with an "image" feature, which is downloaded and prepared at first use.

    Its own train, validation and test splits are used; a missing one is taken out of train. Records can be read in one
    pass only. They come encoded, so that the same reader decodes them as every other photo.

    Args:
        spec: `NAME[/CONFIG][:VERSION]`.
        validation_fraction: share of the training photos for validation, where the data set has no such split.
        test_fraction: the same for the test.

    Raises:
        ColorizeError: TensorFlow Datasets is missing, there is no such data set, it holds no photos, or it cannot be
            downloaded.
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
            if not (Path(self._builder.data_path) / "dataset_info.json").is_file():
                _check_server(spec, self._builder)
            with _few_retries():
                self._builder.download_and_prepare()
        except ColorizeError:
            raise
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
        """Pass once over the records and yield those asked for; see `Source.open`."""
        decode = self._tfds.decode
        wanted = {photo.name: photo for photo in photos}
        if not wanted:
            return
        records = self._builder.as_dataset(
            split=self._holds[split],
            shuffle_files=False,
            decoders=decode.PartialDecoding({"image": True}, decoders={"image": decode.SkipDecoding()}),
            read_config=self._tfds.ReadConfig(add_tfds_id=True, interleave_cycle_length=1, try_autocache=False),
        )
        for record in records.as_numpy_iterator():
            photo = wanted.pop(record["tfds_id"].decode(), None)
            if photo is not None:
                yield photo, BytesIO(record["image"])
            if not wanted:
                return


def _check_server(spec: str, builder: "tfds.core.DatasetBuilder") -> None:
    """Check that the first server of a data set can be reached: TFDS itself would try for minutes.

    Raises:
        ColorizeError: it cannot be reached, and TFDS has downloaded nothing before.
    """
    urls: Mapping[str, object] = getattr(builder, "url_infos", {})
    host = next((host for host in (urlsplit(url).hostname for url in urls) if host), None)
    place = Path(builder.data_path)  # ROOT/NAME/…/VERSION
    root = next((folder.parent for folder in place.parents if folder.name == builder.name), place)
    if host is None or getproxies() or any((root / "downloads").glob("**/*.INFO")):  # of finished downloads
        return
    try:
        socket.create_connection((host, 443), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise ColorizeError(
            f"data 'tfds:{spec}' must be downloaded once, and {host} cannot be reached"
            f" ({error.strerror or error}): connect to the network, or choose other data"
        ) from error


@contextmanager
def _few_retries() -> Iterator[None]:
    """Let TFDS try a download a few times only, and without a warning each time."""
    from tensorflow_datasets.core.download import downloader

    logger = logging.getLogger("urllib3.connectionpool")
    retries, level = downloader.MAX_RETRIES, logger.level
    downloader.MAX_RETRIES = RETRIES
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        downloader.MAX_RETRIES = retries
        logger.setLevel(level)


def _one_line(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):  # what some data sets need, TensorFlow Datasets does not install
        return f"needs the package '{error.name}': pip install {error.name}"
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
