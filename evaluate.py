"""Measure a trained system on held-out photos: `python evaluate.py --model unet_skip`, `python evaluate.py --help`."""

from keras_colorize.cli import run_script

if __name__ == "__main__":
    run_script("evaluate")
