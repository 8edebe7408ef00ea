"""The `Colorizer`: every kind of photo in, the same kind out; batches, samples, sizes, and one line for mistakes."""

import re

import keras
import numpy as np
import pytest
from PIL import Image

from keras_colorize.color.inputs import Inputs
from keras_colorize.color.lab import rgb_to_lab
from keras_colorize.defaults import DEFAULT_MODEL
from keras_colorize.errors import ColorizeError
from keras_colorize.images import Metadata, Picture, write_pictures
from keras_colorize.inference import colorizer as module
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.compilation import over_size
from keras_colorize.models.networks import build_generator
from keras_colorize.models.registry import names
from keras_colorize.models.weights import save_weights
from keras_colorize.recipes import Recipe, packaged_names, zoo_names
from keras_colorize.runs.pictures import colorized
from tests.colorizing import grey_photo, write_run
from tests.conftest import colorful_photo
from tests.gamut import in_gamut
from tests.networks import SMALL_ARGS


def small_recipe(name, image_size=32, space="lab", **args):
    generator = {"name": name, "args": {**SMALL_ARGS.get(name, {}), **args}}
    return Recipe.from_dict(
        {"name": "small", "space": space, "generator": generator, "data": {"image_size": image_size}}
    )


def make(recipe):
    """A colorizer with random weights that paint clearly."""
    keras.utils.set_random_seed(0)
    generator = build_generator(recipe)
    for variable in generator.variables:
        if variable.path.endswith("kernel"):
            variable.assign(keras.random.normal(variable.shape, stddev=0.3))
    return Colorizer(generator, recipe)


@pytest.fixture(scope="module")
def colorizer():
    return make(small_recipe("unet_maxpool", filters=[8, 16, 32]))


@pytest.fixture(scope="module")
def noisy():
    return make(small_recipe("unet", filters=[8, 16, 16, 16, 16], dropout_ups=[1, 2]))


def chroma(rgb, white=255):
    return np.asarray(rgb_to_lab(rgb.astype("float32") / np.float32(white)))[..., 1:]


def test_arrays_come_back_in_their_type(colorizer):
    grey = grey_photo()
    expected = colorizer(grey)
    assert expected.shape == (40, 48, 3)
    assert expected.dtype == np.uint8
    assert np.abs(chroma(expected)).mean() > 1, "in colour"
    assert np.array_equal(colorizer(grey[..., None]), expected)
    assert np.abs(colorizer(np.dstack([grey] * 3)).astype(int) - expected).max() <= 1
    assert np.array_equal(grey, grey_photo()), "the photo is not written to"

    deep = colorizer(grey.astype("uint16") * 257)
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - expected).max() < 0.51, "but for rounding the same"
    for dtype in ("float16", "float32", "float64"):
        floats = colorizer((grey / 255).astype(dtype))
        assert floats.dtype == dtype
        assert floats.min() >= 0 and floats.max() <= 1
        difference = np.abs(floats.astype("float32") * 255 - expected)
        assert difference.mean() < 0.3
        assert difference.max() < (4 if dtype == "float16" else 0.51), "float16 moves colours at the gamut's border"


