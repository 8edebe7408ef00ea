"""Results of an evaluation as plain data, from which files and reports are written.

They hold numbers, names and small pictures. Nothing here loads TensorFlow or reads a disk.
"""

from dataclasses import dataclass, field

import numpy as np

# Names of the rows that every table has. The systems' rows stand between them.
GREY, MEAN_COLOR, TRUTH = "grey (unchanged)", "mean colour", "truth"
OWN = "own lightness"  # "NAME, own lightness" is the picture exactly as a network that predicts RGB paints it


@dataclass(frozen=True)
class Metric:
    """A column of the table.

    name: key in `Evaluation.figures` and in metrics.json.
    heading: text of the head of the column.
    form: format of a printed value, such as `"{:.2f}"`.
    higher_is_better: None where nearness to the truth's value counts, or nothing does.
    meaning: one sentence for people.
    """

    name: str
    heading: str
    form: str
    higher_is_better: bool | None
    meaning: str

    def text(self, value: float) -> str:
        """Format a value for print."""
        return self.form.format(value)


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % confidence interval, whose ends are NaN where there is none (FID, a single photo)."""

    value: float
    low: float = float("nan")
    high: float = float("nan")

    @property
    def significant(self) -> bool:
        """Tell whether the interval of a difference leaves out 0."""
        return self.low > 0 or self.high < 0


Figures = dict[str, dict[str, Estimate]]  # row → metric → figure


@dataclass(frozen=True)
class Mark:
    """The comparison of a cell with others, by paired intervals over the same photos.

    against_grey: 1 for significantly better than grey, −1 for significantly worse, 0 for neither.
    best: whether this system has the best value of all systems.
    ties_with_best: not significantly worse than the best (true for the best itself).
    """

    against_grey: int
    best: bool
    ties_with_best: bool


@dataclass(frozen=True)
class ClassFigures:
    """The means over the photos of one class folder: row → metric → mean."""

    photos: int
    means: dict[str, dict[str, float]]


@dataclass
class Gallery:
    """Pictures of a few photos, exactly as they were measured.

    random: indices into `Evaluation.photos`, drawn with the evaluation's seed.
    best, worst: system → indices, most extreme first, by the ab MAE of the grey photo minus that of the system. ab MAE
        alone would call the greyest photos the best of every system.
    pictures: row (grey, systems, truth, …) → index → rgb_u8 (S, S, 3); every index above is there in every row.
    """

    random: list[int] = field(default_factory=list)
    best: dict[str, list[int]] = field(default_factory=dict)
    worst: dict[str, list[int]] = field(default_factory=dict)
    pictures: dict[str, dict[int, np.ndarray]] = field(default_factory=dict)


@dataclass
class Evaluation:
    """The figures of several systems on the same photos, beside grey and a constant colour.

    title: one line for people.
    data: the photos as the user named them.
    protocol: name of the protocol, see `keras_colorize.evaluation.protocols`.
    image_size: side S at which everything was measured.
    photos: N names, in the order of every (N,) array below.
    rows: names in the order of the table: grey, mean colour, each system (and where it predicts RGB its own lightness),
        truth.
    systems: the rows that are systems, coloured as a user gets them.
    columns: the metrics in the order of the table. A row may lack some of them: truth has no PSNR.
    per_photo: row → metric → (N,) float64, without the metrics of whole sets (ΔCF, FID, …).
    figures: row → metric → mean over the photos (or the set's value) with its interval.
    differences: (row, other row) → metric → mean of row − other row over the same photos, with its interval.
    marks: row → metric → its comparison, for metrics that have a direction.
    per_class: class folder → its figures; empty where the photos have no class folders.
    histograms: row → counts of ab values over all photos, (A, B) int64, first axis a, second b.
    ab_edges: (A + 1,) edges of those bins in CIE units, equal for a and b. The outermost bins hold everything beyond.
    curves: system → rows of its run's log, column → value; None where it has no run.
    gallery: pictures of random, best and worst photos.
    remarks: warnings for the reader: the source of the mean colour, a system that trained on these photos, …
    about: everything else that goes to metrics.json: versions, digests, seed, options, photos left out.
    """

    title: str
    data: str
    protocol: str
    image_size: int
    photos: list[str]
    rows: list[str]
    systems: list[str]
    columns: list[Metric]
    per_photo: dict[str, dict[str, np.ndarray]]
    figures: Figures
    differences: dict[tuple[str, str], dict[str, Estimate]]
    marks: dict[str, dict[str, Mark]]
    per_class: dict[str, ClassFigures]
    histograms: dict[str, np.ndarray]
    ab_edges: np.ndarray
    curves: dict[str, list[dict[str, float]] | None]
    gallery: Gallery
    remarks: list[str] = field(default_factory=list)
    about: dict[str, object] = field(default_factory=dict)

    def means(self) -> dict[str, dict[str, float]]:
        """Return row → metric → value, without intervals."""
        return {row: {name: figure.value for name, figure in self.figures[row].items()} for row in self.rows}
