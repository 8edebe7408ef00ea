"""Picture files ↔ pixels: the only package that opens a photo.

`read_pictures` reads a file with everything in it: grey stays one channel, 16 bits stay 16, transparency stays apart,
and EXIF, IPTC, XMP, texts and resolution come along. `write_pictures` writes it back. `read_photo` is the 8-bit RGB
view of the same reader, for training.
"""

from keras_colorize.images.decode import DEFAULT_MAX_PIXELS, count_pixels, read_pictures
from keras_colorize.images.encode import write_pictures
from keras_colorize.images.formats import (
    FORMATS,
    color_suffix,
    format_of,
    readable_suffixes,
    suffix_for,
    written_format,
)
from keras_colorize.images.metadata import Metadata
from keras_colorize.images.picture import Picture
from keras_colorize.images.pixels import flat_8_bits, from_image, to_8_bits
from keras_colorize.images.replacement import remove_abandoned, replacing
from keras_colorize.images.view import Box, Resize, is_grey, read_photo

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "FORMATS",
    "Box",
    "Metadata",
    "Picture",
    "Resize",
    "color_suffix",
    "count_pixels",
    "flat_8_bits",
    "format_of",
    "from_image",
    "is_grey",
    "read_photo",
    "read_pictures",
    "readable_suffixes",
    "remove_abandoned",
    "replacing",
    "suffix_for",
    "to_8_bits",
    "write_pictures",
    "written_format",
]
