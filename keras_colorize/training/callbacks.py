"""Callbacks that `fit` takes and that the training loop uses: averaged weights, FID, early stopping, previews.

The callback of checkpoints is in `training.saver`. At the end of an epoch, each callback sees what those before it in
the list have done. So the order is: averaged weights, FID, early stopping, previews, checkpoint.
"""

import math
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from keras_colorize.errors import ColorizeError
from keras_colorize.metrics import FeatureNetwork, ImageSet, feature_network, fid_between
from keras_colorize.models.weights import load_weights, save_weights
from keras_colorize.runs.pictures import colorized, colorized_columns, photo_grid
from keras_colorize.tensor import Logs, Tensor
from keras_colorize.training.checkpoints import Position
from keras_colorize.training.devices import Parallel

if TYPE_CHECKING:
    from keras_colorize.training.supervised import SupervisedTrainer

HIGHER_IS_BETTER = {"val_psnr", "val_pixel_accuracy_5"}


class WeightAveraging(keras.callbacks.Callback):
    """Averages the generator's weights over the steps of training, and uses the averages wherever they are looked at.

    The average follows the weights in every step, inside the compiled step itself. Validation and the callbacks that
    come later in the list see the averages; training goes on from the weights of its last step. After `fit` the
    generator has the averages, so that `evaluate`, `predict` and `save` use them. A further `fit` starts from them.

    Put it first in the list of callbacks.

    Args:
        keep: share that the average keeps at each step, more than 0 and less than 1; smaller in the first steps.

    Raises:
        ColorizeError: `keep` is out of range.
    """

    def __init__(self, keep: float = 0.999) -> None:
        super().__init__()
        if not 0 < keep < 1:
            raise ColorizeError(f"`keep` is {keep:g}: expected more than 0 and less than 1")
        self.keep = keep
        self._used_before = False

    def set_model(self, model: "SupervisedTrainer") -> None:
        """Let a `SupervisedTrainer` or `GANTrainer` average from now on, unless it does so already."""
        super().set_model(model)
        model.follow_average(self.keep)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Train on from the weights of the last step."""
        self.model.averages.use(False)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Measure the averages."""
        self._used_before = self.model.averages.in_use
        self.model.averages.use(True)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Put back what was in use before."""
        self.model.averages.use(self._used_before)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Predict with the averages."""
        self.on_test_begin(logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Put back what was in use before."""
        self.on_test_end(logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Show the averages to the callbacks that follow."""
        self.model.averages.use(True)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Leave the averages in the generator."""
        self.model.averages.use(True)
        self.model.drop_average()


class FIDMonitor(keras.callbacks.Callback):
    """Measures FID between photos and their colorizations, and adds it to the logs of an epoch as `val_fid`.

    Callbacks that come later in the list, and the history of `fit`, see it. FID falls with the number of photos, so
    compare figures of the same photos only.

    Args:
        photos: batches uint8 (B, S, S, 3) that can be read again and again, such as the data set for validation.
        network: extracts features: a name or a file that `feature_network` takes, or such a network.
        every: epochs between two measurements.
        start_from_epoch: epochs at the beginning that are passed over.
        parallel: the devices of a run on several workers, of which the chief measures; None where there is one process.

    Raises:
        ColorizeError: the feature network is not available, or there are fewer than two photos.
    """

    def __init__(
        self,
        photos: Iterable[Tensor],
        network: FeatureNetwork | str = "inception-2015-12-05",
        *,
        every: int = 1,
        start_from_epoch: int = 0,
        parallel: Parallel | None = None,
    ) -> None:
        super().__init__()
        self._photos = photos
        self._every = every
        self._start = start_from_epoch
        self._parallel = parallel
        self._truth: ImageSet | None = None
        if parallel is None or parallel.is_chief:
            self._network = feature_network(network) if isinstance(network, str) else network
            self._truth = self._features(np.asarray(batch) for batch in photos)
            if len(self._truth) < 2:
                raise ColorizeError(
                    f"FID compares sets of photos, and there is {len(self._truth)} for validation: expected at least 2;"
                    " set more photos aside for validation, or watch ab_mae"
                )

    @property
    def label(self) -> str:
        """The feature network and the number of photos, on which FID depends; empty where another worker measures."""
        if self._truth is None:
            return ""
        return f"fid ({self._network.label}) of {len(self._truth):,} validation photos"

    def on_epoch_end(self, epoch: int, logs: dict[str, Tensor] | None = None) -> None:
        """Add `val_fid` to the logs where a measurement is due; a collective."""
        if logs is None or not _due(epoch, self._every, self._start):
            return
        value = self._measure(self._truth) if self._truth is not None else 0.0
        logs["val_fid"] = value if self._parallel is None else self._parallel.chiefs(value)

    def _measure(self, truth: ImageSet) -> float:
        generator, space = self.model.generator, self.model.space
        painted = self._features(colorized(generator, space, batch) for batch in self._photos)
        with warnings.catch_warnings(action="ignore"):  # about few photos: every measurement has the same ones
            return fid_between(truth, painted).value

    def _features(self, batches: Iterable[np.ndarray]) -> ImageSet:
        """Return the statistics of the features of rgb_u8 batches (B, S, S, 3)."""
        images = ImageSet(self._network, keep_features=False)
        for batch in batches:
            images.update(batch)
        return images


class EarlyStopper(keras.callbacks.Callback):
    """Ends training when a figure improves no more, and gives the generator its best weights back.

    [choice] Unlike `keras.callbacks.EarlyStopping` it keeps the best weights in a file, and a `ResumableCheckpoint`
    saves its memory: a run that is resumed stops where the uninterrupted one would.

    The memory lasts as long as the object. Make a new one for a new training.

    Args:
        monitor: a figure in the logs of an epoch: `val_fid`, `val_ab_mae`, `val_psnr`, `val_pixel_accuracy_5`, …
        best_weights: the `.weights.h5` file that gets the generator's best weights.
        patience: measurements without an improvement after which training ends.
        every: epochs between two measurements.
        start_from_epoch: epochs at the beginning that are passed over.
    """

    def __init__(
        self, monitor: str, best_weights: str | Path, *, patience: int = 3, every: int = 1, start_from_epoch: int = 0
    ) -> None:
        super().__init__()
        self.monitor = monitor
        self.best_weights = Path(best_weights)
        self.position = Position()
        """Holds the best figure, and the number of measurements since then."""
        self._patience = patience
        self._every = every
        self._start = start_from_epoch
        self._sign = -1.0 if monitor in HIGHER_IS_BETTER else 1.0

    @property
    def is_over(self) -> bool:
        """Tell whether the figure has not improved for so many measurements that training ends."""
        return self.position.waited >= self._patience

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at the figure where a measurement is due.

        Raises:
            ColorizeError: the logs do not have it.
        """
        if not _due(epoch, self._every, self._start):
            return
        figures = logs or {}
        if self.monitor not in figures:
            raise ColorizeError(
                f"`monitor` is '{self.monitor}', which epoch {epoch + 1} did not measure (it has {', '.join(figures)}):"
                " give `validation_data`, and for val_fid an FIDMonitor before this callback"
            )
        if self.look(figures[self.monitor]):
            self.model.stop_training = True

    def look(self, value: float) -> bool:
        """Compare a new value with the best so far; return whether to stop."""
        position = self.position
        if math.isnan(position.best) or self._sign * value < self._sign * position.best:
            self.best_weights.parent.mkdir(parents=True, exist_ok=True)
            save_weights(self.model.generator, self.best_weights)
            position.best, position.waited = value, 0
        else:
            position.waited += 1
        return self.is_over

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Give the generator its best weights, where there was a measurement."""
        if not math.isnan(self.position.best):
            load_weights(self.model.generator, self.best_weights)


class PhotoPreviews(keras.callbacks.Callback):
    """Writes the same photos after every epoch, grey, in the trainer's colours and true: `epoch-0001.png`, …

    Args:
        photos: rgb_u8 (N, S, S, 3), such as `photo_set.pick(8)` of photos for validation.
        folder: of the pictures; it is made if need be.
        every: epochs between two pictures; the last epoch has one too.
        events: a writer of `tf.summary` that gets the same pictures, for TensorBoard.
    """

    def __init__(
        self,
        photos: np.ndarray,
        folder: str | Path,
        *,
        every: int = 1,
        events: tf.summary.SummaryWriter | None = None,
    ) -> None:
        super().__init__()
        self._photos = photos
        self._folder = Path(folder)
        self._every = every
        self._events = events

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the picture where one is due."""
        last = self.model.stop_training or epoch + 1 == self.params["epochs"]
        if not last and (epoch + 1) % self._every:
            return
        sheet = photo_grid(colorized_columns(self.model.generator, self.model.space, self._photos, "colour"))
        self._folder.mkdir(parents=True, exist_ok=True)
        sheet.save(self._folder / f"epoch-{epoch + 1:04d}.png")
        if self._events is not None:
            with self._events.as_default(step=(epoch + 1) * (self.params["steps"] or 1)):
                tf.summary.image("grey | colour | truth", np.asarray(sheet)[None])


def _due(epoch: int, every: int, start_from_epoch: int) -> bool:
    """Return whether something is due at the end of an epoch, counted from 0."""
    trained = epoch + 1 - start_from_epoch
    return trained > 0 and trained % every == 0
