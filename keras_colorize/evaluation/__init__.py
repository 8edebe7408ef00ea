"""Evaluation: any number of systems measured on the same photos, beside grey and a constant colour.

    from keras_colorize.evaluation import evaluate, find_systems

    evaluation = evaluate(find_systems(["vivid"], [], "runs"), data="PHOTOS")
    evaluation.means()["vivid"]["psnr"]

Importing this package loads neither TensorFlow nor Keras; the names below are imported at first use.
"""

from typing import TYPE_CHECKING

from keras_colorize.lazy import lazy_names

_HOMES = {
    "Evaluation": "results",
    "evaluate": "evaluation",
    "find_systems": "lookup",
}

# The same names for editors and type checkers, which do not run `lazy_names`.
if TYPE_CHECKING:
    from keras_colorize.evaluation.evaluation import evaluate
    from keras_colorize.evaluation.lookup import find_systems
    from keras_colorize.evaluation.results import Evaluation

__all__ = [
    "Evaluation",
    "evaluate",
    "find_systems",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
