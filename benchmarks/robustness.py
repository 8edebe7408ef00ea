"""Damaged photos through the training loader and through `colorize`: nothing may crash, hang, or be lost in silence.

    python -m benchmarks.robustness --count 10000 --keep-failures failures

Small photos of every format that is read are damaged (benchmarks/mutants.py), a pure function of seed and number, and
go in folders through `load_split` and `colorize_folder`, with a small network of random weights, in a process of their
own. Each must end as a result of the right size that can be read, or as a reason in one line; a photo that was only cut
short must be refused or be all there. The table counts what became of them. Exit code 1 where anything was wrong.
"""

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.checking import Checker, Findings
from benchmarks.mutants import MUTATIONS, SOUND, Mutant, mutant
from benchmarks.specimens import make_photos

BATCH = 250
START_S = 300.0  # to load TensorFlow, on a machine that is busy


def _serve(connection: Connection, max_pixels: int, temporary: str) -> None:
    """Check folder after folder: ("beat", None) after each photo, then ("done", findings)."""
    os.environ["TMPDIR"] = tempfile.tempdir = temporary
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # TensorFlow and Pillow have lines of their own
    checker = Checker(make_photos(), max_pixels)
    connection.send(("ready", None))
    is_first = True
    while True:
        folder, out, mutants = connection.recv()
        command, is_first = is_first, False
        try:
            answer: Findings | str = checker.check(
                folder, out, mutants, lambda: connection.send(("beat", None)), command
            )
        except Exception:  # the finding of all findings: one photo has ended the work on all of them
            answer = "raises " + " | ".join(traceback.format_exc().splitlines()[-3:])
        connection.send(("done", answer))


