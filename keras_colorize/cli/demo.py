"""`keras-colorize demo`: a page that colorizes photos in the visitor's own browser."""

import argparse

SUMMARY = "Serve a page that colorizes photos in the browser, on the visitor's own machine."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        "--model-file", metavar="FILE", help="a .tflite of keras-colorize export (default: one is chosen in the page)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="an address of this machine (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="0: any free one (default: %(default)s)")
    parser.add_argument("--no-browser", action="store_true", help="do not open the page")


def run(options: argparse.Namespace) -> None:
    """Serve until Ctrl-C."""
    import webbrowser
    from pathlib import Path

    from keras_colorize.demo_server import demo_files, demo_folder, make_server

    model_file = Path(options.model_file).expanduser() if options.model_file else None
    files = demo_files(demo_folder(), model_file)
    with make_server(files, options.host, options.port) as server:
        address = f"http://{options.host}:{server.server_port}/"
        print(f"the page is at {address} (Ctrl-C stops)", flush=True)
        if not options.no_browser:
            webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nstopped")
