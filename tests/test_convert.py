"""PyTorch's weights here: the same names, the same shapes, the same numbers."""

import copy
import pickle
import sys
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_colorize.cli import main
from keras_colorize.convert import conversion, spellings
from keras_colorize.convert.checkpoints import read_checkpoint, split_networks
from keras_colorize.convert.conversion import convert
from keras_colorize.errors import ColorizeError
from keras_colorize.models.layers import ICNR, PixelShuffle
from keras_colorize.models.networks import build_generator
from keras_colorize.recipes import Recipe

torch = pytest.importorskip("torch", reason="needs the extra 'convert'")
safetensors = pytest.importorskip("safetensors.torch", reason="needs the extra 'convert'")

from keras_colorize.convert import torch_modules, verification  # noqa: E402  (imports torch)

FULL = [64, 128, 256, 512, 512, 512, 512, 512]
THIN, SIZE = [8, 16, 24, 32, 32], 32
DISCRIMINATOR = [8, 16, 24, 32]


def recipe(name: str, **values) -> Recipe:
    """A recipe of the zoo with random weights in place of downloads."""
    return Recipe.load(name).with_values(backbone_weights="random", **values)


def thin(name: str, **values) -> Recipe:
    """The same with few filters, at 32×32: five downs to 1×1."""
    small = {"generator.args.filters": THIN, "discriminator.args.filters": DISCRIMINATOR, "data.image_size": SIZE}
    return recipe(name, **small, **values)


def lively(module, seed: int = 0):
    """Weights such that every layer matters: outputs of order 1, batch normalization far from the identity."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
                torch.nn.init.kaiming_normal_(part.weight, nonlinearity="linear")
                if part.bias is not None:
                    part.bias.uniform_(-0.2, 0.2)
            elif isinstance(part, torch.nn.BatchNorm2d):
                part.weight.uniform_(0.5, 1.5)
                part.bias.uniform_(-0.5, 0.5)
                part.running_mean.uniform_(-0.5, 0.5)
                part.running_var.uniform_(0.5, 2.0)
    return module.eval()


def pix2pix_generator(filters=THIN, **options):
    return lively(torch_modules.UNetBlocks(1, 2, filters, **options))


def patch_discriminator(blocks: bool, **options):
    return lively(torch_modules.PatchDiscriminator(3, DISCRIMINATOR, blocks=blocks, **options), seed=1)


def save(state, folder: Path, name: str = "checkpoint.pt") -> Path:
    file = folder / name
    torch.save(state, file)
    return file


def prefixed(state, prefix: str) -> dict:
    return {prefix + name: value for name, value in state.items()}


def whole_model(generator, discriminator) -> dict:
    """The state dict of the tutorial's `MainModel`: two networks and the labels of its loss."""
    labels = {"GANcriterion.real_label": torch.tensor(1.0), "GANcriterion.fake_label": torch.tensor(0.0)}
    return prefixed(generator.state_dict(), "net_G.") | prefixed(discriminator.state_dict(), "net_D.") | labels


def random_images(size: int, channels: int, batch: int = 2) -> np.ndarray:
    return np.random.default_rng(7).uniform(-1, 1, (batch, size, size, channels)).astype(np.float32)


def run_torch(module, images: np.ndarray):
    with torch.no_grad():
        outputs = module(torch.from_numpy(images).permute(0, 3, 1, 2))
    several = [outputs] if isinstance(outputs, torch.Tensor) else outputs
    arrays = [output.permute(0, 2, 3, 1).numpy() for output in several]
    return arrays[0] if isinstance(outputs, torch.Tensor) else arrays


def same_numbers(network: keras.Model, module, size: int, bound: float = 1e-5) -> float:
    """Inference here and there on the same random images."""
    images = random_images(size, sum(tensor.shape[-1] for tensor in network.inputs))
    inputs = [images[..., :1], images[..., 1:]] if len(network.inputs) == 2 else images
    ours, theirs = np.asarray(network(inputs, training=False)), run_torch(module, images)
    assert ours.shape == theirs.shape
    assert 0.05 < theirs.std() < 20  # a network that says something
    difference = float(np.abs(ours - theirs).max())
    assert difference < bound
    return difference


