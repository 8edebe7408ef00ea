"""Train a system of the zoo, or a recipe of your own: `python train.py --model unet_skip`, `python train.py --help`."""

from keras_colorize.cli import run_script

if __name__ == "__main__":
    run_script("train")
