"""`keras-colorize studio`: a page that colours photos in the browser, where people correct the colours by hand."""

import argparse
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from keras_colorize.defaults import DEFAULT_MODEL
from keras_colorize.progress import Advance

if TYPE_CHECKING:
    from rich.console import Console

SUMMARY = "Open the studio: colour photos in the browser, on this machine, and correct the colours by hand."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--model", default=DEFAULT_MODEL, help="a system of the zoo with packaged weights (default: %(default)s)"
    )
    what.add_argument("--run", metavar="DIR", help="a run folder of your own training")
    what.add_argument("--weights", metavar="FILE", help="a file of weights, with its recipe.toml beside it")
    parser.add_argument("--out", metavar="DIR", help="write the page into a new folder for a web server, and stop")
    parser.add_argument("--host", default="127.0.0.1", help="an address of this machine (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="0: any free one (default: %(default)s)")
    parser.add_argument("--no-browser", action="store_true", help="do not open the page")


def run(options: argparse.Namespace) -> None:
    """Make what the first start needs, then serve until Ctrl-C."""
    import webbrowser

    from keras_colorize.studio.server import make_server
    from keras_colorize.studio.site import check_out, write_site

    out = Path(options.out).expanduser() if options.out else None
    if out:
        check_out(out)  # before minutes go by
    files = find_files(options)
    if out:
        write_site(files, out)
        print(f"{out}: {sum(file.stat().st_size for file in files.values()) / 1e6:.0f} MB for any web server")
        return
    with make_server(files, options.host, options.port) as server:
        address = f"http://{options.host}:{server.server_port}/"
        print(f"the studio is at {address} (Ctrl-C stops)", flush=True)
        if not options.no_browser:
            webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nstopped")


def find_files(options: argparse.Namespace) -> dict[str, Path]:
    """Return the studio's files by address; fetch the runtime and make the model's files if they are not there yet."""
    from keras_colorize.cli.console import make_console
    from keras_colorize.files import cache_folder
    from keras_colorize.studio.runtime import fetch_runtime
    from keras_colorize.studio.site import cached_model, page_folder, studio_files

    console, cache = make_console(), cache_folder()
    sources = _sources(options)

    def make() -> tuple[bytes, dict[str, object]]:
        with console.status("making the model file, once"):
            return _make(options)

    runtime = fetch_runtime(cache, _ConsoleProgress(console))
    return studio_files(page_folder(), runtime, cached_model(cache, sources, make))


def _sources(options: argparse.Namespace) -> list[Path]:
    """Return the files that the model is made of, found without loading TensorFlow."""
    from keras_colorize.recipes import packaged_sha256, zoo_folder
    from keras_colorize.runs.folder import RunFolder

    if options.run:
        run = RunFolder.open(options.run)
        return [run.recipe_file, run.generator_weights]
    if options.weights:
        file = Path(options.weights)
        return [RunFolder(file.parent).recipe_file, file]
    packaged_sha256(options.model)  # complains of an unknown system and of one without weights
    return [Path(str(zoo_folder() / f"{options.model}.{suffix}")) for suffix in ("toml", "npz")]


def _make(options: argparse.Namespace) -> tuple[bytes, dict[str, object]]:
    """Return the model's file and the page's facts of it; a packaged file needs no TensorFlow."""
    from keras_colorize.color.spaces import space_of
    from keras_colorize.inference.network_file import packaged_network_file
    from keras_colorize.recipes import Recipe
    from keras_colorize.studio.model import page_facts

    if not (options.run or options.weights):
        recipe = Recipe.load(options.model)
        file = packaged_network_file(recipe)
        if file is not None:
            return file.content, page_facts(file, space_of(recipe))
    from keras_colorize.cli.startup import load_system, load_tensorflow
    from keras_colorize.lazy import quiet_stderr

    load_tensorflow()
    from keras_colorize.inference.converter import convert_network

    colorizer = load_system(options)
    with quiet_stderr():  # the converter's messages
        file = convert_network(colorizer.network.with_keras("files for the studio"), colorizer.name)
    return file.content, page_facts(file, colorizer.space)


class _ConsoleProgress:
    """Shows a bar for each piece of work."""

    def __init__(self, console: "Console") -> None:
        self._console = console

    def counting(self, description: str) -> AbstractContextManager[Advance]:
        from keras_colorize.cli.console import counting_progress

        return counting_progress(self._console, description)
