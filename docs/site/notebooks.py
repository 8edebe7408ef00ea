"""Notebooks as pages of the site: text, code, and the outputs that the file keeps."""

import base64
import json
import re
from pathlib import Path

PICTURES = {"image/png": "png", "image/jpeg": "jpg"}


def notebook_markdown(file: Path) -> tuple[str, dict[str, bytes]]:
    """Turn a notebook into Markdown.

    Args:
        file: the notebook.

    Returns:
        The Markdown, and the pictures of its outputs by file name.
    """
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    parts, pictures = [], {}
    for cell in cells:
        source = "".join(cell["source"]).strip()
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif source:
            parts.append(f"```python\n{source}\n```")
            for output in cell["outputs"]:
                parts += _shown(output, file.stem, pictures)
    title, *rest = parts
    where = f"*This page is the notebook `docs/notebooks/{file.name}`, which you can run yourself.*"
    return "\n\n".join([title, where, *rest]) + "\n", pictures


def _shown(output: dict, stem: str, pictures: dict[str, bytes]) -> list[str]:
    if "text" in output:
        text = re.sub(r"\x1b\[[0-9;]*m", "", "".join(output["text"])).rstrip()
        return [f"```text\n{text}\n```"]
    data = output.get("data", {})
    for kind, suffix in PICTURES.items():
        if kind in data:
            name = f"{stem}-{len(pictures) + 1}.{suffix}"
            pictures[name] = base64.b64decode(data[kind])
            return [f"![Output of the cell above]({name})"]
    return [f"```text\n{''.join(data['text/plain'])}\n```"] if "text/plain" in data else []
