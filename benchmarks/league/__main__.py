"""Train every system of the zoo on the same photos, and write zoo/RESULTS.md from what is measured.

    python -m benchmarks.league --photos PHOTOS --encoder ENCODER.npz --out runs/league --limit-minutes 120
    python -m benchmarks.league … --list                    # what is left, with an estimate of the time
    python -m benchmarks.league … --speeds                  # measure the systems' speeds only
    python -m benchmarks.league --write --out runs/league   # write the page only

Run it again and again until nothing is left: a run that was stopped or killed goes on at its newest checkpoint, bit for
bit. Each job has a process of its own. Speeds are measured once, so the first call needs a machine that does nothing
else; the table of the same time is planned from them.
"""

import argparse
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.league.league import League
from benchmarks.league.page import write_page
from benchmarks.league.plan import Encoder, check_plan, choose, competitors
from benchmarks.league.results import FOLDER, read_results
from keras_colorize.errors import ColorizeError

# Exit codes of a process that Ctrl-C or SIGTERM has stopped.
STOPPED = 130
_STOPPED = (STOPPED, -signal.SIGINT, -signal.SIGTERM)
SHORTEST = 1.0  # minutes; a job is not begun with less
# torchvision's ImageNet weights to the third stage, folded (zoo/vivid.toml names the same file).
ENCODER_SHA256 = "8b4206d18f14fc55f17f960e11c9f9b50a49e367e1af6791c1fe7b57dbbb6016"


