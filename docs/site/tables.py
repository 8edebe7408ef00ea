"""Tables that live in one file and are included in others.

A page includes a table by a comment, which names the file and the table's header, or the beginning of it and "…":

    <!-- table zoo/RESULTS.md | system | PSNR | SSIM … | rows: grey, cnn, gan_lab -->

Without `rows:` the whole table comes. A row is named by the words of its first cell, without backticks; a name also
takes the rows that add something in parentheses.
"""

import re
from pathlib import Path

COMMENT = re.compile(r"<!-- table (?P<file>\S+) \| (?P<header>.+?) \|(?: rows: (?P<rows>.+?))? -->")


def include_tables(markdown: str, root: Path, page: str) -> str:
    """Replace the comments of a page by the tables that they name.

    Raises:
        ValueError: there is no such table or row.
    """
    return COMMENT.sub(lambda match: _table(root, page, **match.groupdict()), markdown)


def _table(root: Path, page: str, file: str, header: str, rows: str | None) -> str:
    lines = (root / file).read_text(encoding="utf-8").splitlines()
    prefix = header.removesuffix("…")
    starts = [
        number
        for number, line in enumerate(lines)
        if (line.startswith(f"| {prefix}") if prefix != header else line == f"| {header} |")
    ]
    if len(starts) != 1:
        raise ValueError(f"{page}: {file} has {len(starts)} tables '| {header} |', expected 1")
    table = []
    for line in lines[starts[0] :]:
        if not line.startswith("|"):
            break
        table.append(line)
    head, body = table[:2], table[2:]
    if rows is None:
        return "\n".join(table)
    kept = []
    for name in (word.strip() for word in rows.split(",")):
        found = [line for line in body if re.sub(r"\s*\(.*\)$", "", _name(line)) == name]
        if not found:
            raise ValueError(f"{page}: the table '| {header} |' of {file} has no row '{name}'")
        kept += found
    return "\n".join(head + kept)


def _name(line: str) -> str:
    return line.split("|")[1].replace("`", "").replace("*", "").strip()
