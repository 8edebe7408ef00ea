"""LiteRT: the same colours as TensorFlow from one network file, without TensorFlow, and what it cannot do."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_colorize import packages
from keras_colorize.cli import main
from keras_colorize.errors import ColorizeError
from keras_colorize.inference import network_cache, system
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.converter import convert_network
from keras_colorize.inference.hints import Hint
from keras_colorize.inference.litert_network import LiteRTNetwork
from keras_colorize.inference.network_cache import find_network_file
from keras_colorize.inference.network_file import (
    NetworkFile,
    network_digest,
    packaged_network_file,
    read_network_file,
)
from keras_colorize.recipes import Recipe, packaged_names
from tests.colorizing import grey_photo, hint_colorizer, save_grey, write_run

ROOT = Path(__file__).resolve().parents[1]
SHAPES = ((32, 32), (40, 75), (90, 41), (40, 75))


def in_litert(colorizer: Colorizer) -> tuple[NetworkFile, Colorizer]:
    """Convert a system, and return its network file and the same system in LiteRT."""
    pytest.importorskip("ai_edge_litert")
    file = convert_network(colorizer.network.with_keras("tests"), colorizer.name, "source")
    return file, Colorizer(LiteRTNetwork(file, colorizer.recipe), colorizer.recipe)


@pytest.fixture(scope="module")
def colorizer():
    return hint_colorizer()


@pytest.fixture(scope="module")
def converted(colorizer):
    return in_litert(colorizer)


@pytest.fixture(scope="module")
def file(converted):
    return converted[0]


@pytest.fixture(scope="module")
def lite(converted):
    return converted[1]


def hints_of(height, width):
    return [Hint(width // 3, height // 2, "firebrick", 3), Hint(width - 1, 0, (-30.0, 50.0)), Hint(0, 0, "neutral")]


@pytest.mark.parametrize("vividness", [1.0, 0.4, 1.8])
def test_photos_of_several_sizes_have_the_colors_of_tensorflow(colorizer, lite, vividness):
    photos = [grey_photo(number, *shape) for number, shape in enumerate(SHAPES)]
    for with_hints in (False, True):
        frames = [
            colorizer.frame(photo, hints_of(*photo.shape) if with_hints and number != 1 else ())
            for number, photo in enumerate(photos)
        ]
        for one, other in zip(colorizer.predict(frames, vividness), lite.predict(frames, vividness), strict=True):
            assert one.shape == other.shape
            assert np.abs(one).mean() > 1, "in colour"
            assert np.abs(one - other).mean() < 0.004 * np.abs(one).mean(), "but for weights of float16"
    hints = hints_of(*photos[1].shape)
    colored = [each(photos[1], hints=hints, vividness=vividness) for each in (colorizer, lite)]
    assert np.abs(colored[0].astype(int) - colored[1]).mean() < 0.1


def test_a_network_that_predicts_chroma_itself_and_takes_squares(tmp_path):
    colorizer = Colorizer.from_run(write_run(tmp_path))
    _, lite = in_litert(colorizer)
    assert lite.multiple is None and not lite.stochastic
    photo = grey_photo(0, 40, 75)
    for vividness in (1.0, 0.5):
        expected, found = (each(photo, vividness=vividness) for each in (colorizer, lite))
        assert np.ptp(expected, axis=-1).mean() > 2, "in colour"
        assert np.abs(expected.astype(int) - found).mean() < 0.5
    with pytest.raises(ColorizeError, match="takes no hints"):
        lite(photo, hints=[Hint(0, 0, "red")])


def test_the_rebalancing_is_taken_back_once(colorizer):
    recipe = replace(colorizer.recipe, decoding=replace(colorizer.recipe.decoding, undo_rebalancing=0.8))
    undone = Colorizer(colorizer.generator, recipe)
    _, lite = in_litert(undone)
    frame = undone.frame(grey_photo(0, 32, 48))
    assert np.abs(undone.predict([frame])[0] - colorizer.predict([frame])[0]).mean() > 0.5
    expected, found = undone.predict([frame])[0], lite.predict([frame])[0]
    assert np.abs(expected - found).mean() < 0.004 * np.abs(expected).mean()


def test_sessions_and_suggestions_work(colorizer, lite):
    photo = grey_photo(0, 40, 75)
    sessions = [each.session(photo) for each in (colorizer, lite)]
    previews = [each.preview(hints=[Hint(20, 20, "gold")], vividness=1.3) for each in sessions]
    assert np.abs(previews[0].astype(int) - previews[1]).mean() < 0.1
    suggested = [each.suggest(photo, 30, 20) for each in (colorizer, lite)]
    assert [len(each) for each in suggested] == [len(suggested[0])] * 2
    np.testing.assert_allclose(*([each.share for each in found] for found in suggested), atol=0.01)


def test_what_needs_layers_says_so(lite):
    photo = grey_photo()
    for call in (
        lambda: lite.samples(photo, 2),
        lambda: lite(photo, reference=np.zeros((9, 9, 3), np.uint8)),
        lambda: lite.to_keras(),
        lambda: lite.generator,
        lambda: lite.distribution,
    ):
        with pytest.raises(
            ColorizeError, match="need TensorFlow, and this network runs in LiteRT: choose the `runtime`"
        ):
            call()


def test_a_file_comes_back(file, tmp_path):
    assert read_network_file(tmp_path, "small", "source") is None
    written = file.write(tmp_path, "small")
    assert written.name == "small.tflite" and written.stat().st_size < 200_000
    found = read_network_file(tmp_path, "small", "source")
    assert found.content == file.content
    assert found.facts == json.loads(json.dumps(file.facts))


def test_a_file_that_is_stale_or_damaged_is_refused(file, tmp_path):
    written = file.write(tmp_path, "small")
    with pytest.raises(
        ColorizeError, match="was made of other weights or of another recipe than 'small' has now"
    ) as stale:
        read_network_file(tmp_path, "small", "another")
    assert (stale.value.action, stale.value.details) == ("pack_tflite", {"model": "small"})
    written.write_bytes(file.content[:-1] + b"!")
    with pytest.raises(ColorizeError, match="is damaged: its SHA-256 is not"):
        read_network_file(tmp_path, "small", "source")
    (tmp_path / "small.tflite.json").write_text("{}")
    with pytest.raises(ColorizeError, match="cannot be read"):
        read_network_file(tmp_path, "small", "source")


def test_the_digest_is_of_all_that_the_file_is_made_of():
    recipe = Recipe.load("vivid")
    digest = network_digest(recipe, "1" * 64)
    assert (
        network_digest(recipe.with_values(**{"decoding.lift": 0.5, "optimizer.learning_rate": 0.5}), "1" * 64) == digest
    )
    for other in (
        network_digest(recipe, "2" * 64),
        network_digest(recipe.with_values(**{"decoding.undo_rebalancing": 0.5}), "1" * 64),
        network_digest(recipe.with_values(**{"data.image_size": 64}), "1" * 64),
        network_digest(recipe.with_values(**{"generator.args": {"width": 8}}), "1" * 64),
    ):
        assert other != digest


@pytest.mark.parametrize("name", packaged_names())
def test_a_packaged_file_belongs_to_the_weights(name):
    """Whoever changes the weights makes the file again: `keras-colorize pack --tflite NAME`."""
    file = packaged_network_file(Recipe.load(name))
    assert file is not None, "without it nobody colours photos who has no TensorFlow"
    assert (file.facts["name"], file.facts["size"]) == (name, Recipe.load(name).data.image_size)


def test_a_missing_file_is_made_once(file, tmp_path, monkeypatch):
    made = []
    recipe = Recipe.load("vivid")
    monkeypatch.setenv("KERAS_COLORIZE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(network_cache, "packaged_network_file", lambda recipe: None)
    monkeypatch.setattr(network_cache, "packaged_digest", lambda recipe: "source")
    monkeypatch.setattr(network_cache, "make_network_file", lambda recipe: made.append(recipe.name) or file)
    for _ in range(2):
        assert find_network_file(recipe).content == file.content
    assert made == ["vivid"]
    monkeypatch.setenv("KERAS_COLORIZE_CACHE", str(tmp_path / "other"))
    monkeypatch.setattr(network_cache, "is_installed", lambda package: False)
    with pytest.raises(ColorizeError, match=r"TensorFlow makes one: pip install \"keras-colorize\[tensorflow\]\""):
        find_network_file(recipe)


@pytest.mark.slow
def test_the_packaged_weights_become_a_file(tmp_path, capsys):
    assert main(["pack", "--tflite", "vivid", "--out", str(tmp_path)]) == 0
    assert "vivid.tflite: " in capsys.readouterr().out
    recipe = Recipe.load("vivid")
    file = read_network_file(tmp_path, "vivid", network_cache.packaged_digest(recipe))
    lite, full = Colorizer(LiteRTNetwork(file, recipe), recipe), Colorizer.from_zoo("vivid", "tensorflow")
    photo = grey_photo(0, 200, 300)
    hints = hints_of(*photo.shape)
    assert np.abs(lite(photo, hints=hints).astype(int) - full(photo, hints=hints)).mean() < 0.1


def without(*missing):
    return lambda package: package not in missing


def test_the_runtime_is_what_is_installed(monkeypatch):
    assert packages.choose_runtime("auto") == "tensorflow"
    with pytest.raises(ColorizeError, match=r"`runtime` is 'litrt'; did you mean 'litert'\?"):
        packages.choose_runtime("litrt")
    monkeypatch.setattr(packages, "is_installed", without("tensorflow"))
    assert packages.choose_runtime("auto") == packages.choose_runtime("litert") == "litert"
    with pytest.raises(
        ColorizeError, match=r"TensorFlow is not installed: pip install \"keras-colorize\[tensorflow\]\""
    ):
        packages.choose_runtime("tensorflow")
    monkeypatch.setattr(packages, "is_installed", without("tensorflow", "ai_edge_litert"))
    with pytest.raises(ColorizeError, match=r"LiteRT is not installed: pip install \"keras-colorize\[lite\]\""):
        packages.choose_runtime("litert")
    with pytest.raises(ColorizeError, match="no runtime for networks is installed"):
        packages.choose_runtime("auto")


def test_the_zoo_in_litert(file, tmp_path, monkeypatch):
    monkeypatch.setattr(system, "find_network_file", lambda recipe: file)
    lite = Colorizer.from_zoo("vivid", "litert")
    assert (lite.network.runtime, lite.name, lite.space.takes_hints) == ("LiteRT", "vivid", True)
    with pytest.raises(ColorizeError, match="comes without weights"):
        Colorizer.from_zoo("unet_gan", "litert")
    (tmp_path / "recipe.toml").write_text('extends = "vivid"\n')
    with pytest.raises(ColorizeError, match="LiteRT runs systems of the zoo"):
        Colorizer.from_zoo(str(tmp_path), "litert")


RUN = """
import sys
from pathlib import Path
from keras_colorize.inference import network_file, system
file = network_file.read_network_file(Path({folder!r}), "small", "source")
system.find_network_file = lambda recipe: file
if {alone}:
    from keras_colorize import packages
    packages.is_installed = lambda package: package != "tensorflow"
