"""Run the notebooks and keep their outputs, with small pictures: `python docs/notebooks/execute.py [NAME …]`.

Each notebook runs in an empty folder of its own. Pictures become JPEG files of some kilobytes where that is smaller.
"""

import base64
import io
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NAMES = ("compare", "train", "vivid", "tflite")
WIDEST = 900  # pixels of a picture


def main(names: list[str]) -> None:
    """Execute notebooks and write them back."""
    for name in names or NAMES:
        file = HERE / f"{name}.ipynb"
        notebook = execute(file)
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
            for output in cell.get("outputs", ()):
                shrink_picture(output)
                if "text" in output:
                    output["text"] = output["text"].replace("\r\n", "\n")  # of commands, which have a terminal
        nbformat.write(notebook, file)
        print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")


def execute(file: Path, **parameters: Any) -> nbformat.NotebookNode:
    """Run a notebook in an empty folder.

    Args:
        file: the notebook.
        parameters: new values for the assignments in the cell with the tag "parameters".

    Raises:
        CellExecutionError: a cell raised an exception.
    """
    notebook = nbformat.read(file, as_version=4)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            for name, value in parameters.items():
                cell.source, count = re.subn(rf"^{name} = .*$", f"{name} = {value!r}", cell.source, flags=re.M)
                assert count == 1, f"{file.name} has no parameter {name}"
    # The notebook's commands are those of this Python and this checkout.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}".rstrip(os.pathsep)
    # The width of the commands' tables; and no spinners and colours, although IPython claims that it is a terminal.
    os.environ |= {"COLUMNS": "110", "TTY_COMPATIBLE": "0"}
    os.environ.pop("TF_CPP_MIN_LOG_LEVEL", None)  # the package keeps TensorFlow quiet unless a level is set
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=600,
            kernel_name="python3",
            coalesce_streams=True,
            resources={"metadata": {"path": folder}},
        )
        return client.execute()


def shrink_picture(output: nbformat.NotebookNode) -> None:
    """Scale a picture down to `WIDEST`, and store it as JPEG where that is smaller."""
    data = output.get("data", {})
    if "image/png" not in data:
        return
    content = base64.b64decode(data["image/png"])
    image = Image.open(io.BytesIO(content)).convert("RGB")
    if image.width > WIDEST:
        image = image.resize((WIDEST, round(image.height * WIDEST / image.width)), Image.Resampling.LANCZOS)
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=82)
    if len(jpeg.getvalue()) < len(content):
        del data["image/png"]
        data["image/jpeg"] = base64.b64encode(jpeg.getvalue()).decode()


if __name__ == "__main__":
    main(sys.argv[1:])
