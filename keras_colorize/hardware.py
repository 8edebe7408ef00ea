"""What the machine can do, and what `auto` makes of it."""

import os
from pathlib import Path

import tensorflow as tf

# Tensor cores of compute capability 8.0 and later multiply bfloat16.
BFLOAT16_COMPUTE_CAPABILITY = (8, 0)
# A GPU-less machine gains from bfloat16 only with instructions for it.
BFLOAT16_CPU_FLAGS = {"amx_bf16", "avx512_bf16"}


def resolve_precision(precision: str) -> str:
    """`auto` → `bfloat16` where the hardware multiplies it natively, else `float32`; other values as they are."""
    if precision != "auto":
        return precision
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        return "bfloat16" if capability >= BFLOAT16_COMPUTE_CAPABILITY else "float32"
    return "bfloat16" if BFLOAT16_CPU_FLAGS & _cpu_flags() else "float32"


def resolve_jit(jit: str) -> bool:
    """`auto` → compile the whole step with XLA on a GPU only: on a CPU it makes a GAN step slower."""
    return bool(tf.config.list_physical_devices("GPU")) if jit == "auto" else jit == "on"


def describe_device() -> str:
    """For the header: the GPUs' names, or the CPU with its number of cores."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return f"{len(gpus)} × {details.get('device_name', 'GPU')}"
    cores = tf.config.threading.get_intra_op_parallelism_threads() or processors()
    return f"CPU, {cores} core{'s' if cores != 1 else ''}"


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_flags() -> set[str]:
    """The processor's feature flags where the system tells them (Linux); empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())
