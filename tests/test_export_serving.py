"""The clients of docs/serving.md, against servers on the loopback interface that run the exported model."""

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_colorize.export import saved_model
from keras_colorize.export.session import ServingSession
from keras_colorize.inference.graph import ColorGraph
from tests.exports import apart, assert_same_photos, decoded, encoded, photos, small_colorizer, some_hints

pytestmark = pytest.mark.slow  # a minute together; .ci/run has them

DOCS = Path(__file__).resolve().parent.parent / "docs" / "serving.md"


def client(name):
    """The `colorize` of a program in the docs."""
    blocks = [block.partition("```")[0] for block in DOCS.read_text(encoding="utf-8").split("```python\n")[1:]]
    (code,) = [block for block in blocks if block.startswith(f"# {name}")]
    names = {}
    exec(compile(code, name, "exec"), names)
    return names["colorize"]


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "vivid" / "1"
    saved_model.save(ColorGraph(small_colorizer(hints=True)), folder, saved_model.Limits())
    session = ServingSession(folder)
    yield session
    session.close()


@pytest.fixture
def files(tmp_path):
    """Two photos and between them a file that is none."""
    contents = [encoded(photos()[1]), b"torn", encoded(photos()[2], "JPEG")]
    for number, content in enumerate(contents):
        (tmp_path / str(number)).write_bytes(content)
    return [tmp_path / str(number) for number in range(3)]


def expected(session, files, **more):
    signature = "serving_default_vividness" if more else "serving_default"
    contents = np.array([file.read_bytes() for file in files], object)
    return decoded(session(signature, image_bytes=contents, **more)["colorized_bytes"])


@pytest.fixture
def grpc_address(session):
    """The address of a gRPC server that runs the exported model."""
    grpc = pytest.importorskip("grpc")
    predict_pb2 = pytest.importorskip("tensorflow_serving.apis.predict_pb2")
    from tensorflow_serving.apis import prediction_service_pb2_grpc as service

    class Server(service.PredictionServiceServicer):
        def Predict(self, request, context):
            assert request.model_spec.name == "vivid"
            inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
            response = predict_pb2.PredictResponse(model_spec=request.model_spec)
            for name, value in session(request.model_spec.signature_name, **inputs).items():
                response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
            return response

    server = grpc.server(ThreadPoolExecutor(2))
    service.add_PredictionServiceServicer_to_server(Server(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


def test_grpc(session, files, grpc_address):
    colorize = client("client_grpc.py")
    plain, strong = colorize(files, grpc_address), colorize(files, grpc_address, vividness=2.0)
    assert_same_photos(decoded(png for png, _ in plain), expected(session, files))
    assert_same_photos(decoded(png for png, _ in strong), expected(session, files, vividness=2.0))
    assert apart(decoded([strong[0][0]])[0], decoded([plain[0][0]])[0]) > 1
    assert [bool(error) for _, error in plain] == [False, True, False]


def test_grpc_with_hints(grpc_address):
    colorize = client("client_hints.py")
    photo = photos()[1]
    hints = some_hints(*photo.shape[:2])
    assert apart(colorize(photo, hints, grpc_address), small_colorizer(hints=True)(photo, hints=hints)) < 1.5
    assert apart(colorize(photo, [], grpc_address), small_colorizer(hints=True)(photo)) < 1.5


def test_rest(session, files, capsys):
    class Handler(BaseHTTPRequestHandler):
        """TF Serving's rules: b64 in; names that end in _bytes come back as b64; several outputs as objects."""

        def do_POST(self):
            assert self.path == "/v1/models/vivid:predict"
            instances = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["instances"]
            items = [base64.b64decode(instance["image_bytes"]["b64"]) for instance in instances]
            found = session("serving_default", image_bytes=np.array(items, object))
            rows = [
                {"colorized_bytes": {"b64": base64.b64encode(png).decode()}, "error": error.decode()}
                for png, error in zip(found["colorized_bytes"], found["error"], strict=True)
            ]
            body = json.dumps({"predictions": rows}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        results = client("client_rest.py")(files, f"http://127.0.0.1:{server.server_port}/v1/models/vivid:predict")
        server.shutdown()
    assert_same_photos(decoded(results), expected(session, files))
    assert "not an image" in capsys.readouterr().err
