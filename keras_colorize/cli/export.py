"""`keras-colorize export`: write a network as a file for another runtime."""

import argparse

from keras_colorize.cli.startup import load_system, load_tensorflow
from keras_colorize.defaults import DEFAULT_MODEL

SUMMARY = "Export a system as a SavedModel for TF Serving, as TFLite or as ONNX, verified on real photos."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help="a system of the zoo with packaged weights, or a folder that somebody shared (default: %(default)s)",
    )
    what.add_argument("--run", metavar="DIR", help="a run folder of your own training")
    what.add_argument("--weights", metavar="FILE", help="a file of weights, with its recipe.toml beside it")
    parser.add_argument("--format", required=True, metavar="F", help="saved_model, tflite or onnx")
    parser.add_argument("--out", required=True, metavar="DIR", help="a new folder for the files and export.json")
    parser.add_argument(
        "--quantize",
        default="none",
        metavar="Q",
        help="of TFLite: none (default), float16, dynamic (weights in int8), int8 (activations too)",
    )
    parser.add_argument("--size", metavar="S", help="height and width that the file takes: 8 to 4096 pixels, or any")
    parser.add_argument(
        "--core",
        action="store_true",
        help="only L → ab, without the photo around it (TFLite, ONNX); with hints, if the network takes them",
    )
    parser.add_argument(
        "--distribution",
        action="store_true",
        help="with --core: also the probability of each colour, of a network that predicts it",
    )
    parser.add_argument("--vividness", type=float, default=1.0, metavar="X", help="built in (default: %(default)s)")
    parser.add_argument(
        "--data",
        default="sample",
        help="photos to verify and calibrate with: sample (default), a folder, a list file, shards",
    )
    parser.add_argument(
        "--max-megapixels", type=float, default=50.0, metavar="N", help="of a photo in a SavedModel (default: 50)"
    )


def run(options: argparse.Namespace) -> None:
    """Export the network, verify the files and print the results."""
    from keras_colorize.export.packages import check_installed
    from keras_colorize.export.request import ExportRequest, check_out, read_size

    request = ExportRequest(
        format=options.format,
        quantize=options.quantize,
        size=None if options.size is None else read_size(options.size),
        core=options.core,
        distribution=options.distribution,
        vividness=options.vividness,
        data=options.data,
        max_megapixels=options.max_megapixels,
    )
    out = check_out(options.out)
    check_installed(request.format)

    load_tensorflow()
    from keras_colorize.cli.console import make_console
    from keras_colorize.export.export import export
    from keras_colorize.export.report import REPORT_FILE

    colorizer = load_system(options)
    console = make_console()
    with console.status(f"exporting {colorizer.name}") as status:
        report = export(colorizer, request, out, say=status.update)

    def show(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True, markup=False)

    for file, size in report.files.items():
        show(f"{out / file}  {size / 1e6:,.2f} MB")
    for found, what in ((report.comparison, "photos"), (report.hinted, "photos with hints")):
        if found is not None:
            show(
                f"from the Colorizer on {found.photos} {what}: mean {found.grey_levels.mean:.3f}, at most"
                f" {found.grey_levels.max:.0f} grey levels; mean {found.ab.mean:.3f}, at most {found.ab.max:.1f} in a*,"
                f" b* (allowed: mean {report.tolerance['grey_levels']:g} grey levels)"
            )
    if report.to_float is not None:
        show(f"from the float32 file: mean {report.to_float:.3f} grey levels")
    side = request.side(colorizer.image_size) or colorizer.image_size
    show(f"one photo of {side}×{side}: {_times(report.milliseconds)}")
    if report.photo_milliseconds:
        show(f"one photo of 1.4 megapixels: {_times(report.photo_milliseconds)}")
    for remark in report.remarks:
        show(remark)
    show(f"report: {out / REPORT_FILE}")


def _times(milliseconds: dict[str, float]) -> str:
    one, two, keras = (milliseconds[key] for key in ("1", "2", "keras"))
    return f"{one:.0f} ms on 1 thread, {two:.0f} ms on 2 threads; Keras {keras:.0f} ms"
