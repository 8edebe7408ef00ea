"""A checkpoint and a recipe become files of Keras weights."""

from dataclasses import dataclass
from pathlib import Path

import keras

from keras_colorize.convert.checkpoints import (
    DISCRIMINATOR,
    GENERATOR,
    UNNAMED,
    State,
    read_checkpoint,
    some,
    split_networks,
)
from keras_colorize.convert.destinations import ARGUMENTS, files_to_write
from keras_colorize.convert.spellings import Spelling, discriminator_spellings, generator_spellings
from keras_colorize.convert.transfer import overlap, transfer
from keras_colorize.errors import ColorizeError
from keras_colorize.models.networks import build_discriminator, build_generator
from keras_colorize.models.weights import save_weights
from keras_colorize.recipes import Network, Recipe


@dataclass(frozen=True)
class Converted:
    """One network that was written.

    Attributes:
        network: "generator" or "discriminator".
        spelling: how the checkpoint names its modules.
        values: how many numbers of the checkpoint went into it.
        file: its Keras weights.
        difference: the largest difference from PyTorch on random input; None where it was not asked for.
    """

    network: str
    spelling: str
    values: int
    file: Path
    difference: float | None


@dataclass(frozen=True)
class Conversion:
    """The result of `convert`: the files written, and remarks on entries that were left alone."""

    networks: list[Converted]
    remarks: list[str]


@dataclass(frozen=True)
class _Target:
    """A network of the recipe, built, and the spellings it can be read in."""

    name: str
    source: Network
    model: keras.Model
    spellings: list[Spelling]

    def nearest(self, state: State) -> Spelling:
        return max(self.spellings, key=lambda spelling: overlap(state, spelling))


def convert(
    checkpoint: str | Path,
    recipe: Recipe,
    *,
    out: str | Path | None = None,
    discriminator_out: str | Path | None = None,
    verify: bool = False,
    overwrite: bool = False,
) -> Conversion:
    """Write the networks of a PyTorch checkpoint as Keras weights, float32, ready for `load_weights`.

    torchvision's ResNet-18 fills the encoder of a recipe that has one; the rest of that generator is as fresh as the
    recipe's seed makes it. Nothing is written before everything has been checked.

    Args:
        checkpoint: a state dict (.pt, .pth, .safetensors) of the generator, of the discriminator, or of both, as
            `net_G.*` and `net_D.*`.
        recipe: names the networks, and the size at which they are built and compared.
        out: where the generator's weights go, `*.weights.h5`; None if they are not wanted.
        discriminator_out: where the discriminator's go.
        verify: compare outputs with PyTorch's; more than 1e-4 apart is an error.
        overwrite: replace files that exist.

    Raises:
        ColorizeError: the checkpoint cannot be read, does not hold what is wanted, does not fit in every name and
            shape, or computes something else than PyTorch; a file exists or has another ending; no PyTorch.
    """
    files = files_to_write(checkpoint, out, discriminator_out, overwrite)
    networks = split_networks(checkpoint, read_checkpoint(checkpoint))
    keras.utils.set_random_seed(recipe.runtime.seed)
    targets = _targets(recipe)
    if DISCRIMINATOR in files and DISCRIMINATOR not in targets:
        raise ColorizeError(f"'{recipe.name}' has no discriminator: leave out {ARGUMENTS[DISCRIMINATOR]}")
    states = _recognize(checkpoint, recipe, networks, targets)

    remarks = []
    for key in states.keys() - files.keys():
        hint = f": {ARGUMENTS[key]} writes them" if key in targets else ""
        remarks.append(f"skipped {key}.*, {len(states[key])} entries{hint}")
    converted = []
    for key, file in files.items():
        if key not in states:
            wanted, held = ("generator", DISCRIMINATOR) if key == GENERATOR else ("discriminator", GENERATOR)
            raise ColorizeError(f"'{checkpoint}' holds no {wanted}: {ARGUMENTS[held]} writes what it holds")
        target = targets[key]
        spelling = target.nearest(states[key])
        used = transfer(f"the {target.name} in '{checkpoint}'", states[key], spelling)
        if spelling.network is not target.model:
            remarks.append(
                f"filled the {spelling.network.name} from {spelling.name}; "
                f"the rest of the {target.name} is fresh, from seed {recipe.runtime.seed}"
            )
        difference = None
        if verify:
            from keras_colorize.convert.verification import largest_difference

            difference = largest_difference(used, spelling, target.source, recipe.data.image_size)
        values = sum(value.size for value in used.values())
        converted.append(Converted(target.name, spelling.name, values, file, difference))
    for key, file in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        save_weights(targets[key].model, file)
    return Conversion(converted, remarks)


def _targets(recipe: Recipe) -> dict[str, _Target]:
    """The recipe's networks, with fresh weights."""
    # The checkpoint brings the encoder's weights: none need to be fetched.
    recipe = recipe.with_values(backbone_weights="random")
    size = recipe.data.image_size
    generator = build_generator(recipe, image_size=size)
    spellings = generator_spellings(recipe.generator, generator)
    if not spellings:
        raise ColorizeError(
            f"no PyTorch original of '{recipe.name}' is known: its generator is '{recipe.generator.name}', "
            "checkpoints exist for 'unet' and 'resnet_unet' (pix2pix, gan_lab, resnet18_gan)"
        )
    targets = {GENERATOR: _Target("generator", recipe.generator, generator, spellings)}
    discriminator = build_discriminator(recipe, image_size=size)
    if recipe.discriminator is not None and discriminator is not None:
        spellings = discriminator_spellings(discriminator)
        targets[DISCRIMINATOR] = _Target("discriminator", recipe.discriminator, discriminator, spellings)
    return targets


def _recognize(
    checkpoint: str | Path, recipe: Recipe, networks: dict[str, State], targets: dict[str, _Target]
) -> dict[str, State]:
    """States by network; one whose names do not say which it is, is the one that most of them fit."""
    state = networks.get(UNNAMED, {})
    if not state:
        if not networks:
            raise ColorizeError(f"'{checkpoint}' holds no weights")
        return networks
    if len(networks) > 1:
        raise ColorizeError(
            f"'{checkpoint}' has {len(state)} entries left over beside its networks: {some(list(state))}"
        )
    found = {key: overlap(state, target.nearest(state)) for key, target in targets.items()}
    best = max(found, key=lambda key: found[key])
    if not found[best]:
        titles = [spelling.name for target in targets.values() for spelling in target.spellings]
        raise ColorizeError(
            f"'{checkpoint}' holds nothing of '{recipe.name}': its entries are {some(list(state))}; known are "
            f"{', '.join(titles)} (docs/convert.md lists their names)"
        )
    return {best: state}
