"""A self-contained page: a template of this package with style, script, data and pictures inside it.

Such a page loads nothing. Its content security policy says so to the browser as well: scripts and styles run only with
the SHA-256 of those that were packaged, pictures come only from the page itself, and nothing else is fetched at all.
So text that comes from file names could not run even if it got into the markup, which the scripts never let it do.
"""

import base64
import hashlib
import html
import io
import json
import math
import os
import re
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from keras_colorize.errors import ColorizeError

SUFFIXES = (".html", ".htm")


def render_page(name: str, *, title: str, data: Any) -> str:
    """The page `name` ("report" or "quiz") as HTML text.

    Args:
        title: plain text; markup in it is shown, not obeyed.
        data: what the page's script reads: dicts, lists, texts, numbers, and NumPy's; NaN and infinity become null.
    """
    style = _read("base.css") + _read(f"{name}.css")
    script = _read("base.js") + _read(f"{name}.js")
    policy = (
        f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)}; img-src data: blob:;"
        " base-uri 'none'; form-action 'none'"
    )
    parts = {
        "title": html.escape(title),
        "policy": html.escape(policy, quote=False).replace('"', "&quot;"),
        "style": style,
        "script": script,
        "data": script_json(data),
    }
    # One pass: what is put in for one marker is not searched for others.
    return re.sub(r"\{\{(\w+)\}\}", lambda marker: parts[marker[1]], _read(f"{name}.html"))


def script_json(data: Any) -> str:
    """JSON that is safe inside `<script>`: pure ASCII, without `<`, `>` and `&`."""
    text = json.dumps(_plain(data), separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def jpeg(rgb_u8: np.ndarray, quality: int) -> bytes:
    """A picture (H, W, 3) uint8 or (H, W) grey as JPEG with colour at full resolution and nothing else in the file.

    Colour differences at half resolution, Pillow's default, would smooth the very thing that is to be looked at. Not
    `optimize`: Pillow then needs the whole file in a buffer that it makes too small for noise at full colour.
    """
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb_u8)).save(stream, "JPEG", quality=quality, subsampling=0)
    return stream.getvalue()


def data_url(jpeg_bytes: bytes) -> str:
    """A JPEG as the text that an `<img>` shows without loading anything."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg_bytes).decode("ascii")


def page_file(file: str | Path) -> Path:
    """The file that a page is to be written to, before any work is done for it.

    Raises:
        ColorizeError: the name does not end in .html, so that it may be a photo's; or it is a folder.
    """
    path = Path(file)
    if path.suffix.lower() not in SUFFIXES:
        raise ColorizeError(f"the page would be written to '{path}': expected a name that ends in {SUFFIXES[0]}")
    if path.is_dir():
        raise ColorizeError(f"'{path}' is a folder: expected the name of a file in it, {path / 'quiz.html'}")
    return path


def write_page(file: Path, text: str) -> None:
    """Write a page whole or not at all, into a folder that is made where there is none."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        # "\n" everywhere: a browser counts line ends so when it checks the policy's hashes.
        temporary.write_text(text, encoding="utf-8", errors="replace", newline="\n")
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest())
    return f"'sha256-{digest.decode('ascii')}'"


def _plain(value: Any) -> Any:
    """NumPy's scalars and arrays as Python's; numbers that JSON cannot hold as None."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
