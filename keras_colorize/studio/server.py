"""The studio's web server, with the headers that threads in WebAssembly need."""

import io
import os
import socket
import sys
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from keras_colorize.errors import ColorizeError
from keras_colorize.studio.site import HEADERS


def make_server(files: dict[str, Path], host: str = "127.0.0.1", port: int = 0) -> ThreadingHTTPServer:
    """Make a server for the files of `site.studio_files` that is bound and listens.

    It sends no other file, whatever the address. `serve_forever` runs it and `server_close` ends it.

    Args:
        files: address → file; "/" is "/index.html".
        host: a name or an address of this machine.
        port: a port number; 0 takes any free port, and `server_port` tells which.

    Raises:
        ColorizeError: the host and the port cannot be used.
    """
    try:
        return _Server((host, port), files | {"/": files["/index.html"]})
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ColorizeError(f"cannot serve at {host}:{port} ({reason}): choose another `port`, 0 for any") from None


class _Server(ThreadingHTTPServer):
    def __init__(self, address: tuple[str, int], files: dict[str, Path]) -> None:
        self.files = files
        super().__init__(address, _Handler)

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
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
        ".json": "application/json",
        ".jpg": "image/jpeg",
        ".wasm": "application/wasm",
        ".tflite": "application/octet-stream",
    }

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        if self._file() is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def translate_path(self, path: str) -> str:
        return str(self._file())

    def guess_type(self, path: str | os.PathLike[str]) -> str:
        return self.extensions_map.get(Path(path).suffix.lower(), "application/octet-stream")

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing, since the browser's own tools show requests."""

    def _file(self) -> Path | None:
        return self.server.files.get(unquote(urlsplit(self.path).path))
