"""The type of tensors in signatures."""

from typing import Any, TypeAlias

# Anything that `keras.ops` takes: a tensor of the Keras backend, a symbolic one, or a NumPy array. Backends have no
# common class, so a type checker accepts every value here; the docstring states shape, unit and range.
Tensor: TypeAlias = Any
