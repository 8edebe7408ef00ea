"""What a network sees and what it predicts.

A space owns the conversion both ways: `split` makes the condition and the target of training,
`merge` and `chroma` turn a prediction back into a photo. Training, evaluation, inference and export
use the same object, so they cannot disagree. Only this module knows the scales 50 and 110.
"""

from typing import Any, ClassVar

from keras import ops

from keras_colorize.color import lab_to_rgb, rgb_to_lab
from keras_colorize.errors import ColorizeError, did_you_mean

L_HALF_RANGE = 50.0
AB_SCALE = 110.0


def recolor(L: Any, ab: Any) -> Any:
    """Lightness (…, 1) in [0, 100] and chroma (…, 2) in CIE units → RGB (…, 3) in [0, 1]."""
    return lab_to_rgb(ops.concatenate([L, ab], axis=-1))


def grey(L: Any) -> Any:
    """The photo left without colour: lightness (…, 1) in [0, 100] → RGB (…, 3) in [0, 1]."""
    return recolor(L, ops.zeros_like(ops.concatenate([L, L], axis=-1)))


class Space:
    """What every space offers; tensors are (B, H, W, channels).

    `condition` is what the generator sees, `target` what it must predict, both in the unit range.
    """

    name: ClassVar[str]
    condition_channels: ClassVar[int] = 1
    target_channels: ClassVar[int] = 3
    # Whether a prediction carries a lightness of its own beside the photo's.
    predicts_lightness: ClassVar[bool] = True

    def condition(self, L: Any) -> Any:
        """Lightness (B, H, W, 1) in [0, 100] → condition in [-1, 1]."""
        return L / L_HALF_RANGE - 1.0

    def lightness(self, condition: Any) -> Any:
        """The inverse of `condition`: L (B, H, W, 1) in [0, 100]."""
        return (condition + 1.0) * L_HALF_RANGE

    def split(self, rgb: Any) -> tuple[Any, Any]:
        """RGB (B, H, W, 3) in [0, 1] → condition, target."""
        raise NotImplementedError

    def merge(self, condition: Any, prediction: Any) -> Any:
        """The picture exactly as the network paints it: RGB (B, H, W, 3) in [0, 1]."""
        raise NotImplementedError

    def chroma(self, condition: Any, prediction: Any) -> Any:
        """The predicted ab (B, H, W, 2) in CIE units."""
        raise NotImplementedError

    def colorize(self, condition: Any, prediction: Any) -> Any:
        """The photo's own lightness with the predicted chroma: RGB (B, H, W, 3) in [0, 1]."""
        return recolor(self.lightness(condition), self.chroma(condition, prediction))


class LabSpace(Space):
    """L in, ab out: L / 50 − 1 → ab / 110."""

    name = "lab"
    target_channels = 2
    predicts_lightness = False

    def split(self, rgb: Any) -> tuple[Any, Any]:
        lab = rgb_to_lab(rgb)
        return self.condition(lab[..., :1]), lab[..., 1:] / AB_SCALE

    def merge(self, condition: Any, prediction: Any) -> Any:
        return self.colorize(condition, prediction)

    def chroma(self, condition: Any, prediction: Any) -> Any:
        return prediction * AB_SCALE


class RGBSpace(Space):
    """Grey in, RGB · 2 − 1 out, for networks that end in tanh.

    [choice] Reports A and D say "grey": it is CIE lightness here, as in Lab, so that every system
    sees the same input and a photo's own lightness can be put back exactly.
    """

    name = "rgb"

    def split(self, rgb: Any) -> tuple[Any, Any]:
        return self.condition(rgb_to_lab(rgb)[..., :1]), rgb * 2.0 - 1.0

    def merge(self, condition: Any, prediction: Any) -> Any:
        return ops.clip((prediction + 1.0) / 2.0, 0.0, 1.0)

    def chroma(self, condition: Any, prediction: Any) -> Any:
        return rgb_to_lab(self.merge(condition, prediction))[..., 1:]


class RGB01Space(RGBSpace):
    """Grey replicated to three channels in, RGB out, both in [0, 1], for networks that end in a sigmoid."""

    name = "rgb01"
    condition_channels = 3

    def condition(self, L: Any) -> Any:
        """Lightness (B, H, W, 1) in [0, 100] → (B, H, W, 3) in [0, 1]."""
        return ops.repeat(L / (2.0 * L_HALF_RANGE), 3, axis=-1)

    def lightness(self, condition: Any) -> Any:
        return condition[..., :1] * (2.0 * L_HALF_RANGE)

    def split(self, rgb: Any) -> tuple[Any, Any]:
        return self.condition(rgb_to_lab(rgb)[..., :1]), rgb

    def merge(self, condition: Any, prediction: Any) -> Any:
        return ops.clip(prediction, 0.0, 1.0)


_SPACES: dict[str, type[Space]] = {space.name: space for space in (LabSpace, RGBSpace, RGB01Space)}


def get_space(name: str) -> Space:
    """The space of that name: `lab`, `rgb` or `rgb01`.

    Raises:
        ColorizeError: no such space.
    """
    if name not in _SPACES:
        raise ColorizeError(f"unknown space '{name}'{did_you_mean(name, _SPACES)} (known: {', '.join(_SPACES)})")
    return _SPACES[name]()
