"""What commands and Python interface agree on when nothing else is said. Nothing here loads TensorFlow."""

# The system of the zoo that colorizes photos; it comes with weights.
DEFAULT_MODEL = "vivid"

# 1 is the system's own; far above it every photo ends at the edge of the gamut.
LARGEST_VIVIDNESS = 10.0