@pytest.mark.parametrize("channels", [(), (1,), (3,)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_batch_is_its_photos(colorizer, channels, dtype):
    photos = np.stack([np.broadcast_to(grey_photo(seed).reshape(40, 48, *[1] * len(channels)), (40, 48, *channels))
                       for seed in range(3)])  # fmt: skip
    photos = {"uint8": photos, "uint16": photos.astype("uint16") * 257, "float32": photos / np.float32(255)}[dtype]
    colored = colorizer(photos)
    assert colored.shape == (3, 40, 48, 3) and colored.dtype == dtype
    white = {"uint8": 255, "uint16": 65535, "float32": 1}[dtype]
    for photo, rgb in zip(photos, colored, strict=True):
        # A batch rounds otherwise in the network.
        assert np.abs(colorizer(photo).astype("float32") - rgb).max() <= 2 * white / 255
    with pytest.raises(ColorizeError, match="3 photos came: expected one photo"):
        make(small_recipe("unet", filters=[8, 16, 16, 16, 16], dropout_ups=[1])).samples(photos, 2)


def test_arrays_that_are_views_or_read_only(colorizer):
    grey = grey_photo()
    locked = grey.copy()
    locked.setflags(write=False)
    assert np.array_equal(colorizer(locked), colorizer(grey))
    turned = grey[::-1, ::2].T
    assert np.array_equal(colorizer(turned), colorizer(np.ascontiguousarray(turned)))
    assert np.array_equal(colorizer(grey.astype(">u2")), colorizer(grey.astype("u2")))


def test_a_path_gives_its_pixels_upright(colorizer, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.fromarray(grey_photo()).save(tmp_path / "ein Foto é.png", exif=exif)
    for path in (tmp_path / "ein Foto é.png", str(tmp_path / "ein Foto é.png")):
        assert np.array_equal(colorizer(path), colorizer(np.rot90(grey_photo(), -1)))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I;16", "I", "F"])
def test_pillow_images_give_pillow_images(colorizer, mode):
    image = Image.fromarray(grey_photo())
    if mode == "I;16":
        image = Image.fromarray(grey_photo().astype("uint16") * 257)
    elif mode == "I":
        image = Image.fromarray(grey_photo().astype("int32") * 257)
    elif mode == "LAB":
        image = Image.merge("LAB", [image, Image.new("L", image.size, 128), Image.new("L", image.size, 128)])
    else:
        image = image.convert("RGB").convert(mode)
    colored = colorizer(image)
    assert isinstance(colored, Image.Image)
    assert colored.size == image.size
    assert colored.mode == ("RGBA" if mode in ("LA", "RGBA") else "RGB")
    assert mode == "1" or np.abs(chroma(np.asarray(colored)[..., :3])).mean() > 1, "black and white have no chroma"


def test_transparency_of_a_pillow_image_stays(colorizer):
    alpha = grey_photo(3)
    image = Image.fromarray(np.dstack([grey_photo(), alpha]))
    colored = np.asarray(colorizer(image))
    assert np.array_equal(colored[..., 3], alpha)
    assert np.array_equal(colored[..., :3], colorizer(grey_photo()))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_pictures_keep_transparency_and_metadata(colorizer, dtype):
    metadata = Metadata()
    pictures = [
        Picture(grey_photo(seed, height, 48).astype(dtype), grey_photo(9, height, 48).astype(dtype), metadata)
        for seed, height in enumerate((40, 40, 48, 30))
    ]
    colored = colorizer.colorize_pictures(pictures)
    for before, after in zip(pictures, colored, strict=True):
        assert after.alpha is before.alpha
        assert after.metadata is metadata
        assert after.pixels.shape == (*before.pixels.shape, 3)
        assert after.pixels.dtype == dtype
        alone = colorizer(before).pixels
        assert np.abs(after.pixels.astype(int) - alone).max() <= 1 + before.pixels.itemsize, "as each alone"
    assert colorizer.colorize_pictures([]) == []


def test_photos_of_one_shape_share_a_call_of_the_network(colorizer, monkeypatch):
    calls = []
    predict_ab = colorizer.predict_ab

    def watched(inputs, *rest):
        calls.append(inputs.lightness.shape)
        return predict_ab(inputs, *rest)

    monkeypatch.setattr(colorizer, "predict_ab", watched)
    colorizer.colorize_pictures([Picture(grey_photo(n, *s)) for n, s in enumerate([(40, 40), (60, 40), (64, 64)] * 9)])
    assert sorted(calls) == [(2, 32, 32, 1), (9, 48, 32, 1), (16, 32, 32, 1)]


def test_colours_are_those_of_evaluation_at_the_networks_own_size(colorizer):
    """Evaluation measures what a user gets, except for the gamut, which is cut along the hue here."""
    photo = colorful_photo(4, 32, 32)
    inputs, _ = colorizer.space.split(np.asarray(photo[None] / np.float32(255)))
    prediction = colorizer.generator(colorizer.space.condition(inputs), training=False)
    ab = np.asarray(colorizer.space.chroma(inputs, prediction))[0]
    assert np.abs(colorizer.predict([colorizer.frame(photo)])[0] - ab).max() < 1e-2
    expected = colorized(colorizer.generator, colorizer.space, photo[None])[0]
    lab = np.concatenate([np.asarray(rgb_to_lab(photo / np.float32(255)))[..., :1], ab], axis=-1)
    shown = in_gamut(lab, tolerance=0.0)
    difference = np.abs(colorizer(photo, edges=False).astype(int) - expected)
    assert shown.mean() > 0.05
    assert difference[shown].max() <= 1


def test_vividness(colorizer):
    grey = grey_photo()
    spreads = [np.abs(chroma(colorizer(grey, vividness=v))).mean() for v in (0, 0.2, 0.5, 1)]
    assert spreads[0] < 0.01
    assert spreads == sorted(spreads)
    assert len(set(spreads)) == 4


def test_edges_change_chroma_between_the_networks_pixels_only(colorizer):
    grey = np.where(np.arange(400) < 207, 60, 180).astype("uint8")[None].repeat(300, 0)
    assert not np.array_equal(colorizer(grey), colorizer(grey, edges=False))
    small = grey_photo(1, 32, 32)
    assert np.abs(colorizer(small).astype(int) - colorizer(small, edges=False)).max() <= 1


def test_extreme_shapes(colorizer, noisy):
    for each in (colorizer, noisy):
        for shape in ((1, 1), (1, 700), (700, 1), (2, 3, 3), (5, 1, 1)):
            assert each(np.full(shape, 99, "uint8")).shape == (*shape[:2], 3)


MULTIPLES = {
    "autoencoder": 8,
    "cnn": None,
    "koalarization": 8,
    "resnet_unet": 32,
    "unet": None,
    "unet_maxpool": 16,
    "vivid": 16,
}


@pytest.mark.parametrize("name", names())
def test_every_architecture_at_every_size_that_it_takes(name):
    if name == "vivid":  # its space wants a loss of its own
        values = {"data.image_size": 64, "generator.args": SMALL_ARGS[name]}
        recipe = Recipe.load("vivid").with_values(**values)
    else:
        recipe = small_recipe(name, 64, "rgb01" if name == "cnn" else "lab")
    colorizer = Colorizer(build_generator(recipe, image_size=64), recipe)
    assert colorizer.multiple == MULTIPLES[name]
    for shape in ((64, 64), (64, 100), (201, 100)):
        photo = grey_photo(0, *shape)
        assert colorizer(photo).shape == (*shape, 3)
    if colorizer.multiple is not None:
        inputs = Inputs(np.random.default_rng(0).uniform(0, 100, (2, 64, 64, 1)).astype("float32"))
        prediction = colorizer.generator(colorizer.space.condition(inputs), training=False)
        own = colorizer.space.chroma(inputs, prediction)
        assert np.abs(colorizer.predict_ab(inputs) - own).max() < 1e-3 * np.abs(own).max(), "the same network"


def test_a_network_that_is_fixed_gets_a_square(noisy):
    assert noisy.multiple is None
    assert noisy.frame(grey_photo(0, 40, 80)).shape == (32, 32)
    with pytest.raises(ValueError, match="joins maps"):
        over_size(noisy.generator, 32, 40)


def test_samples_differ_and_come_back(noisy):
    grey = grey_photo()
    three = list(noisy.samples(grey, 3, seed=5))
    assert len({sample.tobytes() for sample in three}) == 3
    assert all(sample.shape == (40, 48, 3) for sample in three)
    noisy(grey)  # does not disturb them
    assert np.array_equal(three[:2], list(noisy.samples(grey, 2, seed=5))), "whatever the count"
    assert not np.array_equal(three[0], next(noisy.samples(grey, 1, seed=6)))
    assert isinstance(next(noisy.samples(Image.fromarray(grey), 1)), Image.Image)


def test_a_photo_has_one_colorization(noisy):
    grey = grey_photo()
    first = noisy(grey)
    list(noisy.samples(grey, 1))
    assert np.array_equal(noisy(grey), first)


def test_no_samples_without_dropout(colorizer):
    assert not colorizer.stochastic
    with pytest.raises(ColorizeError, match=r"'small' has no dropout.* all its samples would be the same"):
        colorizer.samples(grey_photo(), 2)


def test_from_run(tmp_path):
    path = write_run(tmp_path)
    colorizer = Colorizer.from_run(path)
    assert colorizer.name == "unet_gan"
    assert colorizer.image_size == 32
    assert colorizer.stochastic
    assert np.abs(chroma(colorizer(grey_photo()))).mean() > 1
    with pytest.raises(ColorizeError, match="is no run folder"):
        Colorizer.from_run(tmp_path)


def test_a_run_with_dropout_on_is_colorized_without_and_sampled_with(tmp_path):
    path = write_run(tmp_path)
    plain = Colorizer.from_run(path)
    recipe = plain.recipe.with_values(stochastic=True)
    (path / "recipe.toml").write_text(recipe.to_toml())
    stochastic = Colorizer.from_run(path)
    assert np.array_equal(stochastic(grey_photo()), plain(grey_photo()))
    assert np.array_equal(next(stochastic.samples(grey_photo(), 1)), next(plain.samples(grey_photo(), 1)))


def test_from_file(tmp_path):
    path = write_run(tmp_path)
    expected = Colorizer.from_run(path)(grey_photo())
    weights = path / "generator.weights.h5"
    assert np.array_equal(Colorizer.from_file(weights)(grey_photo()), expected), "with the recipe beside it"
    alone = tmp_path / "alone.weights.h5"
    weights.rename(alone)
    for recipe in (str(path / "recipe.toml"), path / "recipe.toml", Recipe.load(path / "recipe.toml")):
        assert np.array_equal(Colorizer.from_file(alone, recipe)(grey_photo()), expected)
    with pytest.raises(ColorizeError, match=r"has no recipe\.toml beside it: say which model"):
        Colorizer.from_file(alone)
    with pytest.raises(ColorizeError, match="unknown model 'unet_skp'; did you mean 'unet_skip'"):
        Colorizer.from_file(alone, "unet_skp")
    with pytest.raises(ColorizeError, match="no weights at"):
        Colorizer.from_file(tmp_path / "absent.weights.h5", path / "recipe.toml")
    other = small_recipe("unet_maxpool", filters=[8, 16, 32])
    save_weights(build_generator(other, image_size=32), alone)
    with pytest.raises(ColorizeError, match="does not fit the network"):
        Colorizer.from_file(alone, path / "recipe.toml")


def test_from_zoo_without_weights_or_without_the_system():
    name = next(name for name in ("autoencoder", "unet_gan") if name not in packaged_names())
    with pytest.raises(ColorizeError, match=f"'{name}' comes without weights"):
        Colorizer.from_zoo(name)
    with pytest.raises(ColorizeError, match="unknown model 'vivd'; did you mean 'vivid'"):
        Colorizer.from_zoo("vivd")


def test_colorize_loads_the_default_once(colorizer, monkeypatch):
    assert DEFAULT_MODEL in zoo_names()
    loaded = []
    monkeypatch.setattr(Colorizer, "from_zoo", lambda name: loaded.append(name) or colorizer)
    module._default.cache_clear()
    try:
        for _ in range(2):
            assert np.array_equal(module.colorize(grey_photo()), colorizer(grey_photo()))
    finally:
        module._default.cache_clear()
    assert loaded == ["vivid"]


MISTAKES = [
    (np.zeros((4, 4, 4), "uint8"), r"has shape \(4, 4, 4\), with transparency as it seems: expected \(H, W\), "),
    (np.zeros((4, 4, 2), "uint8"), "has shape"),
    (np.zeros(4, "uint8"), "has shape"),
    (np.zeros((1, 4, 4, 4), "uint8"), "has shape"),
    (np.zeros((0, 5, 6), "uint8"), "is empty"),
    (np.zeros((0, 4), "uint8"), "is empty"),
    (np.zeros((4, 0, 3), "uint8"), "is empty"),
    (np.zeros((4, 4), "int32"), "holds int32: expected uint8, uint16, or floats"),
    (np.zeros((4, 4), bool), "holds bool"),
    (np.zeros((4, 4), complex), "holds complex128"),
    (np.zeros((4, 4), object), "holds object"),
    (np.full((4, 4), np.nan), "no finite numbers"),
    (np.where(np.eye(4) > 0, np.inf, 0.5), "no finite numbers"),
    (np.full((4, 4), 255.0), r"floats from 255 to 255: expected \[0, 1\]"),
    (np.full((4, 4), -0.1), "floats from -0.1"),
    (None, "cannot be NoneType"),
    ([[1, 2]], "cannot be list"),
    (b"bytes", "cannot be bytes"),
    ("absent.jpg", "absent.jpg: no such file"),
    (Image.new("L", (0, 5)), "is empty"),
]


@pytest.mark.parametrize(("photo", "message"), MISTAKES, ids=[message[:24] for _, message in MISTAKES])
def test_mistakes_take_one_line(colorizer, photo, message):
    with pytest.raises(ColorizeError, match=message) as caught:
        colorizer(photo)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("vividness", [-0.1, 10.1, np.nan, np.inf])
def test_vividness_out_of_range(colorizer, vividness):
    with pytest.raises(ColorizeError, match="`vividness` is"):
        colorizer(grey_photo(), vividness=vividness)


def test_wrong_numbers_of_samples(noisy):
    for count, seed in ((0, 0), (1, -1)):
        with pytest.raises(ColorizeError, match=re.escape(f"{count} samples of seed {seed}")):
            noisy.samples(grey_photo(), count, seed=seed)


def test_a_torn_pillow_image(colorizer, tmp_path):
    Image.fromarray(colorful_photo(0, 200, 200)).save(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "torn.jpg").write_bytes(whole[: len(whole) // 2])
    with Image.open(tmp_path / "torn.jpg") as image, pytest.raises(ColorizeError, match="the image does not decode"):
        colorizer(image)


def test_broken_weights_are_no_grey_photo():
    broken = make(small_recipe("unet_maxpool", filters=[8, 16, 32]))
    broken.generator.variables[0].assign(np.nan * broken.generator.variables[0])
    with pytest.raises(ColorizeError, match="its weights are broken"):
        broken(grey_photo())


def test_from_several_threads(noisy):
    from concurrent.futures import ThreadPoolExecutor

    photos = [grey_photo(seed, 40 + seed % 3, 48) for seed in range(12)]
    alone = [noisy(photo) for photo in photos] + [next(noisy.samples(photo, 1, seed=3)) for photo in photos]
    with ThreadPoolExecutor(6) as pool:
        together = [*pool.map(noisy, photos), *pool.map(lambda photo: next(noisy.samples(photo, 1, seed=3)), photos)]
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_pages_of_a_tiff_give_the_first(colorizer, tmp_path):
    write_pictures(tmp_path / "two.tif", [Picture(grey_photo(1)), Picture(grey_photo(2))])
    assert np.array_equal(colorizer(tmp_path / "two.tif"), colorizer(grey_photo(1)))
