"""`keras-colorize quiz`: a page that asks people which photo is real."""

import argparse

from keras_colorize.cli.startup import load_tensorflow

SUMMARY = "Write a page that shows real and colorized photos and asks which are real."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--model", help="the newest run of this model, or else its packaged weights (default: the newest run)"
    )
    what.add_argument("--run", metavar="DIR", help="a run folder")
    parser.add_argument(
        "--runs", metavar="DIR", default="runs", help="the folder of the run folders (default: %(default)s)"
    )
    parser.add_argument(
        "--data",
        help="photos to show instead of the run's own: sample, a folder, a list file, shards, tfds:NAME[/CONFIG]",
    )
    parser.add_argument(
        "--photos", type=int, default=40, metavar="N", help="number of pairs that count (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=1.0, metavar="S", help="time for which each photo is shown (default: 1)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the draw of photos (default: %(default)s)"
    )
    parser.add_argument("--out", default="quiz.html", metavar="FILE", help="the page (default: %(default)s)")


def run(options: argparse.Namespace) -> None:
    """Find the system, colorize its photos and write the page."""
    from keras_colorize.errors import ColorizeError
    from keras_colorize.evaluation.lookup import check_folder, find_systems
    from keras_colorize.evaluation.report.page import page_file, write_page
    from keras_colorize.evaluation.report.quiz import practice_pairs, quiz_page

    if options.photos < 1:
        raise ColorizeError(f"--photos is {options.photos}: expected at least 1")
    if not 0.05 <= options.seconds <= 60:
        raise ColorizeError(f"--seconds is {options.seconds:g}: expected 0.05 to 60")
    if options.seed < 0:
        raise ColorizeError(f"--seed is {options.seed}: expected at least 0")
    file = page_file(options.out)
    check_folder(file.parent)
    found = find_systems([options.model] if options.model else [], [options.run] if options.run else [], options.runs)

    load_tensorflow()
    from keras_colorize.cli.console import ConsoleReporter, make_console
    from keras_colorize.evaluation.report.pairs import draw_pairs
    from keras_colorize.evaluation.systems import load_systems

    console = make_console()
    (system,) = load_systems(found)
    pairs, data = draw_pairs(
        system, data=options.data, photos=options.photos, seed=options.seed, progress=ConsoleReporter(console)
    )
    write_page(file, quiz_page(pairs, model=system.name, data=data, seed=options.seed, seconds=options.seconds))
    practice = practice_pairs(len(pairs))
    counted = len(pairs) - practice
    pairs_that_count = "1 pair" if counted == 1 else f"{counted} pairs"
    few = f" (--photos {options.photos}, but there are no more)" if counted < options.photos else ""
    console.print(
        f"quiz: {file}, {file.stat().st_size / 1e6:.1f} MB: {pairs_that_count}{few} after {practice} for practice;"
        " open it in any browser, or send it to people",
        highlight=False,
        soft_wrap=True,
    )
