"""Pictures to look a result over: grey beside colour, and pages of many photos."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_colorize.batch.batching import PIXELS_IN_FLIGHT, PixelBudget, count_pixels
from keras_colorize.batch.plan import PHOTOS_PER_SHEET, Job, sheet_pages
from keras_colorize.errors import ColorizeError
from keras_colorize.hardware import processors
from keras_colorize.images import Picture, read_pictures, to_8_bits, write_pictures
from keras_colorize.inference.finish import recolored

# [choice] A comparison is for looking at: a photo in it has at most so many pixels on its long side, and all of them
# together fit into a WebP, whose sides end at 16,383.
COMPARED_SIDE = 4096
COMPARED_WIDTH = 16000
GAP = 8

THUMBNAIL = 160
COLUMNS = 5
_CAPTION = 18
_MARGIN = 10


def compared(picture: Picture, side: int = COMPARED_SIDE, with_color: bool = True) -> np.ndarray:
    """A picture as a part of a comparison: rgb_u8 (h, w, 3), at most `side` pixels long, transparency over white.

    with_color: without, only its lightness is kept.
    """
    image = Image.fromarray(to_8_bits(picture.pixels)).convert("RGB")
    if picture.alpha is not None:
        image = Image.composite(image, Image.new("RGB", image.size, "white"), Image.fromarray(to_8_bits(picture.alpha)))
    scale = min(side / max(image.size), 1.0)
    if scale < 1.0:
        width, height = (max(round(length * scale), 1) for length in image.size)
        image = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
    rgb_u8 = np.asarray(image)
    return rgb_u8 if with_color or picture.is_grey else recolored(rgb_u8, np.zeros((1, 1, 4), np.float32))


def side_by_side(tiles: Sequence[np.ndarray]) -> np.ndarray:
    """Photos of one size, each rgb_u8 (H, W, 3), in a row with white between them."""
    gap = np.full((len(tiles[0]), GAP, 3), 255, np.uint8)
    row = [part for tile in tiles for part in (gap, tile)]
    return np.concatenate(row[1:], axis=1)


def compared_side(tiles: int) -> int:
    """How long each of so many tiles may be, that all fit into one row."""
    return min(COMPARED_SIDE, COMPARED_WIDTH // tiles - GAP)


def write_contact_sheet(jobs: Sequence[Job], errors: Mapping[Path, str], out: Path) -> Iterator[Path]:
    """Grey and colour of every photo on pages of sixty, read back from the files; yields each page when it is written.

    Only one page is in memory at a time, whatever the number of photos.

    Args:
        jobs: the photos, all colorized or failed.
        errors: source → why it failed; such a photo has its reason in place of a picture.
        out: the folder for `contact-sheet-001.jpg` and so on, which are replaced.
    """
    budget = PixelBudget(PIXELS_IN_FLIGHT)
    with ThreadPoolExecutor(processors()) as pool:
        for number, file in enumerate(sheet_pages(out, len(jobs))):
            on_page = jobs[number * PHOTOS_PER_SHEET :][:PHOTOS_PER_SHEET]
            cells = list(pool.map(lambda job: _cell(job, errors.get(job.source), budget), on_page))
            write_pictures(file, Picture(np.asarray(_page(cells))), quality=90, overwrite=True)
            yield file


def _page(cells: Sequence[Image.Image]) -> Image.Image:
    columns = min(COLUMNS, len(cells))
    rows = -(-len(cells) // columns)
    width, height = cells[0].size
    page = Image.new("RGB", (columns * (width + _MARGIN) + _MARGIN, rows * (height + _MARGIN) + _MARGIN), "white")
    for number, cell in enumerate(cells):
        row, column = divmod(number, columns)
        page.paste(cell, (_MARGIN + column * (width + _MARGIN), _MARGIN + row * (height + _MARGIN)))
    return page


def _cell(job: Job, error: str | None, budget: PixelBudget) -> Image.Image:
    """A photo's place on a page: grey, colour, its name below."""
    cell = Image.new("RGB", (2 * THUMBNAIL + 2, THUMBNAIL + _CAPTION), "white")
    try:
        if error is not None:
            raise ColorizeError(error)
        for file, left, with_color in ((job.source, 0, False), (job.colored[0], THUMBNAIL + 2, True)):
            with budget.room_for(count_pixels(file)):
                # What is larger than the limit was refused before.
                picture = next(read_pictures(file, max_pixels=sys.maxsize))
                image = Image.fromarray(compared(picture, THUMBNAIL, with_color))
                del picture
            cell.paste(image, (left + (THUMBNAIL - image.width) // 2, (THUMBNAIL - image.height) // 2))
    except Exception as reason:  # read back long after: anything may have happened to the file
        ImageDraw.Draw(cell).rectangle((0, 0, cell.width - 1, THUMBNAIL - 1), fill="gainsboro")
        _write(cell, THUMBNAIL // 2, str(reason))
    _write(cell, THUMBNAIL + _CAPTION // 2, job.name)
    return cell


def _write(cell: Image.Image, y: int, text: str) -> None:
    """One centred line, its middle left out where it is too long."""
    font = ImageFont.load_default(size=12)
    kept = len(text)
    shown = text
    while font.getlength(shown) > cell.width - 4 and kept > 2:
        kept -= 1
        shown = f"{text[: kept // 2]}…{text[len(text) - (kept - kept // 2) :]}"
    ImageDraw.Draw(cell).text((cell.width / 2, y), shown, fill="black", font=font, anchor="mm")
