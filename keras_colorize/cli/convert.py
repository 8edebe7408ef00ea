"""`keras-colorize convert`: turn a PyTorch checkpoint into Keras weights."""

import argparse

from keras_colorize.cli.messages import with_flags
from keras_colorize.cli.startup import load_tensorflow

SUMMARY = "Convert a PyTorch checkpoint to Keras weights, with the same numbers."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a state dict: .pt, .pth or .safetensors")
    parser.add_argument("--model", required=True, help="the system it belongs to: pix2pix, gan_lab, resnet18_gan, …")
    parser.add_argument("--out", metavar="FILE", help="the generator's weights, FILE.weights.h5")
    parser.add_argument("--discriminator-out", metavar="FILE", help="the discriminator's weights, FILE.weights.h5")
    parser.add_argument("--verify", action="store_true", help="compare outputs with PyTorch's: at most 1e-4 apart")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")


def run(options: argparse.Namespace) -> None:
    """Convert the checkpoint and print the files and what they hold."""
    from keras_colorize.convert.destinations import files_to_write
    from keras_colorize.recipes import Recipe

    recipe = Recipe.load(options.model)
    files_to_write(options.checkpoint, options.out, options.discriminator_out, options.overwrite)

    load_tensorflow()
    from keras_colorize.convert.conversion import convert

    conversion = convert(
        options.checkpoint,
        recipe,
        out=options.out,
        discriminator_out=options.discriminator_out,
        verify=options.verify,
        overwrite=options.overwrite,
    )
    for network in conversion.networks:
        print(f"{network.network}: {network.values:,} values, read as {network.spelling}, in {network.file}")
        if network.difference is not None:
            print(f"  at most {network.difference:.1e} from PyTorch on random input")
    for remark in conversion.remarks:
        print(with_flags(remark, options.flags))
