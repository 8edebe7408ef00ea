"""Tables of the league as Markdown, written from the rows' files."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.league.plan import TABLES, Competitor, Table
from benchmarks.league.results import (
    GREY,
    MAIN_SET,
    MEAN_COLOR,
    OWN,
    PER_PHOTO,
    TRUTH,
    Difference,
    Figure,
    Result,
    Results,
)

NOT_YET = "not yet measured"


@dataclass(frozen=True)
class Column:
    """A column of figures.

    Attributes:
        heading: its head.
        metric: of the rows' files.
        form: of a value.
        scale: by which a value is multiplied.
        interval: show half the width of the interval.
    """

    heading: str
    metric: str
    form: str
    scale: float = 1.0
    interval: bool = False

    def number(self, value: float) -> str:
        """Format a value."""
        return self.form.format(value * self.scale)

    def cell(self, figure: Figure | None, mark: str = "") -> str:
        """Return a cell; empty without a figure."""
        if figure is None or not math.isfinite(figure.value):
            return ""
        half = f" ± {self.number(figure.half)}" if self.interval and math.isfinite(figure.half) else ""
        return f"{self.number(figure.value)}{half}{mark}"


PSNR = Column("PSNR", "psnr", "{:.2f}", interval=True)
MATCHED = Column("PSNR at equal colorfulness", "psnr_matched", "{:.2f}", interval=True)
SSIM = Column("SSIM", "ssim", "{:.3f}")
COLUMNS = (
    PSNR,
    MATCHED,
    SSIM,
    Column("acc 2 %", "pixel_accuracy_2", "{:.1f}%", 100),
    Column("acc 5 %", "pixel_accuracy_5", "{:.1f}%", 100),
    Column("ab MAE", "ab_mae", "{:.2f}", interval=True),
    Column("colorfulness", "colorfulness", "{:.1f}"),
    Column("ΔCF", "delta_colorfulness", "{:.1f}"),
    Column("Fréchet", "fid", "{:.3f}"),
    Column("kernel × 1000", "kid", "{:.2f}", 1000, interval=True),
)
# Facts of a row after its figures: heading, and the text.
FACTS: tuple[tuple[str, Callable[[Result], str]], ...] = (
    ("images", lambda row: f"{row.data['images']:,}"),
    ("minutes", lambda row: f"{row.data['seconds'] / 60:.1f}"),
    ("images/s", lambda row: " / ".join(f"{value:.3g}" for value in row.data["images_per_second"])),
)


def league_table(
    results: Results, table: Table, photos: str = MAIN_SET, names: Sequence[str] | None = None, *, facts: bool = True
) -> str:
    """Write a table of one test set: grey, the mean colour, every competitor, and the truth.

    Args:
        results: all rows.
        table: same images or same time.
        photos: name of the test set.
        names: competitors, in order; by default all that have a row in the table. Those without one are said to be
            not yet measured. A name brings its other seeds along.
        facts: add images, minutes and speed.
    """
    chosen = _chosen(results, table, names)
    headings = ["system", *(column.heading for column in COLUMNS), *(name for name, _ in FACTS if facts)]
    lines = [_line(headings), _line("---" for _ in headings)]
    measured = [row for one in chosen if (row := results.get(one.name, table)) and photos in row.sets]
    if not measured:
        return f"*{NOT_YET.capitalize()}.*"
    for name in (GREY, MEAN_COLOR):
        lines.append(_baseline(measured[0], photos, name, len(FACTS) if facts else 0))
    for competitor in chosen:
        row = results.get(competitor.name, table)
        if row is None or photos not in row.sets:
            lines.append(_line([label(competitor), NOT_YET, *([""] * (len(headings) - 2))]))
            continue
        cells = [
            column.cell(row.figure(column.metric, photos), _mark(row, column.metric, photos)) for column in COLUMNS
        ]
        lines.append(_line([label(competitor), *cells, *(text(row) for _, text in FACTS if facts)]))
    lines.append(_baseline(measured[0], photos, TRUTH, len(FACTS) if facts else 0))
    return "\n".join(lines)


def own_table(results: Results, table: Table, photos: str = MAIN_SET, names: Sequence[str] | None = None) -> str:
    """Write the table of the pictures that networks for RGB paint themselves, lightness included."""
    chosen = [one for one in _chosen(results, table, names) if _paints(results, one, table, photos)]
    if not chosen:
        return f"*{NOT_YET.capitalize()}.*"
    headings = ["system", "own PSNR", "own SSIM", "own ab MAE", "own colorfulness", "mean a", "mean b"]
    columns = (PSNR, SSIM, COLUMNS[5], COLUMNS[6])
    lines = [_line(headings), _line("---" for _ in headings)]
    for competitor in chosen:
        row = results.get(competitor.name, table)
        assert row is not None
        means = row.mean_ab(OWN, photos) or (math.nan, math.nan)
        cells = [column.cell(row.figure(column.metric, photos, OWN)) for column in columns]
        lines.append(_line([label(competitor), *cells, *(f"{value:+.1f}" for value in means)]))
    row = results.get(chosen[0].name, table)
    assert row is not None
    means = row.mean_ab(TRUTH, photos) or (math.nan, math.nan)
    truth = [column.cell(row.figure(column.metric, photos, TRUTH)) for column in columns]
    lines.append(_line([TRUTH, *truth, *(f"{value:+.1f}" for value in means)]))
    return "\n".join(lines)


def pairs_table(results: Results, pairs: Sequence[tuple[str, str, str]]) -> str:
    """Write differences of pairs on all test sets, at the same number of images.

    Args:
        results: all rows.
        pairs: what is compared in words, and the two competitors.
    """
    metrics = (MATCHED, PSNR, COLUMNS[5], COLUMNS[4])
    headings = ["comparison", "photos", "seeds", *(column.heading for column in metrics)]
    lines = [_line(headings), _line("---" for _ in headings)]
    for words, first, second in pairs:
        sets = list(dict.fromkeys(name for row in results.seeds(first).values() for name in row.sets))
        found = False
        for photos in sets:
            differences = [results.difference(first, second, column.metric, photos=photos) for column in metrics]
            known = [difference for difference in differences if difference is not None]
            if known:
                cells = [
                    difference_text(column, difference) if difference else ""
                    for column, difference in zip(metrics, differences, strict=True)
                ]
                lines.append(_line([words, photos, str(len(known[0].by_seed)), *cells]))
                found = True
        if not found:
            lines.append(_line([words, NOT_YET, *([""] * (len(headings) - 2))]))
    return "\n".join(lines)


def difference_text(column: Column, difference: Difference) -> str:
    """Write a difference with its interval; bold where it is one."""
    figure = difference.figure
    form = column.form.replace("{:", "{:+").replace("%", "")
    value, low, high = (form.format(number * column.scale) for number in (figure.value, figure.low, figure.high))
    text = f"{value} ({low} to {high})"
    return f"**{text}**" if difference.is_one else text


def label(competitor: Competitor) -> str:
    """Name a row: the system, how it differs from the published one, and its seed where that is not 0."""
    extra = ", ".join(filter(None, (competitor.note, f"seed {competitor.seed}" if competitor.seed else "")))
    return f"`{competitor.system}`" + (f" ({extra})" if extra else "")


def _chosen(results: Results, table: Table, names: Sequence[str] | None) -> list[Competitor]:
    if names is None:
        chosen = [competitor for competitor in results.competitors if results.get(competitor.name, table)]
        return sorted(chosen, key=lambda one: [each.system for each in results.competitors].index(one.system))
    by_name = {competitor.name: competitor for competitor in results.competitors}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise ValueError(f"no competitor {', '.join(unknown)}")
    chosen = []
    for name in names:
        chosen.append(by_name[name])
        for seed, row in sorted(results.seeds(name, table).items()):
            if seed != by_name[name].seed and row.name not in names:
                chosen.append(by_name[row.name])
    return chosen


def _paints(results: Results, competitor: Competitor, table: Table, photos: str) -> bool:
    row = results.get(competitor.name, table)
    return row is not None and row.figure("psnr", photos, OWN) is not None


def _mark(row: Result, metric: str, photos: str) -> str:
    """Return ↑ or ↓ for significantly better and worse than grey."""
    stored = row.data["sets"][photos]["minus grey"].get(metric)
    better = PER_PHOTO.get(metric)
    if stored is None or better is None or None in stored:
        return ""
    _, low, high = stored
    if low <= 0 <= high:
        return ""
    return " ↑" if (low > 0) == better else " ↓"


def _baseline(row: Result, photos: str, name: str, facts: int) -> str:
    cells = [column.cell(row.figure(column.metric, photos, name)) for column in COLUMNS]
    return _line([name, *cells, *([""] * facts)])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def facts_of(results: Results) -> str:
    """Say which rows there are, and on which machines, with which versions and photos they were measured."""
    rows = list(results)
    if not rows:
        return f"*{NOT_YET.capitalize()}.*"
    lines = []
    for table in TABLES:
        wanted = [one for one in results.competitors if table in one.tables]
        done = sum(results.get(one.name, table) is not None for one in wanted)
        lines.append(f"- Rows of the same {table}: {done} of {len(wanted)} measured.")
    for heading, values in (
        ("Machine", [row.data["machine"] for row in rows]),
        ("Training photos", [row.data["photos"] for row in rows]),
        ("Code", [row.data["commit"] for row in rows]),
        ("TensorFlow", [row.data["versions"]["tensorflow"] for row in rows]),
        ("Keras", [row.data["versions"]["keras"] for row in rows]),
        ("Encoder weights, SHA-256", [row.data["encoder"] for row in rows if row.data["encoder"]]),
    ):
        known = list(dict.fromkeys(filter(None, values)))
        if known:
            lines.append(f"- {heading}: {'; '.join(known)}.")
    sets = {name: facts for row in rows for name, facts in row.data["sets"].items()}
    counts = ", ".join(f"{name} {facts['photos']:,}" for name, facts in sets.items())
    lines.append(f"- Test photos: {counts}.")
    days = sorted(row.data["measured"][:10] for row in rows)
    lines.append(f"- Measured: {days[0]}" + (f" to {days[-1]}." if days[-1] != days[0] else "."))
    return "\n".join(lines)
