"""`python -m keras_colorize` is `keras-colorize`."""

import sys

from keras_colorize.cli import main

if __name__ == "__main__":
    sys.exit(main())
