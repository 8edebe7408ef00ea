"""The command as a whole: what it refuses, what it writes, and that it leaves nothing behind when it fails."""

import json

import numpy as np
import pytest
import tensorflow as tf

from keras_colorize.cli import main
from keras_colorize.errors import ColorizeError
from keras_colorize.export import verification
from keras_colorize.export.export import export
from keras_colorize.export.request import FORMATS, ExportRequest, read_size
from keras_colorize.models.networks import build_generator
from keras_colorize.models.weights import save_weights
from keras_colorize.recipes import Recipe, zoo_names
from keras_colorize.runs.folder import RunFolder
from tests.exports import random_colorizer, small_colorizer


@pytest.mark.parametrize(
    "options, words",
    [
        ({"format": "tflit"}, "did you mean 'tflite'"),
        ({"format": "tflite", "quantize": "int4"}, "did you mean 'int8'"),
        ({"format": "onnx", "quantize": "int8"}, "only tflite files are quantized"),
        ({"format": "saved_model", "core": True}, "signature predict_ab"),
        ({"format": "saved_model", "size": 64}, "takes any size"),
        ({"format": "tflite", "distribution": True}, "ask for `core` too"),
        ({"format": "tflite", "size": 0}, "`size` is 0: expected 8 to 4096 pixels, or any"),
        ({"format": "onnx", "size": -1}, "`size` is -1: expected 8 to 4096 pixels, or any"),
        ({"format": "tflite", "size": 5000, "core": True}, "`size` is 5000: expected 8 to 4096 pixels, or any"),
        ({"format": "tflite", "vividness": float("nan")}, "`vividness` is nan"),
        ({"format": "tflite", "vividness": -1.0}, "`vividness` is -1"),
        ({"format": "saved_model", "max_megapixels": 0.0}, "`max_megapixels` is 0"),
    ],
)
def test_options_that_do_not_go_together(options, words):
    with pytest.raises(ColorizeError, match=words):
        ExportRequest(**options)


def test_sizes_and_names_of_files():
    assert read_size("any") == "any" and read_size("96") == 96
    with pytest.raises(ColorizeError, match="`size` is 'big'"):
        read_size("big")
    assert ExportRequest("tflite").side(256) == 256 and ExportRequest("tflite", size="any").side(256) is None
    assert ExportRequest("onnx").side(256) is None and ExportRequest("onnx", size=64).side(256) == 64
    assert ExportRequest("tflite", "int8", "any", True).file_name("vivid") == "vivid_core_any_int8.tflite"
    assert ExportRequest("onnx", core=True, distribution=True).file_name("vivid") == "vivid_core_distribution.onnx"


def test_a_full_folder_is_refused(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["export", "--model", "vivid", "--format", "onnx", "--out", str(tmp_path)]) == 2
    assert "choose a new folder for --out" in capsys.readouterr().err


def test_a_system_without_weights_is_one_line(tmp_path, capsys):
    assert main(["export", "--model", "cnn", "--format", "saved_model", "--out", str(tmp_path / "x")]) == 2
    error = capsys.readouterr().err
    assert "weights" in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_its_extra(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["export", "--model", "vivid", "--format", "tflite", "--out", str(tmp_path / "x")]) == 2
    assert 'pip install "keras-colorize[tflite]"' in capsys.readouterr().err


def run_folder(path, precision="float32"):
    """A run of a small system, trained by nobody."""
    recipe = small_colorizer().recipe.with_values(**{"runtime.precision": precision})
    folder = RunFolder(path)
    path.mkdir()
    folder.recipe_file.write_text(recipe.to_toml(), encoding="utf-8")
    generator = build_generator(recipe, precision=precision)
    generator.set_weights(small_colorizer().generator.get_weights())
    save_weights(generator, folder.generator_weights)
    return path


