"""The page that colorizes in the browser: its server, and its pixels against the Python runtime's."""

import base64
import http.client
import io
import json
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from keras_colorize import demo_server
from keras_colorize.cli import main
from keras_colorize.demo_server import HEADERS, RUNTIME, demo_files, demo_folder, make_server
from keras_colorize.errors import ColorizeError
from tests.browser import needs_browser, open_browser, wait_for

pytestmark = pytest.mark.slow  # a minute together; .ci/run has them

SIZE = 64
TFLITE = b"\x1c\x00\x00\x00TFL3 and so on"
needs_runtime = pytest.mark.skipif(
    not (demo_folder() / RUNTIME[1:]).is_file(), reason="needs npm ci --prefix docs/demo"
)


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
def folder(tmp_path):
    """The page's folder as it is after npm, with a secret beside it."""
    folder = tmp_path / "demo"
    for name, content in {
        "demo/index.html": b"<!doctype html>",
        "demo/worker.js": b"1",
        "demo/demo.css": b"p {}",
        "demo/package.json": b"{}",
        "demo/node_modules/evil/index.js": b"1",
        "demo/vendor/litert.js": b"1",
        "demo/vendor/wasm/a.wasm": b"\0asm",
        "secret.js": b"secret",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return folder


def test_every_answer_has_the_headers_and_the_right_type(folder):
    with serving(demo_files(folder)) as port:
        for address, kind in {
            "/": "text/html; charset=utf-8",
            "/index.html?x=1": "text/html; charset=utf-8",
            "/worker.js": "text/javascript; charset=utf-8",
            "/demo.css": "text/css; charset=utf-8",
            "/vendor/wasm/a.wasm": "application/wasm",
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
        "/package.json",
        "/node_modules/evil/index.js",
        "/vendor",
        "/vendor/",
        "/model.tflite",
    ],
)
def test_nothing_else_is_served(folder, address):
    with serving(demo_files(folder)) as port:
        status, _, body = ask(port, address)
        assert status == 404
        assert b"secret" not in body


def test_the_chosen_model_takes_the_place_of_the_one_beside_the_page(folder, tmp_path):
    (folder / "model.tflite").write_bytes(TFLITE)
    other = tmp_path / "other name.tflite"
    other.write_bytes(TFLITE * 2)
    for model_file, content in ((None, TFLITE), (other, TFLITE * 2)):
        with serving(demo_files(folder, model_file)) as port:
            status, headers, body = ask(port, "/model.tflite")
            assert (status, headers["Content-Type"], body) == (200, "application/octet-stream", content)


