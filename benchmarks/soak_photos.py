"""A folder of mixed photos for the soak: copies of real photos in many kinds and sizes, and damaged ones among them."""

import io
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tifffile
from PIL import Image

from benchmarks.mutants import SOUND, mutant
from benchmarks.specimens import Specimen, make_photos
from keras_colorize.images import Picture, read_pictures
from keras_colorize.images.writers import write_deep_png

Fate = Literal["colored", "failed", "either", "passed"]

LIST = "photos.json"
PHOTOS = "photos"

DISTINCT = 1500  # files that are encoded; all others are copies of these
SMALLEST, LARGEST = 64, 600  # pixels of the long side of most photos
HUGE_SHARE, HUGE = 0.005, (1200, 3000)
# Of all files: small specimens of rare kinds, damaged copies, files without any photo, and names that differ from the
# one before in their suffix only.
SPECIMENS, DAMAGED, EMPTY, SAME_STEM = 0.05, 0.04, 0.01, 0.1
FOLDERS = ("", "", "attic", "attic/box 1", "attic/box 2", "2019", "2019/05", "2019/06", "été", "a.b-c")
# Kinds that are read and written as another.
RESULT_SUFFIXES = {".gif": ".png", ".mpo": ".jpg", ".heic": ".jpg", ".pgm": ".ppm"}
NO_PHOTOS = (b"", b"\0" * 5000, b"<html><body>Not found</body></html>")
OTHERS = ("notes.txt", "attic/Thumbs.db", "2019/.hidden.jpg")


@dataclass(frozen=True)
class Entry:
    """A file of the folder.

    Attributes:
        name: its path below the folder.
        result: the path of its photo in colour below the folder of the results.
        fate: "colored" for a whole photo, "failed" for a file that holds none, "either" for a damaged photo, "passed"
            for a file that is no photo by its name.
        shapes: height and width of its pages; empty where the fate is not "colored".
    """

    name: str
    result: str
    fate: Fate
    shapes: tuple[tuple[int, int], ...] = ()


def make_folder(folder: Path, sources: Sequence[Path], count: int, seed: int) -> list[Entry]:
    """Make `folder/photos` and its list, or read the list where the folder has been made with the same arguments.

    Args:
        folder: of the soak.
        sources: photos to copy.
        count: files, not counting a few that are no photos by their names.
        seed: of everything that is drawn.
    """
    arguments = {"sources": [str(path) for path in sources], "count": count, "seed": seed}
    if (folder / LIST).is_file():
        listed = json.loads((folder / LIST).read_text())
        if listed["arguments"] == arguments:
            return [Entry(**entry | {"shapes": tuple(map(tuple, entry["shapes"]))}) for entry in listed["entries"]]
        raise SystemExit(f"{folder} holds photos that were made with other arguments: remove it, or name another")
    entries = _write_files(folder / PHOTOS, sources, count, seed)
    document = {"arguments": arguments, "entries": [asdict(entry) for entry in entries]}
    (folder / LIST).write_text(json.dumps(document))
    return entries


def _write_files(folder: Path, sources: Sequence[Path], count: int, seed: int) -> list[Entry]:
    rng = random.Random(seed)
    masters = [_master(sources, random.Random(f"{seed} {number}")) for number in range(min(DISTINCT, count))]
    specimens = make_photos()
    damageable = specimens + [Specimen(f"photo {n}", one.suffix, one.content) for n, one in enumerate(masters[:100])]
    entries: list[Entry] = []
    taken: set[str] = set()
    place = stem = ""
    for number in range(count):
        draw = rng.random()
        shapes: tuple[tuple[int, int], ...] = ()
        fate: Fate = "colored"
        name = ""
        if draw < DAMAGED:
            damaged = mutant(number, seed, damageable)
            suffix, content, name = Path(damaged.name).suffix, damaged.content, damaged.name
            fate = "either"
            if damaged.mutation == SOUND:
                fate, shapes = "colored", _shapes(content)
        elif draw < DAMAGED + EMPTY:
            suffix, content, fate = rng.choice((".jpg", ".png", ".tif")), rng.choice(NO_PHOTOS), "failed"
        elif draw < DAMAGED + EMPTY + SPECIMENS:
            one = rng.choice(specimens)
            suffix, content, shapes = one.suffix, one.content, _shapes(one.content)
        else:
            master = rng.choice(masters)
            suffix, content, shapes = master.suffix, master.content, master.shapes
        same = f"{place}{stem}{RESULT_SUFFIXES.get(suffix, suffix)}"
        if name or rng.random() > SAME_STEM or not stem or same.lower() in taken:
            place = rng.choice(FOLDERS)
            place += "/" if place else ""
            stem = name.removesuffix(suffix) if name else f"{number:06d}"
        result = f"{place}{stem}{RESULT_SUFFIXES.get(suffix, suffix)}"
        taken.add(result.lower())
        entries.append(Entry(f"{place}{stem}{suffix}", result, fate, _kept(shapes, suffix)))
        _write(folder / entries[-1].name, content)
    for other in OTHERS:
        _write(folder / other, masters[0].content)
        entries.append(Entry(other, other, "passed"))
    return entries


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _kept(shapes: tuple[tuple[int, int], ...], suffix: str) -> tuple[tuple[int, int], ...]:
    """Return the pages that the result has: only TIFF holds several."""
    return shapes if suffix.startswith(".tif") else shapes[:1]