def loaded(system: Recipe, file: Path) -> keras.Model:
    """The recipe's generator as `evaluate` and inference load it."""
    generator = build_generator(system, image_size=system.data.image_size)
    generator.load_weights(file)
    return generator


# What the PyTorch originals are, by the reports.


@pytest.mark.parametrize(
    "module, parameters",
    [
        (lambda: torch_modules.UNetBlocks(1, 2, FULL), 54_409_858),
        (lambda: torch_modules.PatchDiscriminator(3, [64, 128, 256, 512], blocks=True), 2_765_633),
        (lambda: torch_modules.PatchDiscriminator(3, [64, 128, 256, 512], blocks=False), 2_765_633),
        (lambda: torch_modules.DynamicUnet(1, 2), 31_099_672),
        (lambda: torch_modules.ResNet18(3), 11_689_512 - 513_000),  # torchvision's count, less its classifier
    ],
)
def test_the_originals_have_the_reports_parameters(module, parameters):
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in module().parameters()) == parameters


def test_gan_lab_has_the_reports_weights_layer_by_layer():
    with torch.device("meta"):
        generator = torch_modules.UNetLists(1, 2, FULL, up_activation="leaky_relu")
        discriminator = torch_modules.PatchDiscriminator(3, [64, 128, 256, 512], blocks=False, bias_first=False)
    downs = [down[0].weight.numel() for down in generator.downs]
    ups = [up[0].weight.numel() for up in generator.ups]
    assert downs == [1_024, 131_072, 524_288, 2_097_152, *4 * [4_194_304]]
    assert ups == [4_194_304, *3 * [8_388_608], 4_194_304, 1_048_576, 262_144]
    assert generator.head.weight.numel() + generator.head.bias.numel() == 4_098
    convs = [part for part in discriminator.model if isinstance(part, torch.nn.Conv2d)]
    sizes = [sum(parameter.numel() for parameter in conv.parameters()) for conv in convs]
    assert sizes == [3_072, 131_072, 524_288, 2_097_152, 8_193]


def test_published_names():
    generator = build_generator(recipe("pix2pix"), image_size=256)
    (blocks,) = spellings.generator_spellings(recipe("pix2pix").generator, generator)
    inner = "model.model.1.model.3.model.3.model.3.model.3.model.3.model.3.model"  # the innermost block
    names = {module: layer.name for module, layer in blocks.layers.items()}
    assert names["model.model.0"] == "down_1_conv" and names["model.model.3"] == "head_conv"
    assert names["model.model.1.model.1"] == "down_2_conv" and names["model.model.1.model.2"] == "down_2_bn"
    assert names["model.model.1.model.5"] == "up_7_conv" and names["model.model.1.model.6"] == "up_7_bn"
    assert names[f"{inner}.1"] == "down_8_conv" and names[f"{inner}.3"] == "up_1_conv"
    assert names[f"{inner}.4"] == "up_1_bn" and f"{inner}.2" not in names
    assert len(names) == 16 + 6 + 7

    def discriminator_names(blocks):
        return [name for name in patch_discriminator(blocks).state_dict() if "num_batches" not in name]

    assert discriminator_names(False)[:4] == ["model.0.weight", "model.0.bias", "model.2.weight", "model.3.weight"]
    assert discriminator_names(False)[-2:] == ["model.11.weight", "model.11.bias"]
    assert discriminator_names(True)[:4] == [
        "model.0.0.weight",
        "model.0.0.bias",
        "model.1.0.weight",
        "model.1.1.weight",
    ]
    assert discriminator_names(True)[-2:] == ["model.4.0.weight", "model.4.0.bias"]

    fastai = set(torch_modules.DynamicUnet(1, 2).state_dict())
    assert {
        "layers.0.0.weight",
        "layers.0.1.running_mean",
        "layers.0.4.1.conv2.weight",
        "layers.0.7.0.downsample.1.bias",
        "layers.1.weight",
        "layers.3.1.0.bias",
        "layers.4.shuf.0.0.weight",
        "layers.7.bn.running_var",
        "layers.7.conv2.0.bias",
        "layers.8.0.0.weight",
        "layers.11.convpath.1.0.weight",
        "layers.12.0.bias",
    } <= fastai


