"""Spaces: the units in which a network sees a photo and predicts its colours.

A space converts both ways. `split` and `condition` prepare a photo for a network, `chroma`, `colorize` and `merge` turn
its prediction back into colours. Training, evaluation, inference and export use the same object, so they cannot
disagree. Only this module knows the scales 50 and 110. `chroma` needs no Keras for arrays: it then computes in NumPy.
"""

from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np

from keras_colorize.color.bins import AbBins, packaged_bins
from keras_colorize.color.hints import obey_hints, spread_hints
from keras_colorize.color.inputs import HINT_CHANNELS, Inputs
from keras_colorize.color.lab import lab_to_rgb, rgb_to_lab
from keras_colorize.color.operations import keras_ops as ops
from keras_colorize.color.operations import operations
from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.recipes import Decoding, Recipe
from keras_colorize.tensor import Tensor

L_HALF_RANGE = 50.0
AB_SCALE = 110.0

# CIE units: a photo whose colours differ by less than this is lifted as if they differed by so much.
LEAST_DISTANCE = 3.0
# Where hints cover this share of a photo, about ten of 3×3 pixels at 128×128, the lift is 1/e of what it is.
HINTED_SHARE = 0.005


def recolor(L: Tensor, ab: Tensor) -> Tensor:
    """Join lightness (…, 1) in [0, 100] and chroma (…, 2) in CIE units into RGB (…, 3) in [0, 1]."""
    return lab_to_rgb(ops.concatenate([L, ab], axis=-1))


def grey(L: Tensor) -> Tensor:
    """Show lightness (…, 1) in [0, 100] without any colour: RGB (…, 3) in [0, 1]."""
    return recolor(L, ops.zeros_like(ops.concatenate([L, L], axis=-1)))