@pytest.mark.slow
def test_a_run_in_mixed_precision_becomes_float32(tmp_path, capsys):
    run, out = run_folder(tmp_path / "run", "bfloat16"), tmp_path / "out"
    assert main(["export", "--run", str(run), "--format", "saved_model", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "from the Colorizer on 3 photos: mean" in said and "report:" in said
    report = json.loads((out / "export.json").read_text())
    name = small_colorizer().name
    assert report["comparison"]["grey_levels"]["mean"] < report["tolerance"]["grey_levels"]
    assert report["bytes"] == sum(report["files"].values()) and set(report["milliseconds"]) == {"keras", "1", "2"}
    assert f"{name}/1/assets.extra/tf_serving_warmup_requests" in report["files"]
    assert f'base_path: "/models/{name}"' in (out / "models.config").read_text()
    variables = tf.saved_model.load(str(out / name / "1")).network_variables
    assert {variable.dtype for variable in variables} == {tf.float32}


@pytest.mark.slow
def test_a_file_that_differs_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setitem(verification.TOLERANCE, "none", -1.0)
    with pytest.raises(ColorizeError, match="grey levels on average"):
        export(small_colorizer(), ExportRequest("saved_model"), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_tflite_in_full(tmp_path):
    pytest.importorskip("ai_edge_litert")
    said = []
    asked = ExportRequest("tflite", quantize="float16", vividness=1.5)
    report = export(small_colorizer(), asked, tmp_path / "out", said.append)
    assert report.to_float < 1 and report.signatures == {"colorize": {"inputs": ["image"], "outputs": ["colorized"]}}
    assert said[0] == "converting" and (tmp_path / "out" / "unet_gan_float16.tflite").is_file()
    assert any("partitions" in remark for remark in report.remarks)


def test_a_distribution_of_a_network_that_predicts_none(tmp_path):
    pytest.importorskip("ai_edge_litert")
    with pytest.raises(ColorizeError, match="'unet_gan' predicts no distribution over colours"):
        export(small_colorizer(), ExportRequest("tflite", core=True, distribution=True), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "request_",
    [
        ExportRequest("tflite", core=True, distribution=True),
        ExportRequest("tflite", "int8", core=True, size=48),
        ExportRequest("onnx"),
        ExportRequest("onnx", core=True),
        ExportRequest("saved_model"),
    ],
    ids=lambda request: request.file_name("hinted"),
)
def test_a_network_that_takes_hints_in_full(tmp_path, request_):
    if request_.format != "saved_model":
        pytest.importorskip("ai_edge_litert" if request_.format == "tflite" else "onnxruntime")
    report = export(small_colorizer("vivid", hints=True), request_, tmp_path / "out")
    table = json.loads((tmp_path / "out" / "export.json").read_text())
    assert table["hinted"]["grey_levels"]["mean"] == report.hinted.grey_levels.mean < 3.5
    if request_.format != "saved_model":
        hints = table["metadata"]["inputs"][1]
        assert hints["name"] == "hints" and "disc" in hints["description"]
        assert len(table["metadata"]["bins"]) == (309 if request_.distribution else 0)


def test_a_core_of_a_size_that_does_not_fit(tmp_path):
    pytest.importorskip("ai_edge_litert")
    with pytest.raises(ColorizeError, match=r"`size` is 40: .* needs a multiple of 16, such as 32 or 48"):
        export(small_colorizer(), ExportRequest("tflite", core=True, size=40), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", zoo_names())
def test_every_system_of_the_zoo(tmp_path, name, format):
    if format != "saved_model":
        pytest.importorskip("ai_edge_litert" if format == "tflite" else "onnxruntime")
    size = 64 if Recipe.load(name).generator.name in ("cnn", "vivid") else 128
    untrained = random_colorizer(Recipe.load(name).with_values(**{"data.image_size": size}))
    report = export(untrained, ExportRequest(format), tmp_path / "out")
    assert np.isfinite(report.comparison.grey_levels.max)
