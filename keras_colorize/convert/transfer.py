"""Transfer of a state dict into the layers that a spelling names: every entry, in Keras's order of axes."""

from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np

from keras_colorize.convert.checkpoints import State, some
from keras_colorize.convert.spellings import Spelling
from keras_colorize.errors import ColorizeError
from keras_colorize.models.normalization import BATCH_NORMS


@dataclass(frozen=True)
class WeightEntry:
    """One tensor that a spelling expects, and the Keras variable that takes it."""

    name: str
    variable: keras.Variable
    shape: tuple[int, ...]
    summed: bool = False

    def value(self, state: State) -> np.ndarray:
        """Return the tensor in Keras's order of axes."""
        value = state[self.name]
        if self.summed:
            value = value.sum(axis=1, keepdims=True)
        # Convolutions (out, in, h, w) → (h, w, in, out); transposed ones (in, out, h, w) → (h, w, out, in).
        return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value


def entries(spelling: Spelling) -> Iterator[WeightEntry]:
    """Yield all tensors that a spelling expects, in the order of its modules."""
    for module, layer in spelling.layers.items():
        if isinstance(layer, keras.layers.BatchNormalization):
            variables = {
                "weight": layer.gamma,
                "bias": layer.beta,
                "running_mean": layer.moving_mean,
                "running_var": layer.moving_variance,
            }
        else:
            variables = {"weight": layer.kernel} | ({"bias": layer.bias} if layer.use_bias else {})
        for name, variable in variables.items():
            shape = tuple(variable.shape)
            if len(shape) == 4:
                shape = (shape[3], shape[2], shape[0], shape[1])
            summed = module == spelling.grey and name == "weight"
            if summed:
                shape = (shape[0], 3, *shape[2:])
            yield WeightEntry(f"{module}.{name}", variable, shape, summed)


def overlap(state: State, spelling: Spelling) -> int:
    """Count the spelling's entries that a state dict has."""
    return sum(entry.name in state for entry in entries(spelling))


def transfer(what: str, state: State, spelling: Spelling) -> State:
    """Put a state dict into the layers and return the entries that went in.

    Args:
        what: the file and the network, for messages.

    Raises:
        ColorizeError: an entry is missing, left over or of another shape, or a layer's batch normalization does not
            compute what PyTorch's does. No layer is changed then.
    """
    expected = {entry.name: entry for entry in entries(spelling)}
    used = {name: value for name, value in state.items() if name.partition(".")[0] not in spelling.unused}
    missing = [name for name in expected if name not in used]
    left_over = [name for name in used if name not in expected]
    misshapen = [
        f"{name} {used[name].shape} for {entry.shape}"
        for name, entry in expected.items()
        if name in used and used[name].shape != entry.shape
    ]
    faults = [
        f"{len(names)} {fault} ({some(names)})"
        for fault, names in (("missing", missing), ("left over", left_over), ("of another shape", misshapen))
        if names
    ]
    if faults:
        raise ColorizeError(f"{what}, read as {spelling.name}, does not fit: {'; '.join(faults)}")
    _check_batch_norms(what, spelling)
    for entry in expected.values():
        entry.variable.assign(entry.value(used))
    return used


def _check_batch_norms(what: str, spelling: Spelling) -> None:
    torch = BATCH_NORMS["torch"]
    for layer in spelling.layers.values():
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        if is_norm and (layer.epsilon, layer.momentum) != (torch["epsilon"], torch["momentum"]):
            raise ColorizeError(
                f"{what} needs batch normalization with ε {torch['epsilon']:g} and momentum {torch['momentum']:g}, "
                f'the recipe builds {layer.epsilon:g} and {layer.momentum:g}: set batch_norm = "torch" in its args'
            )
