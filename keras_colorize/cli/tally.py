"""The end of a `colorize` run: what became of each photo, counted and told."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from keras_colorize.cli.messages import with_flags
from keras_colorize.files import printable

if TYPE_CHECKING:
    from rich.console import Console

    from keras_colorize.batch.plan import Plan
    from keras_colorize.batch.workers import Result

NAMES_SHOWN = 50  # of photos that failed or were in colour; lists in the folder have the rest
KINDS_SHOWN, FOLDERS_SHOWN = 8, 5  # of what was passed over
FLAGS = {"max_pixels": "--max-megapixels"}  # for an argument that the reason of a failed photo names


@dataclass
class Tally:
    """Counts of the photos so far.

    errors: photo → why it failed.
    in_color: photos that were in colour → whether they were colorized all the same.
    remarks: → number of photos.
    """

    photos: int
    done: int = 0
    skipped: int = 0
    errors: dict[Path, str] = field(default_factory=dict)
    in_color: dict[Path, bool] = field(default_factory=dict)
    remarks: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)

    def add(self, result: "Result") -> None:
        """Count one more result."""
        if result.skipped:
            self.skipped += 1
        elif result.error is not None:
            self.errors[result.source] = with_flags(result.error, FLAGS)
        elif result.outputs:
            self.done += 1
        if result.in_color:
            self.in_color[result.source] = bool(result.outputs)
        self.remarks.update(result.remarks)

    @property
    def left_alone(self) -> list[Path]:
        """Photos that were not colorized since they are in colour, by name."""
        return sorted(source for source, colorized in self.in_color.items() if not colorized)

    @property
    def recolored(self) -> list[Path]:
        """Photos that were colorized although they were in colour, by name."""
        return sorted(source for source, colorized in self.in_color.items() if colorized)

    @property
    def tried(self) -> int:
        """Photos that this run has been through."""
        return self.done + len(self.errors) + len(self.left_alone)

    @property
    def left(self) -> int:
        """Photos whose turn has not come yet."""
        return self.photos - self.skipped - self.tried

    @property
    def seconds(self) -> float:
        """Seconds since the first photo was begun."""
        return max(time.monotonic() - self.began, 1e-3)

    def speed(self) -> str:
        """Format the photos per second."""
        speed = self.tried / self.seconds
        return f"{speed:.1f} photos/s" if speed >= 1 else f"{speed:.2f} photos/s"

    def stopped(self, by: str, out: Path) -> str:
        """Say what is done after somebody has stopped the work, and how to go on."""
        others = f", {self.skipped:,} were done before" if self.skipped else ""
        others += f", {len(self.errors):,} failed" if self.errors else ""
        return (
            f"stopped by {by}: {self.done:,} of {self.photos:,} photos are done{others}, and every file"
            f" in {printable(str(out))} is whole; the same command with --resume goes on"
        )


def print_report(console: "Console", plan: "Plan", tally: Tally, out: Path, drawn: list[Path]) -> None:
    """Print how many photos are done, skipped, in colour and failed, what was passed over, and where everything is."""
    from keras_colorize.batch.plan import ERRORS_FILE, IN_COLOR_FILE

    def say(text: str) -> None:
        console.print(printable(text), highlight=False, markup=False, soft_wrap=True)

    def say_names(lines: Sequence[str]) -> None:
        for line in lines[:NAMES_SHOWN]:
            say(f"  {line}")
        if len(lines) > NAMES_SHOWN:
            say(f"  and {len(lines) - NAMES_SHOWN:,} more")

    took = timedelta(seconds=round(tally.seconds))
    say(f"done     {tally.done:,} of {tally.photos:,} photos in {took}, {tally.speed()}: {out}")
    if tally.skipped:
        say(f"skipped  {tally.skipped:,}, whose results exist")
    if tally.left_alone:
        say(f"left     {_photos(len(tally.left_alone))} in colour, not colorized; listed in {out / IN_COLOR_FILE}:")
        say_names([str(source) for source in tally.left_alone])
    if tally.recolored:
        say(
            f"colour   {_photos(len(tally.recolored))} had colours, which were replaced (--skip-color leaves them as"
            f" they are); listed in {out / IN_COLOR_FILE}:"
        )
        say_names([str(source) for source in tally.recolored])
    if tally.errors:
        say(f"failed   {len(tally.errors):,}, listed in {out / ERRORS_FILE}:")
        say_names([f"{source}: {reason}" for source, reason in sorted(tally.errors.items())])
    for remark, count in tally.remarks.items():
        say(f"{_photos(count)}: {remark}")
    for line in passed_over(plan):
        say(line)
    if drawn:
        say(f"contact sheet: {drawn[0]}" + (f" … {drawn[-1].name}" if len(drawn) > 1 else ""))


def passed_over(plan: "Plan") -> list[str]:
    """Say which files and folders were not taken, and why: a line for each kind of file, and one for folders."""
    lines = []
    kinds: dict[str, list[Path]] = {}
    for file in plan.others:
        kinds.setdefault(file.suffix.lower(), []).append(file)
    if kinds:
        count = f"{len(plan.others):,} {'file' if len(plan.others) == 1 else 'files'}"
        lines.append(f"passed   {count} over, of kinds that are not read:")
        ordered = sorted(kinds.items(), key=lambda kind: (-len(kind[1]), kind[0]))
        for suffix, files in ordered[:KINDS_SHOWN]:
            names = str(files[0]) if len(files) == 1 else f"{files[0]} … {files[-1].name}"
            lines.append(f"  {len(files):,} {suffix or 'without suffix'}: {names}{_ADVICE.get(suffix, '')}")
        if len(ordered) > KINDS_SHOWN:
            lines.append(f"  and {len(ordered) - KINDS_SHOWN:,} more kinds")
    if plan.closed:
        count = f"{len(plan.closed):,} {'folder' if len(plan.closed) == 1 else 'folders'}"
        names = ", ".join(map(str, plan.closed[:FOLDERS_SHOWN])) + (", …" if len(plan.closed) > FOLDERS_SHOWN else "")
        lines.append(f"passed   {count} over, which --recursive searches: {names}")
    return lines


_ADVICE = dict.fromkeys((".heic", ".heif", ".hif"), " (pip install 'keras-colorize[heif]' reads them)")


def _photos(count: int) -> str:
    return f"{count:,} {'photo' if count == 1 else 'photos'}"
