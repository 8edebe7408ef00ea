"""Propagation: chroma that moves with the picture from frame to frame, and neither flickers nor sticks.

The network has an opinion on each frame, and neighbouring opinions differ. Here each place of a frame takes the mean of
the opinions on it, in the frames before, as long as it can be followed, and in a few frames to come. A place that comes
into view begins with the opinions on it from then on. Since an opinion that is long ago counts less and less, a wrong
colour does not stay.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from keras_colorize.video.motion import Motion, follow

# [choice] Measured (docs/film.md).
AHEAD = 8  # frames to come that are looked at
MEMORY = 24.0  # the past counts at most as so many opinions


@dataclass(frozen=True, eq=False)
class Opinion:
    """The network's opinion on one frame.

    lightness: L (h, w) in [0, 100], as the network saw it.
    ab: (h, w, 2) in CIE units; None for a frame that was not shown to it, which is passed over.
    motion: from the last frame that was shown to it; None where a shot begins.
    subject: whatever belongs to the frame; it comes out as it went in.
    """

    lightness: np.ndarray
    ab: np.ndarray | None
    motion: Motion | None
    subject: object = None


@dataclass(frozen=True, eq=False)
class Trail:
    """The chroma of a frame and its history, from which the next frame goes on.

    ab: (h, w, 2) in CIE units.
    count: (h, w), how many opinions each place has taken in.
    lightness: L (h, w).
    """

    ab: np.ndarray
    count: np.ndarray
    lightness: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the fields by name."""
        return {"ab": self.ab, "count": self.count, "lightness": self.lightness}

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> "Trail | None":
        """Make it of the arrays that `arrays` returned; None of none."""
        return cls(arrays["ab"], arrays["count"], arrays["lightness"]) if "ab" in arrays else None


def propagate(
    opinions: Iterable[Opinion], trail: Trail | None = None, ahead: int = AHEAD, memory: float = MEMORY
) -> Iterator[tuple[Opinion, Trail | None]]:
    """Make the chroma of frames steady.

    Args:
        opinions: of frames in order; as many as `ahead` are in memory.
        trail: of the frame before the first; not used where the first begins a shot.
        ahead: frames to come that are looked at.
        memory: the past counts at most as so many opinions.

    Yields:
        for each opinion the trail of its frame, whose `ab` is the chroma to show; after a frame that is passed over the
        trail of the last one that is not.
    """
    window: deque[Opinion] = deque()
    for opinion in opinions:
        window.append(opinion)
        if len(window) > ahead:
            trail = _next(window, trail, memory)
            yield window.popleft(), trail
    while window:
        trail = _next(window, trail, memory)
        yield window.popleft(), trail


def _next(window: "deque[Opinion]", trail: Trail | None, memory: float) -> Trail | None:
    """Join the past of the first frame in a window with the opinions on it and on the frames after it."""
    now = window[0]
    if now.ab is None:
        return trail
    ab = _looked_ahead([opinion for opinion in window if opinion.ab is not None])
    if now.motion is None or trail is None:
        return Trail(ab, np.ones(ab.shape[:2], np.float32), now.lightness)
    past = follow(np.dstack([trail.ab, trail.count]), now.motion.backward)
    weight = np.minimum(now.motion.known * past[..., 2], memory - 1.0)
    before = past[..., :2] * now.motion.exposure
    joined = (weight[..., None] * before + ab) / (weight[..., None] + 1.0)
    return Trail(joined, weight + 1.0, now.lightness)


def _looked_ahead(opinions: Sequence[Opinion]) -> np.ndarray:
    """Return the mean of the opinions on the first of some frames and on the frames of its shot that follow."""
    end = next((n for n in range(1, len(opinions)) if opinions[n].motion is None), len(opinions)) - 1
    ab = opinions[end].ab
    assert ab is not None
    count = np.ones(ab.shape[:2], np.float32)
    for now, later in zip(opinions[end - 1 :: -1] if end else (), opinions[end:0:-1], strict=True):
        motion = later.motion
        assert motion is not None and now.ab is not None
        coming = follow(np.dstack([ab, count]), motion.forward)
        weight = (motion.known_forward * coming[..., 2])[..., None]
        ab = (weight * coming[..., :2] / motion.exposure + now.ab) / (weight + 1.0)
        count = weight[..., 0] + 1.0
    return ab
