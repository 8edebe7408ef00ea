"""The studio's command: its files, runtime and server. `test_studio_page.py` drives the page in a browser."""

import base64
import hashlib
import http.client
import io
import json
import re
import signal
import subprocess
import sys
import tarfile
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from keras_colorize.cli import main
from keras_colorize.errors import ColorizeError
from keras_colorize.files import cache_folder
from keras_colorize.studio import runtime
from keras_colorize.studio.runtime import DEFAULT_REGISTRY, NpmPackage, fetch_runtime, npm_registry
from keras_colorize.studio.server import make_server
from keras_colorize.studio.site import HEADERS, cached_model, page_files, page_folder, studio_files, write_site

PAGE_BUDGET = 300_000  # bytes of the page without model and runtime


@contextmanager
def serving(files):
    with make_server(files) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def ask(port, address, method="GET"):
    """Status, headers and body; the address goes out as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, address)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@pytest.fixture
def files(tmp_path):
    """The files of a small studio, with a secret beside them."""
    for name, content in {
        "page/index.html": b"<!doctype html>",
        "page/worker.js": b"1",
        "page/studio.css": b"p {}",
        "page/README.md": b"# For who hosts it",
        "page/samples/cup.jpg": b"\xff\xd8",
        "vendor/litert.js": b"1",
        "vendor/wasm/a.wasm": b"\0asm",
        "model/model.tflite": b"\x1c\x00\x00\x00TFL3",
        "model/model.json": b"{}",
        "secret.js": b"secret",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return studio_files(*(tmp_path / name for name in ("page", "vendor", "model")))


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry of npm in a folder, with small packages in place of the runtime; returns the folder."""

    def package(name, contents):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for path, content in contents.items():
                member = tarfile.TarInfo(f"package/{path}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        content = buffer.getvalue()
        found = NpmPackage(name, "1.2.3", base64.b64encode(hashlib.sha512(content).digest()).decode())
        file = tmp_path / "registry" / found.path
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        return found

    script = b'import { createWasmLib } from "@litertjs/wasm-utils";\n//# sourceMappingURL=index.js.map\n'
    core = {"dist/index.js": script, "wasm/threaded.js": b"1", "wasm/threaded.wasm": b"\0asm", "README.md": b""}
    monkeypatch.setattr(runtime, "CORE", package("@litertjs/core", core))
    monkeypatch.setattr(runtime, "UTILS", package("@litertjs/wasm-utils", {"dist/bundle.js": b"export {};\n"}))
    monkeypatch.setenv("npm_config_registry", (tmp_path / "registry").as_uri())
    return tmp_path / "registry"


def test_every_answer_has_the_headers_and_the_right_type(files):
    with serving(files) as port:
        for address, kind in {
            "/": "text/html; charset=utf-8",
            "/index.html?x=1": "text/html; charset=utf-8",
            "/worker.js": "text/javascript; charset=utf-8",
            "/studio.css": "text/css; charset=utf-8",
            "/samples/cup.jpg": "image/jpeg",
            "/vendor/wasm/a.wasm": "application/wasm",
            "/model.json": "application/json",
            "/model.tflite": "application/octet-stream",
        }.items():
            for method in ("GET", "HEAD"):
                status, headers, body = ask(port, address, method)
                assert (status, headers["Content-Type"]) == (200, kind)
                assert {name: headers[name] for name in HEADERS} == HEADERS
                assert bool(body) == (method == "GET")
        status, headers, _ = ask(port, "/no")
        assert status == 404
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"


@pytest.mark.parametrize(
    "address",
    [
        "/../secret.js",
        "/%2e%2e/secret.js",
        "/vendor/../../secret.js",
        "/vendor/..%2f..%2fsecret.js",
        "//etc/passwd",
        "/README.md",
        "/vendor",
        "/vendor/",
    ],
)
def test_nothing_else_is_served(files, address):
    with serving(files) as port:
        status, _, body = ask(port, address)
        assert status == 404
        assert b"secret" not in body


def test_the_folder_for_a_web_server(files, tmp_path):
    out = tmp_path / "site"
    write_site(files, out)
    written = {f"/{file.relative_to(out).as_posix()}" for file in out.rglob("*") if file.is_file()}
    assert written == {*files, "/_headers"}
    lines = (out / "_headers").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "/*"
    assert dict(line.strip().split(": ", 1) for line in lines[1:]) == HEADERS
    with pytest.raises(ColorizeError, match="choose a new folder for `out`"):
        write_site(files, out)


def test_the_runtime_is_fetched_once_and_changed_for_the_page(registry, tmp_path, monkeypatch):
    steps = []

    class Steps:
        @contextmanager
        def counting(self, description):
            yield lambda done, total: steps.append((description, done, total))

    folder = fetch_runtime(tmp_path / "cache", Steps())
    found = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert found == {"litert.js", "wasm-utils.js", "wasm/threaded.js", "wasm/threaded.wasm"}
    assert (folder / "litert.js").read_text() == 'import { createWasmLib } from "./wasm-utils.js";\n\n'
    assert steps[0][0] == "fetching @litertjs/core 1.2.3"
    assert steps[-1][1] == steps[-1][2] > 0
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")  # nobody listens
    assert fetch_runtime(tmp_path / "cache") == folder
    assert [file.name for file in (tmp_path / "cache").iterdir()] == [folder.name]


def test_content_with_another_checksum_is_refused(registry, tmp_path):
    file = registry / runtime.CORE.path
    file.write_bytes(file.read_bytes() + b"!")
    with pytest.raises(ColorizeError, match=r"is not @litertjs/core 1\.2\.3: its checksum differs"):
        fetch_runtime(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_the_registry_is_npms(tmp_path, monkeypatch):
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert npm_registry() == DEFAULT_REGISTRY
    (tmp_path / ".npmrc").write_text("fund=false\nregistry = https://mirror.example/npm\n")
    assert npm_registry() == "https://mirror.example/npm/"
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "https://other.example")
    assert npm_registry() == "https://other.example/"
    assert runtime.CORE.path == f"@litertjs/core/-/core-{runtime.CORE.version}.tgz"


def test_the_model_is_made_again_only_where_its_sources_changed(tmp_path):
    source, made = tmp_path / "weights.npz", []
    source.write_bytes(b"1")

    def make():
        made.append(1)
        return b"TFL3", {"name": "é"}

    folders = [cached_model(tmp_path / "cache", [source], make) for _ in range(2)]
    assert len(made) == 1
    assert folders[0] == folders[1]
    assert (folders[0] / "model.tflite").read_bytes() == b"TFL3"
    assert json.loads((folders[0] / "model.json").read_text(encoding="utf-8")) == {"name": "é"}
    source.write_bytes(b"2")
    assert cached_model(tmp_path / "cache", [source], make) != folders[0]
    assert len(made) == 2


def test_the_cache_is_where_the_system_keeps_caches_unless_somebody_names_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_COLORIZE_CACHE", str(tmp_path / "named"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "named"
    monkeypatch.delenv("KERAS_COLORIZE_CACHE")
    assert cache_folder() == tmp_path / "keras-colorize"
    monkeypatch.setenv("XDG_CACHE_HOME", "")  # as if it were not there
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    for system, folder in {"linux": "home/.cache", "darwin": "home/Library/Caches", "win32": "local"}.items():
        monkeypatch.setattr("sys.platform", system)
        assert cache_folder() == tmp_path / folder / "keras-colorize"


def test_mistakes(files, registry, tmp_path, monkeypatch, capsys):
    def error_of(*arguments):
        assert main(["studio", "--no-browser", *map(str, arguments)]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    monkeypatch.setenv("KERAS_COLORIZE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("keras_colorize.studio.site.cached_model", lambda *_: tmp_path / "model")
    assert "unknown" in error_of("--model", "no_such_model") or "no recipe" in error_of("--model", "no_such_model")
    assert "is no run folder" in error_of("--run", tmp_path)
    assert "cannot serve at 127.0.0.1:70000" in error_of("--port", 70000)
    assert "cannot serve at no.such.host.invalid:0" in error_of("--host", "no.such.host.invalid", "--port", 0)
    with serving(files) as port:
        assert "choose another --port" in error_of("--port", port)
    assert "choose a new folder for --out" in error_of("--out", tmp_path)

    monkeypatch.setenv("KERAS_COLORIZE_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    assert "connect to the network for the first start" in error_of()
    with pytest.raises(ColorizeError, match="install keras-colorize again"):
        page_files(tmp_path / "nowhere")


def test_it_says_where_the_studio_is_and_ctrl_c_stops_it(files, registry, tmp_path):
    code = (
        "import sys; from pathlib import Path; from keras_colorize import cli;"
        "from keras_colorize.studio import runtime, site;"
        f"runtime.fetch_runtime = lambda *_: Path({str(tmp_path / 'vendor')!r});"
        f"site.cached_model = lambda *_: Path({str(tmp_path / 'model')!r});"
        "sys.exit(cli.main(['studio', '--port', '0', '--no-browser']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As in a terminal: what a shell starts in the background inherits that SIGINT is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as it:
        try:
            line = it.stdout.readline()
            port = int(re.search(r"the studio is at http://127\.0\.0\.1:(\d+)/ \(Ctrl-C stops\)", line)[1])
            assert ask(port, "/")[0] == 200
            it.send_signal(signal.SIGINT)
            out, err = it.communicate(timeout=10)
        finally:
            it.kill()
    assert (it.returncode, out.strip(), err) == (0, "stopped", "")


def test_the_page_is_light_and_loads_nothing_from_elsewhere():
    files = page_files(page_folder())
    assert sum(file.stat().st_size for file in files.values()) < PAGE_BUDGET
    names = {address[1:] for address in files}
    for address, file in files.items():
        if file.suffix not in (".html", ".css", ".js"):
            continue
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, address
        words = r'(?:from|import|src=|rel="stylesheet" href=)'
        loaded = re.findall(words + r'\s*\(?["`]\.?/?([\w/.-]+\.(?:js|css|jpg))["`]', text)
        assert {name for name in loaded if not name.startswith("vendor/")} <= names, address
