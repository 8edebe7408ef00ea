"""The page of the league: comments of a Markdown file become tables, findings and pictures from the rows' files.

    <!-- league table images world -->                            a table: same images or time, and the test set
    <!-- league table images world: cnn, gan_lab -->              only these competitors, measured or not
    <!-- league own images world -->                              what networks for RGB paint themselves
    <!-- league findings A B -->                                  the findings of some reports
    <!-- league pairs -->                                         differences of pairs
    <!-- league facts -->                                         rows, machine, versions
    <!-- league picture docs/pictures/league_b.png: Curves -->    a picture of the repository, once it has been drawn

`zoo/RESULTS.md` gets a section that is written whole, between two comments, as soon as there is a row. The pages of the
reports are filled in where the site is built. What has no row yet is said to be not yet measured.
"""

import posixpath
import re
from collections.abc import Callable
from pathlib import Path

from benchmarks.league.findings import PAIRS, findings_table
from benchmarks.league.pictures import draw_curves, draw_sheet
from benchmarks.league.plan import TABLES
from benchmarks.league.results import Results
from benchmarks.league.tables import NOT_YET, facts_of, label, league_table, own_table, pairs_table
from keras_colorize.files import written_whole

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = Path(__file__).with_name("page.md")
COMMENT = re.compile(r"<!-- league (?P<kind>\w+)(?P<words>[^:>]*?)(?:: (?P<rest>[^>]+?))? -->")
BEGIN, END = "<!-- The league writes this section. -->", "<!-- The end of the league's section. -->"
EARLIER = "## An earlier comparison, of 4,000 images each"  # the page as it was before the league
SHEET = "league_systems.jpg"


def fill_in(markdown: str, results: Results, page: str, root: Path = ROOT) -> str:
    """Replace the comments of a page.

    Args:
        markdown: the page's text.
        results: all rows.
        page: its path in the repository, for links to pictures and for errors.
        root: of the repository.

    Raises:
        ValueError: a comment names something that does not exist.
    """

    def replace(match: re.Match[str]) -> str:
        kind, words, rest = match["kind"], match["words"].split(), match["rest"]
        try:
            return _KINDS[kind](results, words, rest, page, root)
        except (KeyError, IndexError) as error:
            raise ValueError(f"{page}: the league has nothing for '{match.group(0)}'") from error

    return COMMENT.sub(replace, markdown)


def _table(results: Results, words: list[str], rest: str | None, page: str, root: Path) -> str:
    table, photos = _table_and_set(words)
    return league_table(results, table, photos, _names(rest), facts=photos == "world")


def _own(results: Results, words: list[str], rest: str | None, page: str, root: Path) -> str:
    table, photos = _table_and_set(words)
    return own_table(results, table, photos, _names(rest))


def _table_and_set(words: list[str]) -> tuple:
    if words[0] not in TABLES:
        raise KeyError(words[0])
    return words[0], words[1]


def _names(rest: str | None) -> list[str] | None:
    return [name.strip() for name in rest.split(",")] if rest else None


def _picture(results: Results, words: list[str], rest: str | None, page: str, root: Path) -> str:
    if not (root / words[0]).is_file():
        return f"*{(rest or 'Picture').capitalize()}: {NOT_YET}.*"
    return f"![{rest}]({posixpath.relpath(words[0], posixpath.dirname(page))})"


_KINDS: dict[str, Callable[[Results, list[str], str | None, str, Path], str]] = {
    "table": _table,
    "own": _own,
    "picture": _picture,
    "findings": lambda results, words, *_: findings_table(results, words or "ABCDE"),
    "pairs": lambda results, *_: pairs_table(results, PAIRS),
    "facts": lambda results, *_: facts_of(results),
}


def write_page(results: Results, out: Path, root: Path = ROOT) -> bool:
    """Write pictures and the league's section of zoo/RESULTS.md; without a row, nothing changes.

    Args:
        results: all rows.
        out: the league's folder, with the strips of pictures.
        root: of the repository.

    Returns:
        Whether the page was written.
    """
    if not len(results):
        return False
    pictures = root / "docs" / "pictures"
    draw_curves(results, pictures)
    draw_sheet(_strips(results, out / "strips"), pictures / SHEET)
    page = "zoo/RESULTS.md"
    section = fill_in(TEMPLATE.read_text(encoding="utf-8"), results, page, root)
    file = root / page
    text = with_section(file.read_text(encoding="utf-8"), section)
    with written_whole(file) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return True


def with_section(text: str, section: str) -> str:
    """Put the league's section into a page: in place of the one before, or behind the page's title."""
    block = f"{BEGIN}\n\n{section.strip()}\n\n{END}"
    if BEGIN in text:
        head, _, tail = text.partition(BEGIN)
        return head + block + tail.partition(END)[2]
    title, _, rest = text.partition("\n")
    return f"{title}\n\n{block}\n\n{EARLIER}\n{rest}"


def _strips(results: Results, folder: Path) -> dict[str, Path]:
    """Return the columns of the sheet: grey, a row of each system with seed 0, truth."""
    columns = {"grey": folder / "grey.png"}
    for competitor in results.competitors:
        if competitor.seed == 0 and competitor.phase <= 1 and results.get(competitor.name, "images"):
            columns[label(competitor).replace("`", "")] = folder / f"{competitor.name}.images.png"
    return columns | {"truth": folder / "truth.png"}
