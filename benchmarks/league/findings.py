"""The reports' findings, each beside what the league finds, in words with figures from the rows' files.

A finding is called one only where a paired 95 % interval over the photos leaves out 0 and all seeds agree. All of them
are read from the table of the same images and the main test set, unless they say otherwise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.league.plan import Table
from benchmarks.league.results import OWN, TRUTH, Figure, Result, Results
from benchmarks.league.tables import COLUMNS, MATCHED, NOT_YET, PSNR, SSIM, Column, difference_text

_BY_METRIC = {column.metric: column for column in COLUMNS}
AB_MAE, COLORFULNESS = _BY_METRIC["ab_mae"], _BY_METRIC["colorfulness"]
ACCURACY_2, ACCURACY_5 = _BY_METRIC["pixel_accuracy_2"], _BY_METRIC["pixel_accuracy_5"]


@dataclass(frozen=True)
class Finding:
    """What a report found.

    Attributes:
        report: "A" to "E".
        found: the report's finding.
        here: says what the league finds; begins with "yes", "no", "in part" or "not yet measured".
        why: what may be the cause where the two differ.
    """

    report: str
    found: str
    here: Callable[[Results], str]
    why: str


def findings_table(results: Results, reports: Sequence[str] = ("A", "B", "C", "D", "E")) -> str:
    """Write the findings of some reports; the cause of a difference stands only where there is one."""
    lines = ["| report | what it found | what is found here | where it differs, why |", "|---|---|---|---|"]
    for finding in FINDINGS:
        if finding.report in reports:
            here = finding.here(results)
            why = "" if here.startswith(("yes", NOT_YET)) else finding.why
            lines.append(f"| {finding.report} | {finding.found} | {here} | {why} |")
    return "\n".join(lines)


def missing(*names: str) -> str:
    """Say that rows are missing."""
    return f"{NOT_YET} ({', '.join(f'`{name}`' for name in names)})"


def compared(
    results: Results, first: str, second: str, column: Column, photos: str = "world", table: Table = "images"
) -> tuple[str, str] | None:
    """Compare two competitors; return "better", "worse" or "the same", and figures in words, or None without rows."""
    difference = results.difference(first, second, column.metric, photos=photos, table=table)
    if difference is None:
        return None
    values = [_mean(results, name, column, photos, table) for name in (first, second)]
    seeds = f", {len(difference.by_seed)} seeds" if len(difference.by_seed) > 1 else ""
    words = f"{column.heading} {values[0]} against {values[1]}, difference {difference_text(column, difference)}{seeds}"
    return difference.verdict, words


def _mean(results: Results, name: str, column: Column, photos: str, table: Table) -> str:
    figures = [row.figure(column.metric, photos) for row in results.seeds(name, table).values()]
    known = [figure.value for figure in figures if figure is not None]
    return column.number(sum(known) / len(known))


def claim(first: str, second: str, *columns: Column) -> Callable[[Results], str]:
    """Return the test of "the first is better than the second" in each of some metrics."""

    def here(results: Results) -> str:
        found = [compared(results, first, second, column) for column in columns]
        known = [each for each in found if each is not None]
        if not known:
            return missing(first, second)
        verdicts = {verdict for verdict, _ in known}
        said = "yes" if verdicts == {"better"} else "in part" if "better" in verdicts else "no"
        return f"{said}: " + "; ".join(words for _, words in known)

    return here


def _cnn_is_blurry(results: Results) -> str:
    cnn, other = results.get("cnn"), results.get("gan_rgb")
    if cnn is None or other is None:
        return missing("cnn", "gan_rgb")
    ours, theirs = cnn.figure("ssim", row=OWN), other.figure("ssim", row=OWN)
    return _apart(ours, theirs, "SSIM of its own picture {} against {} of `gan_rgb`", SSIM)


def _apart(lower: Figure | None, upper: Figure | None, words: str, column: Column) -> str:
    """Say whether one figure lies below another by more than both intervals."""
    if lower is None or upper is None:
        return f"no: {words.format('none', 'none')}"
    text = words.format(column.number(lower.value), column.number(upper.value))
    return f"{'yes' if lower.high < upper.low else 'no'}: {text}"


def _autoencoder_is_muted(results: Results) -> str:
    difference = results.difference("autoencoder", "gan_lab", "colorfulness")
    row = results.get("autoencoder")
    if difference is None or row is None:
        return missing("autoencoder", "gan_lab")
    truth = row.figure("colorfulness", row=TRUTH)
    own = _mean(results, "autoencoder", COLORFULNESS, "world", "images")
    gan = _mean(results, "gan_lab", COLORFULNESS, "world", "images")
    said = "yes" if difference.is_one and difference.figure.value < 0 else "no"
    return f"{said}: colorfulness {own}, `gan_lab` {gan}, the photos {COLORFULNESS.cell(truth)}"


def _lab_beats_rgb(results: Results) -> str:
    finished = compared(results, "gan_lab", "gan_rgb", AB_MAE)
    row, lab = results.get("gan_rgb"), results.get("gan_lab")
    if finished is None or row is None or lab is None:
        return missing("gan_lab", "gan_rgb")
    painted, whole = row.figure("psnr", row=OWN), lab.figure("psnr")
    text = _apart(painted, whole, "the pictures that the networks paint have PSNR {} in RGB and {} in Lab", PSNR)
    in_pictures, words = text.partition(": ")[0] == "yes", text.partition(": ")[2]
    in_colours = finished[0] == "better"
    said = "yes" if in_pictures and in_colours else "in part" if in_pictures or in_colours else "no"
    return f"{said}: {words}; with the photo's own lightness {finished[1]}"


def _rgb_drifts_green(results: Results) -> str:
    row = results.get("gan_rgb")
    means = [row.mean_ab(name) for name in (OWN, TRUTH)] if row else []
    if len(means) < 2 or means[0] is None or means[1] is None:
        return missing("gan_rgb")
    # [choice] Half a unit of a is less than anybody sees.
    said = "yes" if means[0][0] < means[1][0] - 0.5 else "no"
    return f"{said}: the mean of a is {means[0][0]:+.1f} in its own pictures and {means[1][0]:+.1f} in the photos"


def _gans_are_blue(results: Results) -> str:
    row = results.get("gan_lab")
    means = [row.mean_ab(name) for name in ("system", TRUTH)] if row else []
    if len(means) < 2 or means[0] is None or means[1] is None:
        return missing("gan_lab")
    said = "yes" if means[0][1] < means[1][1] - 0.5 else "no"
    return f"{said}: the mean of b is {means[0][1]:+.1f} in its pictures and {means[1][1]:+.1f} in the photos"


def _noise(results: Results) -> str:
    old = compared(results, "gan_lab", "gan_lab-calm", AB_MAE, photos="historic")
    new = compared(results, "gan_lab", "gan_lab-calm", SSIM)
    if old is None or new is None:
        return missing("gan_lab", "gan_lab-calm")
    robust, blunt = old[0] == "better", new[0] == "worse"
    said = "yes" if robust and blunt else "in part" if robust or blunt else "no"
    return f"{said}: on old photographs {old[1]}; on `world` {new[1]}"


def _stopping(results: Results) -> str:
    names = "gan_lab-stopped", "gan_lab"
    difference = results.difference(*names, "colorfulness", table="time")
    row = results.get("gan_lab-stopped", "time")
    if difference is None or row is None:
        return missing(*names)
    values = [_mean(results, name, COLORFULNESS, "world", "time") for name in names]
    stopped = (
        f"it stopped after {row.data['images']:,} images" if row.data["stopped early"] else "it did not stop early"
    )
    said = "yes" if difference.is_one and difference.figure.value > 0 else "no"
    return (
        f"{said}: {stopped}; colorfulness {values[0]} against {values[1]} at the end of the same time,"
        f" difference {difference_text(COLORFULNESS, difference)}"
    )


def _fewer_iterations(results: Results) -> str:
    ours, theirs = results.get("resnet18_gan"), results.get("pix2pix")
    if ours is None or theirs is None:
        return missing("resnet18_gan", "pix2pix")
    goal = min(point["val_g_reconstruction"] for point in theirs.curve if "val_g_reconstruction" in point)
    reached = _first_below(ours, goal)
    best = f"`pix2pix`'s best L1 of validation is {goal:.4f}, after {_first_below(theirs, goal):,} images"
    if reached is None:
        return f"no: {best}; `resnet18_gan` does not get there"
    said = "yes" if reached < (_first_below(theirs, goal) or 0) else "no"
    return f"{said}: {best}; `resnet18_gan` gets there after {reached:,}"


def _first_below(row: Result, goal: float) -> int | None:
    """Return the images after which a run's validation loss is at most `goal`."""
    for point in row.curve:
        if point.get("val_g_reconstruction", float("inf")) <= goal:
            return int(point["step"]) * row.data["batch_size"]
    return None


