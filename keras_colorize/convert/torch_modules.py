"""The PyTorch originals, to compare with: written from the reports' descriptions, modules named as published.

What each is called in a state dict is stated in `spellings`. All take and give (B, channels, H, W).
"""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from keras_colorize.convert.spellings import RESNET18_BODY


def _down(channels: int, filters: int) -> nn.Module:
    return nn.Conv2d(channels, filters, 4, stride=2, padding=1, bias=False)


def _up(channels: int, filters: int, bias: bool = False) -> nn.Module:
    return nn.ConvTranspose2d(channels, filters, 4, stride=2, padding=1, bias=bias)


class UNetBlock(nn.Module):
    """Concatenation of the input and the output of `model`: (B, C, H, W) → (B, 2C, H, W)."""

    def __init__(self, *steps: nn.Module) -> None:
        super().__init__()
        self.model = nn.Sequential(*steps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.model(x)], dim=1)


class UNetBlocks(nn.Module):
    """`pix2pix`'s generator, built from the inside out.

    Args:
        channels: of the input.
        targets: channels of the output.
        filters: of the downs, outermost first.
        dropout: rate in the ups of `dropout_ups`, which count from the innermost, 1.

    Source: report B, `pix2pix`.
    """

    def __init__(
        self, channels: int, targets: int, filters: Sequence[int], dropout: float = 0.0, dropout_ups: Sequence[int] = ()
    ) -> None:
        super().__init__()
        inside: list[nn.Module] = []
        for number, (outer, inner) in enumerate(reversed(list(pairwise(filters))), start=1):
            innermost = number == 1
            down = [nn.LeakyReLU(0.2), _down(outer, inner)] + ([] if innermost else [nn.BatchNorm2d(inner)])
            up = [nn.ReLU(), _up(inner if innermost else 2 * inner, outer), nn.BatchNorm2d(outer)]
            drop = [nn.Dropout(dropout)] if number in dropout_ups else []
            inside = [UNetBlock(*down, *inside, *up, *drop)]
        outermost = [_down(channels, filters[0]), *inside, nn.ReLU(), _up(2 * filters[0], targets, True), nn.Tanh()]
        self.model = nn.ModuleDict({"model": nn.Sequential(*outermost)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model["model"](x)


class UNetLists(nn.Module):
    """`gan_lab`'s generator: two lists of convolution, BN, dropout, activation, and a head.

    Args:
        channels: of the input.
        targets: channels of the output.
        filters: of the downs, outermost first.
        skips: concatenate each up with the encoder map of its size.
        up_activation: "relu" or "leaky_relu".
        innermost_bn: batch normalization on the innermost down too.
        dropout: rate in the downs and ups that the last two arguments number, from 1.

    Source: report A, appendix C.
    """

    def __init__(
        self,
        channels: int,
        targets: int,
        filters: Sequence[int],
        *,
        skips: bool = True,
        up_activation: str = "relu",
        innermost_bn: bool = True,
        dropout: float = 0.0,
        dropout_downs: Sequence[int] = (),
        dropout_ups: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.skips = skips
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        for number, (into, width) in enumerate(pairwise([channels, *filters]), start=1):
            bn = [nn.BatchNorm2d(width)] if number > 1 and (number < len(filters) or innermost_bn) else []
            drop = [nn.Dropout(dropout)] if number in dropout_downs else []
            self.downs.append(nn.Sequential(_down(into, width), *bn, *drop, nn.LeakyReLU(0.2)))
        into = filters[-1]
        for number, width in enumerate(reversed(filters[:-1]), start=1):
            drop = [nn.Dropout(dropout)] if number in dropout_ups else []
            act = nn.ReLU() if up_activation == "relu" else nn.LeakyReLU(0.2)
            self.ups.append(nn.Sequential(_up(into, width), nn.BatchNorm2d(width), *drop, act))
            into = 2 * width if skips else width
        self.head = _up(into, targets, bias=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = []
        for down in self.downs:
            x = down(x)
            maps.append(x)
        for up, skip in zip(self.ups, reversed(maps[:-1]), strict=True):
            x = up(x)
            if self.skips:
                x = torch.cat([skip, x], dim=1)
        return torch.tanh(self.head(x))


class PatchDiscriminator(nn.Module):
    """Patch logits of condition and target, concatenated: (B, C, S, S) → (B, 1, S/8 − 2, S/8 − 2).

    Args:
        channels: of both together.
        filters: all but the last have stride 2; all but the first have BN.
        blocks: a `Sequential` of one `Sequential` for each block, as in the colorization tutorial, rather than one.
        bias_first: a bias in the first convolution.

    Source: report B, `pix2pix`; report A, appendices C and D.
    """

    def __init__(self, channels: int, filters: Sequence[int], *, blocks: bool, bias_first: bool = True) -> None:
        super().__init__()
        steps = []
        for number, (into, width) in enumerate(pairwise([channels, *filters]), start=1):
            stride, first = 1 if number == len(filters) else 2, number == 1
            conv = nn.Conv2d(into, width, 4, stride=stride, padding=1, bias=first and bias_first)
            steps.append([conv, *([] if first else [nn.BatchNorm2d(width)]), nn.LeakyReLU(0.2)])
        steps.append([nn.Conv2d(filters[-1], 1, 4, padding=1)])
        if blocks:
            self.model = nn.Sequential(*(nn.Sequential(*block) for block in steps))
        else:
            self.model = nn.Sequential(*(step for block in steps for step in block))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.downsample = None
        if stride > 1:
            shortcut = nn.Conv2d(channels, filters, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(filters))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(x)) + shortcut)


class ResNet18(nn.Sequential):
    """torchvision's ResNet-18 without pooling and classifier: (B, C, S, S) → the ends of its five resolutions.

    Args:
        channels: of the input.
        numbered: modules called 0 … 7, as fastai cuts it, rather than conv1 … layer4.

    Source: He et al. 2015, https://arxiv.org/abs/1512.03385.
    """

    def __init__(self, channels: int, *, numbered: bool = False) -> None:
        stem = [nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
        stages = [
            nn.Sequential(BasicBlock(into, width, stride), BasicBlock(width, width, 1))
            for into, width, stride in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2))
        ]
        steps = [*stem, nn.MaxPool2d(3, stride=2, padding=1), *stages]
        if numbered:
            super().__init__(*steps)
        else:
            super().__init__(OrderedDict(zip(RESNET18_BODY, steps, strict=True)))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        maps = []
        for name, step in zip(RESNET18_BODY, self, strict=True):
            x = step(x)
            if name == "relu" or name.startswith("layer"):
                maps.append(x)
        return maps


def _conv_relu(channels: int, filters: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, filters, kernel, padding=kernel // 2), nn.ReLU())


def _shuffle(channels: int, filters: int) -> nn.Sequential:
    return nn.Sequential(_conv_relu(channels, 4 * filters, 1), nn.PixelShuffle(2))


class DynamicUnetBlock(nn.Module):
    """(B, C, H, W) and the skip (B, D, 2H, 2W) → (B, filters, 2H, 2W)."""

    def __init__(self, channels: int, skip: int, filters: int) -> None:
        super().__init__()
        self.shuf = _shuffle(channels, channels // 2)
        self.bn = nn.BatchNorm2d(skip)
        self.conv1 = _conv_relu(channels // 2 + skip, filters)
        self.conv2 = _conv_relu(filters, filters)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        return self.conv2(self.conv1(torch.relu(torch.cat([self.shuf(x), self.bn(skip)], dim=1))))


class ResidualBlock(nn.Module):
    """fastai's `ResBlock` without normalization."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1))
        self.convpath = nn.Sequential(_conv_relu(channels, channels), second)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.convpath(x) + x)


class DynamicUnet(nn.Module):
    """`resnet18_gan`'s generator, with fastai's numbers of layers.

    Args:
        channels: of the input.
        targets: channels of the output.

    Source: report B, `resnet18_gan`.
    """

    def __init__(self, channels: int, targets: int) -> None:
        super().__init__()
        middle = nn.Sequential(_conv_relu(512, 1024), _conv_relu(1024, 512))
        ups = [
            DynamicUnetBlock(512, 256, 512),
            DynamicUnetBlock(512, 128, 384),
            DynamicUnetBlock(384, 64, 256),
            DynamicUnetBlock(256, 64, 96),
        ]
        width = 96 + channels
        # Numbers 9 and 10 of fastai's list resize to the input's size and concatenate with the input.
        end = [_shuffle(96, 96), nn.Identity(), nn.Identity(), ResidualBlock(width)]
        head = nn.Sequential(nn.Conv2d(width, targets, 1))
        encoder = ResNet18(channels, numbered=True)
        self.layers = nn.ModuleList([encoder, nn.BatchNorm2d(512), nn.ReLU(), middle, *ups, *end, head])

    def forward(self, condition: torch.Tensor) -> torch.Tensor:
        encoder, norm, relu, middle, *rest = self.layers
        *ups, shuffle, _, _, residual, head = rest
        *skips, x = encoder(condition)
        x = middle(relu(norm(x)))
        for up, skip in zip(ups, reversed(skips), strict=True):
            x = up(x, skip)
        return head(residual(torch.cat([shuffle(x), condition], dim=1)))
