"""Spellings: which module of a PyTorch implementation is which layer of a Keras network.

The names follow the depth of the Keras network to fill, so that they serve every recipe of a family.
"""

from dataclasses import dataclass

import keras

from keras_colorize.recipes import Network

# Names of the spellings.
UNET_BLOCKS = "nested U-Net blocks"
UNET_LISTS = "lists of downs and ups"
PATCHGAN_FLAT = "pix2pix's patch discriminator"
PATCHGAN_BLOCKS = "the tutorial's patch discriminator"
DYNAMIC_UNET = "fastai's DynamicUnet"
RESNET18 = "torchvision's ResNet-18"

# torchvision's ResNet-18 without pooling and classifier, in the order in which fastai numbers it.
RESNET18_BODY = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")


@dataclass(frozen=True)
class Spelling:
    """One way in which PyTorch code names the modules of a network.

    Attributes:
        name: of the spelling; it also selects the module of `torch_modules` that has these names.
        layers: PyTorch's module → the layer that takes its weights.
        network: the part of the Keras network that has these layers.
        unused: modules of the original that have no layer here.
        grey: the convolution whose three input channels, red, green and blue, become one by their sum.
    """

    name: str
    layers: dict[str, keras.layers.Layer]
    network: keras.Model
    unused: tuple[str, ...] = ()
    grey: str = ""


def generator_spellings(source: Network, generator: keras.Model) -> list[Spelling]:
    """Return the published spellings of a generator, none where no PyTorch original is known."""
    if source.name == "resnet_unet":
        encoder = generator.get_layer("encoder")
        grey = "conv1" if encoder.input_shape[-1] == 1 else ""
        return [
            Spelling(DYNAMIC_UNET, _named(generator, _dynamic_unet(generator)), generator),
            Spelling(RESNET18, _named(encoder, _resnet18()), encoder, ("fc",), grey),
        ]
    if source.name == "unet":
        if source.args.get("activation_first"):
            return [Spelling(UNET_BLOCKS, _named(generator, _unet_blocks(generator)), generator)]
        return [Spelling(UNET_LISTS, _named(generator, _unet_lists(generator)), generator)]
    return []


def discriminator_spellings(discriminator: keras.Model) -> list[Spelling]:
    """Return the published spellings of a patch discriminator."""
    return [
        Spelling(PATCHGAN_FLAT, _named(discriminator, _patchgan_flat(discriminator)), discriminator),
        Spelling(PATCHGAN_BLOCKS, _named(discriminator, _patchgan_blocks(discriminator)), discriminator),
    ]


def count(network: keras.Model, pattern: str) -> int:
    """Count the layers of a numbered kind, numbered from 1: `count(unet, "down_{}_conv")`."""
    names = {layer.name for layer in network.layers}
    number = 0
    while pattern.format(number + 1) in names:
        number += 1
    return number


def _named(network: keras.Model, names: dict[str, str]) -> dict[str, keras.layers.Layer]:
    """Return layers by names; `encoder/x` is layer x of the inner model "encoder". Names without layer are dropped."""
    layers: dict[str, keras.layers.Layer] = {}
    for module, path in names.items():
        *parents, name = path.split("/")
        inner = network
        for parent in parents:
            inner = inner.get_layer(parent)
        if name in {layer.name for layer in inner.layers}:
            layers[module] = inner.get_layer(name)
    return layers


def _unet_blocks(unet: keras.Model) -> dict[str, str]:
    """Blocks inside blocks, each a `Sequential` called `model`: pix2pix's own code and the colorization tutorial's.

    A block is: down, the block inside it, up. So the outermost has convolutions at 0 and 3, the others at 1 and 5
    with BN at 2 and 6, the innermost, without BN on its way down, at 1 and 3 with BN at 4.
    """
    depth = count(unet, "down_{}_conv")
    present = {layer.name for layer in unet.layers}
    names, path = {}, "model.model"
    for number in range(1, depth + 1):
        down, up = f"down_{number}", "head" if number == 1 else f"up_{depth + 1 - number}"
        steps = [f"{down}_conv"] if number == 1 else ["activation", f"{down}_conv", f"{down}_bn"]
        steps += ["block"] if number < depth else []
        steps += ["activation", f"{up}_conv", f"{up}_bn"]
        if number == depth:
            steps = [step for step in steps if step != f"{down}_bn" or step in present]
        names.update({f"{path}.{index}": step for index, step in enumerate(steps)})
        if "block" in steps:
            path = f"{path}.{steps.index('block')}.model"
    return names


