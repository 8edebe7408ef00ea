"""The devices that steps run on: one, all of a machine, or those of several machines."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import keras
import numpy as np
import tensorflow as tf

from keras_colorize.errors import ColorizeError
from keras_colorize.recipes import Recipe
from keras_colorize.runs.folder import RunFolder
from keras_colorize.tensor import Tensor

Result = TypeVar("Result")

_OWN_DRAWS = 1_000_003  # difference between the seeds of two replicas


class Parallel:
    """One process's view of all replicas, by tf.distribute.

    A worker is a process with the devices of its machine. With several workers, every operation that reads a sum over
    replicas is a collective: all workers must call it, in the same order.

    Args:
        strategy: of tf.distribute; the default strategy stands for a single device.
        workers: number of processes.
        worker: number of this process; 0 is the chief, the only one that writes logs and weights.
    """

    def __init__(self, strategy: tf.distribute.Strategy, workers: int = 1, worker: int = 0) -> None:
        self.strategy = strategy
        self.replicas: int = strategy.num_replicas_in_sync
        self.workers = workers
        self.worker = worker
        self._gather_all = tf.function(self._gather_everywhere, autograph=False, reduce_retracing=True)

    @property
    def is_chief(self) -> bool:
        """Tell whether this process writes logs and weights."""
        return self.worker == 0

    def describe(self) -> str:
        """Describe the replicas for the header; empty for a single device."""
        if self.replicas == 1:
            return ""
        return f"{self.replicas} replicas" + (f" on {self.workers} workers" if self.workers > 1 else "")

    def check(self, recipe: Recipe) -> None:
        """Check that a recipe can be trained on these replicas.

        Raises:
            ColorizeError: its batch cannot be divided into equal parts.
        """
        if (batch_size := recipe.data.batch_size) % self.replicas:
            below = max(1, batch_size // self.replicas) * self.replicas
            raise ColorizeError(
                f"data.batch_size is {batch_size}: expected a multiple of the {self.replicas} replicas,"
                f" such as {below} or {below + self.replicas}"
            )

    def run(self, function: Callable[..., Result]) -> Callable[..., Result]:
        """Compile `function` of distributed batches for every replica; calls return this process's first result."""

        def everywhere(*batch: Tensor) -> Tensor:
            return self.strategy.run(function, batch)

        compiled = tf.function(everywhere, autograph=False, reduce_retracing=True)
        return lambda *batch: tf.nest.map_structure(self._first, compiled(*batch))

    def distribute(self, read: Callable[[int, range], tf.data.Dataset]) -> tf.distribute.DistributedDataset:
        """Return a data set whose batches are in parts, one for each replica.

        Args:
            read: called with the number of parts and the range of those that this process needs; returns them.
        """

        def pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
            local = context.num_replicas_in_sync // context.num_input_pipelines
            first = local * context.input_pipeline_id
            return read(context.num_replicas_in_sync, range(first, first + local))

        return self.strategy.distribute_datasets_from_function(pipeline)

    def gather(self, values: Sequence[float]) -> np.ndarray:
        """Return the n values of every replica, float64 (replicas, n); a collective."""
        return np.asarray(self._first(self._gather_all(tf.constant(values, tf.float64))))

    def any_of(self, *flags: bool) -> list[bool]:
        """Return which flags are set on at least one worker; a collective."""
        if self.workers == 1:
            return list(flags)
        return [bool(flag) for flag in self.gather([float(flag) for flag in flags]).max(axis=0)]

    def chiefs(self, value: float) -> float:
        """Return the chief's value on all workers; a collective."""
        return value if self.workers == 1 else float(self.gather([value])[0, 0])

    def chiefs_text(self, text: str) -> str:
        """Return the chief's text, at most 256 bytes of UTF-8, on all workers; a collective."""
        if self.workers == 1:
            return text
        codes = np.zeros(256)
        raw = np.frombuffer(text.encode(), np.uint8)
        codes[: len(raw)] = raw
        return bytes(self.gather(list(codes))[0].astype(np.uint8)).rstrip(b"\0").decode()

    def common_steps(self, steps: Sequence[int], most: int) -> list[int]:
        """Return the steps of which all workers have a checkpoint, newest first; a collective.

        Args:
            steps: of this worker's checkpoints.
            most: the largest number of checkpoints that a worker may have.

        Raises:
            ColorizeError: there are checkpoints, but none that all workers have.
        """
        everyone = self.gather([*steps, *[-1] * (most - len(steps))]).astype(int)
        common = set.intersection(*(set(row) for row in everyone.tolist())) - {-1}
        if not common and everyone.max() >= 0:
            raise ColorizeError(
                "the workers have no checkpoint of the same step: copy the run folder of one that has it to the others,"
                " the worker's own folder in it included, or start a new run"
            )
        return sorted(common, reverse=True)

    @contextmanager
    def lost_workers(self, folder: RunFolder | None = None) -> Iterator[None]:
        """Turn the error of a collective whose other workers are gone into one line; use it around collectives.

        Args:
            folder: the run that can be resumed; None where there is none yet.

        Raises:
            ColorizeError: instead of TensorFlow's error.
        """
        try:
            yield
        except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
            if self.workers == 1:
                raise
            told = next((line for line in (error.message or "").splitlines() if "Collective ops" in line), "no answer")
            gone = f"worker {self.worker} stopped, since another worker of this job is gone ({told.strip()[:200]})"
            if folder is None:
                raise ColorizeError(f"{gone}; no run folder was made: start all workers again") from error
            raise ColorizeError(f"{gone}: start all workers again", action="resume_all", run=folder) from error

    def _gather_everywhere(self, values: Tensor) -> Tensor:
        def one(values: Tensor) -> Tensor:
            return tf.distribute.get_replica_context().all_gather(values[None], axis=0)

        return self.strategy.run(one, (values,))

    def _first(self, value: Tensor) -> Tensor:
        return self.strategy.experimental_local_results(value)[0]


