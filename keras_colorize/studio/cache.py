"""The user's cache folder, which keeps what the studio needs from its first start on."""

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder of this package among the user's caches; it may not exist yet."""
    if "XDG_CACHE_HOME" in os.environ:
        caches = Path(os.environ["XDG_CACHE_HOME"])
    elif sys.platform == "win32" and "LOCALAPPDATA" in os.environ:
        caches = Path(os.environ["LOCALAPPDATA"])
    elif sys.platform == "darwin":
        caches = Path.home() / "Library" / "Caches"
    else:
        caches = Path.home() / ".cache"
    return caches / "keras-colorize"