from keras_colorize.cli import main
code = main(sys.argv[1:])
assert not {{"tensorflow", "keras"}} & set(sys.modules), "loaded all the same"
sys.exit(code)
"""


@pytest.mark.parametrize("alone", [False, True])
def test_the_command_loads_neither_tensorflow_nor_keras(file, lite, tmp_path, alone):
    file.write(tmp_path, "small")
    save_grey(tmp_path / "in" / "a.png", tmp_path / "in" / "b.png")
    photo = Image.open(tmp_path / "in" / "b.png").convert("LA")
    photo.putalpha(100)
    photo.save(tmp_path / "in" / "b.png")
    hints = tmp_path / "in" / "a.hints.json"
    hints.write_text(json.dumps({"hints": [{"x": 20, "y": 20, "color": "#b22222", "radius": 6}]}))
    code = RUN.format(folder=str(tmp_path), alone=alone)
    runtime = [] if alone else ["--runtime", "litert"]
    words = ["colorize", tmp_path / "in", "--out", tmp_path / "out", "--vividness", "1.5", "--contact-sheet", *runtime]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    colored = np.asarray(Image.open(tmp_path / "out" / "a.png").convert("RGB")).astype(int)
    assert np.ptp(colored[18:23, 18:23], axis=-1).mean() > 40, "the hint"
    assert np.asarray(Image.open(tmp_path / "out" / "b.png"))[..., 3].tolist() == np.full((40, 48), 100).tolist()
    assert (tmp_path / "out" / "contact-sheet.jpg").is_file() or list((tmp_path / "out").glob("contact-sheet*"))


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--samples", "2"], "--samples needs TensorFlow"),
        (["--reference", "b.png"], "--reference needs TensorFlow"),
        (["--run", "{run}"], "--run needs TensorFlow"),
        (["--model", "{run}"], "--model with a folder needs TensorFlow"),
        (["--weights", "{run}/recipe.toml"], "--weights needs TensorFlow"),
    ],
)
def test_options_that_need_tensorflow_are_refused(flags, reason, tmp_path, capsys, monkeypatch):
    save_grey(tmp_path / "a.png")
    run = tmp_path / "run"
    run.mkdir()
    (run / "recipe.toml").write_text('extends = "vivid"\n')
    words = ["colorize", str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), "--runtime", "litert"]
    words += [flag.format(run=run) for flag in flags]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert reason in error and "choose --runtime tensorflow" in error and error.count("\n") == 1
    monkeypatch.setattr(packages, "is_installed", without("tensorflow"))
    assert main(words) == 2
    assert 'pip install "keras-colorize[tensorflow]"' in capsys.readouterr().err


def test_commands_say_what_to_install():
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name.partition('.')[0] in ('tensorflow', 'keras'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "import keras_colorize\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from keras_colorize.cli import main\n"
        "try:\n"
        "    keras_colorize.build_generator\n"
        "except keras_colorize.ColorizeError as error:\n"
        "    print(error)\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    words = ["pack", "--tflite", "vivid"]
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, timeout=60)
    advice = 'pip install "keras-colorize[tensorflow]"\n'
    assert done.stdout == f"keras_colorize.build_generator needs Keras: {advice}"
    assert (done.returncode, done.stderr) == (2, f"keras-colorize pack: this command needs TensorFlow: {advice}")
