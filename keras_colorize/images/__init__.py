"""Photo files with everything in them: read, and written back with nothing lost.

`photos` makes 8-bit RGB for training of any photo; here grey stays one channel, 16 bits stay 16, transparency stays
apart, and EXIF, IPTC, XMP, texts and resolution come along.
"""

from keras_colorize.images.decode import DEFAULT_MAX_PIXELS, read_pictures
from keras_colorize.images.encode import replacing, write_pictures
from keras_colorize.images.metadata import Metadata
from keras_colorize.images.picture import FORMATS, Picture, color_suffix, format_of, suffix_for, written_format
from keras_colorize.images.pixels import to_8_bits

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "FORMATS",
    "Metadata",
    "Picture",
    "color_suffix",
    "format_of",
    "read_pictures",
    "replacing",
    "suffix_for",
    "to_8_bits",
    "write_pictures",
    "written_format",
]