def main() -> int:
    """Work until nothing is left or the time is up; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.league", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", metavar="DIR", type=Path, help="the folder with the folders of --train and --test")
    parser.add_argument("--train", nargs="+", default=["world", "scenes"], help="default: world scenes")
    parser.add_argument("--test", nargs="+", default=["world", "historic", "scenes"], help="default: also historic")
    parser.add_argument("--encoder", metavar="FILE", type=Path, help="ImageNet weights of ResNet-18 to layer3 (.npz)")
    parser.add_argument("--encoder-sha256", default=ENCODER_SHA256, metavar="DIGEST", help="of the file; '' skips it")
    parser.add_argument("--out", default="runs/league", type=Path, help="the folder of runs (default: %(default)s)")
    parser.add_argument("--results", default=FOLDER, type=Path, help="the folder of rows (default: zoo/results)")
    parser.add_argument("--limit-minutes", type=float, metavar="N", help="time for this call (default: to the end)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these competitors, as --list names them")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="print the jobs that are left, and stop")
    what.add_argument("--speeds", action="store_true", help="measure missing speeds, and stop")
    what.add_argument("--write", action="store_true", help="write the page from the rows, and stop")
    what.add_argument("--job", metavar="NAME", help="do this one job, in this process")
    what.add_argument("--speed", metavar="SYSTEM", help="measure this system's speed, in this process")
    options = parser.parse_args()
    try:
        if options.write:
            return write(options)
        league = make_league(options)
        if options.list:
            show(league)
            return 0
        if options.job or options.speed:
            return one_job(league, options)
        return work(league, options)
    except (ColorizeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def make_league(options: argparse.Namespace) -> League:
    """Make the league of the arguments.

    Raises:
        ColorizeError: an argument or a file is missing.
    """
    check_plan()
    for flag in ("photos", "encoder"):
        if getattr(options, flag) is None:
            raise ColorizeError(f"--{flag} is missing")
    if not options.encoder.is_file():
        raise ColorizeError(f"no encoder weights at '{options.encoder}'")
    for name in (*options.train, *options.test):
        if not (options.photos / name).is_dir():
            raise ColorizeError(f"no folder '{name}' in '{options.photos}'")
    return League(
        choose(competitors(), options.only),
        {name: options.photos / name for name in options.train},
        {name: options.photos / name for name in options.test},
        Encoder(options.encoder.resolve(), options.encoder_sha256),
        options.out,
        options.results,
    )


def show(league: League) -> None:
    """Print the jobs that are left, with their training time, and the sum."""
    for name in league.missing_speeds():
        print(f"speed of {name}: not known yet, so its jobs are not listed")
    jobs, seconds = league.jobs(), 0.0
    counted: dict[str, float] = {}
    for job in jobs:
        done = counted.get(job.run.name, 0.0)  # a run's later mark goes on from its earlier one
        counted[job.run.name] = job.seconds
        seconds += max(0.0, job.seconds - done)
        images = job.run.images(job.mark)
        print(f"{job.name:40} {' and '.join(job.mark.tables):16} {images:>8,} images {job.seconds / 60:6.1f} minutes")
    print(f"{len(jobs)} jobs; {seconds / 3600:.1f} hours of training, measuring not counted")


def one_job(league: League, options: argparse.Namespace) -> int:
    """Do one job, or measure one speed, in this process."""
    from keras_colorize.cli.startup import load_tensorflow

    load_tensorflow()
    from keras_colorize.cli.console import ConsoleReporter, make_console
    from keras_colorize.cli.interruption import Interruption

    if options.speed:
        speed = league.measure_speed(options.speed)
        print(f"{options.speed}: {' / '.join(f'{value:.1f}' for value in speed)} images/s", flush=True)
        return 0
    job = next((job for job in league.jobs() if job.name == options.job), None)
    if job is None:
        raise ColorizeError(f"no job '{options.job}' is left")
    stop = Interruption()
    done = league.work(job, minutes=options.limit_minutes, reporter=ConsoleReporter(make_console()), stop=stop)
    print(f"{job.name}: {'measured' if done else 'goes on with the next call'}", flush=True)
    return STOPPED if stop.reason else 0


def work(league: League, options: argparse.Namespace) -> int:
    """Do job after job, each in a process of its own, and write the page after each; return the exit code."""
    deadline = None if options.limit_minutes is None else time.monotonic() + 60 * options.limit_minutes
    failed: list[str] = []  # names of jobs, and of systems whose speed could not be measured

    def left() -> float | None:
        return None if deadline is None else (deadline - time.monotonic()) / 60

    def enough() -> bool:
        minutes = left()
        return minutes is None or minutes >= SHORTEST

    for system in league.missing_speeds():
        if not enough():
            break
        code = run_alone(options, ["--speed", system])
        if code in _STOPPED:
            return STOPPED
        if code:
            failed.append(f"speed of {system}")
    while not options.speeds and enough():
        job = next((job for job in league.jobs() if job.name not in failed), None)
        if job is None:
            break
        minutes = left()
        limit = [] if minutes is None else ["--limit-minutes", f"{minutes:.3f}"]
        code = run_alone(options, ["--job", job.name, *limit])
        if code in _STOPPED:
            return STOPPED
        write(options)
        if code or (enough() and job.name in (each.name for each in league.jobs())):
            failed.append(job.name)  # not tried again in this call
    for name in failed:
        print(f"failed: {name}", file=sys.stderr)
    if not options.speeds:
        print(f"{len(league.jobs())} jobs are left", flush=True)
    return 1 if failed else 0


def run_alone(options: argparse.Namespace, words: list[str]) -> int:
    """Run one job in a process of its own, and hand a SIGTERM on to it; return its exit code."""
    paths = {"photos": options.photos, "encoder": options.encoder, "out": options.out, "results": options.results}
    command = [sys.executable, "-m", "benchmarks.league", *words]
    for flag, path in paths.items():
        command += [f"--{flag}", str(path)]
    command += ["--encoder-sha256", options.encoder_sha256, "--train", *options.train, "--test", *options.test]
    process = subprocess.Popen(command)

    def hand_on(number: int, _: object) -> None:
        process.send_signal(number)

    # Ctrl-C reaches all processes of a terminal; SIGTERM reaches this one only.
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
        signal.SIGTERM: signal.signal(signal.SIGTERM, hand_on),
    }
    try:
        return process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def write(options: argparse.Namespace) -> int:
    """Write the page from the rows."""
    written = write_page(read_results(options.results), options.out)
    if options.write and not written:
        print("no row has been measured yet: nothing to write")
    return 0


if __name__ == "__main__":
    sys.exit(main())
