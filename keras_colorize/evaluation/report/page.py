"""Self-contained pages: templates of this package, filled with style, script, data and pictures.

Such a page loads nothing, and its content security policy makes the browser enforce this. Only scripts and styles with
the SHA-256 of the packaged ones run, and pictures come from the page alone. The scripts never put names of files into
the markup; if one did, the text could not run.
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

import numpy as np
from PIL import Image

from keras_colorize.errors import ColorizeError

SUFFIXES = (".html", ".htm")


def render_page(name: str, *, title: str, data: object) -> str:
    """Fill the page `name` ("report" or "quiz") and return it as HTML text.

    Args:
        name: of the template.
        title: plain text; markup in it is shown as text.
        data: input of the page's script: dicts, lists, texts and numbers, NumPy's too. NaN and infinity become null.
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
    # One pass: text that replaces a marker is not searched for markers.
    return re.sub(r"\{\{(\w+)\}\}", lambda marker: parts[marker[1]], _read(f"{name}.html"))


def script_json(data: object) -> str:
    """Return JSON that is safe inside `<script>`: pure ASCII, without `<`, `>` and `&`."""
    text = json.dumps(_plain(data), separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def jpeg(rgb_u8: np.ndarray, quality: int) -> bytes:
    """Encode a picture, uint8 (H, W, 3) or grey (H, W), as JPEG with colour at full resolution.

    Pillow's default halves the resolution of colour, which would smooth exactly what the page shows. `optimize` is off
    because Pillow then needs the whole file in a buffer that it makes too small for noise in full colour.
    """
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb_u8)).save(stream, "JPEG", quality=quality, subsampling=0)
    return stream.getvalue()


def data_url(jpeg_bytes: bytes) -> str:
    """Return a JPEG as a URL that an `<img>` shows without loading anything."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg_bytes).decode("ascii")


def page_file(file: str | Path) -> Path:
    """Check the name of a page's file before any work is done for it, and return its path.

    Raises:
        ColorizeError: the name does not end in .html, so that it may be a photo's, or it is a folder.
    """
    path = Path(file)
    if path.suffix.lower() not in SUFFIXES:
        raise ColorizeError(f"the page would be written to '{path}': expected a name that ends in {SUFFIXES[0]}")
    if path.is_dir():
        raise ColorizeError(f"'{path}' is a folder: expected the name of a file in it, {path / 'quiz.html'}")
    return path


def write_page(file: Path, text: str) -> None:
    """Write a page whole or not at all. Its folder is made if it does not exist."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        # Lines end in "\n" on every system: a browser computes the policy's hashes so.
        temporary.write_text(text, encoding="utf-8", errors="replace", newline="\n")
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest())
    return f"'sha256-{digest.decode('ascii')}'"


def _plain(value: object) -> object:
    """Turn NumPy's scalars and arrays into Python's, and numbers that JSON cannot hold into None."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
