"""Photos in colour: a trained system (`colorizer`), photos at the network's size (`framing`) and back (`fullsize`),
folders of thousands (`folder`).

Importing this package loads neither TensorFlow nor Keras; the names below are imported at first use.
"""

from keras_colorize.lazy import lazy_names

_HOMES = {
    "Colorizer": "colorizer",
    "colorize": "colorizer",
}

__all__ = list(_HOMES)

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
