"""What `--data` means: the packaged sample, a folder, a list file or a TFDS data set → photos, divided into splits.

A photo's split depends on its name alone (SHA-256), so it stays where it is when photos are added, on every machine.
Importing this package decodes nothing and loads no TensorFlow; `batches` decodes. TensorFlow Datasets is imported only
for `tfds:` sources.
"""

from keras_colorize.data.sources import open_source
from keras_colorize.data.splits import SPLITS, Photo, Source, Split, position
from keras_colorize.data.tfds import TfdsSource

__all__ = ["SPLITS", "Photo", "Source", "Split", "TfdsSource", "open_source", "position"]
