"""A SavedModel on the disk: finding it, and what it says of itself to programs of ours. Loads no TensorFlow."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from keras_colorize.errors import ColorizeError

MODEL_FILE = "saved_model.pb"
# Beside TF Serving's warm-up requests: servers read nothing else there.
CARD_FILE = Path("assets.extra") / "keras_colorize.json"


@dataclass(frozen=True)
class Card:
    """The frames that a model's network was trained for: `image_size` and `multiple` of `inference.frame`."""

    image_size: int
    multiple: int | None

    def write(self, folder: Path) -> None:
        """Into a SavedModel's folder."""
        (folder / CARD_FILE).parent.mkdir(exist_ok=True)
        (folder / CARD_FILE).write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class ServedModel:
    """A SavedModel of ours.

    folder: the one that holds `saved_model.pb`, absolute.
    """

    folder: Path
    card: Card


def find_saved_model(path: str | Path) -> ServedModel:
    """The newest version of the model in a folder.

    Args:
        path: what `export` wrote, the model's folder in it, or that of one version: `served`, `served/vivid` or
            `served/vivid/1`.

    Raises:
        ColorizeError: no such folder, no SavedModel or several different ones in it, or one of another program.
    """
    folder = Path(path).expanduser().absolute()
    if not folder.is_dir():
        raise ColorizeError(f"no folder '{path}'; expected a SavedModel: keras-colorize export --format saved_model")
    for depth in ("", "*/", "*/*/"):
        if models := [file.parent for file in folder.glob(depth + MODEL_FILE)]:
            break
    else:
        raise ColorizeError(
            f"'{path}' holds no {MODEL_FILE}; expected what keras-colorize export --format saved_model wrote"
        )
    names = sorted({model.parent.name for model in models})
    if len(names) > 1:
        raise ColorizeError(f"'{path}' holds several models, {', '.join(names)}: name the folder of one")
    model = max(models, key=lambda version: (int(version.name) if version.name.isdecimal() else -1, version.name))
    try:
        said = json.loads((model / CARD_FILE).read_text(encoding="utf-8"))
        return ServedModel(model, Card(said["image_size"], said["multiple"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise ColorizeError(
            f"'{model}' is no SavedModel of keras-colorize, or of an early version: it has no readable {CARD_FILE};"
            " export it again"
        ) from None
