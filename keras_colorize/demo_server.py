"""A web server for the browser demo of `docs/demo`, with the headers that threads in WebAssembly need."""

import sys
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from keras_colorize.errors import ColorizeError

MODEL = "/model.tflite"
RUNTIME = "/vendor/litert.js"
# The files of the page; its folder also holds build files and node_modules.
PARTS = ("*.html", "*.css", "*.js", "*.tflite", "vendor/**/*.js", "vendor/**/*.wasm")
# Headers of every answer. The first two isolate the page from others: without them browsers give it no shared memory
# and so no threads. The third lets it load its own parts under that rule. The fourth prevents that it sends anything
# anywhere.
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data: blob:",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def demo_folder() -> Path:
    """Return the folder of the page: `docs/demo` in a checkout, `keras_colorize/demo` when installed."""
    package = Path(__file__).resolve().parent
    installed = package / "demo"
    return installed if installed.is_dir() else package.parent / "docs" / "demo"


def demo_files(folder: Path, model_file: Path | None = None) -> dict[str, Path]:
    """List the files that the server may send, by address. It sends no other file, whatever the address.

    Args:
        folder: contains the page and its vendored runtime.
        model_file: sent as `/model.tflite` instead of the file in `folder`.

    Returns:
        address → file.

    Raises:
        ColorizeError: the page or its runtime is missing, or `model_file` is no TFLite model.
    """
    files = {
        f"/{file.relative_to(folder).as_posix()}": file
        for pattern in PARTS
        for file in folder.glob(pattern)
        if file.is_file()
    }
    if "/index.html" not in files:
        raise ColorizeError(f"the page of the demo is not in {folder}: install keras-colorize again")
    files["/"] = files["/index.html"]
    if RUNTIME not in files:
        raise ColorizeError(
            f"the demo's runtime, @litertjs/core, is not in {folder / 'vendor'}: fetch it once with "
            f"npm ci --prefix '{folder}'"
        )
    if model_file is not None:
        _check_model(model_file)
        files[MODEL] = model_file
    return files


def make_server(files: dict[str, Path], host: str = "127.0.0.1", port: int = 0) -> ThreadingHTTPServer:
    """Make a server for the files of `demo_files` that is bound and listens.

    `serve_forever` runs it and `server_close` ends it.

    Args:
        files: address → file.
        host: a name or an address of this machine.
        port: a port number; 0 takes any free port, and `server_port` tells which.

    Raises:
        ColorizeError: the host and the port cannot be used.
    """
    try:
        return _Server((host, port), files)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ColorizeError(f"cannot serve at {host}:{port} ({reason}): choose another `port`, 0 for any") from None


class _Server(ThreadingHTTPServer):
    def __init__(self, address: tuple[str, int], files: dict[str, Path]) -> None:
        self.files = files
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a closed window is no error
            super().handle_error(request, client_address)


class _Handler(SimpleHTTPRequestHandler):
    server: _Server
    server_version = "keras-colorize"
    sys_version = ""
    # Instead of the machine's own table of types, which may lack wasm or declare scripts as plain text.
    extensions_map = {  # noqa: RUF012 (as the base class has it)
        ".html": "text/html; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".wasm": "application/wasm",
        ".tflite": "application/octet-stream",
    }

    def send_head(self) -> BinaryIO | Any:
        if self._file() is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def translate_path(self, path: str) -> str:
        return str(self._file())

    def guess_type(self, path: Any) -> str:
        return self.extensions_map.get(Path(path).suffix.lower(), "application/octet-stream")

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing, since the browser's own tools show requests."""

    def _file(self) -> Path | None:
        return self.server.files.get(unquote(urlsplit(self.path).path))


def _check_model(file: Path) -> None:
    try:
        with open(file, "rb") as stream:
            head = stream.read(8)
    except OSError as error:
        raise ColorizeError(f"cannot read the model {file}: {error.strerror}") from None
    if head[4:] != b"TFL3":
        raise ColorizeError(f"{file} is no TFLite model", action="export_tflite")
