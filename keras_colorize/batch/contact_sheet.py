"""Pictures for looking results over: grey beside colour, and pages of many photos."""

import functools
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from keras_colorize.batch.memory import PixelBudget
from keras_colorize.batch.plan import PHOTOS_PER_SHEET, PIXELS_IN_FLIGHT, Job, Plan
from keras_colorize.errors import ColorizeError
from keras_colorize.hardware import processors
from keras_colorize.images import Picture, count_pixels, read_pictures, to_8_bits, write_pictures
from keras_colorize.inference.finish import color_photo
from keras_colorize.packages import is_installed

# [choice] A comparison is for looking at: a photo in it has at most so many pixels on its long side, and all of them
# together fit into a WebP, whose sides end at 16,383.
COMPARED_SIDE = 4096
COMPARED_WIDTH = 16000
GAP = 8

# A face in a group of ten is some 40 pixels high. Three columns of eight rows have the shape of a sheet of paper.
THUMBNAIL = 360
COLUMNS = 3
_CAPTION = 26
_FONT_SIZE = 16
_MARGIN = 12


def make_tile(picture: Picture, side: int = COMPARED_SIDE, with_color: bool = True) -> np.ndarray:
    """Make a picture a part of a comparison: rgb_u8 (h, w, 3), at most `side` pixels long, transparency over white.

    with_color: otherwise only its lightness is kept.
    """
    image = Image.fromarray(to_8_bits(picture.pixels)).convert("RGB")
    if picture.alpha is not None:
        image = Image.composite(image, Image.new("RGB", image.size, "white"), Image.fromarray(to_8_bits(picture.alpha)))
    scale = min(side / max(image.size), 1.0)
    if scale < 1.0:
        width, height = (max(round(length * scale), 1) for length in image.size)
        image = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
    rgb_u8 = np.asarray(image)
    return rgb_u8 if with_color or picture.is_grey else color_photo(rgb_u8, np.zeros((1, 1, 4), np.float32))


def join_tiles(tiles: Sequence[np.ndarray]) -> np.ndarray:
    """Put photos of one size, each rgb_u8 (H, W, 3), into a row with white between them."""
    gap = np.full((len(tiles[0]), GAP, 3), 255, np.uint8)
    row = [part for tile in tiles for part in (gap, tile)]
    return np.concatenate(row[1:], axis=1)


def tile_side(tiles: int) -> int:
    """Return how many pixels long each of so many tiles may be, so that all fit into one row."""
    return min(COMPARED_SIDE, COMPARED_WIDTH // tiles - GAP)


def write_contact_sheet(plan: Plan, notes: Mapping[Path, str]) -> Iterator[Path]:
    """Write the pages of a plan's contact sheet, each photo in grey and colour; yields each page when it is written.

    Photos are read back from their files. Only one page is in memory at a time, whatever the number of photos. Pages of
    an earlier run are replaced.

    Args:
        plan: of photos that are all colorized, have failed or were left alone.
        notes: source → why there is no result; such a photo has these words in place of a picture.
    """
    budget = PixelBudget(PIXELS_IN_FLIGHT)
    with ThreadPoolExecutor(processors()) as pool:
        for number, file in enumerate(plan.pages):
            on_page = plan.jobs[number * PHOTOS_PER_SHEET :][:PHOTOS_PER_SHEET]
            cells = list(pool.map(lambda job: _cell(job, notes.get(job.source), budget), on_page))
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


def _cell(job: Job, note: str | None, budget: PixelBudget) -> Image.Image:
    """Draw a photo's place on a page: grey, colour, and its name below."""
    cell = Image.new("RGB", (2 * THUMBNAIL + 2, THUMBNAIL + _CAPTION), "white")
    try:
        if note is not None:
            raise ColorizeError(note)
        for file, left, with_color in ((job.source, 0, False), (job.colored[0], THUMBNAIL + 2, True)):
            with budget.room_for(count_pixels(file)):
                # A photo larger than the run's limit was refused before.
                picture = next(read_pictures(file, max_pixels=sys.maxsize))
                image = Image.fromarray(make_tile(picture, THUMBNAIL, with_color))
                del picture
            image = ImageOps.contain(image, (THUMBNAIL, THUMBNAIL), Image.Resampling.BICUBIC)  # small photos grow
            cell.paste(image, (left + (THUMBNAIL - image.width) // 2, (THUMBNAIL - image.height) // 2))
    except Exception as reason:  # read back long after: anything may have happened to the file
        ImageDraw.Draw(cell).rectangle((0, 0, cell.width - 1, THUMBNAIL - 1), fill="gainsboro")
        _draw_line(cell, THUMBNAIL // 2, str(reason))
    _draw_line(cell, THUMBNAIL + _CAPTION // 2, job.name)
    return cell


def _draw_line(cell: Image.Image, y: int, text: str) -> None:
    """Draw one centred line; the middle of a text that is too long is left out."""
    font = _font()
    kept = len(text)
    shown = text
    while font.getlength(shown) > cell.width - 4 and kept > 2:
        kept -= 1
        shown = f"{text[: kept // 2]}…{text[len(text) - (kept - kept // 2) :]}"
    ImageDraw.Draw(cell).text((cell.width / 2, y), shown, fill="black", font=font, anchor="mm")


@functools.cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Load DejaVu Sans, which comes with matplotlib and has accented Latin, Greek and Cyrillic letters.

    Without matplotlib it is Pillow's own font, which has Latin letters.
    """
    if not is_installed("matplotlib"):
        return ImageFont.load_default(_FONT_SIZE)
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), _FONT_SIZE)
