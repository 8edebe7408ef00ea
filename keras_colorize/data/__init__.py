"""Photos for training and evaluation: sources and splits, the scan, batches, augmentation.

A source is the packaged sample, a folder, a list file or a TFDS data set. A photo's split depends on its name alone
(SHA-256): it is the same on every machine and stays the same when photos are added. Importing this package loads no
TensorFlow; `scan` and `batches` do. TensorFlow Datasets is imported only for `tfds:` sources.
"""

from keras_colorize.data.sources import open_source
from keras_colorize.data.splits import SPLITS, Photo, Source, Split, position
from keras_colorize.data.tfds import TfdsSource

__all__ = ["SPLITS", "Photo", "Source", "Split", "TfdsSource", "open_source", "position"]
