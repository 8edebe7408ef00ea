"""`keras-colorize shard`: write photos as shards, which are files of many photos each."""

import argparse
from dataclasses import replace

from keras_colorize.cli.startup import load_tensorflow

SUMMARY = "Write photos as shards, a few large files, for data that outgrow a folder."

_NAMED = 10  # photos that were left out, by name; the manifest names all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("data", metavar="SOURCE", help="photos as --data of train.py takes them")
    parser.add_argument("--out", required=True, metavar="DIR", help="a new folder, whose name begins the shards' names")
    parser.add_argument(
        "--format",
        choices=("tfrecord", "arrayrecord"),
        default="tfrecord",
        help="arrayrecord is for local disks only (default: %(default)s)",
    )
    parser.add_argument(
        "--shard-mb", type=float, default=200, metavar="MB", help="size of a shard in megabytes (default: %(default)s)"
    )
    parser.add_argument("--keep-grey", action="store_true", help="keep photos without colour")
    parser.add_argument(
        "--validation-fraction",
        type=float,
        metavar="X",
        help="share of the photos in the validation shards, where SOURCE has no such split (default: that of recipes)",
    )
    parser.add_argument(
        "--test-fraction",
        type=float,
        metavar="X",
        help="share of the photos in the test shards, where SOURCE has no such split (default: that of recipes)",
    )


def run(options: argparse.Namespace) -> None:
    """Write the shards, and say what is in them and what was left out."""
    from keras_colorize.errors import ColorizeError
    from keras_colorize.recipes import Data

    if not options.shard_mb > 0:
        raise ColorizeError(f"`shard_mb` is {options.shard_mb:g}: expected more than 0")
    load_tensorflow()
    from keras_colorize.cli.console import ConsoleReporter, make_console
    from keras_colorize.data.batches import tally
    from keras_colorize.data.shard_files import write_shards
    from keras_colorize.data.sources import open_photos

    reporter = ConsoleReporter(make_console())
    given = {"validation_fraction": options.validation_fraction, "test_fraction": options.test_fraction}
    data = replace(Data(source=options.data), **{name: value for name, value in given.items() if value is not None})
    source = open_photos(data)
    reporter.line(source.description)
    for note in source.notes:
        reporter.line(f"note: {note}")
    written = write_shards(
        source,
        options.out,
        record_format=options.format,
        shard_bytes=max(1, round(options.shard_mb * 1e6)),
        drop_grey=not options.keep_grey,
        progress=reporter,
    )
    for photo in written.left_out[:_NAMED]:
        reporter.line(f"left out: {photo.name}: {photo.reason}")
    if len(written.left_out) > _NAMED:
        reporter.line(f"left out: {len(written.left_out) - _NAMED:,} more, which {written.manifest} names")
    for name, remark in list(written.remarks.items())[:_NAMED]:
        reporter.line(f"written: {name}: {remark}")
    if len(written.remarks) > _NAMED:
        reporter.line(f"written: {len(written.remarks) - _NAMED:,} more with such remarks")
    counts = ", ".join(f"{split} {count:,}" for split, count in written.photos.items())
    size = sum(facts.size for facts in written.shards.values())
    reporter.line(
        f"{sum(written.photos.values()):,} photos ({counts}) in {len(written.shards):,} shards, {size / 1e6:,.1f} MB"
        + (f"; left out: {tally(written.left_out)}" if written.left_out else "")
    )
    reporter.line(f"train on them with --data '{written.pattern}'")
