"""Photos for training and evaluation: sources and splits, the scan, batches, augmentation.

A source is the packaged sample, a folder, a list file, a TFDS data set or shards, which are files of records. A
photo's split depends on its name alone (SHA-256): it is the same on every machine and stays the same when photos are
added. Importing this package loads no TensorFlow; `scan`, `batches` and the opening of shards do. Only `tfds:` sources
import TensorFlow Datasets.
"""

from keras_colorize.data.shards import ShardSource
from keras_colorize.data.sources import open_source
from keras_colorize.data.splits import SPLITS, Packed, Photo, Source, Split, position
from keras_colorize.data.tfds import TfdsSource

__all__ = ["SPLITS", "Packed", "Photo", "ShardSource", "Source", "Split", "TfdsSource", "open_source", "position"]
