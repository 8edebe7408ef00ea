"""`keras-colorize quiz`: a page that asks people which photo is real."""

import argparse

from keras_colorize.cli.startup import load_tensorflow

SUMMARY = "Write a page that shows real and colorized photos and asks which are real."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--model", help="the newest run of this model (default: the newest run)")
    what.add_argument("--run", metavar="DIR", help="a run folder")
    parser.add_argument("--runs", metavar="DIR", default="runs", help="where run folders are (default: %(default)s)")
    parser.add_argument("--data", help="other photos than the run's: sample, a folder, a list file, tfds:NAME[/CONFIG]")
    parser.add_argument("--photos", type=int, default=40, metavar="N", help="pairs that count (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S", help="how long each is shown (default: 1)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the draw of photos (default: %(default)s)")
    parser.add_argument("--out", default="quiz.html", metavar="FILE", help="the page (default: %(default)s)")


def run(options: argparse.Namespace) -> None:
    """Find the run, colorize, write the page, say what to do with it."""
    from keras_colorize.errors import ColorizeError
    from keras_colorize.evaluation.report.page import page_file, write_page
    from keras_colorize.evaluation.report.quiz import practice_pairs, quiz_page
    from keras_colorize.runs.folder import RunFolder

    if options.photos < 1:
        raise ColorizeError(f"--photos is {options.photos}: expected at least 1")
    if not 0.05 <= options.seconds <= 60:
        raise ColorizeError(f"--seconds is {options.seconds:g}: expected 0.05 to 60")
    if options.seed < 0:
        raise ColorizeError(f"--seed is {options.seed}: expected at least 0")
    file = page_file(options.out)
    folder = RunFolder.open(options.run) if options.run else RunFolder.newest(options.runs, options.model)

    load_tensorflow()
    from keras_colorize.cli.console import ConsoleReporter, make_console
    from keras_colorize.evaluation.report.pairs import pairs_of_run

    console = make_console()
    pairs, data = pairs_of_run(
        folder, data=options.data, photos=options.photos, seed=options.seed, progress=ConsoleReporter(console)
    )
    model = folder.recipe().name
    write_page(file, quiz_page(pairs, model=model, data=data, seed=options.seed, seconds=options.seconds))
    practice = practice_pairs(len(pairs))
    counted = len(pairs) - practice
    few = f" (--photos {options.photos}, but there are no more)" if counted < options.photos else ""
    console.print(
        f"quiz: {file}, {file.stat().st_size / 1e6:.1f} MB: {counted} pairs{few} after {practice} for practice;"
        " open it in any browser, or send it to people",
        highlight=False,
        soft_wrap=True,
    )
