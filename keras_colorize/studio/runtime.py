"""The studio's runtime, LiteRT for browsers: fetched once from npm's registry, checked, and unpacked for the page.

[choice] The command fetches it, and the wheel does not contain it: it is 38 MB of WebAssembly that only the studio
needs. No npm is needed, since a package of npm is a tar file at a known address. The checksum is part of this module,
so that it does not matter which registry or mirror serves the file.
"""

import base64
import hashlib
import io
import os
import re
import shutil
import tarfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from keras_colorize.errors import ColorizeError
from keras_colorize.progress import Progress, SilentProgress

DEFAULT_REGISTRY = "https://registry.npmjs.org/"
BLOCK = 1 << 16
TIMEOUT_S = 30


@dataclass(frozen=True)
class NpmPackage:
    """One version of a package.

    Attributes:
        name: with its scope, such as "@litertjs/core".
        integrity: SHA-512 of the tar file, in base64, as lock files have it.
    """

    name: str
    version: str
    integrity: str

    @property
    def path(self) -> str:
        """Address of the tar file below a registry's address."""
        return f"{self.name}/-/{self.name.rpartition('/')[2]}-{self.version}.tgz"


CORE = NpmPackage(
    "@litertjs/core",
    "2.5.3",
    "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
)
UTILS = NpmPackage(
    "@litertjs/wasm-utils",
    "2.5.3",
    "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
)


def runtime_folder(cache: Path) -> Path:
    """Return the folder of the unpacked runtime in a cache folder."""
    return cache / f"litert-{CORE.version}"


def fetch_runtime(cache: Path, progress: Progress | None = None) -> Path:
    """Return the folder of the runtime; the first time, fetch and unpack it.

    Args:
        cache: a folder for it, made if it does not exist.
        progress: shows the bytes that have come.

    Raises:
        ColorizeError: the registry cannot be reached, or it serves other content than expected.
        OSError: the folder cannot be written.
    """
    folder = runtime_folder(cache)
    if folder.is_dir():
        return folder
    core, utils = (_download(package, progress or SilentProgress()) for package in (CORE, UTILS))
    temporary = folder.with_name(f"tmp-{os.getpid()}-{folder.name}")
    try:
        (temporary / "wasm").mkdir(parents=True)
        _unpack(core, utils, temporary)
        try:
            temporary.rename(folder)
        except OSError:  # another process was faster
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def npm_registry() -> str:
    """Return the address of the registry that npm would ask: by its variable, by `~/.npmrc`, or the public one."""
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        if os.environ.get(name):
            return os.environ[name].rstrip("/") + "/"
    try:
        settings = (Path.home() / ".npmrc").read_text(encoding="utf-8")
    except (OSError, ValueError):
        settings = ""
    chosen = re.findall(r"^\s*registry\s*=\s*(\S+)", settings, re.MULTILINE)
    return (chosen[-1] if chosen else DEFAULT_REGISTRY).rstrip("/") + "/"


def _download(package: NpmPackage, progress: Progress) -> bytes:
    address = npm_registry() + package.path
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer:
            total, parts, done = int(answer.headers.get("Content-Length") or 0), [], 0
            with progress.counting(f"fetching {package.name} {package.version}") as advance:
                while part := answer.read(BLOCK):
                    parts.append(part)
                    done += len(part)
                    advance(done, max(total, done))
    except (OSError, ValueError) as error:  # no network, no such file, a broken address, a time-out
        reason = getattr(error, "reason", None) or error
        raise ColorizeError(
            f"cannot fetch the studio's runtime from {address} ({reason}): connect to the network for the first start, "
            "or set npm_config_registry to a registry that this machine reaches"
        ) from None
    content = b"".join(parts)
    if base64.b64encode(hashlib.sha512(content).digest()).decode() != package.integrity:
        raise ColorizeError(f"{address} is not {package.name} {package.version}: its checksum differs; try again later")
    return content


def _unpack(core: bytes, utils: bytes, folder: Path) -> None:
    """Write what the page loads: two modules, and four builds of the runtime for different browsers."""
    with tarfile.open(fileobj=io.BytesIO(utils)) as archive:
        (folder / "wasm-utils.js").write_bytes(_script(archive, "package/dist/bundle.js"))
    with tarfile.open(fileobj=io.BytesIO(core)) as archive:
        # Workers know no import maps, so the one import by a package's name becomes one by address.
        runtime = _script(archive, "package/dist/index.js")
        by_name = f'from "{UTILS.name}"'.encode()
        if runtime.count(by_name) != 1:
            raise RuntimeError(f"{CORE.name} {CORE.version} does not import {UTILS.name} once")
        (folder / "litert.js").write_bytes(runtime.replace(by_name, b'from "./wasm-utils.js"'))
        for member in archive.getmembers():
            if member.isfile() and member.name.startswith("package/wasm/"):
                (folder / "wasm" / Path(member.name).name).write_bytes(_content(archive, member.name))


def _script(archive: tarfile.TarFile, name: str) -> bytes:
    """Return a script without the address of its source map, which the page does not have."""
    return re.sub(rb"(?m)^//# sourceMappingURL=.*$", b"", _content(archive, name))


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()