def open_devices(strategy: str) -> Parallel:
    """Open the devices of `runtime.strategy`: "one", "mirrored" (all of this machine) or "multi_worker" (TF_CONFIG).

    Workers must be opened before TensorFlow does anything else.

    Raises:
        ColorizeError: TF_CONFIG is missing or does not describe a job of workers, or it is too late for them.
    """
    if strategy == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return Parallel(tf.distribute.MirroredStrategy([device.name for device in devices]))
    if strategy == "multi_worker":
        workers, worker = _read_tf_config()
        try:
            return Parallel(tf.distribute.MultiWorkerMirroredStrategy(), workers, worker)
        except RuntimeError as error:  # "must be configured at program startup"
            raise ColorizeError(f"runtime.strategy = 'multi_worker': {error}") from error
    return Parallel(tf.distribute.get_strategy())


def _read_tf_config() -> tuple[int, int]:
    """Return the number of workers and the number of this one."""
    example = '{"cluster": {"worker": ["HOST:PORT", "HOST:PORT"]}, "task": {"type": "worker", "index": 0}}'
    try:
        config = json.loads(os.environ["TF_CONFIG"])
        workers, task = list(config["cluster"]["worker"]), config["task"]
        index = int(task["index"])
        if task["type"] != "worker" or set(config["cluster"]) != {"worker"} or not 0 <= index < len(workers):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise ColorizeError(
            "runtime.strategy = 'multi_worker' needs TF_CONFIG in the environment, with workers only, such as"
            f" {example}; it is {os.environ.get('TF_CONFIG', 'not set')}"
        ) from None
    return len(workers), index


def synchronize(networks: Sequence[keras.Model]) -> None:
    """Make networks ready for the several replicas of the strategy in scope; parameters and names stay as they are.

    Batch normalization then takes its training statistics from the global batch, and dropout differs from replica to
    replica.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return
    for network in networks:
        for layer in network._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
                layer.synchronized = True
            if isinstance(seed := getattr(layer, "seed_generator", None), keras.random.SeedGenerator):
                draw_apart(seed)


def draw_apart(seed: keras.random.SeedGenerator) -> keras.random.SeedGenerator:
    """Let draws differ from replica to replica; the generator's state, which is saved, stays the same on all."""
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        seed.next = _own_draws(seed.next)
    return seed


def _own_draws(next_seed: Callable[[bool], Tensor]) -> Callable[..., Tensor]:
    def draw(ordered: bool = True) -> Tensor:
        seed = next_seed(ordered)
        context = tf.distribute.get_replica_context()
        replica = tf.cast(context.replica_id_in_sync_group if context is not None else 0, seed.dtype)
        return seed + tf.stack([replica * _OWN_DRAWS, tf.zeros_like(replica)])

    return draw
