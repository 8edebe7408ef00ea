"""One step of training here and in PyTorch, from equal weights on the same photos: both networks move alike.

The PyTorch step is written as the reports' code is: BCE on logits, the discriminator first and on detached pictures,
then the generator through the discriminator that has just learned. Colour conversion is no part of it: both sides get
the same lightness and the same target. Augmentation and dropout are off, since no two generators of random numbers
agree.
"""

import keras
import numpy as np
import pytest

from keras_colorize.convert import spellings
from keras_colorize.convert.transfer import entries
from keras_colorize.models.networks import build_generator
from keras_colorize.recipes import Recipe, zoo_names
from keras_colorize.training.stages import Stage, build_stages

torch = pytest.importorskip("torch", reason="needs the extra 'convert'")

from keras_colorize.convert.verification import reference  # noqa: E402  (imports torch)

# All in float32. SGD shows the gradients themselves: what counts is the length of the difference between the two
# changes of a tensor, relative to the change. Adam divides a gradient by its own size, so that the rounding of one near
# zero may turn a weight's step of 2e-4 around: what counts is the share of weights that end more than 1e-4 apart.
#
# L1 and ReLU have kinks. Some of the ResNet's millions of values lie so near to one that rounding decides on which
# side: PyTorch's own step differs by up to 0.7 % between single and double precision. The U-Nets here are thin, and
# exact.
APART = 1e-4
EXACT = {"sgd": 1e-3, "adam": 0.0}
WITH_KINKS = {"sgd": 3e-2, "adam": 3e-2}
# PyTorch adds ε = 1e-8 after the correction of the second moment's bias, Keras 1e-7 before it. In the first step Keras'
# is this many times larger, as seen from PyTorch's formula. The tests give PyTorch the same.
KERAS_EPSILON = 1e-7
BATCH = 4

SMALL_TWINS = [name for name in zoo_names() if Recipe.load(name).generator.name == "unet"]
LARGE_TWINS = [name for name in zoo_names() if Recipe.load(name).generator.name == "resnet_unet"]
THIN = {"generator.args.filters": [8, 16, 24, 32, 32], "generator.args.dropout": 0.0, "data.image_size": 32}
CALM = {
    "backbone_weights": "random",
    "runtime.precision": "float32",
    "discriminator.args.filters": [8, 16, 24, 32],
    "data.batch_size": BATCH,
    "augment": {"flip_horizontal": False, "flip_vertical": False, "quarter_turns": False, "noise": 0.0},
}
SGD = {"optimizer.name": "sgd", "optimizer.learning_rate": 0.1}
LOSSES = 1e-4  # relative


class Twin:
    """A Keras network and its PyTorch original with the same weights.

    Args:
        network: of the recipe.
        spelling: which module is which layer.
        source: the recipe's architecture and its arguments.
        seed: of the weights.
    """

    def __init__(self, network: keras.Model, spelling: spellings.Spelling, source, seed: int) -> None:
        self.network = network
        self.original = reference(spelling, source).train()
        self.entries = list(entries(spelling))
        assert {id(entry.variable) for entry in self.entries} == {id(variable) for variable in network.weights}
        state = self.original.state_dict()
        rng = np.random.default_rng(seed)
        for entry in self.entries:
            tensor = state[entry.name]
            if tensor.ndim == 4:  # outputs of order 1: gradients reach every layer
                values = rng.normal(0, np.sqrt(2 / tensor[0].numel()), tuple(tensor.shape))
            elif entry.name.endswith(("running_var", "weight")):
                values = rng.uniform(0.5, 1.5, tuple(tensor.shape))
            else:
                values = rng.uniform(-0.2, 0.2, tuple(tensor.shape))
            tensor.copy_(torch.from_numpy(values))
        self.put()

    def put(self) -> None:
        """Give the Keras network the original's weights."""
        state = self.state()
        for entry in self.entries:
            entry.variable.assign(entry.value(state))

    def state(self) -> dict[str, np.ndarray]:
        return {name: tensor.numpy().copy() for name, tensor in self.original.state_dict().items()}


