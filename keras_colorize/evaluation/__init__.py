"""Evaluation: any number of systems measured on the same photos, beside grey and a constant colour.

    from keras_colorize.evaluation import evaluate, find_systems

    evaluation = evaluate(find_systems(["vivid"], [], "runs"), data="PHOTOS")
    evaluation.means()["vivid"]["psnr"]

Importing this package loads neither TensorFlow nor Keras; the names below are imported at first use.
"""

from keras_colorize.lazy import lazy_names

_HOMES = {
    "Evaluation": "results",
    "evaluate": "evaluation",
    "find_systems": "lookup",
}

__all__ = list(_HOMES)

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
