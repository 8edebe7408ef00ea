"""The studio's files: the page from the package, runtime and model from the cache, and the folder for a web server."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from keras_colorize import __version__
from keras_colorize.errors import ColorizeError
from keras_colorize.files import written_whole

# The page's own files; its folder also has pages for readers.
PARTS = ("*.html", "*.css", "*.js", "samples/*.jpg")
MODEL_FILE, FACTS_FILE = "model.tflite", "model.json"

_MAKERS = ("converter.py", "network_file.py")  # of `inference`; others make nothing of the model's files

# Headers of every answer. The first two isolate the page from others: without them browsers give it no shared memory
# and so no threads. The third lets it load its own parts under that rule. The fourth prevents that it sends anything
# anywhere.
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; connect-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def page_folder() -> Path:
    """Return the folder of the page: `docs/studio` in a checkout, `keras_colorize/studio/page` when installed."""
    package = Path(__file__).resolve().parent
    installed = package / "page"
    return installed if installed.is_dir() else package.parents[1] / "docs" / "studio"


def page_files(folder: Path) -> dict[str, Path]:
    """List the page's own files: address → file.

    Raises:
        ColorizeError: the page is not there.
    """
    files = {
        f"/{file.relative_to(folder).as_posix()}": file
        for part in PARTS
        for file in folder.glob(part)
        if file.is_file()
    }
    if "/index.html" not in files:
        raise ColorizeError(f"the studio's page is not in {folder}: install keras-colorize again")
    return files


def studio_files(page: Path, runtime: Path, model: Path) -> dict[str, Path]:
    """List all files of the studio, by address; a server sends these and no others.

    Args:
        page: the folder of `page_folder`.
        runtime: the folder of `runtime.fetch_runtime`.
        model: the folder of `cached_model`.
    """
    files = page_files(page)
    files |= {f"/vendor/{file.relative_to(runtime).as_posix()}": file for file in runtime.rglob("*") if file.is_file()}
    return files | {f"/{name}": model / name for name in (MODEL_FILE, FACTS_FILE)}


def cached_model(cache: Path, sources: Iterable[Path], make: Callable[[], tuple[bytes, dict[str, object]]]) -> Path:
    """Return the folder of the model's two files; make them if the sources or this package have changed.

    Args:
        cache: a folder for it, made if it does not exist.
        sources: the files that the model is made of: weights and recipe.
        make: returns the TFLite file and what the page must know of it.

    Raises:
        OSError: a source cannot be read, or the folder cannot be written.
    """
    digest = hashlib.sha256(__version__.encode())
    package = Path(__file__).parents[1]
    for module in (*sorted(package.glob("studio/*.py")), *(package / "inference" / name for name in _MAKERS)):
        digest.update(module.read_bytes())
    for source in sources:
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    folder = cache / f"model-{digest.hexdigest()[:16]}"
    if not (folder / FACTS_FILE).is_file():
        content, facts = make()
        folder.mkdir(parents=True, exist_ok=True)
        with written_whole(folder / MODEL_FILE, folder / f"tmp-{os.getpid()}") as temporary:
            temporary.write_bytes(content)
        with written_whole(folder / FACTS_FILE, folder / f"tmp-{os.getpid()}") as temporary:
            temporary.write_text(json.dumps(facts, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    return folder


def check_out(out: Path) -> None:
    """Check that a folder is new or empty.

    Raises:
        ColorizeError: it has something in it, or is a file.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ColorizeError(f"'{out}' exists: choose a new folder for `out`")


def write_site(files: dict[str, Path], out: Path) -> None:
    """Copy the studio into a folder that any web server can serve.

    `_headers` has the headers to send, in the form that several hosts of static pages read.

    Args:
        files: of `studio_files`.
        out: a new or empty folder.

    Raises:
        ColorizeError: the folder has something in it.
        OSError: it cannot be written.
    """
    check_out(out)
    for address, file in files.items():
        target = out / address[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    lines = [f"  {name}: {value}\n" for name, value in HEADERS.items()]
    (out / "_headers").write_text("/*\n" + "".join(lines), encoding="utf-8")