# Photos of common kinds


@dataclass(frozen=True)
class _Master:
    """A photo file that copies are made of, with height and width of its pages."""

    suffix: str
    content: bytes
    shapes: tuple[tuple[int, int], ...]


def _master(sources: Sequence[Path], rng: random.Random) -> _Master:
    """Scale a part of one of the photos to some size, and encode it in some kind."""
    with Image.open(rng.choice(sources)) as opened:
        image = opened.convert("RGB")
    width, height = image.size
    left, top = rng.uniform(0, 0.3) * width, rng.uniform(0, 0.3) * height
    box = (left, top, left + rng.uniform(0.5, 0.7) * width, top + rng.uniform(0.5, 0.7) * height)
    kind, weights = zip(*_KINDS, strict=True)
    (encode,) = rng.choices(kind, weights)
    side = SMALLEST * (LARGEST / SMALLEST) ** (rng.random() ** 2)  # most are small
    if encode is _jpeg and rng.random() < HUGE_SHARE * 4:
        side = rng.uniform(*HUGE)
    scale = side / max(box[2] - box[0], box[3] - box[1])
    size = max(round((box[2] - box[0]) * scale), 16), max(round((box[3] - box[1]) * scale), 16)
    suffix, content = encode(image.resize(size, Image.Resampling.BICUBIC, box), rng)
    return _Master(suffix, content, _shapes(content))


def _shapes(content: bytes) -> tuple[tuple[int, int], ...]:
    return tuple((page.height, page.width) for page in read_pictures(io.BytesIO(content)))


def _saved(image: Image.Image, format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def _jpeg(image: Image.Image, rng: random.Random) -> tuple[str, bytes]:
    """A JPEG, grey or in colour, and sometimes to be turned by its EXIF data."""
    exif = Image.Exif()
    if rng.random() < 0.2:
        exif[0x0112] = rng.randint(2, 8)
    image = image.convert("L") if rng.random() < 0.5 else image
    return rng.choice((".jpg", ".jpeg", ".JPG")), _saved(image, "JPEG", quality=rng.randint(60, 95), exif=exif)


def _png(image: Image.Image, rng: random.Random) -> tuple[str, bytes]:
    """A PNG: grey or in colour, with or without transparency."""
    image = image.convert("L") if rng.random() < 0.5 else image
    if rng.random() < 0.3:
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    return ".png", _saved(image, "PNG")


def _webp(image: Image.Image, rng: random.Random) -> tuple[str, bytes]:
    """A WebP with losses or without, with or without transparency."""
    if rng.random() < 0.3:
        image.putalpha(Image.radial_gradient("L").resize(image.size))
    return ".webp", _saved(image, "WEBP", lossless=rng.random() < 0.3, method=0)


def _tiff(image: Image.Image, rng: random.Random) -> tuple[str, bytes]:
    """A TIFF of 8 bits, deflated or not, with one page or two."""
    pages = [image.convert("L")] if rng.random() < 0.3 else []
    compression = rng.choice(("raw", "tiff_adobe_deflate"))
    options: dict[str, Any] = {"save_all": True, "append_images": pages} if pages else {}
    return rng.choice((".tif", ".tiff")), _saved(image, "TIFF", compression=compression, **options)


def _gif(image: Image.Image, rng: random.Random) -> tuple[str, bytes]:
    return ".gif", _saved(image.quantize(64), "GIF")


def _bmp(image: Image.Image, rng: random.Random) -> tuple[str, bytes]:
    return ".bmp", _saved(image.convert("L"), "BMP")


def _deep(image: Image.Image, rng: random.Random) -> tuple[str, bytes]:
    """A PNG or a TIFF of 16 bits, grey or in colour."""
    deep = np.asarray(image.convert("L") if rng.random() < 0.5 else image) * np.uint16(257)
    stream = io.BytesIO()
    if rng.random() < 0.5:
        write_deep_png(stream, Picture(deep), [])
        return ".png", stream.getvalue()
    tifffile.imwrite(stream, deep, photometric="minisblack" if deep.ndim == 2 else "rgb")
    return ".tif", stream.getvalue()


_KINDS: tuple[tuple[Callable[[Image.Image, random.Random], tuple[str, bytes]], float], ...] = (
    (_jpeg, 0.6),
    (_png, 0.15),
    (_webp, 0.08),
    (_tiff, 0.06),
    (_gif, 0.04),
    (_bmp, 0.03),
    (_deep, 0.04),
)