def _accuracy_rises(results: Results) -> str:
    steps = ("unet_gan", "unet_gan_aug", "unet_gan_perceptual", "resnet18_shuffle_gan")
    rows = [results.get(name) for name in steps]
    if any(row is None for row in rows):
        return missing(*(name for name, row in zip(steps, rows, strict=True) if row is None))
    texts, rises = [], []
    for before, name in zip((None, *steps), steps, strict=False):
        text = f"`{name}` " + " / ".join(
            _mean(results, name, column, "world", "images") for column in (ACCURACY_5, ACCURACY_2)
        )
        if before is not None:
            found = compared(results, name, before, ACCURACY_5)
            verdict = found[0] if found else "the same"
            rises.append(verdict == "better")
            text += f" ({verdict})"
        texts.append(text)
    said = "yes" if all(rises) else "in part" if any(rises) else "no"
    return f"{said}: at 5 % / 2 % {', '.join(texts)}"


def _discriminator_wins(results: Results) -> str:
    rows = [results.get(name) for name in ("unet_noskip", "unet_skip")]
    if rows[0] is None or rows[1] is None:
        return missing("unet_noskip", "unet_skip")
    ends = [(point["d_real"] + point["d_fake"]) / 2 for row in rows if row for point in row.curve[-1:]]
    blurry = _apart(
        rows[0].figure("ssim", row=OWN), rows[1].figure("ssim", row=OWN), "SSIM of the own picture {} against {}", SSIM
    )
    # A discriminator that guesses has a loss of ln 2 = 0.69. [choice] It wins below a tenth.
    wins = ends[0] < 0.1 <= ends[1]
    said = "yes" if wins and blurry.startswith("yes") else "in part" if wins or blurry.startswith("yes") else "no"
    words = blurry.partition(": ")[2]
    return (
        f"{said}: the discriminator's losses end at {ends[0]:.3f} without skips and at {ends[1]:.3f} with them; {words}"
    )


