"""Networks by name. Importing this package registers every architecture.

`names()` lists the architectures, and `build("unet", image_size=64, …)` returns a functional `keras.Model`.
"""

from keras_colorize.models import (
    autoencoder,
    cnn,
    koalarization,
    patchgan,
    resnet_unet,
    unet,
    unet_maxpool,
    vivid,
)
from keras_colorize.models.registry import arguments, build, names

__all__ = [
    "arguments",
    "autoencoder",
    "build",
    "cnn",
    "koalarization",
    "names",
    "patchgan",
    "resnet_unet",
    "unet",
    "unet_maxpool",
    "vivid",
]
