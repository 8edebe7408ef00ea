"""ONNX files in onnxruntime."""

import numpy as np
import pytest

pytest.importorskip("tf2onnx")
pytest.importorskip("onnxruntime")

from keras_colorize.color.inputs import Inputs
from keras_colorize.export import onnx
from keras_colorize.export.graph import ColorGraph
from keras_colorize.export.verification import Reference
from tests.exports import SIZE, photos, small_colorizer

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
    np.testing.assert_array_equal(runtime(batch)[0], runtime(batch[:1])[0])


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
    np.testing.assert_allclose(runtime(L), colorizer.predict_ab(Inputs(L)), atol=0.02)
