"""An export from network to verified files, in a temporary folder that gets its name only at the end."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from keras_colorize.color.spaces import BinnedLabSpace
from keras_colorize.errors import ColorizeError
from keras_colorize.export import onnx, saved_model, tflite
from keras_colorize.export.metadata import model_metadata, with_metadata
from keras_colorize.export.packages import check_installed
from keras_colorize.export.quantization import TOLERANCE as QUANTIZED_TOLERANCE
from keras_colorize.export.quantization import QuantizedModel, quantize
from keras_colorize.export.report import ExportReport
from keras_colorize.export.request import ExportRequest, check_out
from keras_colorize.export.session import ServingSession, check_operators
from keras_colorize.export.verification import (
    Comparison,
    Difference,
    Reference,
    Runtime,
    VerificationPhotos,
    draw_photo_hints,
    load_photos,
    photo_to_time,
)
from keras_colorize.export.warmup import write_warmup
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.finish import guided_coefficients
from keras_colorize.inference.graph import ColorGraph
from keras_colorize.inference.hints import Hint

BYTES_TOLERANCE = 0.05  # mean grey levels between two signatures with the same photo
Say = Callable[[str], None]


def export(colorizer: Colorizer, request: ExportRequest, out: str | Path, say: Say = lambda _: None) -> ExportReport:
    """Export a system, verify the files, and only then name the folder `out`.

    Args:
        colorizer: the system.
        request: format and options.
        out: a new or empty folder.
        say: called with each step before it begins.

    Raises:
        ColorizeError: `out` exists, a package is missing, the size does not fit the network, the network does not
            convert, or the file is further from the Colorizer than its format's tolerance. No file is left behind.
    """
    folder = check_out(out)
    check_installed(request.format)
    _check_distribution(colorizer, request)
    side = _checked_side(colorizer, request)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        if request.format == "saved_model":
            report = _export_saved_model(colorizer, request, temporary, say)
        elif request.format == "tflite":
            report = _export_tflite(colorizer, request, side, temporary, say)
        else:
            report = _export_onnx(colorizer, request, side, temporary, say)
        report.check()
        report.write(temporary)
        temporary.chmod(0o755)  # as `mkdir` makes it: temporary folders are for the owner alone
        temporary.replace(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return report


def _check_distribution(colorizer: Colorizer, request: ExportRequest) -> None:
    """Refuse to export a distribution of a network that predicts none.

    Raises:
        ColorizeError: it does not.
    """
    if request.distribution and not isinstance(colorizer.space, BinnedLabSpace):
        raise ColorizeError(
            f"the network of '{colorizer.name}' predicts no distribution over colours: leave `distribution` out"
        )


def _checked_side(colorizer: Colorizer, request: ExportRequest) -> int | None:
    """Return H and W of the file's input, None for any.

    A whole file fits photos of every size into the network's frame. A core is the network itself.

    Raises:
        ColorizeError: the network does not take that size.
    """
    side, own, name = request.side(colorizer.image_size), colorizer.image_size, colorizer.name
    if not request.core or side == own:
        return side
    multiple = ColorGraph(colorizer, request.vividness).multiple
    if multiple is None:
        if request.size is None:
            return own
        raise ColorizeError(
            f"`size` is {request.size}: the network of '{name}' alone takes {own} only, so leave `size` out"
        )
    if side is not None and side % multiple:
        near = max(multiple, side // multiple * multiple)
        raise ColorizeError(
            f"`size` is {side}: the network of '{name}' alone needs a multiple of {multiple}, such as {near} or"
            f" {near + multiple}"
        )
    return side


def _export_saved_model(colorizer: Colorizer, request: ExportRequest, folder: Path, say: Say) -> ExportReport:
    model = folder / colorizer.name / "1"
    say("building the graph")
    graph = ColorGraph(colorizer, request.vividness)
    max_pixels = int(request.max_megapixels * 1e6)
    saved_model.save(graph, model, saved_model.Limits(max_pixels, 2 * max_pixels))
    write_warmup(model, colorizer.name, colorizer.image_size, graph.takes_hints)
    saved_model.write_models_config(folder, colorizer.name)

    say("loading it as TF Serving does")
    session = ServingSession(model)
    operators = check_operators(session.meta_graph)
    photos = load_photos(request.data, colorizer.image_size, None)
    reference = Reference(colorizer, request.vividness, graph.multiple)

    say(f"comparing {len(photos.compared)} photos with the Colorizer")
    comparison = reference.compare(_signature(session, "colorize"), photos.compared)
    reference.compare_chroma(
        lambda inputs: session("predict_ab", L=inputs.lightness)["ab"],
        photos.compared,
        colorizer.image_size,
        lambda inputs: _guided(inputs.lightness, colorizer.predict_ab(inputs, request.vividness)),
    ).check_core("predict_ab")
    _check_bytes(session, photos.compared)
    hinted = None
    if graph.takes_hints:
        with_hints = replace(reference, takes_hints=True)
        hints = draw_photo_hints(photos.compared)
        hinted = with_hints.compare(_signature(session, "colorize_hints"), photos.compared, hints)
    session.close()

    report = ExportReport.of(colorizer.name, request, folder, comparison, hinted)
    opened = lambda threads: _signature(ServingSession(model, threads), "colorize")  # noqa: E731
    _time(report, reference, photos, opened, None, say)
    report.remarks.append(f"{len(operators)} kinds of operators, none of them Python's or custom")
    report.remarks += _frame_remarks(colorizer, graph)
    return report


def _export_tflite(
    colorizer: Colorizer, request: ExportRequest, side: int | None, folder: Path, say: Say
) -> ExportReport:
    graph = ColorGraph(colorizer, request.vividness, square=not request.core or side == colorizer.image_size)
    say("converting")
    content = tflite.convert(graph, side, request.core, request.distribution)
    photos = load_photos(request.data, side or colorizer.image_size, _compared_size(colorizer, request, side))
    takes_hints = request.core and graph.takes_hints
    reference = Reference(colorizer, request.vividness, graph.multiple, request.core, takes_hints)
    signature = tflite.PREDICT_AB if request.core else tflite.COLORIZE
    quantized = None
    if request.quantize != "none":
        say(f"quantizing to {request.quantize}")
        quantized = _quantized(content, request, signature, reference, photos, say)
        content = quantized.content
    metadata = model_metadata(colorizer, request, side, signature)
    content = with_metadata(content, metadata)
    tflite.check_built_in(content)
    (folder / request.file_name(colorizer.name)).write_bytes(content)

    runtime = tflite.LiteRT((folder / request.file_name(colorizer.name)).read_bytes())
    report = ExportReport.of(colorizer.name, request, folder, *_compared(reference, runtime, photos, request, say))
    _time(report, reference, photos, lambda threads: tflite.LiteRT(content, threads), side, say)
    report.signatures, report.metadata = runtime.signatures, metadata
    if quantized is not None:
        report.to_float, report.left_out = quantized.difference, quantized.left_out
    if report.left_out and quantized is not None:
        report.remarks.append(
            f"{len(report.left_out)} of {quantized.layers} layers stay in float32, so that the mean difference from the"
            f" float32 file is at most {QUANTIZED_TOLERANCE:g} grey levels: {', '.join(report.left_out)}"
        )
    delegation = runtime.delegation()
    left = ", ".join(f"{count} {name}" for name, count in sorted(delegation.left.items())) or "none"
    report.remarks.append(
        f"XNNPACK runs {delegation.delegated} operators in {delegation.partitions} partitions; not delegated: {left}"
    )
    return report


def _export_onnx(
    colorizer: Colorizer, request: ExportRequest, side: int | None, folder: Path, say: Say
) -> ExportReport:
    graph = ColorGraph(colorizer, request.vividness, square=request.core and side == colorizer.image_size)
    say("converting")
    file = folder / request.file_name(colorizer.name)
    metadata = model_metadata(colorizer, request, side, tflite.PREDICT_AB if request.core else tflite.COLORIZE)
    content = onnx.with_metadata(onnx.convert(graph, side, request.core, request.distribution), metadata)
    file.write_bytes(content)
    photos = load_photos(request.data, side or colorizer.image_size, _compared_size(colorizer, request, side))
    reference = Reference(colorizer, request.vividness, graph.multiple, request.core, graph.takes_hints)
    compared = _compared(reference, onnx.OnnxRuntime(file.read_bytes()), photos, request, say)
    report = ExportReport.of(colorizer.name, request, folder, *compared)
    _time(report, reference, photos, lambda threads: onnx.OnnxRuntime(content, threads), side, say)
    report.metadata = metadata
    if not request.core:
        report.remarks += _frame_remarks(colorizer, graph)
    return report


def _quantized(
    content: bytes,
    request: ExportRequest,
    signature: str,
    reference: Reference,
    photos: VerificationPhotos,
    say: Say,
) -> QuantizedModel:
    """Quantize a file. Where it takes hints, half of the photos have some, for the ranges and for the difference."""

    def with_hints(photos: list[np.ndarray]) -> list[tuple[np.ndarray, Sequence[Hint]]]:
        if not reference.takes_hints:
            return [(photo, ()) for photo in photos]
        hints = draw_photo_hints(photos)
        return [(photo, hints[number] if number % 2 else ()) for number, photo in enumerate(photos)]

    def colored(candidate: bytes) -> list[np.ndarray]:
        runtime = tflite.LiteRT(candidate)
        return [reference.colored(runtime, *photo) for photo in compared]

    compared = with_hints(photos.compared)
    exact = colored(content)
    calibration = [reference.inputs_of(*photo) for photo in with_hints(photos.calibration)]
    return quantize(
        content,
        request.quantize,
        signature,
        calibration,
        lambda candidate: Difference.of(list(zip(colored(candidate), exact, strict=True))).mean,
        progress=say,
    )


def _compared(
    reference: Reference, runtime: Runtime, photos: VerificationPhotos, request: ExportRequest, say: Say
) -> tuple[Comparison, Comparison | None]:
    """Compare a file with the Colorizer, without hints and, where it takes them, with hints."""
    say(f"comparing {len(photos.compared)} photos with the Colorizer")
    plain = reference.compare(runtime, photos.compared)
    hinted = None
    if reference.takes_hints:
        hinted = reference.compare(runtime, photos.compared, draw_photo_hints(photos.compared))
    for comparison, what in ((plain, "the network"), (hinted, "the network with hints")):
        if comparison is not None and request.core and request.quantize == "none":
            comparison.check_core(what)
    return plain, hinted


def _time(
    report: ExportReport,
    reference: Reference,
    photos: VerificationPhotos,
    opened: Callable[[int], Runtime],
    side: int | None,
    say: Say,
) -> None:
    """Time a photo of the network's size, and where the file takes every size, a photo of 1.4 megapixels."""
    say("timing")
    photo = photos.calibration[0]
    report.milliseconds = reference.milliseconds(opened, photo)
    if side is None and not reference.core:
        report.photo_milliseconds = reference.milliseconds(opened, photo_to_time(photo))


