"""`Colorizer.to_keras`: one Keras model with the Colorizer's pixels, which loads in a new process."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_colorize.errors import ColorizeError
from keras_colorize.recipes import Recipe, zoo_names
from tests.exports import apart, photos, random_colorizer, small_colorizer

ROOT = Path(__file__).resolve().parents[1]
LOAD = """
import json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras_colorize
assert "keras" not in sys.modules
import keras
assert "keras_colorize.inference.photo_model" not in sys.modules
import numpy as np

folder, names = json.load(sys.stdin)
for name in names:
    model = keras.models.load_model(f"{folder}/{name}.keras")
    with np.load(f"{folder}/{name}.npz") as file:
        np.testing.assert_array_equal(np.asarray(model(file["photo"])), file["colored"], err_msg=name)
    print(name)
"""


def load_elsewhere(folder, models):
    """Save models with a photo and its colours, and compare in a new process what they make of the photo."""
    for name, model in models.items():
        photo = photos()[1][None]
        model.save(folder / f"{name}.keras")
        np.savez(folder / f"{name}.npz", photo=photo, colored=np.asarray(model(photo)))
    given = json.dumps([str(folder), list(models)])
    done = subprocess.run(
        [sys.executable, "-c", LOAD], input=given, cwd=ROOT, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == list(models)


@pytest.fixture(scope="module", params=["unet_gan", "vivid"])
def system(request):
    """A Colorizer and its model."""
    colorizer = small_colorizer(request.param, hints=request.param == "vivid")
    return colorizer, colorizer.to_keras()


def test_called_with_arrays_it_gives_the_colorizers_pixels(system):
    colorizer, model = system
    for photo in photos():
        grey = photo[..., :1]
        for given in (photo, grey, photo.astype("float32") / 255):
            found = np.asarray(model(given[None]))
            assert found.dtype == given.dtype and found.shape == (1, *photo.shape)
            np.testing.assert_array_equal(found[0], colorizer(given))


def test_predict_gives_the_colorizers_pixels_of_a_batch(system):
    colorizer, model = system
    batch = np.stack([photos()[1], photos()[1][::-1], photos()[1][:, ::-1]])
    found = model.predict(batch, batch_size=2, verbose=0)
    assert found.dtype == np.uint8
    for photo, image in zip(batch, found, strict=True):
        assert apart(image, colorizer(photo)) < 0.05  # the last bits depend on how many share a call


def test_in_a_graph_it_computes_the_same_with_operators(system):
    colorizer, model = system
    graph = tf.function(lambda image: model(image), autograph=False)
    for photo in photos()[:2]:
        assert apart(graph(tf.constant(photo[None]))[0].numpy(), colorizer(photo)) < 1.5
        floats = photo.astype("float32") / 255
        assert apart(255 * graph(tf.constant(floats[None]))[0].numpy(), 255 * colorizer(floats)) < 1.5


def test_it_is_a_layer_of_functional_models(system):
    colorizer, model = system
    image = keras.Input((None, None, 1), dtype="uint8")
    whole = keras.Model(image, model(image))
    assert whole.output_shape == (None, None, None, 3) and whole.outputs[0].dtype == "uint8"
    photo = photos()[1][..., :1]
    assert apart(whole.predict(photo[None], verbose=0)[0], colorizer(photo)) < 1.5


def test_it_does_not_train():
    colorizer = small_colorizer()
    model = colorizer.to_keras()
    assert model.trainable_variables == [] and len(model.variables) == len(colorizer.generator.variables)
    assert colorizer.generator.trainable_variables
    model.generator.set_weights([0 * weights for weights in model.generator.get_weights()])
    assert any(weights.any() for weights in colorizer.generator.get_weights()), "the model has weights of its own"


def test_vividness_is_built_in():
    colorizer = small_colorizer()
    photo = photos()[1]
    strong = np.asarray(colorizer.to_keras(vividness=2.0)(photo[None]))[0]
    np.testing.assert_array_equal(strong, colorizer(photo, vividness=2.0))
    with pytest.raises(ColorizeError, match="`vividness`"):
        colorizer.to_keras(vividness=-1)


@pytest.mark.parametrize(
    "image, words",
    [
        (np.zeros((8, 8, 3), np.uint8), r"shape \(8, 8, 3\)"),
        (np.zeros((1, 8, 8, 4), np.uint8), r"shape \(1, 8, 8, 4\)"),
        (np.zeros((1, 8, 8, 3), np.int32), "hold int32"),
        (np.full((1, 8, 8, 3), 7.0, np.float32), "divide by its white"),
    ],
)
def test_what_is_no_photo_is_refused(system, image, words):
    with pytest.raises(ColorizeError, match=words):
        system[1](image)


@pytest.mark.slow
def test_it_loads_in_a_new_process(system, tmp_path):
    load_elsewhere(tmp_path, {"small": system[1]})


@pytest.mark.slow
def test_every_system_of_the_zoo_loads_in_a_new_process(tmp_path):
    models = {}
    for name in zoo_names():
        recipe = Recipe.load(name)
        size = 64 if recipe.generator.name in ("cnn", "vivid") else 128
        models[name] = random_colorizer(recipe.with_values(**{"data.image_size": size})).to_keras()
    load_elsewhere(tmp_path, models)