def _unet_lists(unet: keras.Model) -> dict[str, str]:
    """`downs.0` (outermost) …, `ups.0` (innermost) …, each convolution and BN, then `head`.

    [choice] Report A published no code: these are our names for its modules (docs/convert.md).
    """
    names = {"head": "head_conv"}
    for list_name, kind in (("downs", "down"), ("ups", "up")):
        for index in range(count(unet, kind + "_{}_conv")):
            names[f"{list_name}.{index}.0"] = f"{kind}_{index + 1}_conv"
            names[f"{list_name}.{index}.1"] = f"{kind}_{index + 1}_bn"
    return names


def _patchgan_flat(patchgan: keras.Model) -> dict[str, str]:
    """One `Sequential` of convolutions, BN and activations: pix2pix's own code."""
    blocks = [step for block in _patchgan_steps(patchgan) for step in block]
    return {f"model.{index}": step for index, step in enumerate(blocks)}


def _patchgan_blocks(patchgan: keras.Model) -> dict[str, str]:
    """A `Sequential` of one `Sequential` for each block: the colorization tutorial."""
    return {
        f"model.{number}.{index}": step
        for number, block in enumerate(_patchgan_steps(patchgan))
        for index, step in enumerate(block)
    }


def _patchgan_steps(patchgan: keras.Model) -> list[list[str]]:
    depth = count(patchgan, "block_{}_conv")
    blocks = [[f"block_{n}_conv", *([f"block_{n}_bn"] if n > 1 else []), "activation"] for n in range(1, depth + 1)]
    return [*blocks, ["patch_logits"]]


def _dynamic_unet(generator: keras.Model) -> dict[str, str]:
    """fastai's list of layers: encoder, BN, ReLU, two convolutions, the ups, shuffle, merge, residual block, head."""
    names = {"layers.1": "middle_bn", "layers.3.0.0": "middle_conv_1", "layers.3.1.0": "middle_conv_2"}
    for module, layer in _resnet18().items():
        child, dot, rest = module.partition(".")
        names[f"layers.0.{RESNET18_BODY.index(child)}{dot}{rest}"] = f"encoder/{layer}"
    ups = count(generator, "up_{}_conv_1")
    for number in range(1, ups + 1):
        block, up = f"layers.{3 + number}", f"up_{number}"
        names |= {
            f"{block}.shuf.0.0": f"{up}_shuffle_conv",
            f"{block}.bn": f"{up}_skip_bn",
            f"{block}.conv1.0": f"{up}_conv_1",
            f"{block}.conv2.0": f"{up}_conv_2",
        }
    # Behind the last shuffle fastai resizes and concatenates, in two layers without weights.
    return names | {
        f"layers.{4 + ups}.0.0": "head_shuffle_conv",
        f"layers.{7 + ups}.convpath.0.0": "head_conv_1",
        f"layers.{7 + ups}.convpath.1.0": "head_conv_2",
        f"layers.{8 + ups}.0": "prediction",
    }


def _resnet18() -> dict[str, str]:
    """torchvision's names; KerasHub's first convolution of a shortcut is its number 0."""
    names = {"conv1": "conv1_conv", "bn1": "conv1_bn"}
    for stage in range(4):
        for block in range(2):
            module, layer = f"layer{stage + 1}.{block}", f"stack{stage}_block{block}"
            for number in (1, 2):
                names[f"{module}.conv{number}"] = f"{layer}_{number}_conv"
                names[f"{module}.bn{number}"] = f"{layer}_{number}_bn"
            names[f"{module}.downsample.0"] = f"{layer}_0_conv"
            names[f"{module}.downsample.1"] = f"{layer}_0_bn"
    return names
