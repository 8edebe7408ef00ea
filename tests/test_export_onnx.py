"""ONNX files in onnxruntime."""

import json

import numpy as np
import pytest

pytest.importorskip("tf2onnx")
pytest.importorskip("onnxruntime")

from keras_colorize.color.inputs import Inputs
from keras_colorize.export import onnx
from keras_colorize.export.metadata import OWN, model_metadata
from keras_colorize.export.request import ExportRequest
from keras_colorize.export.verification import Reference
from keras_colorize.inference.graph import ColorGraph
from keras_colorize.inference.hint_table import COLUMNS, hint_table
from tests.exports import SIZE, apart, photos, small_colorizer, some_hints

pytestmark = pytest.mark.slow  # a minute together; .ci/run has them


@pytest.fixture(scope="module", params=("unet_gan", "vivid"))
def exported(request):
    """Colorizer, graph and file."""
    colorizer = small_colorizer(request.param)
    graph = ColorGraph(colorizer)
    return colorizer, graph, onnx.convert(graph, None, core=False)


def test_any_batch_height_and_width(exported):
    colorizer, graph, content = exported
    runtime = onnx.OnnxRuntime(content)
    found = Reference(colorizer, multiple=graph.multiple).compare(runtime, photos())
    assert found.grey_levels.mean < 1.5
    batch = np.stack([photos()[1], photos()[1][::-1]])
    one, both = runtime(image=batch[:1])["colorized"], runtime(image=batch)["colorized"]
    apart = np.abs(both[0].astype(int) - one[0])
    assert apart.max() <= 1 and np.count_nonzero(apart) < 0.002 * apart.size  # sums in another order tip a rounding


@pytest.mark.parametrize("size", [20, 33])
def test_one_size_that_is_not_the_networks(exported, size):
    import onnxruntime

    colorizer, graph, _ = exported
    content = onnx.convert(graph, size, core=False)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape[1:] == session.get_outputs()[0].shape[1:] == [size, size, 3]
    squares = [photo[:size, :size] for photo in photos() if min(photo.shape[:2]) >= size]
    found = Reference(colorizer, multiple=graph.multiple).compare(onnx.OnnxRuntime(content), squares)
    assert found.grey_levels.mean < 1.5


def test_names_and_shapes(exported):
    import onnxruntime

    session = onnxruntime.InferenceSession(exported[2], providers=["CPUExecutionProvider"])
    ((given,), (found,)) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape[3]) == ("image", "tensor(uint8)", 3)
    assert (found.name, found.type) == ("colorized", "tensor(uint8)")
    assert all(not isinstance(side, int) for side in given.shape[:3])


def test_the_core_for_any_batch_height_and_width(exported):
    colorizer, graph, _ = exported
    runtime = onnx.OnnxRuntime(onnx.convert(graph, None, core=True))
    L = np.random.default_rng(0).uniform(0, 100, (3, SIZE, 2 * SIZE, 1)).astype("float32")
    np.testing.assert_allclose(runtime(L=L)["ab"], colorizer.predict_ab(Inputs(L)), atol=0.02)


@pytest.fixture(scope="module")
def hinted():
    """Colorizer and graph of a network that takes hints."""
    colorizer = small_colorizer("vivid", hints=True)
    return colorizer, ColorGraph(colorizer)


def test_photos_with_any_number_of_hints(hinted):
    colorizer, graph = hinted
    runtime = onnx.OnnxRuntime(onnx.convert(graph, None, core=False))
    found = Reference(colorizer, multiple=graph.multiple, takes_hints=True).compare(
        runtime, photos(), [some_hints(*photo.shape[:2]) for photo in photos()]
    )
    assert found.grey_levels.mean < 1.5
    photo = photos()[1]
    plain = runtime(image=photo[None], hints=np.zeros((1, 0, len(COLUMNS)), np.float32))["colorized"][0]
    assert apart(plain, colorizer(photo)) < 1.5
    table = hint_table([some_hints(*photo.shape[:2]), []], *photo.shape[:2])
    both = runtime(image=np.stack([photo, photo]), hints=table)["colorized"]
    assert apart(both[0], plain) > 1.5
    np.testing.assert_array_equal(both[1], plain)


def test_a_core_with_hints_and_a_distribution(hinted):
    colorizer, graph = hinted
    runtime = onnx.OnnxRuntime(onnx.convert(graph, None, core=True, distribution=True))
    rng = np.random.default_rng(0)
    L = rng.uniform(0, 100, (2, SIZE, 2 * SIZE, 1)).astype("float32")
    mask = (rng.random((2, SIZE, 2 * SIZE, 1)) < 0.01).astype("float32")
    hints = np.concatenate([60 * mask, -20 * mask, mask], axis=-1)
    found = runtime(L=L, hints=hints)
    np.testing.assert_allclose(found["ab"], colorizer.predict_ab(Inputs(L, hints)), atol=0.02)
    np.testing.assert_allclose(found["distribution"].sum(axis=-1), 1, atol=1e-4)
    assert found["distribution"].shape[-1] == len(colorizer.space.bins)


def test_a_core_of_one_size_says_so_and_describes_its_tensors(hinted):
    import onnx as package

    colorizer, graph = hinted
    request = ExportRequest("onnx", size=SIZE, core=True, distribution=True)
    described = model_metadata(colorizer, request, SIZE, "predict_ab")
    content = onnx.with_metadata(onnx.convert(graph, SIZE, core=True, distribution=True), described)
    model = package.load_from_string(content)
    shapes = {
        tensor.name: [side.dim_value for side in tensor.type.tensor_type.shape.dim][1:]
        for tensor in (*model.graph.input, *model.graph.output)
    }
    assert (shapes["L"], shapes["hints"], shapes["ab"]) == ([SIZE, SIZE, 1], [SIZE, SIZE, 3], [SIZE, SIZE, 2])
    (entry,) = model.metadata_props
    own = json.loads(entry.value)
    assert entry.key == OWN and [tensor["name"] for tensor in own["inputs"]] == ["L", "hints"]
    assert "mask" in own["inputs"][1]["description"] and len(own["bins"]) == len(colorizer.space.bins)
