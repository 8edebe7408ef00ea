"""Keras Colorize: colorization of photographs. Importing it loads neither TensorFlow nor Keras."""

__version__ = "0.1.0"
