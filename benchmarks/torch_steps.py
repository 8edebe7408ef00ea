"""Training steps in PyTorch, to compare with: `pix2pix` as its published code writes it, and `vivid`'s network."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from keras_colorize.color.bins import AbBins
from keras_colorize.convert.torch_modules import PatchDiscriminator, UNetBlocks
from keras_colorize.recipes import Recipe

Step = Callable[[], object]


@dataclass(frozen=True)
class Variant:
    """A way to run PyTorch.

    Attributes:
        name: in the table.
        channels_last: whether tensors are stored as TensorFlow stores them.
        fused: whether Adam is one kernel.
        compiled: whether `torch.compile` compiles the networks.
    """

    name: str
    channels_last: bool = False
    fused: bool = False
    compiled: bool = False

    @property
    def missing(self) -> str:
        """What this machine lacks for it, in words; empty where it lacks nothing."""
        if self.compiled and shutil.which(os.environ.get("CXX", "g++")) is None:
            return "not measured: torch.compile needs a C++ compiler, and there is no g++"
        return ""

    def network(self, network: nn.Module) -> nn.Module:
        """Prepare a network."""
        network = network.train()
        if self.channels_last:
            network = network.to(memory_format=torch.channels_last)
        return torch.compile(network, dynamic=False) if self.compiled else network

    def images(self, images: torch.Tensor) -> torch.Tensor:
        """Store images (B, C, H, W) as the variant does."""
        return images.to(memory_format=torch.channels_last) if self.channels_last else images


VARIANTS = (
    Variant("PyTorch, eager"),
    Variant("PyTorch, channels_last", channels_last=True),
    Variant("PyTorch, fused Adam", fused=True),
    Variant("PyTorch, channels_last, fused Adam", channels_last=True, fused=True),
    Variant("PyTorch, channels_last, fused Adam, torch.compile", channels_last=True, fused=True, compiled=True),
)


def pix2pix_step(size: int, batch: int, autocast: bool, variant: Variant) -> Step:
    """Make one step of both networks; condition and target are ready made."""
    filters = Recipe.load("pix2pix").generator.args["filters"]
    generator = variant.network(UNetBlocks(1, 2, filters, dropout=0.5, dropout_ups=(2, 3, 4)))
    discriminator = variant.network(PatchDiscriminator(3, (64, 128, 256, 512), blocks=False))
    adam = [
        torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999), fused=variant.fused)
        for network in (generator, discriminator)
    ]
    x = variant.images(torch.rand(batch, 1, size, size) * 2 - 1)
    y = variant.images(torch.rand(batch, 2, size, size) * 2 - 1)
    bce, l1 = nn.BCEWithLogitsLoss(), nn.L1Loss()

    def judge(colors: torch.Tensor, real: bool) -> torch.Tensor:
        logits = discriminator(torch.cat([x, colors], dim=1))
        return bce(logits.float(), torch.full_like(logits, float(real), dtype=torch.float32))

    def step() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            fake = generator(x)
            d_loss = 0.5 * (judge(y, True) + judge(fake.detach(), False))
        adam[1].zero_grad()
        d_loss.backward()
        adam[1].step()
        for parameter in discriminator.parameters():
            parameter.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            g_loss = judge(fake, True) + 100.0 * l1(fake.float(), y)
        adam[0].zero_grad()
        g_loss.backward()
        adam[0].step()
        for parameter in discriminator.parameters():
            parameter.requires_grad_(True)
        return float(g_loss.detach())

    return step


# vivid


class Vivid(nn.Module):
    """The network of `keras_colorize.models.vivid`: condition (B, 4, S, S) → logits (B, Q, S/4, S/4).

    Every convolution and every normalization has the name of the Keras layer.

    Args:
        classes: Q.
        filters: of the encoder's stages.
        width: filters of the decoder's last stage.
    """

    def __init__(self, classes: int = 309, filters: tuple[int, int, int] = (64, 128, 256), width: int = 96) -> None:
        super().__init__()
        self.convolutions, self.norms = nn.ModuleDict(), nn.ModuleDict()
        first, second, third = filters
        self._conv("encoder_stem", 1, first, 7, 2)
        for stage, (into, out) in enumerate(((first, first), (first, second), (second, third)), start=1):
            for block in (1, 2):
                stride = 2 if block == 1 and stage > 1 else 1
                self._block(f"encoder_{stage}_block_{block}", into if block == 1 else out, out, stride)
        self._conv("hints_encoder_conv", 3, first, norm=False)
        self._conv("scene_conv_1", third, third, 1, bias=True, norm=False)
        self._conv("scene_conv_2", third, third, 1, bias=True, norm=False)
        for stage, into, skip, out in ((2, third, second, second), (1, second, first, width)):
            self._conv(f"decoder_{stage}_reduce", into, out, 1)
            self._conv(f"decoder_{stage}_skip", skip, out, 1)
            self._block(f"decoder_{stage}_block_1", out, out)
            self._block(f"decoder_{stage}_block_2", out, out)
        self._conv("hints_decoder_conv", 3, width, norm=False)
        self._conv("head_conv", width, second, 1)
        self._conv("prediction", second, classes, 1, bias=True, norm=False)

    def _conv(
        self, name: str, into: int, out: int, kernel: int = 3, stride: int = 1, bias: bool = False, norm: bool = True
    ) -> None:
        self.convolutions[name] = nn.Conv2d(into, out, kernel, stride, padding=kernel // 2, bias=bias)
        if norm:
            self.norms[name] = nn.BatchNorm2d(out, eps=1e-3, momentum=0.01)

    def _block(self, name: str, into: int, out: int, stride: int = 1) -> None:
        self._conv(f"{name}_1", into, out, stride=stride)
        self._conv(f"{name}_2", out, out)
        if stride > 1:
            self._conv(f"{name}_shortcut", into, out, 1, stride)

    def _normal(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return self.norms[name](self.convolutions[name](x))

    def _residual(self, x: torch.Tensor, name: str) -> torch.Tensor:
        y = self._normal(torch.relu(self._normal(x, f"{name}_1")), f"{name}_2")
        shortcut = f"{name}_shortcut"
        return torch.relu(y + (self._normal(x, shortcut) if shortcut in self.convolutions else x))

    def forward(self, condition: torch.Tensor) -> torch.Tensor:
        hints = functional.avg_pool2d(condition[:, 1:].float(), 4)
        hints = hints / (hints[:, 2:] + 0.01)
        x = torch.relu(self._normal(condition[:, :1], "encoder_stem"))
        x = functional.max_pool2d(x, 3, 2, padding=1)
        x = x + self.convolutions["hints_encoder_conv"](hints)
        skips = []
        for stage in (1, 2, 3):
            for block in (1, 2):
                x = self._residual(x, f"encoder_{stage}_block_{block}")
            skips.append(x)
        scene = torch.relu(self.convolutions["scene_conv_1"](x.mean(dim=(2, 3), keepdim=True)))
        x = x + self.convolutions["scene_conv_2"](scene)
        for stage in (2, 1):
            x = torch.relu(self._normal(x, f"decoder_{stage}_reduce"))
            x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = x + self._normal(skips[stage - 1], f"decoder_{stage}_skip")
            if stage == 1:
                x = x + self.convolutions["hints_decoder_conv"](hints)
            x = self._residual(self._residual(x, f"decoder_{stage}_block_1"), f"decoder_{stage}_block_2")
        x = torch.relu(self._normal(x, "head_conv"))
        return self.convolutions["prediction"](x)

    def take_weights(self, network: keras.Model) -> None:
        """Take the weights of the Keras network, layer by layer."""
        with torch.no_grad():
            for name, conv in self.convolutions.items():
                layer = network.get_layer(name)
                conv.weight.copy_(_tensor(layer.kernel).permute(3, 2, 0, 1))
                if conv.bias is not None:
                    conv.bias.copy_(_tensor(layer.bias))
            for name, norm in self.norms.items():
                layer = network.get_layer(f"{name}_bn")
                pairs = (norm.weight, layer.gamma), (norm.bias, layer.beta)
                for tensor, variable in (
                    *pairs,
                    (norm.running_mean, layer.moving_mean),
                    (norm.running_var, layer.moving_variance),
                ):
                    tensor.copy_(_tensor(variable))


def _tensor(variable: keras.Variable) -> torch.Tensor:
    return torch.from_numpy(keras.ops.convert_to_numpy(variable).copy())


def vivid_step(size: int, batch: int, autocast: bool, variant: Variant, bins: AbBins, rebalancing: float) -> Step:
    """Make one step of `vivid`'s network with AdamW; condition, classes and weights of the loss are ready made."""
    network = variant.network(Vivid(len(bins)))
    adam = torch.optim.AdamW(network.parameters(), 1.5e-3, weight_decay=5e-2, fused=variant.fused)
    rng = np.random.default_rng(0)
    classes, shares = (np.asarray(part) for part in bins.corners(rng.normal(0, 20, (batch, size // 4, size // 4, 2))))
    weights = torch.from_numpy((shares * bins.class_weights(rebalancing)[classes]).sum(axis=-1))
    targets, shares = (torch.from_numpy(np.moveaxis(part, -1, 1).copy()) for part in (classes.astype(np.int64), shares))
    condition = variant.images(torch.rand(batch, 4, size, size) * 2 - 1)

    def loss_of(logits: torch.Tensor) -> torch.Tensor:
        surprise = torch.logsumexp(logits, dim=1, keepdim=True) - torch.gather(logits, 1, targets)
        return (weights * (shares * surprise).sum(dim=1)).mean()

    loss_of_logits = torch.compile(loss_of, dynamic=False) if variant.compiled else loss_of

    def step() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logits = network(condition)
        loss = loss_of_logits(logits.float())
        adam.zero_grad()
        loss.backward()
        adam.step()
        return float(loss.detach())

    return step
