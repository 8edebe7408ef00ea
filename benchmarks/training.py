"""How fast a training step is: this package against the same step in PyTorch, in several ways that PyTorch can run it.

    python -m benchmarks.training --networks pix2pix vivid --precisions bfloat16 --repeats 3

`pix2pix` takes a step of both networks on 16 photos of 256×256, `vivid` one on 64 photos of 128×128. The rows take
turns in one process. PyTorch gets condition and target ready made; this package starts from uint8 photos and converts
them inside its step. `vivid` has two rows: as its recipe trains, with crops, borders, ageing and hints drawn in the
step, and without these. `of peak` is the share of the machine's own matrix product, measured in the same run in the
same precision, which the convolutions' arithmetic alone amounts to. Needs `pip install keras-colorize[convert]`.

    python -m benchmarks.training --profile

says instead on which kinds of operations the threads of a step spend their time.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
import torch
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks.torch_steps import VARIANTS, Step, pix2pix_step, vivid_step
from keras_colorize.color.bins import packaged_bins
from keras_colorize.hardware import describe_device
from keras_colorize.recipes import Recipe
from keras_colorize.training import build_stages

PRODUCT = 4096  # side of the matrices that measure the peak
SIZES = {"pix2pix": (256, 16), "vivid": (128, 64)}  # pixels, photos in a batch
BARE = {"flip_horizontal": False, "crop_margin": 0, "borders": 0.0, "aging": 0.0, "hints": 0.0}
# Kinds of operations by parts of their names; the first that fits counts.
KINDS = (
    ("convolutions: gradients of the filters", ("Conv2DBackpropFilter",)),
    ("convolutions: gradients of the inputs; transposed convolutions: forward", ("Conv2DBackpropInput",)),
    ("convolutions: forward; transposed convolutions: gradients of the inputs", ("Conv2D",)),
    ("batch normalization", ("BatchNorm",)),
    ("optimizer", ("Adam",)),
    ("hints, ageing, augmentation, colour conversion", ("XLA", "Random", "Einsum", "BatchMatMul", "Gather", "DCT")),
    ("activations", ("Relu", "Tanh", "Sigmoid")),
    ("pooling and upsampling", ("Pool", "Resize")),
    ("sums and products of whole maps", ("Add", "Mul", "Sub", "Div", "Sum", "Mean", "Square", "Exp", "Log", "Max")),
    (
        "casts, copies, concatenations",
        ("Cast", "Concat", "Slice", "Pad", "Transpose", "Tile", "Pack", "Select", "Fill"),
    ),
)


@dataclass
class Row:
    """A row of the table.

    Attributes:
        name: of the way to run the step.
        step: takes one; None where it cannot run here.
        note: why it cannot.
        seconds: of each turn.
    """

    name: str
    step: Step | None
    note: str = ""
    seconds: list[float] = field(default_factory=list)

    def take_turn(self, counts: bool) -> None:
        """Take a step, and keep its time if it counts; one that raises is not tried again."""
        if self.step is None:
            return
        began = time.perf_counter()
        try:
            self.step()
        except Exception as error:  # of torch.compile and its C++ compiler
            self.step, self.note = None, f"not measured: {type(error).__name__}"
            return
        if counts:
            self.seconds.append(time.perf_counter() - began)


def keras_step(network: str, precision: str, bare: bool = False) -> tuple[Step, float]:
    """Make one compiled step of a recipe, and count its convolutions' floating-point operations.

    bare: without augmentation, ageing and hints.
    """
    size, batch = SIZES[network]
    recipe = Recipe.load(network).with_values(**{"data.image_size": size, "runtime.precision": precision})
    if bare:
        recipe = recipe.with_values(augment=BARE)
    trainer = build_stages(recipe)[-1].trainer
    step = tf.function(trainer.train_step, autograph=False)
    side = size + recipe.augment.crop_margin
    photos = tf.constant(np.random.default_rng(0).integers(0, 256, (batch, side, side, 3), np.uint8))
    # Backwards costs twice forwards.
    operations = 3 * forward_operations(trainer.generator)
    if network == "pix2pix":
        # The discriminator runs and learns on two batches, and passes gradients on from a third: 6 + 2.
        operations += 8 * forward_operations(trainer.discriminator)
    return lambda: float(step(photos)["g_total"]), batch * operations


def forward_operations(network: keras.Model) -> float:
    """Count two for each product of the convolutions, on one photo."""
    total = 0.0
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2DTranspose):
            total += 2.0 * np.prod(layer.input.shape[1:3]) * np.prod(layer.kernel.shape)
        elif isinstance(layer, keras.layers.Conv2D):
            total += 2.0 * np.prod(layer.output.shape[1:3]) * np.prod(layer.kernel.shape)
    return total


def make_rows(network: str, precision: str) -> tuple[list[Row], float]:
    """Make the rows of one network, and count the operations of its step."""
    size, batch = SIZES[network]
    autocast = precision == "bfloat16"
    step, operations = keras_step(network, precision)
    rows = [Row("keras_colorize", step)]
    if network == "vivid":
        rows.append(Row("keras_colorize, no augmentation", keras_step(network, precision, bare=True)[0]))
    for variant in VARIANTS:
        made: Step | None = None
        if not variant.missing and network == "pix2pix":
            made = pix2pix_step(size, batch, autocast, variant)
        elif not variant.missing:
            rebalancing = Recipe.load(network).loss.rebalancing
            made = vivid_step(size, batch, autocast, variant, packaged_bins(), rebalancing)
        rows.append(Row(variant.name, made, variant.missing))
    return rows, operations


def product(precision: str) -> Callable[[], object]:
    """Make a large matrix product, the most that the machine does."""
    a = tf.cast(tf.random.normal((PRODUCT, PRODUCT)), tf.as_dtype(precision))
    run = tf.function(lambda a: tf.linalg.matmul(a, a), autograph=False)
    return lambda: run(a)[0, 0].numpy()


def measure(network: str, precision: str, repeats: int) -> None:
    """Let the rows take turns, and print their table."""
    size, batch = SIZES[network]
    rows, operations = make_rows(network, precision)
    peak_row = Row("matrix product", product(precision))
    for turn in range(-2, repeats):  # the first two compile
        for row in (*rows, peak_row):
            row.take_turn(counts=turn >= 0)
    peak = 2 * PRODUCT**3 / statistics.median(peak_row.seconds)
    eager = next(row for row in rows if row.name == VARIANTS[0].name)
    print(f"\n{network}, {batch} photos of {size}×{size}, {precision}, median of {repeats}")
    print(f"{'':50} {'images/s':>8} {'GFLOP/s':>8} {'of peak':>8} {'to eager':>9}")
    for row in rows:
        if not row.seconds:
            print(f"{row.name:50} {row.note}")
            continue
        seconds = statistics.median(row.seconds)
        rate, ratio = operations / seconds, statistics.median(eager.seconds) / seconds
        print(f"{row.name:50} {batch / seconds:8.2f} {rate / 1e9:8.0f} {rate / peak:8.0%} {ratio:8.2f}×")
    print(f"{f'{peak_row.name}, {PRODUCT}×{PRODUCT}':50} {'':8} {peak / 1e9:8.0f} {1:8.0%}", flush=True)


def profile(network: str, precision: str) -> None:
    """Print the milliseconds of all threads together, by kind of operation, in one step."""
    size, batch = SIZES[network]
    step, _ = keras_step(network, precision)
    for _ in range(3):
        step()
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            step()
        space = xplane_pb2.XSpace()
        space.ParseFromString(next(Path(folder).rglob("*.xplane.pb")).read_bytes())
    spent: Counter[str] = Counter()
    for plane in space.planes:
        for line in plane.lines if plane.name == "/host:CPU" else ():
            for event in line.events:
                name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                if name == "CpuExecutable:":
                    kind = "XLA"
                elif not name or name.endswith(":") or name.startswith("Eager"):
                    continue  # not an operation, "node:Kind", but a "Class::Method" around some
                spent[kind] += event.duration_ps / 1e9
    kinds: Counter[str] = Counter()
    for operation, milliseconds in spent.items():
        kinds[next((kind for kind, parts in KINDS if any(part in operation for part in parts)), "others")] += (
            milliseconds
        )
    print(f"\n{network}, {batch} photos of {size}×{size}, {precision}")
    for table in (kinds, spent):
        for kind, milliseconds in table.most_common(20):
            print(f"{milliseconds:9.0f} ms {milliseconds / spent.total():6.1%}  {kind}")
        print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=tuple(SIZES), default=list(SIZES))
    parser.add_argument("--precisions", nargs="+", choices=("float32", "bfloat16"), default=["bfloat16"])
    parser.add_argument("--repeats", type=int, default=3, help="turns of each row, after two that compile")
    parser.add_argument("--profile", action="store_true", help="tables of one step's operations instead")
    args = parser.parse_args()
    versions = f"TensorFlow {tf.__version__}, Keras {keras.__version__}, PyTorch {torch.__version__}"
    print(f"{describe_device()}; {versions}")
    for network in args.networks:
        for precision in args.precisions:
            if args.profile:
                profile(network, precision)
            else:
                measure(network, precision, args.repeats)


if __name__ == "__main__":
    main()
