"""`keras-colorize train`: train a recipe, or resume a run."""

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from keras_colorize.cli.startup import load_tensorflow
from keras_colorize.errors import ColorizeError

if TYPE_CHECKING:
    from rich.console import Console

    from keras_colorize.recipes import Recipe
    from keras_colorize.runs.folder import RunFolder
    from keras_colorize.training.devices import Parallel

DEFAULT_MODEL = "unet_skip"
SUMMARY = "Train a system of the zoo, or a recipe of your own, on any photos."
ACTIONS = {"bring_weights": "leave --from-zoo away, or give a file with --from-weights"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--model", help=f"a system of the zoo (default: {DEFAULT_MODEL})")
    what.add_argument("--recipe", metavar="FILE", help="a recipe of your own (TOML)")
    what.add_argument(
        "--resume",
        metavar="RUN",
        nargs="?",
        const="",
        help="continue a run folder (default: the newest); with --epochs N, to N epochs in all, even a finished run",
    )
    start = parser.add_mutually_exclusive_group()
    start.add_argument(
        "--from-zoo",
        action="store_const",
        const="zoo",
        help="start from the weights that the package has for the model: fine-tuning on photos of your own",
    )
    start.add_argument("--from-weights", metavar="FILE", help="start from a run's .weights.h5 or a packed .npz")
    parser.add_argument(
        "--data",
        help="sample (default), a folder, a list file, shards such as 'DIR/NAME-*.tfrecord', or tfds:NAME[/CONFIG]",
    )
    parser.add_argument("--out", default="runs", help="where run folders go (default: %(default)s)")
    parser.add_argument("--image-size", type=int, metavar="PIXELS")
    parser.add_argument("--batch-size", type=int, metavar="N")
    parser.add_argument("--epochs", type=int, metavar="N")
    parser.add_argument("--steps-per-epoch", type=int, metavar="N", help="0: one pass over the photos")
    parser.add_argument("--limit", type=int, metavar="N", help="use at most N photos of each split")
    parser.add_argument("--seed", type=int, metavar="N")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--jit", choices=("auto", "on", "off"), help="XLA for the whole training step")
    parser.add_argument(
        "--random-backbone",
        action="store_const",
        const="random",
        help="leave out the pretrained weights of backbones, VGG and Inception, which are downloaded once",
    )
    parser.add_argument("--deterministic", action="store_const", const=True, help="bit-equal weights, run after run")
    parser.add_argument(
        "--strategy",
        choices=("one", "mirrored", "multi_worker"),
        help="one device, all devices of this machine, or those of several machines (TF_CONFIG); docs/scale.md",
    )
    parser.add_argument(
        "--max-minutes", type=float, metavar="N", help="stop after N minutes, at a checkpoint to resume"
    )
    parser.add_argument("--smoke", action="store_true", help="shrink the recipe to seconds, as a test")
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="any field: optimizer.learning_rate=1e-4"
    )


# Options that are recipe fields under a shorter name.
FIELDS = {
    "from_zoo": "initial_weights",
    "from_weights": "initial_weights",
    "data": "data.source",
    "image_size": "data.image_size",
    "batch_size": "data.batch_size",
    "limit": "data.limit",
    "epochs": "schedule.epochs",
    "steps_per_epoch": "schedule.steps_per_epoch",
    "seed": "runtime.seed",
    "precision": "runtime.precision",
    "jit": "runtime.jit",
    "random_backbone": "backbone_weights",
    "deterministic": "runtime.deterministic",
    "strategy": "runtime.strategy",
}


def run(options: argparse.Namespace) -> None:
    """Train what the arguments name, then print what to run next.

    Raises:
        ColorizeError: a mistake of the user's, with what to type instead.
        KeyboardInterrupt: stopped by Ctrl-C or SIGTERM, after a checkpoint.
    """
    if options.max_minutes is not None and not options.max_minutes > 0:
        raise ColorizeError(f"`max_minutes` is {options.max_minutes:g}: expected more than 0")
    values = {
        field: getattr(options, option) for option, field in FIELDS.items() if getattr(options, option) is not None
    }
    if options.resume is None:
        recipe, remarks = _recipe(options, values)
        check_folder(Path(options.out))
        _train(recipe, remarks, options)
    else:
        if set(values) - {"schedule.epochs"} or options.set or options.smoke:
            raise ColorizeError(
                "--resume continues the run's own recipe.toml: give no other options but --epochs, --out and"
                " --max-minutes"
            )
        from keras_colorize.runs.folder import RunFolder

        folder = RunFolder.open(options.resume) if options.resume else RunFolder.newest(options.out)
        check_folder(folder.path)
        _train(folder, [], options)


