"""One photo, from file to colours. `photos` opens it, `frame` scales it for the network, `network` predicts its chroma,
`finish` brings that back to the photo's size, and `colorizer` holds them together.

Importing this package loads neither TensorFlow nor Keras; the names below are imported at first use.
"""

from typing import TYPE_CHECKING

from keras_colorize.lazy import lazy_names

_HOMES = {
    "Colorizer": "colorizer",
    "colorize": "colorizer",
}

# The same names for editors and type checkers, which do not run `lazy_names`.
if TYPE_CHECKING:
    from keras_colorize.inference.colorizer import Colorizer, colorize

__all__ = [
    "Colorizer",
    "colorize",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