def _compared_size(colorizer: Colorizer, request: ExportRequest, side: int | None) -> int | None:
    """Return the side of the squares to compare on; None where the file takes any shape."""
    return (side or colorizer.image_size) if request.core else side


def _signature(session: ServingSession, name: str) -> Runtime:
    return lambda **inputs: session(name, **inputs)


def _guided(L: np.ndarray, ab: np.ndarray) -> np.ndarray:
    lines = np.asarray(guided_coefficients(L, ab))
    return lines[..., :2] * L + lines[..., 2:]


def _check_bytes(session: ServingSession, photos: list[np.ndarray]) -> None:
    """Check one request of two photos and, between them, one that is cut off.

    Raises:
        ColorizeError: the cut-off photo is not refused, or the others differ from those of `colorize`.
    """
    encoded = [_png(photo) for photo in photos[:2]]
    encoded.insert(1, encoded[0][: len(encoded[0]) // 2])
    found = session("serving_default", image_bytes=np.array(encoded, object))
    errors = [bool(error) for error in found["error"]]
    if errors != [number == 1 for number in range(len(encoded))] or found["colorized_bytes"][1]:
        raise ColorizeError(f"serving_default should refuse the second of three photos: {found['error'].tolist()}")
    images = [np.asarray(Image.open(BytesIO(png))) for png in found["colorized_bytes"] if png]
    expected = [session("colorize", image=photo[None])["colorized"][0] for photo in photos[:2]]
    difference = Difference.of(list(zip(images, expected, strict=True)))
    # Not zero: threads add in any order, and a sum on the edge between two levels may be rounded either way.
    if not difference.mean <= BYTES_TOLERANCE:
        raise ColorizeError(f"serving_default and colorize are {difference.mean:.2f} grey levels apart on average")


def _png(photo: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(photo).save(buffer, "PNG")
    return buffer.getvalue()


def _frame_remarks(colorizer: Colorizer, graph: ColorGraph) -> list[str]:
    if graph.multiple == colorizer.multiple:
        return []
    return ["the network has to know its size in a graph: whole photos are fitted into its square"]
