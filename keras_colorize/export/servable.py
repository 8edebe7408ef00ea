"""A SavedModel on the disk: find its folder, read the frame of its network. Loads no TensorFlow."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from keras_colorize.errors import ColorizeError

MODEL_FILE = "saved_model.pb"
# Beside TF Serving's warm-up requests. Servers read nothing else in this folder.
FRAME_FILE = Path("assets.extra") / "keras_colorize.json"


@dataclass(frozen=True)
class ServingFrame:
    """The frame in which a served network wants photos: `size` and `multiple` of `inference.frame.frame_photo`.

    takes_hints: whether hints may be in it.
    """

    image_size: int
    multiple: int | None
    takes_hints: bool

    def write(self, folder: Path) -> None:
        """Write the frame into a SavedModel's folder."""
        (folder / FRAME_FILE).parent.mkdir(exist_ok=True)
        (folder / FRAME_FILE).write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Servable:
    """A SavedModel that this package wrote.

    Attributes:
        folder: the absolute path of the folder that holds `saved_model.pb`.
        frame: the frame of its network.
    """

    folder: Path
    frame: ServingFrame


def find_saved_model(path: str | Path) -> Servable:
    """Find the newest version of the model in a folder.

    Args:
        path: the folder that an export wrote, the model's folder in it, or the folder of one version: `served`,
            `served/vivid` or `served/vivid/1`.

    Raises:
        ColorizeError: no such folder, no SavedModel or several in it, or a SavedModel of another program.
    """
    folder = Path(path).expanduser().absolute()
    if not folder.is_dir():
        raise ColorizeError(f"no folder '{path}': expected the folder of a SavedModel", action="export_saved_model")
    for depth in ("", "*/", "*/*/"):
        if models := [file.parent for file in folder.glob(depth + MODEL_FILE)]:
            break
    else:
        raise ColorizeError(f"'{path}' holds no {MODEL_FILE}: it is no SavedModel", action="export_saved_model")
    names = sorted({model.parent.name for model in models})
    if len(names) > 1:
        raise ColorizeError(f"'{path}' holds several models, {', '.join(names)}: give the folder of one")
    model = max(models, key=lambda version: (int(version.name) if version.name.isdecimal() else -1, version.name))
    try:
        table = json.loads((model / FRAME_FILE).read_text(encoding="utf-8"))
        return Servable(model, ServingFrame(table["image_size"], table["multiple"], table["takes_hints"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise ColorizeError(
            f"'{model}' is no SavedModel of keras-colorize, or an early version wrote it: it has no readable"
            f" {FRAME_FILE}; export it again"
        ) from None