class Process:
    """The process that checks, started anew when it has died or hung.

    max_pixels: of photos that are colorized.
    limit_s: without a sign of life for so long, it hangs.
    folder: for what it leaves among its temporary files.
    serve: the function that it runs.
    """

    def __init__(self, max_pixels: int, limit_s: float, folder: Path, serve: Callable[..., None] = _serve) -> None:
        self._max_pixels, self._limit_s, self._serve = max_pixels, limit_s, serve
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self._process: Any = None
        self._connection: Any = None

    def check(self, folder: Path, out: Path, mutants: Sequence[Mutant]) -> Findings | str:
        """Return the findings, or how the process ended before it had any."""
        if self._process is None:
            context = multiprocessing.get_context("spawn")
            self._connection, other = context.Pipe()
            self._process = context.Process(
                target=self._serve, args=(other, self._max_pixels, str(self.temporary)), daemon=True
            )
            self._process.start()
            other.close()
            ended = self._wait("ready", START_S)
            if isinstance(ended, str):
                raise SystemExit(f"the process that checks does not start: {ended}")
        self._connection.send((folder, out, list(mutants)))
        return self._wait("done", self._limit_s)

    def _wait(self, for_what: str, limit_s: float) -> Any:
        while True:
            if not self._connection.poll(limit_s):
                self.end()
                return f"hangs: nothing for {limit_s:g} s"
            try:
                what, answer = self._connection.recv()
            except (EOFError, ConnectionResetError):
                self._process.join()
                code = self._process.exitcode
                self._process = None
                return f"crashes: signal {-code}" if code < 0 else f"ends the process with exit code {code}"
            if what == for_what:
                return answer

    def end(self) -> None:
        """Kill it, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


@dataclass
class Total:
    """All folders together."""

    photos: int = 0
    outcomes: Counter[tuple[str, bool, bool]] = field(default_factory=Counter)
    problems: list[tuple[Mutant | None, str]] = field(default_factory=list)
    slowest: float = 0.0
    memories: list[int] = field(default_factory=list)

    def table(self) -> str:
        """Return a line per mutation: photos, and how many of them training and `colorize` took."""
        lines = [f"{'mutation':22}{'photos':>8}{'trained on':>12}{'refused':>9}{'coloured':>10}{'refused':>9}"]
        for mutation in (*MUTATIONS, "all"):
            rows = {key: n for key, n in self.outcomes.items() if mutation in (key[0], "all")}
            loaded = sum(n for (_, taken, _), n in rows.items() if taken)
            colored = sum(n for (_, _, taken), n in rows.items() if taken)
            count = sum(rows.values())
            called = "none: valid photos" if mutation == SOUND else mutation
            lines.append(f"{called:22}{count:8,}{loaded:12,}{count - loaded:9,}{colored:10,}{count - colored:9,}")
        return "\n".join(lines)


def run(
    count: int,
    seed: int,
    *,
    first: int = 0,
    max_pixels: int = 25_000_000,
    limit_s: float = 120.0,
    minutes: float = 60.0,
    say: Callable[[str], None] = lambda text: None,
    serve: Callable[..., None] = _serve,
) -> Total:
    """Make, damage and check photos.

    Args:
        count: photos.
        seed: of the damage.
        first: the number of the first.
        max_pixels: of photos that are colorized; larger ones are refused.
        limit_s: seconds that a photo may take.
        minutes: that all may take; what is left then is a problem.
        say: takes a line after each folder.
        serve: the function that the checking process runs.
    """
    photos, total, began = make_photos(), Total(), time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        process = Process(max_pixels, limit_s, root, serve)
        try:
            for start in range(first, first + count, BATCH):
                if time.monotonic() - began > 60 * minutes:
                    total.problems.append(
                        (None, f"{total.photos:,} of {count:,} photos done after {minutes:g} minutes")
                    )
                    break
                mutants = [mutant(n, seed, photos) for n in range(start, min(start + BATCH, first + count))]
                _check_batch(process, root, mutants, total)
                memory = max(total.memories, default=0) / 1e6
                seconds = time.monotonic() - began
                say(f"{total.photos:,} of {count:,}, {len(total.problems)} problems, {seconds:.0f} s, {memory:.2f} GB")
        finally:
            process.end()
    return total


def _check_batch(process: Process, root: Path, mutants: Sequence[Mutant], total: Total) -> None:
    """All at once; where the process does not survive that, each photo alone, so that the culprit is found."""
    folder, out = root / "in", root / "out"
    folder.mkdir()
    try:
        for one in mutants:
            (folder / one.name).write_bytes(one.content)
        found = process.check(folder, out, mutants)
    finally:
        shutil.rmtree(folder)
        for path in (out, root / "by command", root / "run"):
            shutil.rmtree(path, ignore_errors=True)
    if isinstance(found, Findings):
        by_name = {one.name: one for one in mutants}
        total.photos += len(mutants)
        total.outcomes.update((one.mutation, found.loaded[one.name], found.colored[one.name]) for one in mutants)
        total.problems += [(by_name.get(name), what) for name, what in found.problems]
        total.slowest = max(total.slowest, found.slowest)
        total.memories.append(found.memory)
        for path in list(process.temporary.iterdir()):
            total.problems.append((None, f"{path.name} was left among the temporary files"))
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    elif len(mutants) == 1:
        total.photos += 1
        total.problems.append((mutants[0], found))
    else:
        problems = len(total.problems)
        for one in mutants:
            _check_batch(process, root, [one], total)
        if len(total.problems) == problems:
            total.problems.append((None, f"{mutants[0].name} to {mutants[-1].name} together, none alone: {found}"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="photos (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the damage (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="number of the first photo (default: %(default)s)")
    parser.add_argument("--max-megapixels", type=float, default=25.0, help="larger photos are refused (default: 25)")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds that a photo may take (default: 120)")
    parser.add_argument("--minutes", type=float, default=60.0, help="that all may take (default: 60)")
    parser.add_argument("--keep-failures", metavar="DIR", help="keep the photos that something was wrong with")
    options = parser.parse_args()
    began = time.monotonic()
    total = run(
        options.count,
        options.seed,
        first=options.first,
        max_pixels=int(options.max_megapixels * 1e6),
        limit_s=options.limit,
        minutes=options.minutes,
        say=lambda text: print(text, file=sys.stderr, flush=True),
    )
    print(total.table())
    memories = f"{min(total.memories) / 1e6:.2f} GB after the first folder, {max(total.memories) / 1e6:.2f} GB at most"
    print(
        f"\n{total.photos:,} photos made of {len(make_photos())} in {time.monotonic() - began:.0f} s; the slowest took"
        f" {total.slowest:.1f} s, waiting included; resident memory {memories}\n{len(total.problems)} problems"
    )
    for one, what in total.problems:
        print(f"  {f'{one.name} ({one.photo}, {one.mutation}): ' if one else ''}{what}")
        if one and options.keep_failures:
            kept = Path(options.keep_failures)
            kept.mkdir(parents=True, exist_ok=True)
            (kept / one.name).write_bytes(one.content)
    return bool(total.problems)


if __name__ == "__main__":
    sys.exit(main())