def make_twins(name: str, **values) -> tuple[Recipe, list[Stage], Twin, Twin]:
    """Build a system with few filters, and the PyTorch originals of both its networks."""
    recipe = Recipe.load(name)
    thin = THIN if recipe.generator.name == "unet" else {"data.image_size": 64}
    recipe = recipe.with_values(**CALM, **thin, **values)
    stages = build_stages(recipe)
    trainer = stages[-1].trainer
    generator = Twin(
        trainer.generator, spellings.generator_spellings(recipe.generator, trainer.generator)[0], recipe.generator, 1
    )
    discriminator = Twin(
        trainer.discriminator, spellings.discriminator_spellings(trainer.discriminator)[0], recipe.discriminator, 2
    )
    return recipe, stages, generator, discriminator


def photos(size: int) -> np.ndarray:
    """Colourful noise at several scales, rgb_u8 (BATCH, size, size, 3)."""
    rng = np.random.default_rng(3)
    layers = [np.kron(rng.uniform(0, 255, (BATCH, size // n, size // n, 3)), np.ones((1, n, n, 1))) for n in (1, 4, 8)]
    return np.mean(layers, axis=0).astype(np.uint8)


def torch_images(images) -> "torch.Tensor":
    return torch.from_numpy(np.asarray(images).transpose(0, 3, 1, 2).copy())


def torch_optimizer(recipe: Recipe, network) -> "torch.optim.Optimizer":
    options = recipe.optimizer
    if options.name == "sgd":
        return torch.optim.SGD(network.parameters(), options.learning_rate)
    epsilon = KERAS_EPSILON / np.sqrt(1 - options.beta_2)
    return torch.optim.Adam(
        network.parameters(), options.learning_rate, betas=(options.beta_1, options.beta_2), eps=epsilon
    )


def gan_step(recipe: Recipe, generator, discriminator, condition, target) -> dict[str, float]:
    """Take the reports' step in PyTorch, and return its losses."""
    g_optimizer, d_optimizer = torch_optimizer(recipe, generator), torch_optimizer(recipe, discriminator)
    criterion = torch.nn.BCEWithLogitsLoss()
    fake = generator(condition)
    d_optimizer.zero_grad()
    on_real = discriminator(torch.cat([condition, target], dim=1))
    d_real = criterion(on_real, torch.ones_like(on_real))
    on_fake = discriminator(torch.cat([condition, fake.detach()], dim=1))
    d_fake = criterion(on_fake, torch.zeros_like(on_fake))
    mean = recipe.loss.discriminator_reduction == "mean"
    (0.5 * (d_real + d_fake) if mean else d_real + d_fake).backward()
    d_optimizer.step()
    g_optimizer.zero_grad()
    logits = discriminator(torch.cat([condition, fake], dim=1))
    adversarial = criterion(logits, torch.ones_like(logits))
    reconstruction = torch.nn.L1Loss()(fake, target)
    total = adversarial + recipe.loss.reconstruction_weight * reconstruction
    total.backward()
    g_optimizer.step()
    losses = {"d_real": d_real, "d_fake": d_fake, "g_adversarial": adversarial, "g_reconstruction": reconstruction}
    return {name: float(loss.detach()) for name, loss in losses.items()} | {"g_total": float(total.detach())}


def assert_moved_alike(twin: Twin, before: dict[str, np.ndarray], optimizer: str, tolerance: float) -> None:
    """Compare what a step has done to each tensor of a network that gradients change."""
    after = twin.state()
    for entry in twin.entries:
        if "running" in entry.name:  # their own test is in test_convert.py
            continue
        theirs = entry.value(after).astype(np.float64)
        change = np.linalg.norm(theirs - entry.value(before))
        assert change > 0, f"{twin.network.name}, {entry.name}: the step changes nothing"
        difference = np.asarray(entry.variable).astype(np.float64) - theirs
        apart = np.linalg.norm(difference) / change if optimizer == "sgd" else np.mean(np.abs(difference) > APART)
        assert apart <= tolerance, f"{twin.network.name}, {entry.name}: {optimizer}'s step is {apart:.2g} apart"


def check_one_step(name: str, optimizer: str, tolerance: dict[str, float]) -> None:
    """Take a step here and in PyTorch, and compare losses and weights."""
    recipe, stages, *twins = make_twins(name, **(SGD if optimizer == "sgd" else {}))
    trainer = stages[-1].trainer
    rgb_u8 = photos(recipe.data.image_size)
    _, condition, target = trainer.prepare(rgb_u8, training=False)
    before = [twin.state() for twin in twins]
    theirs = gan_step(recipe, *(twin.original for twin in twins), torch_images(condition), torch_images(target))
    ours = {loss: float(value) for loss, value in trainer.train_step(rgb_u8).items()}
    assert ours == pytest.approx(theirs, rel=LOSSES)
    generator, discriminator = twins
    assert_moved_alike(generator, before[0], optimizer, tolerance[optimizer])
    assert_moved_alike(discriminator, before[1], optimizer, EXACT[optimizer])


def test_the_twins_are_all_systems_that_pytorch_has():
    assert {"pix2pix", "gan_lab", "gan_rgb", "unet_skip", "unet_noskip"} <= set(SMALL_TWINS)
    assert {"resnet18_gan", "resnet18_shuffle_gan"} <= set(LARGE_TWINS)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("name", SMALL_TWINS)
def test_one_step_moves_both_networks_as_in_pytorch(name, optimizer):
    check_one_step(name, optimizer, EXACT)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("name", LARGE_TWINS)
def test_one_step_of_a_resnet_moves_both_networks_as_in_pytorch(name, optimizer):
    check_one_step(name, optimizer, WITH_KINKS)


@pytest.mark.slow
def test_a_step_of_pretraining_is_pytorchs():
    recipe, stages, twin, _ = make_twins("resnet18_gan")
    trainer = stages[0].trainer
    rgb_u8 = photos(recipe.data.image_size)
    _, condition, target = trainer.prepare(rgb_u8, training=False)
    before = twin.state()
    alone = recipe.with_values(
        **{"optimizer.learning_rate": recipe.pretrain.learning_rate, "optimizer.beta_1": recipe.pretrain.beta_1}
    )
    optimizer = torch_optimizer(alone, twin.original)
    loss = torch.nn.L1Loss()(twin.original(torch_images(condition)), torch_images(target))
    (recipe.loss.reconstruction_weight * loss).backward()
    optimizer.step()
    assert float(trainer.train_step(rgb_u8)["g_reconstruction"]) == pytest.approx(float(loss.detach()), rel=LOSSES)
    assert_moved_alike(twin, before, "adam", WITH_KINKS["adam"])


def test_another_step_would_be_noticed():
    """A λ of 99 in place of 100 moves weights by about 1 % more or less, ten times what is allowed."""
    recipe, stages, generator, discriminator = make_twins("pix2pix", **SGD)
    trainer = stages[-1].trainer
    rgb_u8 = photos(recipe.data.image_size)
    _, condition, target = trainer.prepare(rgb_u8, training=False)
    before = generator.state()
    other = recipe.with_values(**{"loss.reconstruction_weight": 99.0})
    gan_step(other, generator.original, discriminator.original, torch_images(condition), torch_images(target))
    trainer.train_step(rgb_u8)
    with pytest.raises(AssertionError, match="step is 0"):
        assert_moved_alike(generator, before, "sgd", EXACT["sgd"])


def test_the_network_that_vivid_is_timed_against_is_vivid():
    from benchmarks.torch_steps import Vivid

    network = build_generator(Recipe.load("vivid"), image_size=64)
    rng = np.random.default_rng(0)
    for variable in network.weights:
        positive = "variance" in variable.path or "gamma" in variable.path
        fan_in = max(1, np.prod(variable.shape[:-1]))
        drawn = (
            rng.uniform(0.5, 1.5, variable.shape) if positive else rng.normal(0, (2 / fan_in) ** 0.5, variable.shape)
        )
        variable.assign(drawn)
    twin = Vivid(network.output.shape[-1]).eval()
    twin.take_weights(network)
    statistics = [buffer for name, buffer in twin.named_buffers() if "running" in name]
    assert sum(tensor.numel() for tensor in (*twin.parameters(), *statistics)) == network.count_params()
    condition = rng.uniform(-1, 1, (2, 64, 64, 4)).astype("float32")
    condition[..., 3:] = condition[..., 3:] > 0.8
    condition[..., 1:3] *= condition[..., 3:]
    logits = np.asarray(network(condition, training=False))
    with torch.no_grad():
        theirs = twin(torch_images(condition)).numpy().transpose(0, 2, 3, 1)
    assert np.abs(logits - theirs).max() < 1e-5 * np.abs(theirs).max()