def _recipe(options: argparse.Namespace, values: dict[str, object]) -> "tuple[Recipe, list[str]]":
    """Return the recipe with the arguments' values, shrunk where that is asked for, and remarks for the header."""
    from keras_colorize.recipes import Recipe, packaged_sha256
    from keras_colorize.recipes.shrink import SAMPLE, SMOKE, shrink

    recipe = Recipe.load(options.recipe or options.model or DEFAULT_MODEL, options.set).with_values(**values)
    if recipe.initial_weights == "zoo":
        packaged_sha256(recipe.name)  # raises where the package has none
    kept = {*values, *(item.partition("=")[0].strip() for item in options.set)}
    if options.smoke:
        recipe, changes = shrink(recipe, SMOKE, kept)
        return recipe, _shrunk("--smoke", changes)
    if recipe.data.source == "sample" and not options.recipe:
        recipe, changes = shrink(recipe, SAMPLE, kept)
        return recipe, _shrunk("the sample photos", changes)
    return recipe, []


def _shrunk(why: str, changes: dict[str, tuple]) -> list[str]:
    what = ", ".join(
        f"{field.partition('.')[2]} {before or 'all'} → {after}" for field, (before, after) in changes.items()
    )
    return [f"shrunk for {why}: {what}"] if changes else []


def check_folder(path: Path) -> None:
    """Check that a folder can be written, or can be made, before anything is read or built.

    Raises:
        ColorizeError: it is a file, or cannot be written.
    """
    nearest = path
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise ColorizeError(f"'{path}' cannot be a folder, since '{nearest}' is a file: choose another with --out")
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise ColorizeError(f"'{nearest}' cannot be written ({error.strerror}): choose another with --out") from None


def _train(what: "Recipe | RunFolder", remarks: list[str], options: argparse.Namespace) -> None:
    """Start a recipe, or resume a run; say what to type next."""
    from keras_colorize.recipes import Recipe

    strategy = (what if isinstance(what, Recipe) else what.recipe()).runtime.strategy
    if strategy == "multi_worker":
        print("waiting for the other workers", flush=True)

    def open_devices() -> "Parallel":
        from keras_colorize.training.devices import open_devices

        return open_devices(strategy)

    parallel = load_tensorflow(open_devices)
    from keras_colorize.cli.console import ConsoleReporter, make_console
    from keras_colorize.cli.interruption import Interruption
    from keras_colorize.training import loop
    from keras_colorize.training.checkpoints import newest_position

    train = "python train.py" if options.prog == "train.py" else options.prog
    console, stop, minutes = make_console(), Interruption(), options.max_minutes
    reporter = ConsoleReporter(console)
    if isinstance(what, Recipe):
        folder = loop.start(
            what,
            options.out,
            remarks=remarks,
            max_minutes=minutes,
            parallel=parallel,
            reporter=reporter,
            stop=stop,
        )
    else:
        folder = what
        loop.resume(folder, epochs=options.epochs, max_minutes=minutes, parallel=parallel, reporter=reporter, stop=stop)
    position = newest_position(folder.checkpoints)
    if position is not None and position.finished:
        _say_what_next(console, folder, train, options)
        return
    how = f"{train} --resume {folder} goes on"
    if stop.reason:
        raise KeyboardInterrupt(f"stopped by {stop.reason}: {how}")
    console.print(how, highlight=False, soft_wrap=True)


def _say_what_next(console: "Console", folder: "RunFolder", train: str, options: argparse.Namespace) -> None:
    """Print commands for a finished run."""
    evaluate = "python evaluate.py" if options.prog == "train.py" else "keras-colorize evaluate"
    out = "" if Path(options.out) == Path("runs") else f" --out {options.out}"
    console.print(f"\n[bold]done[/]  {folder}", highlight=False, soft_wrap=True)
    for purpose, command in (
        ("measure it", f"{evaluate} --run {folder}"),
        ("look at it", f"{folder.previews}, {folder.curves_file}"),
        ("watch it", f"tensorboard --logdir {folder.events}"),
        ("train it longer", f"{train} --resume {folder} --epochs N"),
        ("run it again", f"{train} --recipe {folder.recipe_file}{out}"),
    ):
        console.print(f"  {purpose}: {command}", highlight=False, soft_wrap=True)
