"""Markdown files of the repository: their code blocks, code spans, links and headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUN_MARK = "<!-- run -->"  # before a block that tests run
_FENCE = re.compile(r"^(\s*)```+\s*([\w-]*)")
_LIST_ITEM = re.compile(r"^\s*([-*+]|\d+\.)\s")


@dataclass(frozen=True)
class Block:
    """A code block: its file, its first line there, the language of its fence, and whether tests run it."""

    file: Path
    line: int
    language: str
    text: str
    run: bool

    @property
    def place(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}"


def markdown_files() -> list[Path]:
    """List the Markdown files that people read: at the top, in docs/ and in zoo/."""
    found = [*ROOT.glob("*.md"), *(ROOT / "zoo").glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(file for file in found if "node_modules" not in file.parts)


def blocks(file: Path) -> list[Block]:
    """Return the fenced and the indented code blocks of a file."""
    lines = file.read_text(encoding="utf-8").splitlines()
    found, number, in_list, run = [], 0, False, False
    while number < len(lines):
        line = lines[number]
        if fence := _FENCE.match(line):
            end = next(n for n in range(number + 1, len(lines)) if lines[n].strip().startswith("```"))
            indent = len(fence[1])
            text = "\n".join(part[indent:] for part in lines[number + 1 : end])
            found.append(Block(file, number + 2, fence[2], text, run))
            number, run = end + 1, False
        elif (
            line.startswith("    ") and line.strip() and not in_list and (number == 0 or not lines[number - 1].strip())
        ):
            end = number
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            text = "\n".join(part[4:] for part in lines[number:end]).rstrip()
            found.append(Block(file, number + 1, "", text, run))
            number, run = end, False
        else:
            if line.strip():
                run = line.strip() == RUN_MARK
                in_list = bool(_LIST_ITEM.match(line)) or (in_list and line.startswith(" "))
            number += 1
    return found


def prose(file: Path) -> str:
    """Return a file's text without code blocks."""
    lines = file.read_text(encoding="utf-8").splitlines()
    for block in blocks(file):
        for number in range(block.line - 1, block.line + block.text.count("\n")):
            lines[number] = ""
    return "\n".join("" if _FENCE.match(line) else line for line in lines)


def spans(file: Path) -> Iterator[str]:
    """Yield the code spans of a file, in one line each."""
    for span in re.findall(r"`([^`]+)`", prose(file)):
        yield " ".join(span.split())


def links(file: Path) -> list[str]:
    """Return the targets of a file's links and pictures."""
    text = re.sub(r"`[^`]+`", "", prose(file))
    return re.findall(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)", text)


def anchors(file: Path) -> set[str]:
    """Return the anchors of a file's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.+)$", prose(file), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
