"""`keras-colorize evaluate`: measure trained systems."""

import argparse

from keras_colorize.cli.startup import load_tensorflow

SUMMARY = "Measure trained systems on held-out photos, beside the unchanged grey photos."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--model",
        metavar="NAME[,NAME…]",
        action="append",
        default=[],
        help="the newest run of each model, or else its packaged weights (default: the newest run of all); or a folder"
        " that somebody shared",
    )
    parser.add_argument("--run", metavar="DIR", action="append", default=[], help="a run folder; may be repeated")
    parser.add_argument("--out", default="runs", help="the folder of the run folders (default: %(default)s)")
    parser.add_argument(
        "--data",
        help="photos to measure instead of the runs' own: sample, a folder, a list file, shards, tfds:NAME[/CONFIG]",
    )
    parser.add_argument(
        "--protocol",
        default="recipe",
        help="recipe: the test split with the recipe's resizing (default); val5k: the first 5,000 photos by file name,"
        " centre crop, 256; squash: all photos squashed to 256",
    )
    parser.add_argument(
        "--image-size",
        type=int,
        metavar="PIXELS",
        help="measure at this size (default: the protocol's or the systems')",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="measure on N photos at most")
    parser.add_argument(
        "--hints",
        type=int,
        default=0,
        metavar="N",
        help="give the systems N true colours of each photo, each of 3×3 pixels at a random place (PSNR@N)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of resampling, of hints and of the photos shown (default: 0)"
    )
    parser.add_argument(
        "--fid",
        metavar="NETWORK",
        nargs="?",
        const="",
        help="FID with this feature network: inception-2015-12-05 (default), keras-inception-v3, or a .keras, .h5 or"
        " .pb file",
    )
    parser.add_argument(
        "--kid", metavar="NETWORK", nargs="?", const="", help="KID, which suits few photos (default: FID's network)"
    )
    parser.add_argument(
        "--fid-reference",
        metavar="FILE",
        help="statistics of the true photos (.npz): used if the file exists, else written",
    )


def run(options: argparse.Namespace) -> None:
    """Find the systems, measure them, and name the files of the results."""
    from keras_colorize.errors import ColorizeError
    from keras_colorize.evaluation.lookup import check_folder, find_systems, folder_for
    from keras_colorize.evaluation.protocols import get_protocol

    for option, least in {"image_size": 1, "limit": 1, "seed": 0, "hints": 0}.items():
        value = getattr(options, option)
        if value is not None and value < least:
            raise ColorizeError(f"--{option.replace('_', '-')} is {value}: expected at least {least}")
    get_protocol(options.protocol)
    models = [name for names in options.model for name in names.split(",") if name]
    found = find_systems(models, options.run, options.out)
    folder = folder_for(found, options.out)
    check_folder(folder)

    load_tensorflow()
    from keras_colorize.cli.console import ConsoleReporter, make_console
    from keras_colorize.evaluation import evaluate
    from keras_colorize.evaluation.output import print_table, write_files
    from keras_colorize.evaluation.report.report import write_report
    from keras_colorize.metrics.feature_networks import INCEPTION_2015

    console = make_console()
    fid = INCEPTION_2015 if options.fid == "" else options.fid
    evaluation = evaluate(
        found,
        data=options.data,
        protocol=options.protocol,
        image_size=options.image_size,
        limit=options.limit,
        seed=options.seed,
        hints=options.hints,
        fid=fid,
        kid=(fid or INCEPTION_2015) if options.kid == "" else options.kid,
        fid_reference=options.fid_reference,
        progress=ConsoleReporter(console),
    )
    write_files(evaluation, folder)
    write_report(evaluation, folder / "report.html")
    print_table(console, evaluation)
    for name, file in {"figures": "metrics.json", "picture": "grid.png", "report": "report.html"}.items():
        console.print(f"{name}: {folder / file}", highlight=False, soft_wrap=True)
