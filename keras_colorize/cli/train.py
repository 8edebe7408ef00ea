"""`keras-colorize train`: a recipe becomes a run."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from keras_colorize.cli.quiet import load_tensorflow

if TYPE_CHECKING:
    from keras_colorize.recipes import Recipe
    from keras_colorize.runs.folder import RunFolder
    from keras_colorize.training import Parallel

DEFAULT_MODEL = "unet_skip"
SUMMARY = "Train a system of the zoo, or a recipe of your own, on any photos."
ACTIONS = {"bring_weights": "leave --from-zoo away, or give a file with --from-weights"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--model", help=f"a system of the zoo (default: {DEFAULT_MODEL})")
    what.add_argument("--recipe", metavar="FILE", help="a recipe of your own (TOML)")
    what.add_argument(
        "--resume", metavar="RUN", nargs="?", const="", help="go on with a run folder; without RUN, with the newest"
    )
    start = parser.add_mutually_exclusive_group()
    start.add_argument(
        "--from-zoo",
        action="store_const",
        const="zoo",
        help="start from the weights that the package has for the model: fine-tuning on photos of your own",
    )
    start.add_argument("--from-weights", metavar="FILE", help="start from a run's .weights.h5 or a packed .npz")
    parser.add_argument("--data", help="sample (default), a folder, a list file, or tfds:NAME[/CONFIG]")
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
        help="do without the pretrained weights of backbones, VGG and Inception, which need the network once",
    )
    parser.add_argument("--deterministic", action="store_const", const=True, help="bit-equal weights, run after run")
    parser.add_argument(
        "--strategy",
        choices=("one", "mirrored", "multi_worker"),
        help="one device, all of this machine, or those of several machines (TF_CONFIG); docs/scale.md",
    )
    parser.add_argument("--max-minutes", type=float, metavar="N", help="stop at a checkpoint after so long, to resume")
    parser.add_argument("--smoke", action="store_true", help="shrink the recipe to seconds, to see that all is well")
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
    """Load the recipe, shrink it where asked, train, say what to run next."""
    from keras_colorize.errors import ColorizeError
    from keras_colorize.recipes import Recipe
    from keras_colorize.recipes.shrink import SAMPLE, SMOKE, shrink
    from keras_colorize.runs.folder import RunFolder

    values = {
        field: getattr(options, option) for option, field in FIELDS.items() if getattr(options, option) is not None
    }
    if options.resume is not None:
        if values or options.set or options.smoke:
            raise ColorizeError(
                "--resume goes on with the run's own recipe.toml: give no other options but --out and --max-minutes"
            )
        _train(RunFolder.open(options.resume) if options.resume else RunFolder.newest(options.out), [], options)
        return

    recipe = Recipe.load(options.recipe or options.model or DEFAULT_MODEL, options.set).with_values(**values)
    kept = {*values, *(item.partition("=")[0].strip() for item in options.set)}
    remarks = []
    if options.smoke:
        recipe, changes = shrink(recipe, SMOKE, kept)
        remarks = _shrunk("--smoke", changes)
    elif recipe.data.source == "sample" and not options.recipe:
        recipe, changes = shrink(recipe, SAMPLE, kept)
        remarks = _shrunk("the sample photos", changes)
    _train(recipe, remarks, options)


def _shrunk(why: str, changes: dict[str, tuple]) -> list[str]:
    what = ", ".join(
        f"{field.partition('.')[2]} {before or 'all'} → {after}" for field, (before, after) in changes.items()
    )
    return [f"shrunk for {why}: {what}"] if changes else []


def _open_devices(strategy: str) -> "Parallel":
    from keras_colorize.training import open_devices

    return open_devices(strategy)


def _train(what: "Recipe | RunFolder", remarks: list[str], options: argparse.Namespace) -> None:
    """Start a recipe, or go on with a run."""
    from keras_colorize.recipes import Recipe

    strategy = (what if isinstance(what, Recipe) else what.recipe()).runtime.strategy
    if strategy == "multi_worker":
        print("waiting for the other workers", flush=True)
    parallel = load_tensorflow(lambda: _open_devices(strategy))
    from keras_colorize.runs.console import make_console
    from keras_colorize.training import loop as train
    from keras_colorize.training.checkpoints import newest_position

    console = make_console()
    if isinstance(what, Recipe):
        folder = train.start(what, options.out, console, remarks, max_minutes=options.max_minutes, parallel=parallel)
    else:
        folder = what
        train.resume(folder, console, max_minutes=options.max_minutes, parallel=parallel)
    position = newest_position(folder.checkpoints)
    if position is None or not position.finished:
        return  # the line that says how to go on is printed
    out = "" if Path(options.out) == Path("runs") else f" --out {options.out}"
    console.print(f"\n[bold]done[/]  {folder}", highlight=False, soft_wrap=True)
    for purpose, command in (
        ("measure it", f"python evaluate.py --run {folder}"),
        ("look at it", f"{folder.previews}, {folder.curves_file}"),
        ("watch it", f"tensorboard --logdir {folder.events}"),
        ("run it again", f"python train.py --recipe {folder.recipe_file}{out}"),
    ):
        console.print(f"  {purpose}: {command}", highlight=False, soft_wrap=True)
