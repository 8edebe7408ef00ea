"""The SavedModel that is exported for one run, and that its workers load."""

from pathlib import Path

import numpy as np

from keras_colorize.color.inputs import Inputs
from keras_colorize.errors import ColorizeError
from keras_colorize.export import saved_model
from keras_colorize.export.graph import ColorGraph
from keras_colorize.export.servable import Servable, find_saved_model
from keras_colorize.export.session import ServingSession
from keras_colorize.export.verification import CORE_TOLERANCE
from keras_colorize.inference.colorizer import Colorizer


def export_network(colorizer: Colorizer, folder: Path) -> Servable:
    """Export a system, and compare the one signature that workers call with the colorizer's own network.

    `keras-colorize export` also colorizes whole photos with the file and times it, which takes three times as long.

    Raises:
        ColorizeError: they differ.
    """
    saved_model.save(ColorGraph(colorizer), folder, saved_model.Limits())
    model = find_saved_model(folder)
    size = model.frame.image_size
    L = np.linspace(0.0, 100.0, size * size, dtype=np.float32).reshape(1, size, size, 1)
    session = ServingSession(folder)
    apart = np.abs(session("predict_ab", L=L)["ab"] - colorizer.predict_ab(Inputs(L))).mean()
    session.close()
    if not apart <= CORE_TOLERANCE:
        raise ColorizeError(
            f"the exported network differs from '{colorizer.name}' by {apart:.3g} CIE units on average (at most"
            f" {CORE_TOLERANCE:g}): nothing was colorized"
        )
    return model
