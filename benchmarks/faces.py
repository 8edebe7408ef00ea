"""The colours of faces: found by a detector, coloured, and compared with the photo's own skin.

    python benchmarks/faces.py --data PHOTOS/world --limit 1000

The cascade that scikit-image packages finds faces in lightness alone. A face is the inner half of its box, which has
skin and hardly any hair or background. A find is left out as wrong if its mean colour in the photo is none of skin: a
hue outside −10° to 100°, or a chroma below 5.
"""

import argparse
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from keras_colorize.cli.startup import load_tensorflow
from keras_colorize.defaults import DEFAULT_MODEL

LEAST_SIDE = 32  # of a face's box, in pixels
NEIGHBOURS = 6  # finds that must agree
SKIN_HUES = (-10.0, 100.0)  # degrees of atan2(b, a)
LEAST_CHROMA = 5.0


class Face(NamedTuple):
    """A face's mean ab (2,) in CIE units: of the photo and as coloured; and the mean ab error of its pixels."""

    truth: np.ndarray
    colored: np.ndarray
    error: float
    grey_error: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a system with packaged weights (default: %(default)s)")
    parser.add_argument("--data", required=True, help="photos, as train.py takes them")
    parser.add_argument("--limit", type=int, help="look at so many photos of the test split at most")
    parser.add_argument("--image-size", type=int, default=256, help="of the photos (default: %(default)s)")
    options = parser.parse_args()
    load_tensorflow()
    faces = list(find_faces(options))
    if not faces:
        raise SystemExit("no face found")
    skin = [face for face in faces if is_skin(face.colored)]
    print(
        f"{len(faces)} faces; {len(skin) / len(faces):.0%} have a hue of skin and a chroma of at least {LEAST_CHROMA:g}"
    )
    for name, part in (("photo", "truth"), ("coloured", "colored")):
        mean = np.array([getattr(face, part) for face in faces])
        print(f"{name:>9}: hue {np.median(hue(mean)):5.1f}° (median), chroma {np.hypot(*mean.T).mean():5.1f} (mean)")
    print(f"ab MAE: {np.mean([f.error for f in faces]):.2f}; left grey {np.mean([f.grey_error for f in faces]):.2f}")


def is_skin(ab: np.ndarray) -> bool:
    return bool(SKIN_HUES[0] <= hue(ab) <= SKIN_HUES[1] and np.hypot(*ab) >= LEAST_CHROMA)


def hue(ab: np.ndarray) -> np.ndarray:
    """Return the hue of ab (…, 2) in degrees."""
    return np.rad2deg(np.arctan2(ab[..., 1], ab[..., 0]))


def find_faces(options: argparse.Namespace) -> Iterator[Face]:
    """Yield the faces of the photos."""
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab
    from keras_colorize.data.scan import load_photos
    from keras_colorize.data.sources import open_photos
    from keras_colorize.inference.colorizer import Colorizer

    detector = Cascade(lbp_frontal_face_cascade_filename())
    colorizer = Colorizer.from_zoo(options.model)
    values = {"data.source": options.data, "data.image_size": options.image_size}
    data = colorizer.recipe.with_values(**values).data
    photos = load_photos(open_photos(data), data, "test", limit=options.limit)
    for batch in photos.evaluation_batches(16):
        for rgb_u8 in np.asarray(batch):
            lab = np.asarray(rgb_to_lab(rgb_from_u8(rgb_u8)))
            boxes = detector.detect_multi_scale(
                (lab[..., 0] / 100.0).astype(np.float32),
                scale_factor=1.15,
                step_ratio=1,
                min_size=(LEAST_SIDE, LEAST_SIDE),
                max_size=rgb_u8.shape[:2],
                min_neighbor_number=NEIGHBOURS,
            )
            if not boxes:
                continue
            colored = np.asarray(rgb_to_lab(rgb_from_u8(colorizer(rgb_u8))))[..., 1:]
            for box in boxes:
                inner = inner_half(box)
                truth, painted = lab[..., 1:][inner], colored[inner]
                if is_skin(truth.mean(axis=(0, 1))):
                    yield Face(
                        truth.mean(axis=(0, 1)),
                        painted.mean(axis=(0, 1)),
                        float(np.abs(truth - painted).mean()),
                        float(np.abs(truth).mean()),
                    )


def inner_half(box: dict[str, int]) -> tuple[slice, slice]:
    """Return rows and columns of the middle half of a detector's box, each way."""
    top, left = box["r"] + box["height"] // 4, box["c"] + box["width"] // 4
    return slice(top, top + max(1, box["height"] // 2)), slice(left, left + max(1, box["width"] // 2))


if __name__ == "__main__":
    main()
