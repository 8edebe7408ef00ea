"""Columns of an evaluation: the names of its metrics, their printed form, and which direction is better."""

from keras_colorize.evaluation.results import Metric

_CONVENTION = "the convention of CT2's and DDColor's published figures, absolute opponents"

# One value per photo; their means are compared.
PER_PHOTO = (
    Metric("psnr", "PSNR", "{:.2f}", True, "Peak signal-to-noise ratio of the RGB picture in dB."),
    Metric("ssim", "SSIM", "{:.3f}", True, "Structural similarity of the RGB picture, mean of the channels."),
    Metric("ssim_r", "SSIM R", "{:.3f}", True, "Structural similarity of the red channel."),
    Metric("ssim_g", "SSIM G", "{:.3f}", True, "Structural similarity of the green channel."),
    Metric("ssim_b", "SSIM B", "{:.3f}", True, "Structural similarity of the blue channel."),
    Metric("pixel_accuracy_2", "acc 2 %", "{:.1%}", True, "Share of ab values within 4.4 CIE units of the truth."),
    Metric("pixel_accuracy_5", "acc 5 %", "{:.1%}", True, "Share of ab values within 11 CIE units of the truth."),
    Metric("ab_mae", "ab MAE", "{:.2f}", False, "Mean absolute error of chroma in CIE units."),
    Metric("ab_psnr", "ab PSNR", "{:.2f}", True, "Peak signal-to-noise ratio of chroma alone in dB, peak 220."),
    Metric(
        "colorfulness",
        "colorfulness",
        "{:.1f}",
        None,
        "Colorfulness of Hasler and Süsstrunk; best where it is near the truth's.",
    ),
    Metric("colorfulness_abs", "colorfulness |·|", "{:.1f}", None, f"Colorfulness in {_CONVENTION}."),
    Metric(
        "ab_entropy", "entropy", "{:.2f}", None, "Entropy in bits of a photo's colours over bins of 10×10 ab units."
    ),
)
# One value per set.
OF_SETS = (
    Metric("delta_colorfulness", "ΔCF", "{:.1f}", False, "Distance of the mean colorfulness from the truth's."),
    Metric("delta_colorfulness_abs", "ΔCF |·|", "{:.1f}", False, f"The same in {_CONVENTION}."),
    Metric(
        "ab_entropy_set",
        "entropy of set",
        "{:.2f}",
        None,
        "Entropy in bits of all photos' colours together over these bins.",
    ),
)
_IN_ORDER = (
    *("psnr", "ssim", "pixel_accuracy_2", "pixel_accuracy_5", "ab_mae", "ab_psnr", "colorfulness"),
    *("delta_colorfulness", "colorfulness_abs", "delta_colorfulness_abs", "ab_entropy", "ab_entropy_set"),
)
# A terminal of 120 columns has room for these. The others are in metrics.json and, on demand, in the report.
PRINTED = tuple(name for name in _IN_ORDER if name not in ("colorfulness_abs", "ab_entropy"))

METRICS = {metric.name: metric for metric in (*PER_PHOTO, *OF_SETS)}
TABLE = [METRICS[name] for name in _IN_ORDER]

# Each ΔCF and the metric that it follows from.
DELTAS = {"delta_colorfulness": "colorfulness", "delta_colorfulness_abs": "colorfulness_abs"}


def distance_column(kind: str, network: str) -> Metric:
    """Make the column of FID or KID, named with its feature network.

    kind: "fid" or "kid".
    """
    meaning = {
        "fid": "Fréchet inception distance from the photos; compare it only at equal numbers of photos.",
        "kid": "Kernel inception distance from the photos, unbiased; its interval comes from its standard error.",
    }[kind]
    return Metric(
        f"{kind} ({network})", f"{kind.upper()} ({network})", {"fid": "{:.2f}", "kid": "{:.5f}"}[kind], False, meaning
    )
