"""Draw the pictures of the explanations: `python docs/site/draw.py`.

They show facts of the code, computed with it, on photos that scikit-image packages. They do not depend on any weights.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
from PIL import Image

from keras_colorize.color.bins import packaged_bins
from keras_colorize.color.gamut import clip_chroma
from keras_colorize.color.lab import lab_to_rgb, rgb_from_u8, rgb_to_lab, rgb_to_u8
from keras_colorize.color.spaces import BinnedLabSpace
from keras_colorize.inference.finish import color_photo, constant_coefficients, guided_coefficients
from keras_colorize.recipes import Decoding

PICTURES = Path(__file__).resolve().parents[1] / "pictures"
GAP = 8


def main() -> None:
    """Draw all pictures into docs/pictures/."""
    plt.rcParams.update({"font.size": 9, "font.family": "DejaVu Sans", "figure.dpi": 130})
    draw_channels()
    draw_gamut()
    draw_bins()
    draw_mean()
    draw_edges()
    draw_resume()


def draw_channels() -> None:
    """A photo and its parts: lightness, chroma, and each of a and b alone."""
    rgb_u8 = small(skimage.data.coffee(), 176)
    lab = lab_of(rgb_u8)
    middle = np.full_like(lab[..., :1], 60.0)
    a_only = np.concatenate([middle, lab[..., 1:2], np.zeros_like(middle)], -1)
    b_only = np.concatenate([middle, np.zeros_like(middle), lab[..., 2:]], -1)
    grey = np.concatenate([lab[..., :1], np.zeros_like(lab[..., 1:])], -1)
    flat = np.concatenate([middle, lab[..., 1:]], -1)
    save_row([rgb_u8, *(rgb_u8_of(part) for part in (grey, flat, a_only, b_only))], "explain_lab.jpg")


def draw_gamut() -> None:
    """Growing chroma of four hues at their own lightness: every channel clipped, and chroma clipped."""
    chroma = np.linspace(0, 130, 390)
    figure, axes = plt.subplots(4, 2, figsize=(6.4, 2.7), sharex=True)
    for row, (hue, lightness) in zip(axes, ((300, 40), (40, 55), (100, 75), (140, 50)), strict=True):
        angle = np.deg2rad(hue)
        lab = np.stack([np.full_like(chroma, lightness), chroma * np.cos(angle), chroma * np.sin(angle)], -1)[None]
        lab = lab.astype("float32")
        channels = np.asarray(lab_to_rgb(lab))
        along_hue = np.asarray(lab_to_rgb(np.asarray(clip_chroma(lab))))
        for axis, rgb in zip(row, (channels, along_hue), strict=True):
            axis.imshow(rgb, aspect="auto", extent=(0, 130, 0, 1))
            axis.set_yticks([])
        row[0].set_ylabel(f"L {lightness}", rotation=0, ha="right", va="center")
    axes[0, 0].set_title("each channel clipped", fontsize=9)
    axes[0, 1].set_title("chroma shortened along the hue", fontsize=9)
    for axis in axes[-1]:
        axis.set_xlabel("chroma that is asked for")
    save_figure(figure, "explain_gamut.png", colors=256)


def draw_bins() -> None:
    """The classes of chroma on the plane of a and b, each in its colour; the area says how common it is."""
    bins = packaged_bins()
    figure, axes = plt.subplots(1, 2, figsize=(6.6, 3.2), sharey=True)
    colors = np.asarray(lab_to_rgb(np.asarray(clip_chroma(
        np.concatenate([np.full((len(bins), 1), 65.0), bins.centers], -1).astype("float32")
    ))))  # fmt: skip
    common = np.sqrt(bins.prior / bins.prior.max())
    for axis, sizes, title in zip(axes, (24, 2 + 60 * common), ("309 classes", "how common each is"), strict=True):
        axis.scatter(bins.centers[:, 0], bins.centers[:, 1], s=sizes, c=colors, linewidths=0)
        axis.set(title=title, xlabel="a", aspect="equal", xlim=(-100, 110), ylim=(-120, 105))
        axis.axhline(0, color="0.8", linewidth=0.5, zorder=0)
        axis.axvline(0, color="0.8", linewidth=0.5, zorder=0)
    axes[0].set_ylabel("b")
    save_figure(figure, "explain_bins.png")


def draw_mean() -> None:
    """Two likely colours: their mean is dull, and the annealed mean leans to the more likely one."""
    bins = packaged_bins()
    nearest = [int(np.argmin(((bins.centers - np.array(ab)) ** 2).sum(-1))) for ab in ((50, 40), (-20, -40))]
    logits = np.full((1, 1, 1, len(bins)), -30.0, "float32")
    logits[..., nearest] = np.log([0.6, 0.4])
    patches, labels = [], []
    for number, share in zip(nearest, (60, 40), strict=True):
        patches.append(bins.centers[number])
        labels.append(f"class with {share} %")
    for temperature in (1.0, 0.5, 0.2):
        space = BinnedLabSpace(Decoding(temperature=temperature), 0.0)
        patches.append(np.asarray(space.annealed_mean(logits))[0, 0, 0])
        labels.append(f"temperature {temperature:g}")
    figure, axes = plt.subplots(1, 5, figsize=(6.6, 1.65))
    for axis, ab, label in zip(axes, patches, labels, strict=True):
        axis.imshow(rgb_u8_of(np.array([[[55.0, *ab]]], "float32")))
        axis.set(xticks=[], yticks=[])
        axis.set_title(label, fontsize=8)
    save_figure(figure, "explain_mean.png")


def draw_edges() -> None:
    """True chroma averaged down to 24 pixels on the short side, and enlarged in two ways: photo, and chroma alone."""
    rgb_u8 = np.ascontiguousarray(skimage.data.coffee()[40:340, 60:460])
    lab = lab_of(rgb_u8)
    height, width = 24, 32
    reduced = np.stack(
        [
            np.asarray(Image.fromarray(lab[..., part]).resize((width, height), Image.Resampling.BOX))
            for part in range(3)
        ],
        -1,
    )[None]
    L, ab = reduced[..., :1], reduced[..., 1:]
    lines = {
        "bilinear": constant_coefficients(ab),
        "along edges": guided_coefficients(L, ab),
    }
    shown = [rgb_u8[60:260, 0:200]]
    alone = [chroma_only(lab)[60:260, 0:200]]
    for coefficients in lines.values():
        colored = color_photo(rgb_u8, np.asarray(coefficients)[0])
        shown.append(colored[60:260, 0:200])
        alone.append(chroma_only(lab_of(colored))[60:260, 0:200])
    figure, axes = plt.subplots(2, 3, figsize=(6.0, 4.2))
    for row, pictures, name in zip(axes, (shown, alone), ("photo", "chroma alone"), strict=True):
        for axis, picture, title in zip(row, pictures, ("the photo's own chroma", *lines), strict=True):
            axis.imshow(picture)
            axis.set(xticks=[], yticks=[])
            if name == "photo":
                axis.set_title(title, fontsize=9)
        row[0].set_ylabel(name)
    save_figure(figure, "explain_edges.jpg")


def draw_resume() -> None:
    """A run that is killed twice beside one that is not: what is done again, and where the two are equal."""
    figure, axis = plt.subplots(figsize=(6.6, 1.9))
    axis.barh(1, 400, left=0, height=0.28, color="#5c6bc0")
    for left, right, killed in ((0, 170, True), (120, 310, True), (280, 400, False)):
        row = {0: 0.25, 120: -0.15, 280: -0.55}[left]
        axis.barh(row, right - left, left=left, height=0.28, color="#ff8a65")
        if killed:
            axis.text(right + 4, row, "killed", va="center", fontsize=8)
        if left:
            axis.annotate("", (left, row + 0.14), (left, 0.9), arrowprops={"arrowstyle": "-", "linestyle": ":"})
            axis.text(left - 4, row, f"from step {left}", va="center", ha="right", fontsize=8)
    axis.text(404, -0.55, "equal,\nbit for bit", va="center", fontsize=8)
    axis.scatter([0, 120, 280, 400], [1.3] * 4, marker="v", s=22, color="0.2")
    axis.text(200, 1.42, "checkpoints", ha="center", fontsize=8)
    axis.set(
        yticks=[1, -0.15], yticklabels=["not killed", "killed twice"], xlabel="step", xlim=(-5, 460), ylim=(-0.85, 1.65)
    )
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.tick_params(left=False)
    save_figure(figure, "explain_resume.png")


def lab_of(rgb_u8: np.ndarray) -> np.ndarray:
    """Convert rgb_u8 (H, W, 3) to lab (H, W, 3)."""
    return np.asarray(rgb_to_lab(rgb_from_u8(rgb_u8)))


def rgb_u8_of(lab: np.ndarray) -> np.ndarray:
    """Convert lab (H, W, 3) to rgb_u8, with the chroma that sRGB can show."""
    return np.asarray(rgb_to_u8(lab_to_rgb(clip_chroma(lab.astype("float32")))))


def chroma_only(lab: np.ndarray) -> np.ndarray:
    """Show chroma at one lightness, as rgb_u8 (H, W, 3)."""
    return rgb_u8_of(np.concatenate([np.full_like(lab[..., :1], 60.0), lab[..., 1:]], -1))


def small(rgb_u8: np.ndarray, width: int) -> np.ndarray:
    """Scale a photo to this width."""
    height = round(rgb_u8.shape[0] * width / rgb_u8.shape[1])
    return np.asarray(Image.fromarray(rgb_u8).resize((width, height), Image.Resampling.LANCZOS))


def save_row(pictures: list[np.ndarray], name: str) -> None:
    """Save pictures of one height side by side as a JPEG."""
    gap = np.full((pictures[0].shape[0], GAP, 3), 255, np.uint8)
    row = [part for picture in pictures for part in (picture, gap)][:-1]
    Image.fromarray(np.concatenate(row, 1)).save(PICTURES / name, quality=85)


def save_figure(figure: plt.Figure, name: str, colors: int = 64) -> None:
    """Save a figure as a JPEG, or as a PNG with a palette, which is a third of the size."""
    figure.tight_layout(pad=0.6)
    figure.canvas.draw()
    image = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
    plt.close(figure)
    if name.endswith(".png"):
        image.quantize(colors, dither=Image.Dither.NONE).save(PICTURES / name, optimize=True)
    else:
        image.save(PICTURES / name, quality=85)


if __name__ == "__main__":
    main()