def _beats_both(results: Results) -> str:
    texts = [claim("inception_gan", other, PSNR, SSIM)(results) for other in ("koalarization", "pix2pix")]
    said = [text.partition(": ")[0] for text in texts]
    if any(text.startswith(NOT_YET) for text in texts):
        return missing("inception_gan", "koalarization", "pix2pix")
    words = [text.partition(": ")[2] for text in texts]
    verdict = "yes" if said == ["yes", "yes"] else "no" if said == ["no", "no"] else "in part"
    return f"{verdict}: koalarization: {words[0]}; pix2pix: {words[1]}"


_SIZE = "64×64 and some 24,000 images, where the report had 256×256 and 7 to 70 times as many"
_RANDOM_HELPERS = "Inception, DeepLab and VGG have random weights here, so they tell a network nothing that it can use"

FINDINGS: tuple[Finding, ...] = (
    Finding("A", "the CNN is blurry, of low resolution", _cnn_is_blurry, "its dense layers are small at 64×64"),
    Finding(
        "A",
        "the autoencoder's colours are muted",
        _autoencoder_is_muted,
        "it learns fast enough to paint at this length",
    ),
    Finding(
        "A",
        "Lab beats RGB clearly",
        _lab_beats_rgb,
        "a finish puts the photo's lightness back, which mends most of what RGB gets wrong",
    ),
    Finding("A", "RGB drifts to green", _rgb_drifts_green, "other photos: the report's were landscapes only"),
    Finding("A", "a bias to blue and white", _gans_are_blue, "the league's photos are mostly of people and things"),
    Finding("A", "noise makes it robust but less sharp", _noise, f"{_SIZE}; grain is finer than a pixel at 64×64"),
    Finding(
        "A",
        "early stopping on FID keeps colours vivid",
        _stopping,
        "another feature network, and a run too short to fade",
    ),
    Finding("B", "the ResNet GAN has a lower loss in fewer iterations than pix2pix", _fewer_iterations, _SIZE),
    Finding(
        "B",
        "a backbone pretrained on ImageNet helps",
        claim("resnet18_gan", "resnet18_gan-random", AB_MAE, MATCHED),
        "the last stage of the backbone is random here; at 64×64 the backbone ends at 2×2",
    ),
    Finding(
        "C",
        "pixel accuracy rises from `unet_gan` over flips and perceptual loss to the ResNet",
        _accuracy_rises,
        f"{_SIZE}; flips help once photos come again and again; {_RANDOM_HELPERS}",
    ),
    Finding(
        "C",
        "the pretrained ResNet is what helps most",
        claim("resnet18_shuffle_gan", "resnet18_shuffle_gan-random", ACCURACY_5, ACCURACY_2),
        "the last stage of the backbone is random here",
    ),
    Finding(
        "D",
        "without skips the discriminator wins and pictures are blurry; with them neither wins",
        _discriminator_wins,
        "the report trained for 50 and 400 epochs",
    ),
    Finding(
        "E",
        "pretraining on L1 helps",
        claim("inception_gan", "inception_gan_nopretrain", PSNR, SSIM),
        _SIZE,
    ),
    Finding("E", "segmentation helps", claim("inception_gan", "inception_gan_noseg", PSNR, SSIM), _RANDOM_HELPERS),
    Finding("E", "Inception helps", claim("inception_gan", "inception_gan_noinception", PSNR, SSIM), _RANDOM_HELPERS),
    Finding(
        "E",
        "the Inception GAN beats koalarization and pix2pix",
        _beats_both,
        f"{_SIZE}; {_RANDOM_HELPERS}",
    ),
)


