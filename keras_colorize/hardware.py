"""The hardware of this machine, and the settings that `auto` stands for on it.

TensorFlow is imported where it is asked for devices: who counts processors needs none.
"""

import os
from pathlib import Path

# Tensor cores of compute capability 8.0 and later multiply bfloat16.
BFLOAT16_COMPUTE_CAPABILITY = (8, 0)
# A machine without a GPU gains from bfloat16 only if its processor has instructions for it.
BFLOAT16_CPU_FLAGS = {"amx_bf16", "avx512_bf16"}


def resolve_precision(precision: str) -> str:
    """Resolve `auto` to `bfloat16` where the hardware multiplies it natively, else to `float32`; keep other values."""
    if precision != "auto":
        return precision
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        return "bfloat16" if capability >= BFLOAT16_COMPUTE_CAPABILITY else "float32"
    return "bfloat16" if BFLOAT16_CPU_FLAGS & _cpu_flags() else "float32"


def resolve_jit(jit: str) -> bool:
    """Say whether XLA compiles the whole step. `auto` means on a GPU only: on a CPU a GAN step becomes slower."""
    if jit != "auto":
        return jit == "on"
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def describe_device() -> str:
    """Name the GPUs, or the CPU with its number of cores."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return f"{len(gpus)} × {details.get('device_name', 'GPU')}"
    cores = tf.config.threading.get_intra_op_parallelism_threads() or processors()
    return f"CPU, {cores} core{'s' if cores != 1 else ''}"


def processors() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_flags() -> set[str]:
    """Return the processor's feature flags on Linux, and an empty set elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())
