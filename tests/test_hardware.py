"""The settings that `auto` stands for on a machine, whichever machine the tests run on."""

from pathlib import Path

import pytest
import tensorflow as tf

from keras_colorize import hardware


@pytest.fixture
def machine(monkeypatch):
    """Make this a machine with GPUs of that compute capability, or with a processor of those flags."""

    def make(gpus=0, capability=None, flags=""):
        details = {"device_name": "Some GPU"} | ({"compute_capability": capability} if capability else {})
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["gpu"] * gpus)
        monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: details)
        monkeypatch.setattr(Path, "read_text", lambda self: f"processor : 0\nflags : fpu {flags}\n")

    return make


@pytest.mark.parametrize(
    ("found", "precision"),
    [
        ({"gpus": 1, "capability": (8, 0)}, "bfloat16"),
        ({"gpus": 1, "capability": (9, 0)}, "bfloat16"),
        ({"gpus": 1, "capability": (7, 5)}, "float32"),
        ({"gpus": 1}, "float32"),
        ({"flags": "avx2 amx_bf16"}, "bfloat16"),
        ({"flags": "avx2 avx512_bf16"}, "bfloat16"),
        ({"flags": "avx2"}, "float32"),
    ],
)
def test_bfloat16_is_for_hardware_that_multiplies_it(machine, found, precision):
    machine(**found)
    assert hardware.resolve_precision("auto") == precision
    assert hardware.resolve_precision("float32") == "float32"
    assert hardware.resolve_precision("bfloat16") == "bfloat16"


def test_xla_compiles_the_whole_step_on_a_gpu(machine):
    machine(gpus=2)
    assert hardware.resolve_jit("auto") and hardware.resolve_jit("on") and not hardware.resolve_jit("off")
    assert hardware.describe_device() == "2 × Some GPU"
    machine()
    assert not hardware.resolve_jit("auto") and hardware.resolve_jit("on")
    assert hardware.describe_device().startswith("CPU, ")


def test_a_system_without_proc_has_no_flags(monkeypatch):
    def refuse(self):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", refuse)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])
    assert hardware.resolve_precision("auto") == "float32"
