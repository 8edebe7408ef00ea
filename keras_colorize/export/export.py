"""One export from network to verified files, in a temporary folder that gets its name only at the end."""

import functools
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from keras_colorize import __version__
from keras_colorize.color.inputs import Inputs
from keras_colorize.errors import ColorizeError
from keras_colorize.export import onnx, saved_model, tflite
from keras_colorize.export.graph import ColorGraph
from keras_colorize.export.metadata import Card, Tensor, with_metadata
from keras_colorize.export.quantize import TOLERANCE as QUANTIZED_TOLERANCE
from keras_colorize.export.quantize import quantize
from keras_colorize.export.request import Request, check_installed, check_out, plain
from keras_colorize.export.session import ServingSession, check_operators
from keras_colorize.export.verify import (
    CORE_TOLERANCE,
    TOLERANCE,
    Comparison,
    Difference,
    Photos,
    compare_chroma,
    compare_photos,
    load_photos,
    milliseconds,
)
from keras_colorize.export.warmup import write_warmup
from keras_colorize.hardware import processors
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.finish import guided_coefficients
from keras_colorize.inference.frame import frame_photo

REPORT = "export.json"
THREADS = (1, 2)
BYTES_TOLERANCE = 0.05  # mean grey levels between two signatures with the same photo
Say = Callable[[str], None]

_PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "ai-edge-quantizer", "tf2onnx", "onnx", "onnxruntime")


@dataclass
class Report:
    """What was exported, and what verification found; `export.json` holds it.

    name: of the system.
    options: of the request.
    files: path in the folder → bytes.
    comparison: with the Colorizer.
    to_float: of a quantized file to the float32 one, mean in grey levels.
    milliseconds: threads → of one photo of the network's size, or of the network alone for a core; "keras" is the
        Colorizer with all of the machine's threads.
    signatures: name → inputs and outputs.
    remarks: for people.
    """

    name: str
    options: dict[str, Any]
    files: dict[str, int]
    comparison: Comparison
    tolerance: dict[str, float]
    milliseconds: dict[str, float]
    signatures: dict[str, Any] = field(default_factory=dict)
    to_float: float | None = None
    left_out: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(self.files.values())


