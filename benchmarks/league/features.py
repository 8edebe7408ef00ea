"""The league's feature network: ResNet-18's third stage, pooled, at 128×128.

FID and KID are published on Inception's features. This network is another one, so its distances compare with nothing
that is published, only with each other. It needs no other file than the one that pretrained encoders start from.
"""

from pathlib import Path

import keras

from benchmarks.league.plan import Encoder
from keras_colorize.metrics import FeatureNetwork, keras_network
from keras_colorize.models.backbones import resnet18
from keras_colorize.models.encoder import IMAGENET_MEAN, IMAGENET_STD, encoder_convolutions, read_folded

LABEL = "ResNet-18 layer3"
SIZE = 128  # pixels to which photos are enlarged: nearer to the 224 of ImageNet than the league's 64


def resnet18_layer3(encoder: Encoder) -> keras.Model:
    """Build the network: RGB (B, 128, 128, 3) in 0…255 → features (B, 256).

    Raises:
        ColorizeError: the file is missing or another one.
    """
    folded = read_folded(encoder.file, encoder.sha256)
    network = resnet18("random", channels=3)
    for conv in encoder_convolutions(network):
        if f"{conv.source}.weight" not in folded:
            continue
        conv.layer.kernel.assign(folded[f"{conv.source}.weight"].transpose(2, 3, 1, 0))
        bias, norm = folded[f"{conv.source}.bias"], conv.norm
        norm.gamma.assign(bias * 0 + 1)
        norm.beta.assign(bias)
        norm.moving_mean.assign(bias * 0)
        norm.moving_variance.assign(bias * 0 + 1 - norm.epsilon)
    rgb = keras.Input((SIZE, SIZE, 3), name="rgb")
    x = keras.layers.Rescaling(1 / 255)(rgb)
    x = keras.layers.Normalization(mean=IMAGENET_MEAN, variance=IMAGENET_STD**2)(x)
    x = network(x)[3]  # (B, 8, 8, 256)
    return keras.Model(rgb, keras.layers.GlobalAveragePooling2D()(x), name="resnet18_layer3")


def league_network(encoder: Encoder) -> FeatureNetwork:
    """Return the feature network for FID and KID."""
    return keras_network(resnet18_layer3(encoder), LABEL)


def keep_network(encoder: Encoder, file: Path) -> None:
    """Write the network as a file that early stopping takes, unless it is there."""
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"tmp-{file.name}")
        resnet18_layer3(encoder).save(temporary)
        temporary.replace(file)
