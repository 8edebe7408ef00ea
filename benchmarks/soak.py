"""Colour a large folder of mixed photos for hours while somebody kills the program again and again.

    python -m benchmarks.soak --photos data/scenes/train --folder soak --count 20000 --minutes 120

`keras-colorize colorize FOLDER --resume` runs until it ends, is killed by SIGKILL, or is stopped by SIGINT or SIGTERM
at a moment that the seed decides, and then begins again. When all photos are done, a new folder of results begins. The
program is to lose nothing, make nothing twice, leave nothing half written, and take no more memory the longer it runs.
`report.txt` in the folder has the table so far; Ctrl-C ends the soak early, with all checks. Exit code 1 where
something was wrong. Memory is read from /proc, so that this runs on Linux only.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.ledger import Ledger
from benchmarks.soak_photos import PHOTOS, Entry, make_folder
from keras_colorize.data.walk import walk_photos

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
EARLY = 0.2  # share of the kills that come before the first photo
SHORTEST = 1 / 60  # of the longest time that a run may have
# Photos of a run after which its memory counts. Until then it grows: oneDNN keeps what it has compiled for each shape
# and size of a batch, and the threads' heaps get the sizes of the largest photos.
WARM_UP = 1000
MARKS = (100, 250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12_000, 16_000)  # photos
STOPPED = 130  # by SIGINT or SIGTERM, with all threads at their end
INTERRUPTED = (STOPPED, -signal.SIGINT, -signal.SIGTERM)  # while Python starts, a signal ends it at once
ENDED = (0, 1)  # 1 where photos have failed


class Sample(NamedTuple):
    """A look at a run: seconds since its start, results that it has made, resident memory in megabytes."""

    seconds: float
    made: int
    megabytes: float


@dataclass
class Run:
    """One process from its start to its end.

    Attributes:
        round: number of the folder of results.
        began: results that were there before.
        made: results that it added.
        seconds: from start to end.
        end: how it ended, in words.
        code: its exit code.
        stopped_in: seconds from SIGINT or SIGTERM to its end, or None.
        samples: looks at it while it ran.
    """

    round: int
    began: int
    made: int = 0
    seconds: float = 0.0
    end: str = ""
    code: int | None = None
    stopped_in: float | None = None
    samples: list[Sample] = field(default_factory=list)

    @property
    def peak(self) -> float:
        """The most resident memory that was seen, megabytes."""
        return max((sample.megabytes for sample in self.samples), default=0.0)


class Soak:
    """Runs that are killed, and what became of the photos.

    Args:
        command: takes three more arguments, the folder of photos, `--out` and the folder of the results, and goes on
            where an earlier run has ended.
        entries: the photos.
        folder: of the soak; results, log and report go there.
        minutes: that all takes.
        seed: of the moments of the kills.
        longest: seconds that a run may have before it is killed; the moments are log-uniform from a sixtieth of that
            on.
        every: seconds between two looks at a run.
        limit: a run that makes nothing for so many seconds hangs.
    """

    def __init__(
        self,
        command: Sequence[str],
        entries: Sequence[Entry],
        folder: Path,
        *,
        minutes: float,
        seed: int,
        longest: float,
        every: float = 10.0,
        limit: float = 900.0,
    ) -> None:
        self._command = list(command)
        self._entries = entries
        self._folder = folder
        self._rng = random.Random(seed)
        self._longest, self._every, self._limit = longest, every, limit
        self._ends = time.monotonic() + 60 * minutes
        self._stopped = False
        self._log = (folder / "soak.log").open("ab")
        self.runs: list[Run] = []
        self.problems: list[str] = []
        self.rounds = 0
        self.compared = self.same = 0
        self._reference: list[str] = []

    def go(self, sample: int, rounds: int | None = None) -> None:
        """Soak until the time is over or somebody stops it.

        Args:
            sample: photos that are coloured once undisturbed beforehand, to compare with.
            rounds: after which it ends, however much time is left.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        self._color_reference(sample)
        while self._goes_on() and self.rounds != rounds:
            self._round()

    def _stop(self, number: int, _: object) -> None:
        self._stopped = True

    def _goes_on(self) -> bool:
        return not self._stopped and time.monotonic() < self._ends

    def _color_reference(self, count: int) -> None:
        """Colour some photos in a folder of their own, without kills."""
        if not count:
            return
        whole = [entry for entry in self._entries if entry.fate == "colored"]
        chosen = random.Random(0).sample(whole, min(count, len(whole)))
        links, out = self._folder / "sample", self._folder / "reference"
        for path in (links, out):
            shutil.rmtree(path, ignore_errors=True)
        for entry in chosen:
            link = links / entry.name
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(self._folder / PHOTOS / entry.name, link)
        process = self._start(links, out)
        while process.poll() is None and self._goes_on():
            time.sleep(0.1)
        if process.poll() is None:
            self._end(process)
        elif process.returncode:
            self.problems.append(f"the undisturbed run ends with {process.returncode}")
        else:
            self._reference = [entry.result for entry in chosen]

    def _round(self) -> None:
        """Colour all photos into a new folder, however many runs that takes, and check the folder."""
        self.rounds += 1
        out = self._folder / f"round-{self.rounds}"
        shutil.rmtree(out, ignore_errors=True)
        ledger = Ledger(self._entries, self._folder / PHOTOS, out)
        run = self._run(ledger)
        while self._goes_on() and run.code not in ENDED:
            self._write_report()
            run = self._run(ledger)
        finished = run.code in ENDED
        compared, same = ledger.compare(self._folder / "reference", self._reference)
        self.compared, self.same = self.compared + compared, self.same + same
        # A run that made results has been through the folder before, and has removed what others left.
        ledger.close(finished, leftovers=finished or (run.made > 0 and run.code == STOPPED))
        self.problems += [f"round {self.rounds}: {problem}" for problem in ledger.problems]
        if finished and not ledger.problems:
            shutil.rmtree(out)
        self._write_report()

    def _start(self, photos: Path, out: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self._command, str(photos), "--out", str(out)],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the soak
        )

    def _run(self, ledger: Ledger) -> Run:
        """Run the command until it ends, is killed, or the time is over."""
        run = Run(self.rounds, len(ledger.stamps))
        self.runs.append(run)
        number = self._rng.choice(SIGNALS)
        early = self._rng.random() < EARLY
        delay = self._longest * SHORTEST ** self._rng.random()
        began = looked = moved = time.monotonic()
        due = began + min(delay, 10.0) if early else float("inf")
        process = self._start(self._folder / PHOTOS, ledger.out)
        while process.poll() is None:
            now = time.monotonic()
            if now >= due:
                process.send_signal(number)
                when = "of its start" if early else "of its first photo"
                run.end = f"{signal.Signals(number).name}, {min(delay, 10.0) if early else delay:.0f} s {when}"
                self._wait(process, run, now)
                break
            if not self._goes_on():
                run.end = "the time is over"
                process.send_signal(signal.SIGTERM)
                self._wait(process, run, now)
                break
            if now - moved > self._limit:
                run.end = "hangs"
                self.problems.append(f"run {len(self.runs)}: nothing for {self._limit:g} s")
                process.kill()
                break
            if now - looked >= (self._every if run.made else min(self._every, 1.0)):
                made = ledger.look() - run.began
                if made > run.made:
                    moved = now
                    due = min(due, now + delay)
                run.made, looked = made, time.monotonic()
                if megabytes := tree_memory(process.pid):
                    run.samples.append(Sample(now - began, made, megabytes))
            time.sleep(0.05)
        run.code = process.wait()
        run.seconds = time.monotonic() - began
        run.made = ledger.look() - run.began
        run.end = run.end or "its end"
        self._check_code(run)
        return run

    def _wait(self, process: subprocess.Popen[bytes], run: Run, since: float) -> None:
        """Wait for the end of a process that got a signal."""
        try:
            process.wait(self._limit)
            run.stopped_in = time.monotonic() - since
        except subprocess.TimeoutExpired:
            self.problems.append(f"run {len(self.runs)}: goes on for {self._limit:g} s after {run.end}")
            self._end(process)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()

    def _check_code(self, run: Run) -> None:
        """Note an end that nobody asked for."""
        expected: tuple[int, ...] = ENDED
        if run.end.startswith("SIGKILL"):
            expected += (-signal.SIGKILL,)
        elif run.end != "its end":
            expected += INTERRUPTED
        if run.code not in expected and run.end != "hangs":
            self.problems.append(f"run {len(self.runs)}: ends with code {run.code} after {run.end}; see soak.log")

    def report(self) -> str:
        """Return the table of runs, the totals and the problems."""
        lines = [f"{'run':>4}{'round':>6}{'before':>8}{'made':>7}{'seconds':>9}{'peak MB':>9}{'code':>6}  ended by"]
        for number, run in enumerate(self.runs, 1):
            stopped = f", stopped in {run.stopped_in:.1f} s" if run.stopped_in is not None else ""
            lines.append(
                f"{number:4}{run.round:6}{run.began:8,}{run.made:7,}{run.seconds:9.0f}{run.peak:9,.0f}"
                f"{run.code if run.code is not None else '':>6}  {run.end}{stopped}"
            )
        ends = Counter(run.end.partition(",")[0] for run in self.runs)
        made = sum(run.made for run in self.runs)
        seconds = sum(run.seconds for run in self.runs)
        slope, samples = memory_slope([run.samples for run in self.runs])
        longest = max(self.runs, key=lambda run: run.made, default=None)
        lines += [
            "",
            f"{made:,} photos coloured in {seconds / 60:.1f} minutes, {len(self.runs)} runs and {self.rounds} rounds of"
            f" {len(self._entries):,} files",
            "ends: " + ", ".join(f"{count} {end}" for end, count in ends.most_common()),
            f"memory: {slope:+.1f} MB per 1,000 photos within a run after its first {WARM_UP:,} ({samples} looks);"
            f" {max((run.peak for run in self.runs), default=0):,.0f} MB at most",
        ]
        if longest is not None and longest.samples:
            marks = [mark for mark in MARKS if mark <= longest.samples[-1].made]
            passed = [next(one for one in longest.samples if one.made >= mark) for mark in marks]
            shown = [f"{one.megabytes:,.0f} MB after {one.made:,}" for one in (*passed, longest.samples[-1])]
            lines.append(f"the run of most photos: {', '.join(shown)}")
        lines.append(f"{self.compared:,} results compared with an undisturbed run, {self.same:,} equal to the byte")
        lines.append(f"{len(self.problems)} problems")
        lines += [f"  {problem}" for problem in self.problems[:100]]
        return "\n".join(lines)

    def _write_report(self) -> None:
        temporary = self._folder / "report.tmp"
        temporary.write_text(f"{self.report()}\n")
        temporary.replace(self._folder / "report.txt")


