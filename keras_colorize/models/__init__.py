"""The networks by name: importing this package registers every family.

`build("unet", image_size=64, …)` returns a functional `keras.Model`; `names()` lists what there is.
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
    vivid_resnet,
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
    "vivid_resnet",
]