@pytest.mark.parametrize("name", ["pix2pix", "gan_lab", "resnet18_gan"])
def test_the_zoo_recipes_take_every_value_and_compute_like_pytorch(name):
    targets = conversion._targets(recipe(name))
    assert targets
    for target in targets.values():
        assert target.spellings
        for spelling in target.spellings:
            found = [variable for layer in spelling.layers.values() for variable in layer.weights]
            wanted = spelling.network.weights
            assert {id(variable) for variable in found} == {id(variable) for variable in wanted}
            for layer in spelling.layers.values():
                if isinstance(layer, keras.layers.BatchNormalization):
                    assert (layer.epsilon, layer.momentum) == (1e-5, 0.9)


# The same numbers.


@pytest.mark.parametrize("prefix", ["", "net_G.module."])
def test_pix2pix_generator(tmp_path, prefix):
    original, system = pix2pix_generator(), thin("pix2pix")
    file = save(prefixed(original.state_dict(), prefix), tmp_path, "latest_net_G.pth")
    result = convert(file, system, out=tmp_path / "g.weights.h5", verify=not prefix)
    same_numbers(loaded(system, tmp_path / "g.weights.h5"), original, SIZE)
    (network,) = result.networks
    assert network.network == "generator" and network.spelling == spellings.UNET_BLOCKS
    assert network.values == sum(t.numel() for n, t in original.state_dict().items() if "num_batches" not in n)
    assert result.remarks == []
    assert (network.difference is None) == bool(prefix)
    assert prefix or network.difference <= 1e-5


@pytest.mark.parametrize(
    "prefix, network",
    [
        ("", ""),
        ("module.", ""),
        ("module.module.", ""),
        ("net_G.", "net_G"),
        ("net_G.module.", "net_G"),
        ("module.net_D.", "net_D"),
    ],
)
def test_prefixes(prefix, network):
    state = {"model.model.0.weight": np.zeros(1), "model.model.3.weight": np.zeros(2)}
    labels = {"GANcriterion.real_label": np.ones(()), "module.GANcriterion.fake_label": np.zeros(())}
    networks = split_networks("checkpoint.pt", prefixed(state, prefix) | labels)
    assert {name: list(entries) for name, entries in networks.items()} == {network: list(state)}


@pytest.mark.parametrize("blocks", [True, False])
def test_patch_discriminator_in_both_spellings(tmp_path, blocks):
    original = patch_discriminator(blocks)
    file = save(original.state_dict(), tmp_path)
    result = convert(file, thin("pix2pix"), discriminator_out=tmp_path / "d.weights.h5", verify=True)
    assert [network.network for network in result.networks] == ["discriminator"]
    assert result.networks[0].spelling == (spellings.PATCHGAN_BLOCKS if blocks else spellings.PATCHGAN_FLAT)
    discriminator = conversion._targets(thin("pix2pix"))["net_D"].model
    discriminator.load_weights(tmp_path / "d.weights.h5")
    same_numbers(discriminator, original, SIZE)


def test_gan_lab(tmp_path):
    original = lively(torch_modules.UNetLists(1, 2, THIN, up_activation="leaky_relu"))
    system = thin("gan_lab")
    judge = patch_discriminator(False, bias_first=False)
    file = save(whole_model(original, judge), tmp_path)
    out, judge_out = tmp_path / "g.weights.h5", tmp_path / "d.weights.h5"
    result = convert(file, system, out=out, discriminator_out=judge_out, verify=True)
    assert [network.network for network in result.networks] == ["generator", "discriminator"]
    assert max(network.difference for network in result.networks) <= 1e-5
    same_numbers(loaded(system, out), original, SIZE)


@pytest.fixture(scope="module")
def dynamic_unet(tmp_path_factory):
    """fastai's network and what it was converted to, at 64×64."""
    folder = tmp_path_factory.mktemp("dynamic_unet")
    original = lively(torch_modules.DynamicUnet(1, 2))
    system = recipe("resnet18_gan", **{"data.image_size": 64, "discriminator.args.filters": DISCRIMINATOR})
    file = save(whole_model(original, patch_discriminator(True)), folder)
    result = convert(file, system, out=folder / "g.weights.h5", verify=True)
    return original, loaded(system, folder / "g.weights.h5"), result


@contextmanager
def restored(network: keras.Model):
    """Leave a shared network as it was."""
    before = network.get_weights()
    try:
        yield
    finally:
        network.set_weights(before)