class Space:
    """Conversion between photos and a network's tensors, which are (B, H, W, channels).

    The network sees a condition and predicts a target; both are in the unit range of the space.
    """

    name: ClassVar[str]
    condition_channels: ClassVar[int] = 1
    target_channels: ClassVar[int] = 3
    # Whether a prediction has a lightness of its own, which `colorize` replaces by the photo's.
    predicts_lightness: ClassVar[bool] = True

    def __init__(self, *, hints: bool = False) -> None:
        self.takes_hints = hints
        if hints:
            self.condition_channels += HINT_CHANNELS  # type: ignore[misc]

    def get_config(self) -> dict[str, Any]:
        """Return all that `space_from_config` needs, as plain values."""
        return {"name": self.name, "hints": self.takes_hints}

    def split(self, rgb: Tensor) -> tuple[Inputs, Tensor]:
        """Split photos RGB (B, H, W, 3) in [0, 1] into what the network may know and the target of training."""
        lab = rgb_to_lab(rgb)
        return Inputs(lightness=lab[..., :1]), self._target(rgb, lab)

    def condition(self, inputs: Inputs) -> Tensor:
        """Make the tensor that the network sees, (B, H, W, condition_channels) in [-1, 1].

        In a space with hints their three channels come after those of lightness; they are 0 where no hint is given.

        Raises:
            ColorizeError: there are hints, and the space takes none.
        """
        if not self.takes_hints:
            if inputs.hints is not None:
                raise ColorizeError("the network takes no hints: expected a recipe with hints = true")
            return self._lightness_channels(inputs.lightness)
        L = inputs.lightness
        if inputs.hints is None:
            hints = ops.zeros_like(ops.concatenate([L] * HINT_CHANNELS, axis=-1))
        else:
            hints = ops.concatenate([inputs.hints[..., :2] / AB_SCALE, inputs.hints[..., 2:]], axis=-1)
        return ops.concatenate([self._lightness_channels(L), hints], axis=-1)

    def merge(self, inputs: Inputs, prediction: Tensor) -> Tensor:
        """Show the picture exactly as the network paints it: RGB (B, H, W, 3) in [0, 1]."""
        raise NotImplementedError

    def chroma(self, inputs: Inputs, prediction: Tensor, vividness: Tensor = 1.0, seen: Inputs | None = None) -> Tensor:
        """Return the predicted ab (B, H, W, 2) in CIE units, at the size of the inputs; at hints it is theirs.

        Args:
            inputs: what is known of the photos.
            prediction: of the network.
            vividness: factor of the distance from grey; 1 is the system's own. Above 1 hints come out as they are.
            seen: what the network saw, where that holds more hints, such as guesses; by default `inputs`.
        """
        return self.with_hints(self._predicted_chroma(seen or inputs, prediction, vividness), inputs, vividness)

    @staticmethod
    def with_hints(ab: Tensor, inputs: Inputs, vividness: Tensor = 1.0) -> Tensor:
        """Return predicted chroma ab (B, H, W, 2) as the hints of the inputs ask for it, at their places and around."""
        if inputs.hints is None:
            return ab
        ab = spread_hints(ab, inputs.hints, inputs.lightness, vividness)
        return obey_hints(ab, inputs.hints, operations(vividness).minimum(vividness, 1.0))

    def target_chroma(self, target: Tensor) -> Tensor:
        """Return the photo's own ab (B, H, W, 2) in CIE units, from a target of `split`."""
        raise NotImplementedError

    def target(self, inputs: Inputs, ab: Tensor) -> Tensor:
        """Return the target of training, as `split` does, of photos with the chroma ab (B, H, W, 2) in CIE units."""
        lab = ops.concatenate([inputs.lightness, ab], axis=-1)
        return self._target(lab_to_rgb(lab), lab)

    def colorize(self, inputs: Inputs, prediction: Tensor, vividness: Tensor = 1.0) -> Tensor:
        """Join the photo's own lightness with the predicted chroma: RGB (B, H, W, 3) in [0, 1]."""
        return recolor(inputs.lightness, self.chroma(inputs, prediction, vividness))

    def _lightness_channels(self, L: Tensor) -> Tensor:
        return L / L_HALF_RANGE - 1.0

    def _predicted_chroma(self, inputs: Inputs, prediction: Tensor, vividness: Tensor) -> Tensor:
        raise NotImplementedError

    def _target(self, rgb: Tensor, lab: Tensor) -> Tensor:
        raise NotImplementedError


class LabSpace(Space):
    """L in, ab out: L / 50 − 1 → ab / 110."""

    name = "lab"
    target_channels = 2
    predicts_lightness = False

    def merge(self, inputs: Inputs, prediction: Tensor) -> Tensor:
        return self.colorize(inputs, prediction)

    def _predicted_chroma(self, inputs: Inputs, prediction: Tensor, vividness: Tensor) -> Tensor:
        return prediction * (AB_SCALE * vividness)

    def target_chroma(self, target: Tensor) -> Tensor:
        return target * AB_SCALE

    def _target(self, rgb: Tensor, lab: Tensor) -> Tensor:
        return lab[..., 1:] / AB_SCALE


class RGBSpace(Space):
    """Grey in, RGB · 2 − 1 out, for networks that end in tanh.

    [choice] Reports A and D say "grey". Here it is CIE lightness, as in `LabSpace`, so that every system sees the same
    input and a photo's own lightness can be put back exactly.
    """

    name = "rgb"

    def merge(self, inputs: Inputs, prediction: Tensor) -> Tensor:
        return self._rgb(prediction)

    def _predicted_chroma(self, inputs: Inputs, prediction: Tensor, vividness: Tensor) -> Tensor:
        return rgb_to_lab(self._rgb(prediction))[..., 1:] * vividness

    def target_chroma(self, target: Tensor) -> Tensor:
        return rgb_to_lab(self._rgb(target))[..., 1:]

    def _target(self, rgb: Tensor, lab: Tensor) -> Tensor:
        return rgb * 2.0 - 1.0

    def _rgb(self, painted: Tensor) -> Tensor:
        """Convert a prediction or a target to RGB in [0, 1]."""
        return ops.clip((painted + 1.0) / 2.0, 0.0, 1.0)


