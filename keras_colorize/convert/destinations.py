"""Checks of the files that a conversion reads and writes, before anything slow begins."""

from pathlib import Path

from keras_colorize.convert.checkpoints import DISCRIMINATOR, GENERATOR
from keras_colorize.errors import ColorizeError

SUFFIX = ".weights.h5"
# The argument that names the file of each network.
ARGUMENTS = {GENERATOR: "`out`", DISCRIMINATOR: "`discriminator_out`"}


def files_to_write(
    checkpoint: str | Path, out: str | Path | None, discriminator_out: str | Path | None, overwrite: bool
) -> dict[str, Path]:
    """Files by network.

    Raises:
        ColorizeError: the checkpoint is missing; a file exists and may not be replaced, has another ending than
            `.weights.h5` or is named twice; none is named.
    """
    if not Path(checkpoint).is_file():
        raise ColorizeError(f"no checkpoint '{checkpoint}': expected a .pt, .pth or .safetensors file")
    files = {key: Path(file) for key, file in ((GENERATOR, out), (DISCRIMINATOR, discriminator_out)) if file}
    if not files:
        raise ColorizeError("nothing to write: give `out`, `discriminator_out` or both")
    for key, file in files.items():
        if not file.name.endswith(SUFFIX):
            raise ColorizeError(f"{ARGUMENTS[key]} is '{file}': Keras weights end in {SUFFIX}")
        if file.is_dir() or (file.exists() and not overwrite):
            raise ColorizeError(f"'{file}' exists: choose another name, or replace it with `overwrite`")
    if len({file.resolve() for file in files.values()}) < len(files):
        raise ColorizeError(f"both networks would go to '{files[GENERATOR]}': give two names")
    return files