def memory_slope(runs: Sequence[Sequence[Sample]]) -> tuple[float, int]:
    """Fit one slope to the memory of all runs, each with a level of its own.

    Returns:
        megabytes per 1,000 photos, and the number of samples that were used: those after the first photos of a run.
    """
    covariance = variance = 0.0
    count = 0
    for samples in runs:
        warm = np.array([(sample.made, sample.megabytes) for sample in samples if sample.made >= WARM_UP])
        if len(warm) < 2:
            continue
        made, megabytes = (warm - warm.mean(axis=0)).T
        covariance += float(made @ megabytes)
        variance += float(made @ made)
        count += len(warm)
    return (1000 * covariance / variance if variance else 0.0), count


def tree_memory(pid: int) -> float:
    """Return the resident memory of a process and all its children, megabytes; 0 when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    own = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)
    return own / 1024 + sum(map(tree_memory, children))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", nargs="+", required=True, metavar="DIR", help="folders of photos to copy")
    parser.add_argument("--folder", required=True, metavar="DIR", help="where all goes; up to 3 GB")
    parser.add_argument("--count", type=int, default=20_000, help="photos (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=120.0, help="that the soak takes (default: 120)")
    parser.add_argument("--longest", type=float, metavar="S", help="seconds of a run (default: a sixth of the time)")
    parser.add_argument("--sample", type=int, default=200, help="photos to compare (default: %(default)s)")
    parser.add_argument("--model", help="of the zoo (default: that of `keras-colorize colorize`)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    sources = [photo for given in options.photos for photo in walk_photos(Path(given)).photos]
    entries = make_folder(folder, sources, options.count, options.seed)
    print(f"{len(entries):,} files in {folder / PHOTOS}", flush=True)
    command = [sys.executable, "-m", "keras_colorize", "colorize", "--recursive", "--resume", "--max-megapixels", "25"]
    command += ["--model", options.model] if options.model else []
    soak = Soak(
        command,
        entries,
        folder,
        minutes=options.minutes,
        seed=options.seed,
        longest=options.longest or 10 * options.minutes,
    )
    soak.go(options.sample)
    print(soak.report())
    return bool(soak.problems)


if __name__ == "__main__":
    sys.exit(main())