class RGB01Space(RGBSpace):
    """Grey repeated to three channels in, RGB out, both in [0, 1], for networks that end in a sigmoid."""

    name = "rgb01"
    condition_channels = 3

    def _lightness_channels(self, L: Tensor) -> Tensor:
        return ops.repeat(L / (2.0 * L_HALF_RANGE), 3, axis=-1)

    def _target(self, rgb: Tensor, lab: Tensor) -> Tensor:
        return rgb

    def _rgb(self, painted: Tensor) -> Tensor:
        return ops.clip(painted, 0.0, 1.0)


class BinnedLabSpace(Space):
    """L in, a distribution over quantized ab out: L / 50 − 1 → logits (B, h, w, Q) at a part of the input's size.

    The target is the photo's ab at full size in CIE units; the loss averages it down to the prediction's size.

    The annealed mean makes one colour of a prediction (Zhang et al. 2016, equation 5): the logits are divided by a
    temperature, and the expectation is taken. At temperature 1 this is the mean of all plausible colours; towards 0 it
    is the most plausible one. Vividness v changes the temperature to `temperature ** v` and multiplies the chroma by v.

    A mean of several plausible colours is greyer than each of them. So a photo's colours are moved away from their mean
    over the photo, by a distance that is proportional to the variance of the distribution (`lift`). A photo of which
    the network is sure keeps its colours. The more of a photo has hints, the less is left to guess and to lift.

    Args:
        decoding: temperature, lift, and the share of the rebalancing that is undone.
        rebalancing: the value that the network was trained with (`loss.rebalancing`).
        bins: the classes; the packaged ones by default.
        hints: whether the network takes hints beside lightness.
    """

    name = "binned_lab"
    predicts_lightness = False

    def __init__(
        self,
        decoding: Decoding | None = None,
        rebalancing: float = 0.5,
        bins: AbBins | None = None,
        *,
        hints: bool = False,
    ) -> None:
        super().__init__(hints=hints)
        self.decoding = decoding or Decoding()
        self.rebalancing = rebalancing
        self.bins = bins or packaged_bins()
        self.target_channels = len(self.bins)  # type: ignore[misc]
        # A network that was trained on weighted colours predicts p·w: this much of log w comes off its logits.
        self._excess = self.decoding.undo_rebalancing * np.log(self.bins.class_weights(rebalancing))

    def get_config(self) -> dict[str, Any]:
        """Return all that `space_from_config` needs, with the classes: a later version may package others."""
        bins = {"centers": self.bins.centers.tolist(), "prior": self.bins.prior.tolist()}
        return {
            **super().get_config(),
            "decoding": asdict(self.decoding),
            "rebalancing": self.rebalancing,
            "bins": {**bins, "provenance": self.bins.provenance},
        }

    def merge(self, inputs: Inputs, prediction: Tensor) -> Tensor:
        return self.colorize(inputs, prediction)

    def _predicted_chroma(self, inputs: Inputs, prediction: Tensor, vividness: Tensor) -> Tensor:
        ops = operations(inputs.lightness, prediction, vividness)
        _, height, width, _ = ops.shape(inputs.lightness)
        ab = self.annealed_mean(prediction, vividness, self.unknown_share(inputs))
        return ops.image.resize(ab, (height, width), interpolation="bilinear", antialias=False)

    @staticmethod
    def unknown_share(inputs: Inputs) -> Tensor:
        """Return the share of a photo that the hints leave to guess: (B, 1, 1, 1) in (0, 1], or 1 without hints."""
        if inputs.hints is None:
            return 1.0
        ops = operations(inputs.hints)
        return ops.exp(-ops.mean(inputs.hints[..., 2:], axis=(1, 2), keepdims=True) / HINTED_SHARE)

    def target_chroma(self, target: Tensor) -> Tensor:
        return target

    def annealed_mean(self, logits: Tensor, vividness: Tensor = 1.0, unknown: Tensor = 1.0) -> Tensor:
        """Decode logits (B, h, w, Q) into ab (B, h, w, 2) in CIE units, float32.

        unknown: share of the lift that is applied: 1, or (B, 1, 1, 1) where photos have hints.
        """
        ops = operations(logits, vividness, unknown)
        vividness = ops.cast(vividness, "float32")
        temperature = ops.power(self.decoding.temperature, vividness)
        ab = ops.matmul(ops.softmax(self.without_rebalancing(logits) / temperature, axis=-1), self._centers(ops))
        if self.decoding.lift > 0:
            mean = ops.mean(ab, axis=(1, 2), keepdims=True)
            ab = mean + (ab - mean) * (1.0 + self.decoding.lift * unknown * self._doubt(logits, ab - mean))
        return ab * vividness

    def _centers(self, ops: Any) -> Tensor:
        return ops.convert_to_tensor(self.bins.centers)

    def _doubt(self, logits: Tensor, deviations: Tensor) -> Tensor:
        """Divide the variance of a photo's distributions by the distance of its colours from their mean.

        logits (B, h, w, Q) and deviations (B, h, w, 2) in CIE units → variance over distance (B, 1, 1, 1) in CIE units.
        """
        ops = operations(logits, deviations)
        shares, centers = self.distribution(logits), self._centers(ops)
        variance = ops.matmul(shares, ops.sum(ops.square(centers), axis=-1, keepdims=True))
        variance -= ops.sum(ops.square(ops.matmul(shares, centers)), axis=-1, keepdims=True)
        square = ops.sum(ops.square(deviations), axis=-1, keepdims=True)
        variance, square = (ops.mean(values, axis=(1, 2), keepdims=True) for values in (variance, square))
        return variance / ops.sqrt(square + LEAST_DISTANCE**2)

    def distribution(self, logits: Tensor) -> Tensor:
        """Convert logits (B, h, w, Q) into the probability of each of the `bins`, float32, before any temperature."""
        return operations(logits).softmax(self.without_rebalancing(logits), axis=-1)

    def without_rebalancing(self, logits: Tensor) -> Tensor:
        """Take back the part of the rebalancing that `decoding` asks for: logits (B, h, w, Q) float32."""
        ops = operations(logits)
        return ops.cast(logits, "float32") - ops.convert_to_tensor(self._excess)

    def _target(self, rgb: Tensor, lab: Tensor) -> Tensor:
        return lab[..., 1:]


