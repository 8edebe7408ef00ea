"""The SavedModel that is exported for one run, and that its workers load."""

from pathlib import Path

import numpy as np

from keras_colorize.color.inputs import HINT_CHANNELS, Inputs
from keras_colorize.errors import ColorizeError
from keras_colorize.export import saved_model
from keras_colorize.export.saved_model import PREDICT_AB, PREDICT_AB_HINTS
from keras_colorize.export.servable import Servable, find_saved_model
from keras_colorize.export.session import ServingSession
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.graph import ColorGraph
from keras_colorize.inference.network import CORE_TOLERANCE


def export_network(colorizer: Colorizer, folder: Path) -> Servable:
    """Export a system, and compare the signatures that workers call with the colorizer's own network.

    `keras-colorize export` also colorizes whole photos with the file and times it, which takes three times as long.

    Raises:
        ColorizeError: they differ.
    """
    saved_model.save(ColorGraph(colorizer), folder, saved_model.Limits())
    model = find_saved_model(folder)
    size = model.frame.image_size
    L = np.linspace(0.0, 100.0, size * size, dtype=np.float32).reshape(1, size, size, 1)
    session = ServingSession(folder)
    found = session(PREDICT_AB, L=L)["ab"]
    apart = np.abs(found - colorizer.predict_ab(Inputs(L))).mean()
    if model.frame.takes_hints:
        hints = np.zeros((1, size, size, HINT_CHANNELS), np.float32)
        hints[:, : size // 4, : size // 4] = 30.0, -40.0, 1.0
        found = session(PREDICT_AB_HINTS, L=L, hints=hints)["ab"]
        apart = max(apart, np.abs(found - colorizer.predict_ab(Inputs(L, hints))).mean())
    session.close()
    if not apart <= CORE_TOLERANCE:
        raise ColorizeError(
            f"the exported network differs from '{colorizer.name}' by {apart:.3g} CIE units on average (at most"
            f" {CORE_TOLERANCE:g}): nothing was colorized"
        )
    return model
