"""The types of tensors, and of the figures that Keras hands to callbacks, in signatures."""

from collections.abc import Mapping
from typing import Any, TypeAlias

# Anything that `keras.ops` takes: a tensor of the Keras backend, a symbolic one, or a NumPy array. Backends have no
# common class, so a type checker accepts every value here; the docstring states shape, unit and range.
Tensor: TypeAlias = Any

# Name of a loss or a metric → its value: a number, or a tensor without axes that may still be on the device.
Logs: TypeAlias = Mapping[str, Tensor]