def test_resnet18_gan_from_the_tutorials_whole_model(dynamic_unet):
    original, generator, result = dynamic_unet
    same_numbers(generator, original, 64, bound=1e-4)
    assert result.networks[0].difference <= 1e-4
    assert result.remarks == ["skipped net_D.*, 19 entries: `discriminator_out` writes them"]


def test_torchvisions_resnet18_becomes_the_encoder(dynamic_unet, tmp_path):
    original = lively(torch_modules.ResNet18(3))
    classifier = {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    file = save(original.state_dict() | classifier, tmp_path, "resnet18.pth")
    system = recipe("resnet18_gan", **{"data.image_size": 64, "runtime.seed": 3})
    result = convert(file, system, out=tmp_path / "g.weights.h5", verify=True)
    assert result.networks[0].values == 11_689_512 - 513_000 + 9_600  # with the moving statistics
    assert result.remarks == [
        "filled the encoder from torchvision's ResNet-18; the rest of the generator is fresh, from seed 3"
    ]
    generator = dynamic_unet[1]
    with restored(generator):
        generator.load_weights(tmp_path / "g.weights.h5")
        grey = random_images(64, 1)
        theirs = run_torch(original, np.repeat(grey, 3, axis=-1))
        for ours, features in zip(generator.get_layer("encoder")(grey, training=False), theirs, strict=True):
            assert np.abs(ours - features).max() < 1e-5 * np.abs(features).max()
        kernel, bias = generator.get_layer("prediction").get_weights()
        assert (bias == 0).all() and len(np.unique(kernel)) == kernel.size


def test_training_mode_and_moving_statistics(dynamic_unet):
    """One forward pass in training mode: equal outputs, equal means, variances that differ by n/(n − 1).

    Both normalize by the biased variance of the batch. For the moving average PyTorch takes the unbiased one,
    n/(n − 1) of it for n values per channel, Keras the biased.
    """
    original, generator, _ = dynamic_unet
    images = random_images(64, 1, batch=3)
    original = copy.deepcopy(original)
    named_norms = [(name, part) for name, part in original.named_modules() if isinstance(part, torch.nn.BatchNorm2d)]
    seen = {}  # values per channel
    for name, module in named_norms:
        module.register_forward_hook(
            lambda module, inputs, output, name=name: seen.update({name: output.numel() // output.shape[1]})
        )
    source = recipe("resnet18_gan").generator
    layers = spellings.generator_spellings(source, generator)[0].layers
    old_variances = {name: module.running_var.numpy().copy() for name, module in named_norms}
    with restored(generator):
        ours, theirs = np.asarray(generator(images, training=True)), run_torch(original.train(), images)
        assert np.abs(ours - theirs).max() < 1e-4
        assert len(seen) == 25
        for name, module in named_norms:
            np.testing.assert_allclose(layers[name].moving_mean, module.running_mean, rtol=1e-4, atol=1e-4)
            biased = np.asarray(layers[name].moving_variance) - 0.9 * old_variances[name]
            unbiased = module.running_var.numpy() - 0.9 * old_variances[name]
            np.testing.assert_allclose(biased * seen[name] / (seen[name] - 1), unbiased, rtol=1e-3, atol=1e-5)


def test_momentum_and_epsilon_of_batch_normalization(tmp_path):
    """On a 2×2 map of one photo the unbiased variance is 4/3 of the biased: exactly that factor apart."""
    system = thin("pix2pix", **{"generator.args.dropout": 0.0})
    original = pix2pix_generator()
    file = save(original.state_dict(), tmp_path)
    convert(file, system, out=tmp_path / "g.weights.h5")
    generator = loaded(system, tmp_path / "g.weights.h5")
    layer, module = generator.get_layer("up_1_bn"), original.model["model"][1].model[3].model[3].model[3].model[4]
    old_mean, old_variance = module.running_mean.numpy().copy(), module.running_var.numpy().copy()
    images = random_images(SIZE, 1, batch=1)
    ours, theirs = np.asarray(generator(images, training=True)), run_torch(original.train(), images)
    assert np.abs(ours - theirs).max() < 1e-4
    mean = (np.asarray(layer.moving_mean) - 0.9 * old_mean) / 0.1
    np.testing.assert_allclose((module.running_mean.numpy() - 0.9 * old_mean) / 0.1, mean, rtol=1e-3, atol=1e-5)
    variance = (np.asarray(layer.moving_variance) - 0.9 * old_variance) / 0.1
    np.testing.assert_allclose((module.running_var.numpy() - 0.9 * old_variance) / 0.1, variance * 4 / 3, rtol=1e-3)


def test_whole_model_gives_both_networks(tmp_path):
    original, judge, system = pix2pix_generator(), patch_discriminator(True), thin("pix2pix")
    file = save(prefixed(whole_model(original, judge), "module."), tmp_path)
    out, judge_out = tmp_path / "new" / "g.weights.h5", tmp_path / "d.weights.h5"
    result = convert(file, system, out=out, discriminator_out=judge_out, verify=True)
    assert [network.file for network in result.networks] == [out, judge_out]
    assert result.remarks == []
    same_numbers(loaded(system, out), original, SIZE)
    only = convert(file, system, discriminator_out=judge_out, overwrite=True)
    assert only.remarks[0].startswith("skipped net_G.*") and "`out` writes them" in only.remarks[0]


def test_safetensors_and_old_state_dicts(tmp_path):
    original, system = pix2pix_generator(), thin("pix2pix")
    state = {name: tensor for name, tensor in original.state_dict().items() if "num_batches" not in name}
    safetensors.save_file(state, tmp_path / "g.safetensors")  # in another order: by type and name
    convert(tmp_path / "g.safetensors", system, out=tmp_path / "g.weights.h5", verify=True)
    same_numbers(loaded(system, tmp_path / "g.weights.h5"), original, SIZE)
    torch.save(state, tmp_path / "g.pth", _use_new_zipfile_serialization=False)
    read = read_checkpoint(tmp_path / "g.pth")
    assert list(read) == list(state)
    assert all((read[name] == state[name].numpy()).all() for name in read)


@pytest.mark.parametrize(
    "dtype, ending", [(torch.float16, "pt"), (torch.bfloat16, "safetensors"), (torch.float64, "pt")]
)
def test_other_precisions_become_float32(tmp_path, dtype, ending):
    original, system = pix2pix_generator().to(dtype), thin("pix2pix")
    file = tmp_path / f"g.{ending}"
    if ending == "pt":
        torch.save(original.state_dict(), file)
    else:
        safetensors.save_file(original.state_dict(), file)
    convert(file, system, out=tmp_path / "g.weights.h5", verify=True)
    kernel = loaded(system, tmp_path / "g.weights.h5").get_layer("down_1_conv").kernel
    assert kernel.dtype == "float32"
    weight = original.model["model"][0].weight.detach().float().numpy()
    np.testing.assert_array_equal(kernel, weight.transpose(2, 3, 1, 0))


def test_pixel_shuffle_and_icnr_have_pytorchs_order():
    images = random_images(6, 36)
    theirs = torch.nn.functional.pixel_shuffle(torch.from_numpy(images).permute(0, 3, 1, 2), 3)
    np.testing.assert_array_equal(PixelShuffle(3)(images), theirs.permute(0, 2, 3, 1))

    kernel = np.asarray(ICNR(2, seed=1)((1, 1, 5, 12)))
    conv = torch.nn.Conv2d(5, 12, 1, bias=False)
    conv.weight.data = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
    groups = conv.weight.detach().reshape(3, 4, 5)  # four filters make the 2×2 pixels of one output channel
    assert (groups == groups[:, :1]).all() and len(groups[:, 0].unique()) == 15
    with torch.no_grad():
        x = torch.from_numpy(random_images(4, 5)).permute(0, 3, 1, 2)
        up = torch.nn.functional.pixel_shuffle(conv(x), 2)
        nearest = torch.nn.functional.interpolate(conv(x)[:, ::4], scale_factor=2, mode="nearest")
    torch.testing.assert_close(up, nearest)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pix2pix", "gan_lab", "resnet18_gan"])
def test_at_full_size(tmp_path, name):
    modules = {
        "pix2pix": lambda: torch_modules.UNetBlocks(1, 2, FULL, dropout=0.5, dropout_ups=(2, 3, 4)),
        "gan_lab": lambda: torch_modules.UNetLists(1, 2, FULL, up_activation="leaky_relu"),
        "resnet18_gan": lambda: torch_modules.DynamicUnet(1, 2),
    }
    original, system = lively(modules[name]()), recipe(name)
    file = save(original.state_dict(), tmp_path)
    result = convert(file, system, out=tmp_path / "g.weights.h5", verify=True)
    assert result.networks[0].difference <= 1e-4
    same_numbers(loaded(system, tmp_path / "g.weights.h5"), original, 256, bound=1e-4)


# What is refused, in one line, with nothing written.


def refused(file: Path, *, system: Recipe | None = None, **options) -> str:
    folder = file.parent
    before = set(folder.iterdir())
    with pytest.raises(ColorizeError) as error:
        convert(file, system or thin("pix2pix"), **{"out": folder / "refused.weights.h5", **options})
    assert set(folder.iterdir()) == before
    message = str(error.value)
    assert "\n" not in message and len(message) < 600
    return message


@pytest.fixture(scope="module")
def state():
    return pix2pix_generator().state_dict()


def test_left_over_missing_and_misshapen_entries(state, tmp_path):
    changed = dict(state)
    changed["model.model.9.weight"] = torch.zeros(3)
    del changed["model.model.0.weight"]
    changed["model.model.3.weight"] = torch.zeros(16, 3, 4, 4)
    for layer in range(5):
        changed[f"extra.{layer}"] = torch.zeros(1)
    message = refused(save(changed, tmp_path))
    assert "1 missing (model.model.0.weight)" in message
    assert "6 left over (model.model.9.weight, extra.0, extra.1 and 3 more)" in message
    assert "1 of another shape (model.model.3.weight (16, 3, 4, 4) for (16, 2, 4, 4))" in message


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda state: state | {"GANcriterion.weight": torch.zeros(1)}, "1 left over (GANcriterion.weight)"),
        (lambda state: state | {"net_D.model.0.weight": torch.zeros(1)}, "left over beside its networks"),
        (lambda state: prefixed(state, "net_G.") | {"epoch": torch.zeros(1)}, "1 entries left over beside"),
        (lambda state: state | {"module.model.model.0.weight": torch.zeros(1)}, "twice"),
        (lambda state: prefixed(state, "unet."), "holds nothing of 'pix2pix'"),
        (lambda state: {}, "expected a state dict"),
        (lambda state: {"model": state, "epoch": 3}, "more than tensors, model (OrderedDict), epoch (int)"),
        (lambda state: [1.0], "holds list"),
        (lambda state: state | {"model.model.0.weight": torch.zeros(8, 1, 4, 4, dtype=torch.int8)}, "as int8"),
        (lambda state: state | {"model.model.0.weight": torch.zeros(8, 1, 4, 4).to_sparse()}, "sparse_coo"),
        (lambda state: {"GANcriterion.real_label": torch.ones(())}, "holds no weights"),
    ],
)
def test_other_contents(state, tmp_path, change, message):
    assert message in refused(save(change(state), tmp_path))