_SPACES: dict[str, type[Space]] = {space.name: space for space in (LabSpace, RGBSpace, RGB01Space, BinnedLabSpace)}


def get_space(name: str, *, hints: bool = False) -> Space:
    """Return the space of that name: `lab`, `rgb`, `rgb01` or `binned_lab`, for networks that take hints or not.

    Raises:
        ColorizeError: no such space.
    """
    if name not in _SPACES:
        raise ColorizeError(f"unknown space '{name}'{did_you_mean(name, _SPACES)} (known: {', '.join(_SPACES)})")
    return _SPACES[name](hints=hints)


def space_of(recipe: Recipe) -> Space:
    """Return the space in which a recipe's networks work."""
    if recipe.space == BinnedLabSpace.name:
        return BinnedLabSpace(recipe.decoding, recipe.loss.rebalancing, hints=recipe.hints)
    return get_space(recipe.space, hints=recipe.hints)


def space_from_config(config: dict[str, Any]) -> Space:
    """Make the space whose `get_config` returned these values.

    Raises:
        ColorizeError: no such space.
    """
    if config["name"] != BinnedLabSpace.name:
        return get_space(config["name"], hints=config["hints"])
    bins = config["bins"]
    return BinnedLabSpace(
        Decoding(**config["decoding"]),
        config["rebalancing"],
        AbBins(np.array(bins["centers"], "float32"), np.array(bins["prior"]), bins["provenance"]),
        hints=config["hints"],
    )
