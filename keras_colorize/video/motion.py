"""Motion between two frames of a film: dense optical flow in both directions, and where it can be relied on."""

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

# [choice] Of the two directions of flow, in pixels of the network's frame: how far a way there and back may end from
# its beginning. A place that comes into view, or goes out of it, ends somewhere else.
_WAY_BACK = 2.0
_WAY_BACK_SHARE = 0.05  # and by this share of the length of the way
# In units of L, once both frames have the same brightness and contrast: more than grain, less than a different thing.
_UNLIKE = 12.0
_SMOOTHING = 1.5  # pixels; grain is no motion
# [choice] A cut: few places are found again. The more two frames differ in their lightness, the more places count as
# few, since some are found by chance. Frames that hardly differ are no cut, however grainy they are. Of 72 pairs of
# different photos at most 25 % of the places were found, and all count as cuts; in pans it was 90 %.
_LIKE = 2.0  # in units of L
_FOUND_IN_CUT = 0.75
_FEW = 0.02  # share of places that is too small to measure anything
_WHITE_OFFSET = 16.0
_FLAT = 1.0  # a frame whose L varies by less shows nothing whose motion could be found


@dataclass(frozen=True, eq=False)
class Motion:
    """The motion from one frame to the next.

    backward: `(h, w, 2)` float32, for each place of the later frame the way in pixels (right, down) to where it was.
    forward: the same from the earlier frame to the later one.
    known: `(h, w)` float32 in [0, 1], how far the later frame's places can be relied on to be found in the earlier one.
    known_forward: the same for places of the earlier frame.
    unlikeness: the mean difference of the two frames in units of L, as if nothing moved.
    exposure: the factor by which a change of exposure between them multiplies chroma.
    """

    backward: np.ndarray
    forward: np.ndarray
    known: np.ndarray
    known_forward: np.ndarray
    unlikeness: float
    exposure: float

    @property
    def is_cut(self) -> bool:
        """Tell whether the later frame begins a shot."""
        beyond = self.unlikeness - _LIKE
        return float(self.known.mean()) < min(0.1 * beyond, 0.32 + 0.02 * beyond, _FOUND_IN_CUT)


def find_motion(before: np.ndarray, after: np.ndarray) -> Motion:
    """Find the motion between two frames, L `(h, w)` in [0, 100] each.

    Flow is found by dense inverse search (Kroeger et al. 2016), as OpenCV has it. Brightness and contrast of the
    earlier frame are made the later one's first, so that an exposure that wavers and a fade are no motion.
    """
    seen = before
    before, after = (cv2.GaussianBlur(L, (0, 0), _SMOOTHING) for L in (_like(before, after), after))
    first, second = (np.clip(np.rint(L * 2.55), 0, 255).astype(np.uint8) for L in (before, after))
    search = _search()
    forward, backward = search(first, second, None), search(second, first, None)
    known = _known(before, after, backward, forward)
    return Motion(
        backward,
        forward,
        known,
        _known(after, before, forward, backward),
        float(np.abs(after - before).mean()),
        _exposure_change(seen, after, backward, known),
    )


def follow(field: np.ndarray, flow: np.ndarray, smooth: bool = True) -> np.ndarray:
    """Take for each place the value of a field `(h, w)` or `(h, w, C)` where the flow leads."""
    rows, columns = _grid(*flow.shape[:2])
    method = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
    return cv2.remap(field, columns + flow[..., 0], rows + flow[..., 1], method, borderMode=cv2.BORDER_REPLICATE)


def _exposure_change(before: np.ndarray, after: np.ndarray, backward: np.ndarray, known: np.ndarray) -> float:
    """Return the factor for chroma between two frames: the median change of L + 16 at places that are known.

    Light of the same colour in other strength has chroma in proportion to L + 16 (CIE 15, the cube roots).
    """
    sure = known > 0.5
    if sure.mean() < _FEW:
        return 1.0
    return float(np.median((after[sure] + _WHITE_OFFSET) / (follow(before, backward)[sure] + _WHITE_OFFSET)))


def _like(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Give a frame the mean and the contrast of another; a frame that shows nothing keeps its contrast."""
    spread, wanted = float(before.std()), float(after.std())
    gain = wanted / spread if min(spread, wanted) > _FLAT else 1.0
    return (before - before.mean()) * np.float32(gain) + after.mean()


def _known(before: np.ndarray, after: np.ndarray, backward: np.ndarray, forward: np.ndarray) -> np.ndarray:
    """Say how far each place of `after` can be relied on to be found in `before` by the flow `backward`."""
    there_and_back = np.square(backward + follow(forward, backward)).sum(axis=-1)
    length = np.square(backward).sum(axis=-1)
    apart = there_and_back / (_WAY_BACK + _WAY_BACK_SHARE * np.sqrt(length)) ** 2
    unlike = np.square((after - follow(before, backward)) / _UNLIKE)
    known = np.exp(-apart - unlike)
    rows, columns = _grid(*known.shape)
    x, y = columns + backward[..., 0], rows + backward[..., 1]
    inside = (x >= -0.5) & (x <= known.shape[1] - 0.5) & (y >= -0.5) & (y <= known.shape[0] - 0.5)
    return np.where(inside, known, 0.0).astype(np.float32)


@functools.cache
def _grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return rows, columns


def _search() -> Callable[[np.ndarray, np.ndarray, None], np.ndarray]:
    """Return the search of this thread: it keeps what it computes, so two threads must not share one."""
    if not hasattr(_of_thread, "search"):
        _of_thread.search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    return _of_thread.search.calc


_of_thread = threading.local()
