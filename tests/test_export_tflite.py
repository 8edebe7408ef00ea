"""TFLite files in LiteRT: the same colours, built-in operators only, smaller without touching the colour conversion."""

import json
import re

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
pytest.importorskip("ai_edge_quantizer")

from ai_edge_litert import schema_py_generated as schema

from keras_colorize.color.inputs import Inputs
from keras_colorize.errors import ColorizeError
from keras_colorize.export import tflite
from keras_colorize.export.metadata import STANDARD, ModelMetadata, TensorMetadata, read_metadata, with_metadata
from keras_colorize.export.quantization import layer_names, quantize
from keras_colorize.export.verification import Reference
from keras_colorize.inference.frame import frame_photo
from keras_colorize.inference.graph import NETWORK_SCOPE, ColorGraph
from tests.conftest import colorful_photo
from tests.exports import SIZE, apart, photos, small_colorizer, some_hints

pytestmark = pytest.mark.slow  # a minute together; .ci/run has them

SYSTEMS = ("unet_gan", "vivid")


@pytest.fixture(scope="module", params=SYSTEMS)
def exported(request):
    """Colorizer, graph and the float32 file at the network's size."""
    colorizer = small_colorizer(request.param)
    graph = ColorGraph(colorizer, square=True)
    return colorizer, graph, tflite.convert(graph, SIZE, core=False)


def squares(count=4):
    return [colorful_photo(number, SIZE, SIZE) for number in range(count)]


def quantized(content, kind, tolerance=2.0, progress=lambda _: None):
    exact = [tflite.LiteRT(content)(image=photo[None])["colorized"][0] for photo in squares()]

    def difference(candidate):
        runtime = tflite.LiteRT(candidate)
        return np.mean(
            [
                apart(runtime(image=photo[None])["colorized"][0], was)
                for photo, was in zip(squares(), exact, strict=True)
            ]
        )

    calibration = [{"image": photo[None]} for photo in squares(8)]
    return quantize(content, kind, tflite.COLORIZE, calibration, difference, tolerance, progress)


