"""PyTorch files, read as arrays by name, network by network."""

import re
import warnings
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from keras_colorize.errors import ColorizeError

if TYPE_CHECKING:
    import torch

State = dict[str, np.ndarray]

# The colorization tutorial's whole model: a generator, a discriminator and the two labels of its loss.
GENERATOR, DISCRIMINATOR, UNNAMED = "net_G", "net_D", ""
_LABELS = re.compile(r"GANcriterion\.(real|fake)_label")


def read_checkpoint(file: str | Path) -> State:
    """Read the tensors of a `.safetensors` file, or of a state dict that `torch.save` wrote, in float32.

    Pickled code is never run: PyTorch reads with `weights_only=True`. The counters `num_batches_tracked` are left out,
    since nothing here uses them.

    Raises:
        ColorizeError: not a state dict, entries that are not floating-point tensors, or no PyTorch.
    """
    file = Path(file)
    load = _load_safetensors if file.suffix == ".safetensors" else _load_pickle
    table = load(file)
    torch = _import_torch()
    if not isinstance(table, dict) or not table:
        raise ColorizeError(
            f"'{file}' holds {_kind(table)}: expected a state dict, torch.save(model.state_dict(), FILE)"
        )
    others = [
        f"{name} ({_kind(value)})"
        for name, value in table.items()
        if not isinstance(name, str) or not isinstance(value, torch.Tensor)
    ]
    if others:
        raise ColorizeError(
            f"'{file}' holds more than tensors, {some(others)}: expected a state dict alone, "
            "torch.save(model.state_dict(), FILE)"
        )
    return {
        name: _to_float32(file, name, tensor)
        for name, tensor in table.items()
        if name.rpartition(".")[2] != "num_batches_tracked"
    }


def split_networks(file: str | Path, state: State) -> dict[str, State]:
    """Split a file into networks by `GENERATOR` and `DISCRIMINATOR`, or `UNNAMED` where names do not tell.

    The prefix `module.` of `DataParallel` is taken off, before and after a network's name.

    Raises:
        ColorizeError: two entries differ in these prefixes only.
    """
    networks: dict[str, State] = {}
    for full, value in state.items():
        name = _without_module(full)
        if _LABELS.fullmatch(name):
            continue
        network, _, rest = name.partition(".")
        if network in (GENERATOR, DISCRIMINATOR):
            name = _without_module(rest)
        else:
            network = UNNAMED
        entries = networks.setdefault(network, {})
        if name in entries:
            raise ColorizeError(f"'{file}' has '{name}' twice, with and without the prefix 'module.': save it anew")
        entries[name] = value
    return networks


def some(names: list[str]) -> str:
    """Shorten a list to one line: `a, b, c and 5 more`."""
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _without_module(name: str) -> str:
    while name.startswith("module."):
        name = name.removeprefix("module.")
    return name


def _import_torch() -> ModuleType:
    try:
        import torch
    except ImportError as error:
        raise ColorizeError('reading PyTorch files needs PyTorch: pip install "keras-colorize[convert]"') from error
    return torch


def _load_pickle(file: Path) -> object:
    torch = _import_torch()
    try:
        with warnings.catch_warnings(action="ignore"):  # about pickle protocols; the error below tells all
            return torch.load(file, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can raise any error
        if found := re.search(r"GLOBAL ([\w.]+)", str(error)):
            raise ColorizeError(
                f"'{file}' holds pickled objects ({found[1]}), and reading those could run any code: "
                "expected weights alone, torch.save(model.state_dict(), FILE)"
            ) from error
        raise _unreadable(file, "PyTorch", error) from error


def _load_safetensors(file: Path) -> object:
    _import_torch()
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise ColorizeError('reading .safetensors files: pip install "keras-colorize[convert]"') from error
    try:
        return load_file(file, device="cpu")
    except (SafetensorError, ValueError, KeyError) as error:
        raise _unreadable(file, "safetensors", error) from error


def _unreadable(file: Path, what: str, error: Exception) -> ColorizeError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return ColorizeError(f"'{file}' is not a {what} checkpoint, or is damaged: {reason[:200]}")


def _to_float32(file: Path, name: str, tensor: "torch.Tensor") -> np.ndarray:
    torch = _import_torch()
    if not tensor.is_floating_point() or tensor.layout is not torch.strided:
        kind = f"{tensor.dtype}, {tensor.layout}".replace("torch.", "")
        raise ColorizeError(f"'{file}' has '{name}' as {kind}: expected dense floating-point values")
    return tensor.detach().float().numpy()


def _kind(value: object) -> str:
    return type(value).__name__
