"""Plain borders of scanned photos are found, left out of what a network sees, and stay neutral."""

import numpy as np
import pytest
from skimage import data

from keras_colorize.inference.border import find_border
from keras_colorize.inference.finish import finish_photo
from keras_colorize.inference.frame import frame_photo

PHOTO = data.astronaut()[:300, :400]


def framed(photo, tone, top, bottom, left, right, noise=0.0):
    """A photo with a border around it."""
    height, width = photo.shape[:2]
    shape = (height + top + bottom, width + left + right, 3)
    scan = np.broadcast_to(np.asarray(tone, np.float32), shape).copy()
    scan += noise * np.random.default_rng(3).standard_normal(shape[:2])[..., None]
    scan[top : top + height, left : left + width] = photo
    return np.clip(scan, 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("tone", [255, 0, (236, 224, 200)], ids=["white", "black", "paper"])
@pytest.mark.parametrize("widths", [(20, 20, 20, 20), (14, 60, 25, 18), (30, 30, 0, 0), (0, 0, 22, 9)])
def test_a_plain_border_is_found_to_two_pixels(tone, widths):
    top, _, left, _ = widths
    rows, columns = find_border(framed(PHOTO, tone, *widths, noise=2.0))
    found = (rows.start, rows.stop, columns.start, columns.stop)
    true = (top, top + 300, left, left + 400)
    assert np.abs(np.subtract(found, true)).max() <= 2
    # Nothing of the border is left in.
    assert rows.start >= top and rows.stop <= top + 300 and columns.start >= left and columns.stop <= left + 400


def test_every_type_of_pixels_has_the_same_border():
    scan = framed(PHOTO, 250, 20, 20, 30, 30)
    expected = find_border(scan)
    assert expected != (slice(0, 340), slice(0, 460))
    assert find_border(scan.astype(np.uint16) * 257) == expected
    assert find_border(scan / np.float32(255)) == expected
    assert find_border(scan[..., 1]) == expected


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket", "camera", "moon", "page", "coins"])
def test_photos_without_a_border_are_left_whole(name):
    photo = getattr(data, name)()
    assert find_border(photo) == (slice(0, photo.shape[0]), slice(0, photo.shape[1]))


def test_a_thing_on_a_white_ground_has_no_border():
    scan = np.full((200, 300, 3), 255, np.uint8)
    y, x = np.mgrid[:200, :300]
    scan[(y - 100) ** 2 + (x - 150) ** 2 < 60**2] = 90
    assert find_border(scan) == (slice(0, 200), slice(0, 300))


def test_a_plain_sky_is_no_border():
    scan = PHOTO.copy()
    scan[:60] = 240
    assert find_border(scan) == (slice(0, 300), slice(0, 400))


def test_a_uniform_photo_has_no_border():
    assert find_border(np.full((100, 100), 255, np.uint8)) == (slice(0, 100), slice(0, 100))


def test_a_network_sees_the_picture_alone_and_the_border_stays_neutral():
    scan = framed(PHOTO, (236, 224, 200), 20, 20, 30, 30)
    frame = frame_photo(scan, 64, 16)
    rows, columns = frame.picture
    alone = frame_photo(scan[rows, columns], 64, 16)
    np.testing.assert_array_equal(frame.inputs.lightness, alone.inputs.lightness)
    photo = finish_photo(scan, frame, np.full((*frame.shape, 2), 20.0, np.float32))
    assert photo.shape == scan.shape
    outside = np.ones(scan.shape[:2], bool)
    outside[rows, columns] = False
    assert np.ptp(photo[outside].astype(int), axis=1).max() <= 1
    assert np.ptp(photo[rows, columns].astype(int), axis=2).mean() > 15