# What the table of pairs compares: words, first, second.
PAIRS: tuple[tuple[str, str, str], ...] = (
    ("`resnet18_gan`: pretrained − random", "resnet18_gan", "resnet18_gan-random"),
    ("`resnet18_shuffle_gan`: pretrained − random", "resnet18_shuffle_gan", "resnet18_shuffle_gan-random"),
    ("`vivid`: pretrained − random", "vivid", "vivid-random"),
    ("`gan_lab` − `gan_rgb`", "gan_lab", "gan_rgb"),
    ("`gan_lab`: noise − none", "gan_lab", "gan_lab-calm"),
    ("`resnet18_gan` − `pix2pix`", "resnet18_gan", "pix2pix"),
    ("`unet_gan_aug` − `unet_gan`", "unet_gan_aug", "unet_gan"),
    ("`unet_gan_perceptual` − `unet_gan`", "unet_gan_perceptual", "unet_gan"),
    ("`resnet18_shuffle_gan` − `unet_gan`", "resnet18_shuffle_gan", "unet_gan"),
    ("`unet_skip` − `unet_noskip`", "unet_skip", "unet_noskip"),
    ("`inception_gan` − no pretraining", "inception_gan", "inception_gan_nopretrain"),
    ("`inception_gan` − no segmentation", "inception_gan", "inception_gan_noseg"),
    ("`inception_gan` − no Inception", "inception_gan", "inception_gan_noinception"),
)