def export(colorizer: Colorizer, request: Request, out: str | Path, say: Say = lambda _: None) -> Report:
    """Export, verify, and only then name the folder `out`.

    Args:
        say: called with each step before it begins.

    Raises:
        ColorizeError: `out` exists, a package is missing, the network does not convert, or the file is further from the
            Colorizer than its format's tolerance. Nothing is left behind.
    """
    folder = check_out(out)
    check_installed(request)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        report = _FORMATS[request.format](colorizer, request, temporary, say)
        _check(report, request)
        (temporary / REPORT).write_text(_as_json(report), encoding="utf-8")
        temporary.chmod(0o755)  # as `mkdir` makes it: temporary folders are for the owner alone
        temporary.replace(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return report


def _export_saved_model(colorizer: Colorizer, request: Request, folder: Path, say: Say) -> Report:
    model = folder / colorizer.name / "1"
    say("building the graph")
    graph = ColorGraph(colorizer, request.vividness)
    max_pixels = int(request.max_megapixels * 1e6)
    saved_model.save(graph, model, saved_model.Limits(max_pixels, 2 * max_pixels))
    write_warmup(model, colorizer.name, colorizer.image_size)
    (folder / "models.config").write_text(_MODELS_CONFIG.format(name=colorizer.name), encoding="utf-8")

    say("loading it as TF Serving does")
    session = ServingSession(model)
    operators = check_operators(session.meta_graph)
    photos = load_photos(request.data, colorizer.image_size, None)

    def colorize(photo: np.ndarray) -> np.ndarray:
        return session("colorize", image=photo[None])["colorized"][0]

    say(f"comparing {len(photos.compared)} photos with the Colorizer")
    comparison = compare_photos(colorizer, graph.multiple, colorize, photos.compared, request.vividness)
    core = compare_chroma(
        colorizer,
        lambda inputs: session("predict_ab", L=inputs.lightness)["ab"],
        photos.compared,
        colorizer.image_size,
        lambda inputs: _guided(inputs.lightness, colorizer.predict_ab(inputs, request.vividness)),
    )
    _check_core(core, "predict_ab")
    _check_bytes(session, photos.compared, colorize)
    session.close()

    say("timing")
    photo = photos.calibration[0]
    times = _keras_milliseconds(colorizer, photo, core=False)
    for threads in THREADS:
        timed = ServingSession(model, threads)
        times[str(threads)] = milliseconds(functools.partial(timed, "colorize"), image=photo[None])
        timed.close()
    report = _report(colorizer, request, folder, comparison, times)
    report.remarks.append(f"{len(operators)} kinds of operators, none of them Python's or custom")
    report.remarks += _frame_remarks(colorizer, graph.multiple)
    return report


def _export_tflite(colorizer: Colorizer, request: Request, folder: Path, say: Say) -> Report:
    side = request.side(colorizer.image_size)
    graph = _graph(colorizer, request, side, square=True)
    say("converting")
    content = tflite.convert(graph, side, request.core)
    photos = load_photos(request.data, side or colorizer.image_size, _compared_size(colorizer, request, side))
    signature = tflite.PREDICT_AB if request.core else tflite.COLORIZE

    to_float, left_out, layers = None, [], 0
    if request.quantize != "none":
        say(f"quantizing to {request.quantize}")
        exact = [_photo_of(tflite.LiteRT(content), colorizer, request, photo) for photo in photos.compared]

        def difference(candidate: bytes) -> float:
            runtime = tflite.LiteRT(candidate)
            found = [_photo_of(runtime, colorizer, request, photo) for photo in photos.compared]
            return Difference.of(list(zip(found, exact, strict=True))).mean

        inputs = [_input(colorizer, request, photo) for photo in photos.calibration]
        name = "L" if request.core else "image"
        quantized = quantize(
            content, request.quantize, signature, [{name: given} for given in inputs], difference, progress=say
        )
        content, layers = quantized.content, quantized.layers
        to_float, left_out = quantized.difference, quantized.left_out
    content = with_metadata(content, _card(colorizer, request, side, signature))
    tflite.check_built_in(content)
    (folder / request.file_name(colorizer.name)).write_bytes(content)

    say(f"comparing {len(photos.compared)} photos with the Colorizer")
    runtime = tflite.LiteRT((folder / request.file_name(colorizer.name)).read_bytes())
    comparison = _compared(colorizer, request, graph, runtime, photos, side)
    say("timing")
    times = _timed(colorizer, request, photos, lambda threads: tflite.LiteRT(content, threads))
    report = _report(colorizer, request, folder, comparison, times)
    report.signatures, report.to_float, report.left_out = runtime.signatures, to_float, left_out
    if left_out:
        report.remarks.append(
            f"{len(left_out)} of {layers} layers stay in float32, so that the mean difference to the float32 file is at"
            f" most {QUANTIZED_TOLERANCE:g} grey levels: {', '.join(left_out)}"
        )
    delegation = runtime.delegation()
    left = ", ".join(f"{count} {name}" for name, count in sorted(delegation.left.items())) or "none"
    report.remarks.append(
        f"XNNPACK runs {delegation.delegated} operators in {delegation.partitions} partitions; not delegated: {left}"
    )
    return report


def _export_onnx(colorizer: Colorizer, request: Request, folder: Path, say: Say) -> Report:
    side = request.side(colorizer.image_size)
    if request.core and side is None and request.size is None:
        side = None if colorizer.multiple else colorizer.image_size
    graph = _graph(colorizer, request, side, square=False)
    say("converting")
    file = folder / request.file_name(colorizer.name)
    file.write_bytes(onnx.convert(graph, side, request.core))
    content = file.read_bytes()
    photos = load_photos(request.data, side or colorizer.image_size, _compared_size(colorizer, request, side))
    say(f"comparing {len(photos.compared)} photos with the Colorizer")
    comparison = _compared(colorizer, request, graph, onnx.OnnxRuntime(content), photos, side)
    say("timing")
    times = _timed(colorizer, request, photos, lambda threads: onnx.OnnxRuntime(content, threads))
    report = _report(colorizer, request, folder, comparison, times)
    if not request.core:
        report.remarks += _frame_remarks(colorizer, graph.multiple)
    return report


_FORMATS = {"saved_model": _export_saved_model, "tflite": _export_tflite, "onnx": _export_onnx}


def _graph(colorizer: Colorizer, request: Request, side: int | None, square: bool) -> ColorGraph:
    """For photos in squares, for a core of the network's own size, or for a core of another or any."""
    if not request.core:
        return ColorGraph(colorizer, request.vividness, square)
    if side == colorizer.image_size:
        return ColorGraph(colorizer, request.vividness, square=True)
    graph = ColorGraph(colorizer, request.vividness)
    if graph.multiple is None:
        raise ColorizeError(f"'{colorizer.name}' takes squares of {colorizer.image_size} only: leave --size away")
    if side is not None and side % graph.multiple:
        raise ColorizeError(f"--size is {side}: '{colorizer.name}' needs a multiple of {graph.multiple}")
    return graph


def _compared_size(colorizer: Colorizer, request: Request, side: int | None) -> int | None:
    """The square that photos are cut to for the comparison; None where the file takes any shape."""
    return (side or colorizer.image_size) if request.core else side


def _input(colorizer: Colorizer, request: Request, photo: np.ndarray) -> np.ndarray:
    """What the file takes for a photo."""
    return frame_photo(photo, photo.shape[0], None).inputs.lightness[None] if request.core else photo[None]


def _photo_of(runtime: Callable, colorizer: Colorizer, request: Request, photo: np.ndarray) -> np.ndarray:
    """A photo as the file colours it, with the Colorizer's help where it is a core."""
    found = runtime(_input(colorizer, request, photo))[0]
    if not request.core:
        return found
    return colorizer.finish(photo, frame_photo(photo, photo.shape[0], None), found)


def _compared(
    colorizer: Colorizer, request: Request, graph: ColorGraph, runtime: Callable, photos: Photos, side: int | None
) -> Comparison:
    if request.core:
        comparison = compare_chroma(
            colorizer,
            lambda inputs: runtime(inputs.lightness),
            photos.compared,
            side or colorizer.image_size,
            lambda inputs: colorizer.predict_ab(inputs, request.vividness),
        )
        if request.quantize == "none":
            _check_core(comparison, "the network")
        return comparison
    return compare_photos(
        colorizer, graph.multiple, lambda photo: runtime(photo[None])[0], photos.compared, request.vividness
    )


def _timed(colorizer: Colorizer, request: Request, photos: Photos, opened: Callable[[int], Callable]) -> dict:
    photo = photos.calibration[0]
    times = _keras_milliseconds(colorizer, photo, request.core)
    given = _input(colorizer, request, photo)
    return times | {str(threads): milliseconds(opened(threads), given) for threads in THREADS}


def _keras_milliseconds(colorizer: Colorizer, photo: np.ndarray, core: bool) -> dict[str, float]:
    if core:
        inputs = Inputs.stack([frame_photo(photo, photo.shape[0], None).inputs])
        return {"keras": milliseconds(colorizer.predict_ab, inputs)}
    return {"keras": milliseconds(colorizer, photo)}


def _guided(L: np.ndarray, ab: np.ndarray) -> np.ndarray:
    lines = np.asarray(guided_coefficients(L, ab))
    return lines[..., :2] * L + lines[..., 2:]


def _check_bytes(session: ServingSession, photos: list[np.ndarray], colorize: Callable) -> None:
    """One request with photos of two sizes and one that is cut off: an error for this one, the others as `colorize`."""
    encoded = [_png(photo) for photo in photos[:2]]
    encoded.insert(1, encoded[0][: len(encoded[0]) // 2])
    found = session("serving_default", image_bytes=np.array(encoded, object))
    errors = [bool(error) for error in found["error"]]
    if errors != [number == 1 for number in range(len(encoded))] or found["colorized_bytes"][1]:
        raise ColorizeError(f"serving_default should refuse the second of three photos: {found['error'].tolist()}")
    colored = [np.asarray(Image.open(BytesIO(png))) for png in found["colorized_bytes"] if png]
    difference = Difference.of([(image, colorize(photo)) for image, photo in zip(colored, photos, strict=False)])
    # Not zero: threads add in any order, and where a sum lies on the edge its rounding tips.
    if not difference.mean <= BYTES_TOLERANCE:
        raise ColorizeError(f"serving_default and colorize are {difference.mean:.2f} grey levels apart on average")


def _png(photo: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(photo).save(buffer, "PNG")
    return buffer.getvalue()


def _check_core(comparison: Comparison, what: str) -> None:
    if not comparison.ab.mean <= CORE_TOLERANCE:
        raise ColorizeError(
            f"{what} differs from the Colorizer by {comparison.ab.mean:.3g} CIE units on average (at most"
            f" {CORE_TOLERANCE:g}): nothing was written"
        )


def _check(report: Report, request: Request) -> None:
    found, limit = report.comparison.grey_levels.mean, report.tolerance["grey_levels"]
    if not found <= limit:
        raise ColorizeError(
            f"the {request.format} differs from the Colorizer by {found:.2f} grey levels on average"
            f" (at most {limit:g}): nothing was written"
        )


def _report(
    colorizer: Colorizer, request: Request, folder: Path, comparison: Comparison, times: dict[str, float]
) -> Report:
    files = {str(file.relative_to(folder)): file.stat().st_size for file in sorted(folder.rglob("*")) if file.is_file()}
    tolerance = {"grey_levels": TOLERANCE[request.quantize], "ab_of_the_network": CORE_TOLERANCE}
    return Report(colorizer.name, plain(request), files, comparison, tolerance, times)


def _frame_remarks(colorizer: Colorizer, multiple: int | None) -> list[str]:
    if multiple == colorizer.multiple:
        return []
    return ["the network has to know its size in a graph: whole photos are fitted into its square"]


def _as_json(report: Report) -> str:
    versions = {"keras-colorize": __version__}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    table = asdict(report) | {"bytes": report.size, "threads_of_keras": processors(), "versions": versions}
    return json.dumps(table, indent=2, ensure_ascii=False, default=float) + "\n"


def _card(colorizer: Colorizer, request: Request, side: int | None, signature: str) -> Card:
    shape = f"1 × {side or 'H'} × {side or 'W'}"
    if request.core:
        given = Tensor("L", "lightness, CIELAB", f"{shape} × 1", "float32", "CIE L*, 0 to 100", "features", 0, 100)
        found = Tensor("ab", "chroma, CIELAB", f"{shape} × 2", "float32", "CIE a* and b*", "features", -110, 110)
        what = "lightness in, chroma out"
    else:
        unit = "sRGB levels, 0 to 255; no normalization"
        given = Tensor(
            "image", "photo, grey or with colours to be ignored", f"{shape} × 3", "uint8", unit, "rgb", 0, 255
        )
        found = Tensor("colorized", "the photo in colour", f"{shape} × 3", "uint8", unit, "rgb", 0, 255)
        what = "a photo in, the same photo in colour out, its lightness kept"
    description = f"Colorization of photographs, {colorizer.name} ({colorizer.recipe.summary}): {what}."
    return Card(
        colorizer.name,
        description,
        __version__,
        "keras-colorize",
        "Apache-2.0",
        signature,
        request.quantize,
        given,
        found,
    )


_MODELS_CONFIG = """\
# tensorflow_model_server --model_config_file=…/models.config; base_path is where this folder is in the server.
model_config_list {{
  config {{
    name: "{name}"
    base_path: "/models/{name}"
    model_platform: "tensorflow"
    model_version_policy {{ latest {{ num_versions: 1 }} }}
  }}
}}
"""
