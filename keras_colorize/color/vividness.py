"""Vividness, the factor by which a user makes colours stronger or paler. Nothing here loads TensorFlow."""

from keras_colorize.defaults import LARGEST_VIVIDNESS
from keras_colorize.errors import ColorizeError


def check_vividness(vividness: float) -> None:
    """Refuse a vividness outside its range, and one that is not a number.

    Raises:
        ColorizeError: it is below 0 or above `LARGEST_VIVIDNESS`.
    """
    if not 0 <= vividness <= LARGEST_VIVIDNESS:  # NaN is not within either
        raise ColorizeError(
            f"`vividness` is {vividness:g}: expected 0 to {LARGEST_VIVIDNESS:g}, where 1 is the system's own"
        )