def test_the_network_that_is_not_there(state, tmp_path):
    generator, judge = save(state, tmp_path, "g.pt"), save(patch_discriminator(True).state_dict(), tmp_path, "d.pt")
    assert "holds no generator: `discriminator_out`" in refused(judge)
    assert "holds no discriminator: `out`" in refused(generator, discriminator_out=tmp_path / "d.weights.h5")
    alone = Recipe.from_dict({"generator": {"name": "unet", "args": {"activation_first": True}}})
    assert "has no discriminator" in refused(generator, system=alone, discriminator_out=tmp_path / "d.weights.h5")


def test_a_model_without_an_original(state, tmp_path):
    assert "no PyTorch original of 'unet_gan' is known" in refused(save(state, tmp_path), system=recipe("unet_gan"))


def test_batch_normalization_of_keras(state, tmp_path):
    system = thin("pix2pix", **{"generator.args.batch_norm": "keras"})
    message = refused(save(state, tmp_path), system=system)
    assert "ε 1e-05 and momentum 0.9, the recipe builds 0.001 and 0.99" in message and 'batch_norm = "torch"' in message


def test_another_depth_is_missing_or_left_over(tmp_path):
    deeper = save(pix2pix_generator([*THIN, 32]).state_dict(), tmp_path)
    assert "left over" in refused(deeper)


