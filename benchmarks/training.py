"""How fast a GAN step of `pix2pix` trains: this package against the same step in PyTorch, float32 and bfloat16.

    python benchmarks/training.py --size 256 --batch 16 --repeats 3

The rows take turns in one process. PyTorch gets condition and target ready made; this package starts from uint8 photos
and converts them inside its step. `of peak` is the share of the machine's own matrix product, measured in the same run
in the same precision, which the convolutions' arithmetic alone amounts to. Needs `pip install keras-colorize[convert]`.

    python benchmarks/training.py --profile

says instead on which kinds of operations the threads of one step in bfloat16 spend their time.
"""

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
import torch
from tensorflow.tsl.profiler.protobuf import xplane_pb2
from torch import nn

from keras_colorize.convert.torch_modules import PatchDiscriminator, UNetBlocks
from keras_colorize.hardware import describe_device
from keras_colorize.recipes import Recipe
from keras_colorize.training import build_stages

Step = Callable[[], object]
PRODUCT = 4096  # side of the matrices that measure the peak


def keras_step(size: int, batch: int, precision: str) -> tuple[Step, float]:
    """One compiled step of the recipe, and its convolutions' floating-point operations."""
    recipe = Recipe.load("pix2pix").with_values(**{"data.image_size": size, "runtime.precision": precision})
    trainer = build_stages(recipe)[-1].trainer
    step = tf.function(trainer.train_step, autograph=False)
    photos = tf.constant(np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), np.uint8))
    # Backwards costs twice forwards. D runs and learns on two batches, and passes gradients on from a third: 6 + 2.
    operations = batch * (3 * forward_operations(trainer.generator) + 8 * forward_operations(trainer.discriminator))
    return lambda: float(step(photos)["g_total"]), operations


def forward_operations(network: keras.Model) -> float:
    """Two for each product of the convolutions, on one photo."""
    total = 0.0
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2DTranspose):
            total += 2.0 * np.prod(layer.input.shape[1:3]) * np.prod(layer.kernel.shape)
        elif isinstance(layer, keras.layers.Conv2D):
            total += 2.0 * np.prod(layer.output.shape[1:3]) * np.prod(layer.kernel.shape)
    return total


def torch_step(size: int, batch: int, autocast: bool) -> Step:
    """The same objectives and optimizers, as the published code writes them."""
    filters = Recipe.load("pix2pix").generator.args["filters"]
    generator = UNetBlocks(1, 2, filters, dropout=0.5, dropout_ups=(2, 3, 4)).train()
    discriminator = PatchDiscriminator(3, (64, 128, 256, 512), blocks=False).train()
    adam = [torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999)) for network in (generator, discriminator)]
    x, y = torch.rand(batch, 1, size, size) * 2 - 1, torch.rand(batch, 2, size, size) * 2 - 1
    bce, l1 = nn.BCEWithLogitsLoss(), nn.L1Loss()

    def judge(colors: torch.Tensor, real: bool) -> torch.Tensor:
        logits = discriminator(torch.cat([x, colors], dim=1))
        return bce(logits.float(), torch.full_like(logits, float(real), dtype=torch.float32))

    def step() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            fake = generator(x)
            d_loss = 0.5 * (judge(y, True) + judge(fake.detach(), False))
        adam[1].zero_grad()
        d_loss.backward()
        adam[1].step()
        for parameter in discriminator.parameters():
            parameter.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            g_loss = judge(fake, True) + 100.0 * l1(fake.float(), y)
        adam[0].zero_grad()
        g_loss.backward()
        adam[0].step()
        for parameter in discriminator.parameters():
            parameter.requires_grad_(True)
        return float(g_loss.detach())

    return step


def product(dtype: tf.DType) -> Step:
    """A large matrix product, the most that the machine does."""
    a = tf.cast(tf.random.normal((PRODUCT, PRODUCT)), dtype)
    run = tf.function(lambda a: tf.linalg.matmul(a, a), autograph=False)
    return lambda: run(a)[0, 0].numpy()


def profile(size: int, batch: int) -> None:
    """Milliseconds of all threads together, by kind of operation, in one step."""
    step, _ = keras_step(size, batch, "bfloat16")
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
                    kind = "colour conversion (XLA)"
                elif not name or name.endswith(":") or name.startswith("Eager"):
                    continue  # not an operation, "node:Kind", but a "Class::Method" around some
                spent[kind] += event.duration_ps / 1e9
    print(f"pix2pix, {batch} photos of {size}×{size}, bfloat16; {describe_device()}; TensorFlow {tf.__version__}")
    for kind, milliseconds in spent.most_common(20):
        print(f"{milliseconds:9.0f} ms {milliseconds / spent.total():6.1%}  {kind}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256, help="height and width of the photos")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3, help="turns of each row, after one that compiles")
    parser.add_argument("--profile", action="store_true", help="a table of one step's operations instead")
    args = parser.parse_args()

    if args.profile:
        profile(args.size, args.batch)
        return
    steps: dict[str, Step] = {}
    operations = 0.0
    for precision in ("float32", "bfloat16"):
        steps[f"keras_colorize, {precision}"], operations = keras_step(args.size, args.batch, precision)
        steps[f"PyTorch, {precision}"] = torch_step(args.size, args.batch, autocast=precision == "bfloat16")
        steps[f"matrix product, {precision}"] = product(tf.as_dtype(precision))
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for turn, (name, step) in itertools.product(range(args.repeats + 1), steps.items()):
        began = time.perf_counter()
        step()
        if turn:
            taken[name].append(time.perf_counter() - began)
    median = {name: statistics.median(times) for name, times in taken.items()}

    print(
        f"pix2pix, {args.batch} photos of {args.size}×{args.size}, median of {args.repeats}; {describe_device()};"
        f" TensorFlow {tf.__version__}, Keras {keras.__version__}, PyTorch {torch.__version__}"
    )
    print(f"{'':26} {'images/s':>8} {'GFLOP/s':>8} {'of peak':>8} {'to PyTorch':>10}")
    for precision in ("float32", "bfloat16"):
        peak = 2 * PRODUCT**3 / median[f"matrix product, {precision}"]
        for name in (f"keras_colorize, {precision}", f"PyTorch, {precision}"):
            rate = operations / median[name]
            ratio = median[f"PyTorch, {precision}"] / median[name]
            print(f"{name:26} {args.batch / median[name]:8.2f} {rate / 1e9:8.0f} {rate / peak:8.0%} {ratio:9.2f}×")
        print(f"{f'matrix product, {precision}':26} {'':8} {peak / 1e9:8.0f} {1:8.0%}")
    ratio = median["PyTorch, float32"] / median["keras_colorize, bfloat16"]
    print(f"keras_colorize in bfloat16 against PyTorch in float32: {ratio:.2f}×")


if __name__ == "__main__":
    main()
