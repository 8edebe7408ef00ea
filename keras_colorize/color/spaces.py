"""What a network sees and what it predicts.

A space owns the conversion both ways: `split` makes the condition and the target of training,
`merge` and `chroma` turn a prediction back into a photo. Training, evaluation, inference and export
use the same object, so they cannot disagree. Only this module knows the scales 50 and 110.
"""

from typing import Any, ClassVar

import numpy as np
from keras import ops

from keras_colorize.color.bins import AbBins, packaged_bins
from keras_colorize.color.lab import lab_to_rgb, rgb_to_lab
from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.recipes import Decoding, Recipe

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

    def chroma(self, condition: Any, prediction: Any, vividness: Any = 1.0) -> Any:
        """The predicted ab (B, H, W, 2) in CIE units, at the condition's size.

        vividness: 1 is the system's own; distances from grey are multiplied by it.
        """
        raise NotImplementedError

    def target_chroma(self, condition: Any, target: Any) -> Any:
        """The photo's own ab (B, H, W, 2) in CIE units, from a target of `split`."""
        return self.chroma(condition, target)

    def colorize(self, condition: Any, prediction: Any, vividness: Any = 1.0) -> Any:
        """The photo's own lightness with the predicted chroma: RGB (B, H, W, 3) in [0, 1]."""
        return recolor(self.lightness(condition), self.chroma(condition, prediction, vividness))


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

    def chroma(self, condition: Any, prediction: Any, vividness: Any = 1.0) -> Any:
        return prediction * (AB_SCALE * vividness)


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

    def chroma(self, condition: Any, prediction: Any, vividness: Any = 1.0) -> Any:
        return rgb_to_lab(self.merge(condition, prediction))[..., 1:] * vividness


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


class BinnedLabSpace(Space):
    """L in, a distribution over quantized ab out: L / 50 − 1 → logits (B, h, w, Q) at a part of the input's size.

    The target is the photo's ab at full size in CIE units; the loss averages it down to the prediction's size.
    A prediction becomes one colour by the annealed mean (Zhang et al. 2016, equation 5): the expectation after the
    logits are divided by a temperature, between the mean of all plausible colours (1) and the most plausible one
    (towards 0). Of the photo's mean chroma so much is taken off that `cast` of it stays, and the rest is multiplied by
    the gain: a network that cannot know a photo's tint is wrong about all of it at once, so that the same colorfulness
    costs less as difference within the photo. It is then enlarged bilinearly. Vividness anneals and multiplies: the
    temperature is `temperature ** vividness`, the gain `gain · vividness`.

    Args:
        decoding: temperature, gain, cast, and how much of the rebalancing is undone.
        rebalancing: that the network was trained with (`loss.rebalancing`).
        bins: the classes; the packaged ones by default.
    """

    name = "binned_lab"
    predicts_lightness = False

    def __init__(self, decoding: Decoding | None = None, rebalancing: float = 0.5, bins: AbBins | None = None) -> None:
        self.decoding = decoding or Decoding()
        self.bins = bins or packaged_bins()
        self.target_channels = len(self.bins)  # type: ignore[misc]
        # A network that was trained on weighted colours predicts p·w: this much of log w comes off its logits.
        self._excess = self.decoding.undo_rebalancing * np.log(self.bins.class_weights(rebalancing))

    def split(self, rgb: Any) -> tuple[Any, Any]:
        lab = rgb_to_lab(rgb)
        return self.condition(lab[..., :1]), lab[..., 1:]

    def merge(self, condition: Any, prediction: Any) -> Any:
        return self.colorize(condition, prediction)

    def target_chroma(self, condition: Any, target: Any) -> Any:
        return target

    def chroma(self, condition: Any, prediction: Any, vividness: Any = 1.0) -> Any:
        _, height, width, _ = ops.shape(condition)
        return ops.image.resize(
            self.annealed_mean(prediction, vividness), (height, width), interpolation="bilinear", antialias=False
        )

    def annealed_mean(self, logits: Any, vividness: Any = 1.0) -> Any:
        """Logits (B, h, w, Q) → ab (B, h, w, 2) in CIE units, float32."""
        vividness = ops.cast(vividness, "float32")
        temperature = ops.power(self.decoding.temperature, vividness)
        logits = ops.cast(logits, "float32") - ops.convert_to_tensor(self._excess)
        shares = ops.softmax(logits / temperature, axis=-1)
        ab = ops.matmul(shares, ops.convert_to_tensor(self.bins.centers))
        if self.decoding.cast < 1:
            ab -= (1.0 - self.decoding.cast) * ops.mean(ab, axis=(1, 2), keepdims=True)
        return ab * (self.decoding.gain * vividness)


_SPACES: dict[str, type[Space]] = {space.name: space for space in (LabSpace, RGBSpace, RGB01Space, BinnedLabSpace)}


def get_space(name: str) -> Space:
    """The space of that name: `lab`, `rgb`, `rgb01` or `binned_lab`.

    Raises:
        ColorizeError: no such space.
    """
    if name not in _SPACES:
        raise ColorizeError(f"unknown space '{name}'{did_you_mean(name, _SPACES)} (known: {', '.join(_SPACES)})")
    return _SPACES[name]()


def space_of(recipe: Recipe) -> Space:
    """The space that a recipe's networks speak."""
    if recipe.space == BinnedLabSpace.name:
        return BinnedLabSpace(recipe.decoding, recipe.loss.rebalancing)
    return get_space(recipe.space)