def test_mistakes(folder, tmp_path, monkeypatch, capsys):
    def error_of(*arguments):
        assert main(["demo", "--no-browser", *map(str, arguments)]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    monkeypatch.setattr(demo_server, "demo_folder", lambda: folder)
    photo = tmp_path / "photo.tflite"
    photo.write_bytes(b"\x89PNG")
    assert "is no TFLite model" in error_of("--model-file", photo)
    assert "cannot read the model" in error_of("--model-file", tmp_path / "none.tflite")
    assert "cannot read the model" in error_of("--model-file", tmp_path)
    assert "cannot serve at 127.0.0.1:70000" in error_of("--port", 70000)
    assert "cannot serve at no.such.host.invalid:0" in error_of("--host", "no.such.host.invalid", "--port", 0)
    with serving(demo_files(folder)) as port:
        assert "choose another --port" in error_of("--port", port)
    (folder / "vendor" / "litert.js").unlink()
    assert f"npm ci --prefix '{folder}'" in error_of()
    with pytest.raises(ColorizeError, match="install keras-colorize again"):
        demo_files(tmp_path / "nowhere")


def test_it_says_where_the_page_is_and_ctrl_c_stops_it(folder):
    code = (
        "import sys; from pathlib import Path; from keras_colorize import cli, demo_server;"
        f"demo_server.demo_folder = lambda: Path({str(folder)!r});"
        "sys.exit(cli.main(['demo', '--port', '0', '--no-browser']))"
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
            port = int(re.search(r"http://127\.0\.0\.1:(\d+)/ \(Ctrl-C stops\)", it.stdout.readline())[1])
            assert ask(port, "/")[0] == 200
            it.send_signal(signal.SIGINT)
            out, err = it.communicate(timeout=10)
        finally:
            it.kill()
    assert (it.returncode, out.strip(), err) == (0, "stopped", "")


def test_the_page_loads_nothing_from_elsewhere_and_the_lock_file_names_no_registry():
    for file in demo_folder().glob("*.*"):
        if file.suffix in (".html", ".css", ".js", ".mjs"):
            assert "://" not in file.read_text(encoding="utf-8"), file
    lock = json.loads((demo_folder() / "package-lock.json").read_text(encoding="utf-8"))
    wanted = json.loads((demo_folder() / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert {f"node_modules/{name}": version for name, version in wanted.items()}.items() <= {
        name: package.get("version") for name, package in lock["packages"].items()
    }.items()
    assert not any("resolved" in package for package in lock["packages"].values())


# In the browser. The model is small and untrained, its colours are strong.


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Files: `photo` makes a photo of a photo of one size, `core` ab of L, `any` takes photos of any size."""
    pytest.importorskip("ai_edge_litert.interpreter")
    import keras
    import tensorflow as tf

    from keras_colorize.color.lab import lab_to_rgb, rgb_to_lab

    keras.utils.set_random_seed(1)
    layers = [
        keras.layers.Conv2D(8, 5, strides=2, padding="same", activation="tanh", bias_initializer="glorot_normal"),
        keras.layers.Conv2DTranspose(2, 4, strides=2, padding="same", activation="tanh"),
    ]
    network = keras.Sequential([keras.Input((None, None, 1)), *layers])

    def chroma(L):
        return {"ab": network(L / 50.0 - 1.0, training=False) * 80.0}

    def colorized(photos):
        L = rgb_to_lab(tf.cast(photos, tf.float32) / 255.0)[..., :1]
        rgb = lab_to_rgb(tf.concat([L, chroma(L)["ab"]], axis=-1))
        return {"photos": tf.cast(tf.round(rgb * 255.0), tf.uint8)}

    folder, files = tmp_path_factory.mktemp("models"), {}
    for name, function, shape, dtype in (
        ("photo", colorized, (1, SIZE, SIZE, 3), "uint8"),
        ("core", chroma, (1, SIZE, SIZE, 1), "float32"),
        ("any", colorized, (1, None, None, 3), "uint8"),
    ):
        archive = keras.export.ExportArchive()
        archive.track(network)
        archive.add_endpoint("serve", function, [tf.TensorSpec(shape, dtype)])
        archive.write_out(folder / name, verbose=False)
        files[name] = folder / f"{name}.tflite"
        files[name].write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(folder / name)).convert())
    return files


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(downloads):
    with open_browser(downloads) as browser:
        yield browser


@contextmanager
def opened(browser, model):
    """The page with a model, ready."""
    with serving(demo_files(demo_folder(), model)) as port:
        browser.driver.get_log("performance")  # forget the requests of the page before
        browser.driver.get(f"http://127.0.0.1:{port}/")
        wait_for(lambda: browser.texts("#status") == ["Ready."], 60)
        yield f"http://127.0.0.1:{port}/"


def in_browser(browser, file):
    """Choose a photo: grey and colour as the page has them, rgb_u8."""
    browser.look("document.getElementById('picture').dataset.photo = ''")
    browser.find("#photo-file").send_keys(str(file))
    shown = "return document.getElementById('picture').dataset.photo === arguments[0]"
    wait_for(lambda: browser.look(shown, file.name), 60)
    return canvas(browser, "grey"), canvas(browser, "color")


def canvas(browser, name):
    url = browser.look("return document.getElementById(arguments[0]).toDataURL()", name)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"))


def in_python(model, values):
    """Run the file in the Python runtime."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(model))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def real_photo(height, width):
    """A real photo, rgb_u8 (height, width, 3)."""
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[20 : 20 + height, 130 : 130 + width])


def write(folder, pixels):
    file = folder / f"photo {pixels.shape[1]}.png"
    Image.fromarray(pixels).save(file)
    return file


def levels_apart(ours, theirs):
    """Mean and largest difference in grey levels."""
    assert ours.shape == theirs.shape
    apart = np.abs(ours.astype(int) - theirs.astype(int))
    return apart.mean(), apart.max()


@needs_browser
@needs_runtime
def test_a_photo_of_the_models_size_gets_the_colours_of_the_python_runtime(browser, models, tmp_path):
    photo = real_photo(SIZE, SIZE)
    with opened(browser, models["photo"]) as address:
        grey, color = in_browser(browser, write(tmp_path, photo))
        assert browser.look("return self.crossOriginIsolated"), "no threads"
        assert [url for url in browser.requests() if not url.startswith(address)] == []
    mean, most = levels_apart(color, in_python(models["photo"], photo[None])[0])
    assert mean < 0.001
    assert most <= 1
    assert np.ptp(grey.astype(int), axis=2).max() == 0
    assert np.ptp(color.astype(int), axis=2).mean() > 10, "the colours are too pale to be compared"


@needs_browser
@needs_runtime
@pytest.mark.parametrize("shape", [(180, 240), (250, 131)])
@pytest.mark.parametrize("kind", ["core", "photo"])
def test_any_other_photo_gets_the_colours_of_the_colorizers_arithmetic(browser, models, tmp_path, kind, shape):
    from keras_colorize.color.lab import rgb_to_lab
    from keras_colorize.inference.finish import color_photo, guided_coefficients
    from keras_colorize.inference.frame import frame_photo

    photo = real_photo(*shape)
    with opened(browser, models[kind]):
        _, color = in_browser(browser, write(tmp_path, photo))

    frame = frame_photo(photo, SIZE, None)
    if kind == "core":
        ab = in_python(models["core"], frame.inputs.lightness[None])
    else:
        height, width = (part.stop - part.start for part in (frame.rows, frame.columns))
        small = np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.BICUBIC))
        around = [(part.start, SIZE - part.stop) for part in (frame.rows, frame.columns)]
        square = np.pad(small, (*around, (0, 0)), mode="reflect")
        rgb = in_python(models["photo"], square[None]).astype(np.float32) / 255.0
        ab = np.asarray(rgb_to_lab(rgb))[..., 1:]
    coefficients = np.asarray(guided_coefficients(frame.inputs.lightness[None], ab))[0, frame.rows, frame.columns]
    mean, most = levels_apart(color, color_photo(photo, coefficients))
    # A pixel at the border between two levels may fall on the other side, and a colour at the gamut's edge further.
    assert mean < 0.02
    assert most <= 3


@needs_browser
@needs_runtime
def test_lightness_stays_the_photos_own(browser, models, tmp_path):
    from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab

    photo = real_photo(200, 150)
    with opened(browser, models["core"]):
        grey, color = in_browser(browser, write(tmp_path, photo))
    wanted, *others = (np.asarray(rgb_to_lab(rgb_from_u8(rgb)))[..., 0] for rgb in (photo, grey, color))
    for L in others:
        assert np.abs(L - wanted).max() < 0.8, "more than the rounding to 8 bits"


@needs_browser
@needs_runtime
@pytest.mark.parametrize(("event", "field"), [("DragEvent", "dataTransfer"), ("ClipboardEvent", "clipboardData")])
def test_photos_are_dropped_and_pasted(browser, models, tmp_path, event, field):
    photo = real_photo(80, 100)
    content = base64.b64encode(write(tmp_path, photo).read_bytes()).decode()
    give = f"""
        const bytes = Uint8Array.from(atob(arguments[0]), (letter) => letter.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], "given.png", {{ type: "image/png" }}));
        const name = {event} === DragEvent ? "drop" : "paste";
        document.body.dispatchEvent(new {event}(name, {{ {field}: transfer, bubbles: true, cancelable: true }}));
    """
    with opened(browser, models["core"]):
        browser.look(give, content)
        wait_for(lambda: browser.texts("#status")[0].startswith("100 × 80 in"), 30)
        assert canvas(browser, "color").shape == photo.shape


@needs_browser
@needs_runtime
def test_the_slider_turned_photos_saving_and_errors(browser, models, downloads, tmp_path):
    from selenium.webdriver import ActionChains, Keys

    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to see it
    photo = real_photo(160, 120)
    Image.fromarray(np.rot90(photo)).save(turned, exif=exif, quality=98)
    with opened(browser, models["core"]) as address:
        grey, color = in_browser(browser, turned)
        assert color.shape == photo.shape
        luma = np.asarray(Image.fromarray(photo).convert("L"), int)
        assert np.abs(luma - grey[..., 0]).mean() < 6, "not upright"

        def shown():
            return int(browser.find("#handle").get_attribute("aria-valuenow"))

        assert shown() == 50
        browser.find("#handle").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.PAGE_UP)
        assert shown() == 64
        browser.find("#handle").send_keys(Keys.END, Keys.ARROW_RIGHT)
        assert shown() == 100
        width = browser.find("#picture").size["width"]
        actions = ActionChains(browser.driver).move_to_element(browser.find("#picture"))
        actions.click_and_hold().move_by_offset(-width // 4, 5).release().perform()
        assert abs(shown() - 25) <= 1

        browser.find("#save").click()
        saved = downloads / "turned-colour.jpg"
        wait_for(saved.is_file)
        assert np.abs(np.asarray(Image.open(saved), int) - color).mean() < 8

        torn, junk, unfit = (tmp_path / name for name in ("torn.tflite", "junk.tflite", "photo.jpg"))
        torn.write_bytes(TFLITE)
        for file in (junk, unfit):
            file.write_bytes(b"not what its name says")
        for field, file, message in (
            ("#photo-file", unfit, "cannot read photo.jpg as a photo"),
            ("#model-file", models["any"], "photos of any size"),
            ("#model-file", junk, "is no .tflite model"),
            ("#model-file", torn, "Failed to load model"),
        ):
            browser.find(field).send_keys(str(file))
            wait_for(lambda message=message: message in browser.texts("#error")[0], 30)
            assert "\n" not in browser.texts("#error")[0]
        browser.find("#photo-file").send_keys(str(turned))
        browser.find("#model-file").send_keys(str(models["photo"]))  # and all is well again
        wait_for(lambda: browser.texts("#status")[0].startswith("120 × 160 in"), 30)
        assert browser.texts("#error") == [""]
        assert [url for url in browser.requests() if not url.startswith(address)] == []