def types_of_operators(content):
    """(operator, name of its output, types of its inputs) for each."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    kinds = {value: name for name, value in vars(schema.TensorType).items() if isinstance(value, int)}
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    (graph,) = model.subgraphs
    return [
        (
            names[model.operatorCodes[operator.opcodeIndex].builtinCode],
            graph.tensors[operator.outputs[0]].name.decode(),
            [kinds[graph.tensors[number].type] for number in operator.inputs if number >= 0],
        )
        for operator in graph.operators
    ]


def test_the_file_is_the_colorizer(exported):
    colorizer, graph, content = exported
    runtime = tflite.LiteRT(content)
    found = Reference(colorizer, multiple=graph.multiple).compare(runtime, squares())
    assert found.grey_levels.mean < 1.0  # random weights turn small differences into larger ones
    assert runtime.signatures == {"colorize": {"inputs": ["image"], "outputs": ["colorized"]}}


def test_the_interpreter_does_not_tell_of_its_delegate(exported, capfd):
    assert tflite.LiteRT(exported[2])(image=squares(1)[0][None])["colorized"].shape == (1, SIZE, SIZE, 3)
    assert capfd.readouterr().err == ""


def test_any_size_in_one_file(exported):
    colorizer, graph, _ = exported
    runtime = tflite.LiteRT(tflite.convert(graph, None, core=False))
    found = Reference(colorizer, multiple=graph.multiple).compare(runtime, photos())
    assert found.grey_levels.mean < 1.5
    assert runtime(image=photos()[1][None])["colorized"].shape == (1, *photos()[1].shape)


def test_the_core_is_the_network(exported):
    colorizer, graph, _ = exported
    runtime = tflite.LiteRT(tflite.convert(graph, SIZE, core=True))
    L = np.random.default_rng(0).uniform(0, 100, (1, SIZE, SIZE, 1)).astype("float32")
    np.testing.assert_allclose(runtime(L=L)["ab"], colorizer.predict_ab(Inputs(L)), atol=0.02)
    assert runtime.signatures == {"predict_ab": {"inputs": ["L"], "outputs": ["ab"]}}
    delegation = runtime.delegation()
    assert delegation.partitions == 1 and not delegation.left, delegation


@pytest.fixture(scope="module", params=SYSTEMS)
def hinted_core(request):
    """Colorizer and core of a network that takes hints; of one that predicts a distribution with that, too."""
    colorizer = small_colorizer(request.param, hints=True)
    graph, distribution = ColorGraph(colorizer, square=True), request.param == "vivid"
    return colorizer, tflite.convert(graph, SIZE, core=True, distribution=distribution)


def core_inputs(number=0, hints=()):
    """Lightness and hints of a square photo, as a core takes them."""
    frame = frame_photo(colorful_photo(number, SIZE, SIZE), SIZE, None, hints)
    drawn = np.zeros((SIZE, SIZE, 3), np.float32) if frame.inputs.hints is None else frame.inputs.hints
    return {"L": frame.inputs.lightness[None], "hints": drawn[None]}


def test_a_core_with_hints_is_the_network(hinted_core):
    colorizer, content = hinted_core
    runtime = tflite.LiteRT(content)
    given, plain = core_inputs(hints=some_hints(SIZE, SIZE)), core_inputs()
    ab = runtime(**given)["ab"]
    np.testing.assert_allclose(ab, colorizer.predict_ab(Inputs(given["L"], given["hints"])), atol=0.02)
    np.testing.assert_allclose(runtime(**plain)["ab"], colorizer.predict_ab(Inputs(plain["L"])), atol=0.02)
    assert apart(ab, runtime(**plain)["ab"]) > 0.3
    delegation = runtime.delegation()
    assert delegation.partitions == 1 and not delegation.left, delegation


def test_the_signature_of_a_core_with_hints_and_its_distribution(hinted_core):
    colorizer, content = hinted_core
    runtime = tflite.LiteRT(content)
    ((name, tensors),) = runtime.signatures.items()
    binned = colorizer.recipe.space == "binned_lab"
    assert name == "predict_ab" and sorted(tensors["inputs"]) == ["L", "hints"]
    assert sorted(tensors["outputs"]) == (["ab", "distribution"] if binned else ["ab"])
    if binned:
        shares = runtime(**core_inputs())["distribution"]
        assert shares.shape == (1, *colorizer.generator.output_shape[1:])
        np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=1e-4)


def test_a_core_with_hints_in_int8(hinted_core):
    _, content = hinted_core
    given = [core_inputs(number, some_hints(SIZE, SIZE) if number % 2 else ()) for number in range(8)]
    exact = [tflite.LiteRT(content)(**photo)["ab"] for photo in given]

    def difference(candidate):
        runtime = tflite.LiteRT(candidate)
        return np.mean([apart(runtime(**photo)["ab"], was) for photo, was in zip(given, exact, strict=True)])

    found = quantize(content, "int8", tflite.PREDICT_AB, given, difference, tolerance=6.0)
    assert found.difference < 6 and len(found.content) < len(content) / 1.5


def test_partitions_of_the_whole_file(exported):
    _, _, content = exported
    runtime = tflite.LiteRT(content)
    runtime(image=squares(1)[0][None])
    delegation = runtime.delegation()
    # uint8 in, the table of the sRGB curve, uint8 out: what XNNPACK does not take.
    assert delegation.partitions == 1 and delegation.left == {"CAST": 2, "GATHER": 1}, delegation
    assert delegation.delegated > 100


def test_custom_operators_are_refused(exported):
    _, _, content = exported
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    model.operatorCodes[0].customCode = "FlexCast"
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    with pytest.raises(ColorizeError, match="FlexCast"):
        tflite.check_built_in(bytes(builder.Output()))


@pytest.mark.parametrize("kind, smaller", [("float16", 1.3), ("dynamic", 1.5), ("int8", 1.4)])
def test_quantized_files_run_and_are_smaller(exported, kind, smaller):
    _, _, content = exported
    found = quantized(content, kind, tolerance=6.0)
    tflite.check_built_in(found.content)
    runtime = tflite.LiteRT(found.content)
    assert runtime(image=squares(1)[0][None])["colorized"].shape == (1, SIZE, SIZE, 3)
    assert found.difference <= 6.0
    assert len(found.content) < len(content) / smaller


def test_int8_touches_nothing_but_the_network(exported):
    _, _, content = exported
    operators = types_of_operators(quantized(content, "int8", tolerance=100.0).content)
    layers = layer_names(content)
    assert sum(name == "CONV_2D" and "INT8" in kinds for name, _, kinds in operators) >= len(layers) // 2
    for operator, name, kinds in operators:
        if operator not in ("CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "QUANTIZE", "DEQUANTIZE"):
            assert "INT8" not in kinds, (operator, name)
        if "INT8" in kinds and operator not in ("QUANTIZE", "DEQUANTIZE"):
            assert re.search(f"(^|[/;]){NETWORK_SCOPE}", name), name
    assert all(kinds[0] == "FLOAT32" for operator, _, kinds in operators if operator in ("SOFTMAX", "EXP", "LOG"))


@pytest.fixture(scope="module")
def few_layers():
    """A file whose layers are soon gone through."""
    return tflite.convert(ColorGraph(small_colorizer("unet_gan"), square=True), SIZE, core=False)


def test_ranges_do_not_depend_on_the_order_of_the_photos(few_layers):
    dark_first = [{"image": np.full((1, SIZE, SIZE, 3), 9, np.uint8)}, *({"image": photo[None]} for photo in squares())]
    files = [
        quantize(few_layers, "int8", tflite.COLORIZE, calibration, lambda _: 0.0).content
        for calibration in (dark_first, dark_first[::-1])
    ]
    np.testing.assert_array_equal(*(tflite.LiteRT(file)(image=squares(1)[0][None])["colorized"] for file in files))


def test_layers_that_cost_too_much_stay_in_float32(few_layers):
    content = few_layers
    everything = quantized(content, "int8", tolerance=100.0)
    assert everything.left_out == [] and everything.layers == len(layer_names(content))
    said = []
    found = quantized(content, "int8", tolerance=everything.difference * 0.7, progress=said.append)
    assert 0 < len(found.left_out) < found.layers and set(found.left_out) <= set(layer_names(content))
    assert found.difference <= everything.difference * 0.7
    assert said[0] == f"layer 1 of {found.layers} on its own"
    types = {name: kinds for _, name, kinds in types_of_operators(found.content)}
    assert all("INT8" not in types[name] for name in found.left_out if name in types)


def test_a_tolerance_out_of_reach_is_an_error(few_layers):
    with pytest.raises(ColorizeError, match="use float16, or none"):
        quantized(few_layers, "int8", tolerance=-1.0)


def metadata():
    image = TensorMetadata("image", "photo", "1 × 32 × 32 × 3", "uint8", "sRGB levels", "rgb", 0, 255)
    return ModelMetadata(
        "small", "Colorization.", "0.1.0", "someone", "Apache-2.0", "colorize", "none", (image,), (image,)
    )


def test_metadata_for_programs_and_people(exported):
    _, _, content = exported
    described = with_metadata(with_metadata(content, metadata()), metadata())
    photo = squares(1)[0][None]
    found, expected = (tflite.LiteRT(file)(image=photo)["colorized"] for file in (described, content))
    np.testing.assert_array_equal(found, expected)
    own = json.loads(read_metadata(described))
    assert (
        own["license"] == "Apache-2.0" and own["inputs"][0]["unit"] == "sRGB levels" and own["inputs"][0]["mean"] == 0
    )
    assert schema.Model.GetRootAs(described, 0).Description() == b"Colorization."
    names = [entry.name for entry in schema.ModelT.InitFromPackedBuf(described, 0).metadata]
    assert names.count(STANDARD.encode()) == 1


def test_the_standard_metadata_reads_back_by_its_schema(exported):
    """Field numbers are those of metadata_schema.fbs."""
    from flatbuffers.encode import Get
    from flatbuffers.packer import uoffset
    from flatbuffers.table import Table

    _, _, content = exported
    data = bytearray(read_metadata(with_metadata(content, metadata()), STANDARD))
    assert data[4:8] == b"M001"

    def field(table, number):
        return table.Pos + table.Offset(4 + 2 * number)

    def text(table, number):
        return table.String(field(table, number)).decode()

    def follow(table, number):
        return Table(data, table.Indirect(field(table, number)))

    def item(table, number):
        return Table(data, table.Indirect(table.Vector(table.Offset(4 + 2 * number))))

    model = Table(data, Get(uoffset, data, 0))
    assert [text(model, number) for number in (0, 1, 2, 4, 5)] == [
        "small", "Colorization.", "0.1.0", "someone", "Apache-2.0",
    ]  # fmt: skip
    image = item(item(model, 3), 2)
    assert text(item(model, 3), 0) == "colorize" and text(image, 0) == "image"
    assert data[field(follow(image, 3), 0)] == 2  # ImageProperties
    stats = follow(image, 5)
    highest = np.frombuffer(data, "<f4", 1, stats.Vector(stats.Offset(4)))
    assert highest == 255
