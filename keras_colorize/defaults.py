"""Default values that the command line and the Python interface share. Nothing here loads TensorFlow."""

# The system of the zoo that colorizes photos unless another is named; it comes with weights.
DEFAULT_MODEL = "vivid"

# 1 leaves the system's colours as they are; far above it every colour ends at the edge of the gamut.
LARGEST_VIVIDNESS = 10.0