class Trap:
    """Unpickling it would make a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_code_is_not_run(tmp_path, zipped):
    trap, file = tmp_path / "trapped", tmp_path / "evil.pt"
    torch.save({"model.model.0.weight": Trap(trap)}, file, _use_new_zipfile_serialization=zipped)
    message = refused(file)
    assert "holds pickled objects" in message and "state_dict" in message
    assert not trap.exists()
    file.write_bytes(pickle.dumps(Trap(trap)))
    refused(file)
    assert not trap.exists()
    pickle.loads(pickle.dumps(Trap(trap)))
    assert trap.exists()  # the trap works


def test_a_whole_pickled_module(tmp_path):
    assert "torch_modules.UNetBlocks" in refused(save(pix2pix_generator(), tmp_path))


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
@pytest.mark.parametrize("content", [b"", b"hello, this is text\n", b"PK\x03\x04 half a zip", bytes(range(256)) * 4])
def test_not_a_checkpoint(tmp_path, ending, content):
    file = tmp_path / f"photo.{ending}"
    file.write_bytes(content)
    assert "is not a" in refused(file)


def test_a_truncated_checkpoint(state, tmp_path):
    file = save(state, tmp_path)
    file.write_bytes(file.read_bytes()[:-2000])
    assert "damaged" in refused(file)


def test_verification_fails_on_other_numbers(state, tmp_path, monkeypatch):
    broken = state | {"model.model.3.bias": torch.full((2,), torch.nan)}
    file = save(broken, tmp_path)
    assert "differs from PyTorch by nan" in refused(file, verify=True)
    monkeypatch.setattr(torch_modules.nn, "LeakyReLU", lambda slope: torch.nn.ReLU())
    assert "more than 0.0001" in refused(save(state, tmp_path), verify=True)
    assert verification.TOLERANCE == 1e-4


def test_files_are_never_overwritten_unasked(state, tmp_path):
    file, out = save(state, tmp_path), tmp_path / "g.weights.h5"
    out.write_bytes(b"mine")
    assert "`overwrite`" in refused(file, out=out)
    assert out.read_bytes() == b"mine"
    convert(file, thin("pix2pix"), out=out, overwrite=True)
    assert out.read_bytes() != b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.pt", "g.weights.h5"]


def test_file_names(state, tmp_path):
    file = save(state, tmp_path)
    assert "end in .weights.h5" in refused(file, out=tmp_path / "g.h5")
    assert "nothing to write" in refused(file, out=None)
    assert "two names" in refused(file, discriminator_out=tmp_path / "refused.weights.h5")
    assert "no checkpoint" in refused(tmp_path / "none.pt")


@pytest.mark.parametrize("package, ending", [("torch", "pt"), ("torch", "safetensors"), ("safetensors", "safetensors")])
def test_without_the_extra(tmp_path, monkeypatch, package, ending):
    file = tmp_path / f"g.{ending}"
    file.write_bytes(b"")
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    assert 'pip install "keras-colorize[convert]"' in refused(file)


# The command line.


def test_command_line(state, tmp_path, capsys):
    toml = tmp_path / "thin.toml"
    toml.write_text(thin("pix2pix").to_toml())
    file = save(prefixed(state, "net_G.") | prefixed(patch_discriminator(True).state_dict(), "net_D."), tmp_path)
    command = ["convert", str(file), "--model", str(toml), "--out", str(tmp_path / "g.weights.h5")]
    assert main([*command, "--verify"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("generator: ") and said[0].endswith(f"in {tmp_path / 'g.weights.h5'}")
    assert "from PyTorch on random input" in said[1]
    assert said[2] == "skipped net_D.*, 19 entries: --discriminator-out writes them"

    assert main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "exists" in line and "--overwrite" in line
    assert main(["convert", str(file), "--model", "pix2pux", "--out", str(tmp_path / "h.weights.h5")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "did you mean 'pix2pix'?" in line


def test_filters_follow_the_network():
    """The PyTorch module is as wide and deep as the Keras network, not as a constant says."""
    target = conversion._targets(thin("pix2pix"))["net_G"]
    module = verification.reference(target.spellings[0], target.source)
    shapes = [tuple(t.shape) for n, t in module.state_dict().items() if n.endswith("weight") and t.ndim == 4]
    assert shapes[: len(THIN)] == [(out, into, 4, 4) for into, out in pairwise([1, *THIN])]
