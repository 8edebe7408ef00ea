"""Checks of photos, damaged or not, after training has read them and `colorize` has colored them."""

import contextlib
import csv
import io
import re
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.mutants import TRUNCATED, WHOLE, Mutant
from benchmarks.specimens import Specimen
from keras_colorize.errors import ColorizeError
from keras_colorize.files import printable

IMAGE_SIZE = 32
CONTROL = "control.png"  # a sound photo in every folder, whose colours must not depend on its company
Beat = Callable[[], None]


@dataclass
class Findings:
    """The outcome for the photos of a folder.

    loaded, colored: of each photo by name, whether training and `colorize` took it; False means refused with a reason.
    problems: (name of the photo, or "" for none; what went wrong).
    slowest: seconds that the slowest photo took.
    memory: resident memory at the peak, kilobytes.
    """

    loaded: dict[str, bool] = field(default_factory=dict)
    colored: dict[str, bool] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    slowest: float = 0.0
    memory: int = 0

    def problem(self, name: str, what: str) -> None:
        self.problems.append((name, what))


class Checker:
    """A small network, and the photos as they were before the damage.

    max_pixels: of photos that are colorized.
    """

    def __init__(self, photos: Sequence[Specimen], max_pixels: int) -> None:
        import keras

        from keras_colorize.inference.colorizer import Colorizer
        from keras_colorize.models.networks import build_generator
        from keras_colorize.recipes import Recipe

        recipe = Recipe.load("unet_gan", ["generator.args={filters=[8,8,8,8,8]}", f"data.image_size={IMAGE_SIZE}"])
        keras.utils.set_random_seed(0)
        self.colorizer = Colorizer(build_generator(recipe, image_size=IMAGE_SIZE), recipe)
        self.max_pixels = max_pixels
        self.photos = {photo.name: photo.content for photo in photos}
        self.control: dict[str, np.ndarray] = {}

    def check(
        self, folder: Path, out: Path, mutants: Sequence[Mutant], beat: Beat = lambda: None, command: bool = False
    ) -> Findings:
        """Read the photos of a folder for training and colorize them; return the findings.

        Args:
            folder: holds the mutants' files and nothing else; the control is added.
            out: a folder that does not exist yet.
            mutants: the files.
            beat: is called after each photo.
            command: run the command too.
        """
        findings = Findings()
        Image.fromarray(_control()).save(folder / CONTROL)
        before = _listing(folder)
        self._load(folder, mutants, findings, beat)
        beat()
        self._colorize(folder, out, mutants, findings, beat)
        if _listing(folder) != before:
            findings.problem("", "the folder of the photos has changed")
        if command:
            self._command(folder, out.with_name("by command"), findings)
        findings.memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return findings

    def _load(self, folder: Path, mutants: Sequence[Mutant], findings: Findings, beat: Beat) -> None:
        from keras_colorize.data import open_source
        from keras_colorize.data.scan import load_split

        source = open_source(str(folder), validation_fraction=0, test_fraction=0)
        photos = load_split(
            source, "train", image_size=IMAGE_SIZE, drop_grey=False, progress=lambda done, count: beat()
        )
        pixels = dict(zip(photos.names, photos.pick(len(photos)), strict=True))
        reasons = {photo.name: photo.reason for photo in photos.left_out}
        for one in mutants:
            rgb_u8, reason = pixels.get(printable(one.name)), reasons.get(printable(one.name))
            self._check_reason(findings, "load", one.name, rgb_u8 is not None, reason)
            findings.loaded[one.name] = rgb_u8 is not None
            if one.mutation in WHOLE and rgb_u8 is None:
                findings.problem(one.name, f"load: a whole photo was refused: {reason}")
            if one.mutation == TRUNCATED and rgb_u8 is not None and self._is_another(one, rgb_u8):
                findings.problem(one.name, "load: parts are missing, and nobody says so")
        self._check_control("load", pixels[CONTROL], findings)

    def _is_another(self, one: Mutant, pixels: np.ndarray) -> bool:
        from keras_colorize.images import read_photo

        return not np.array_equal(pixels, read_photo(io.BytesIO(self.photos[one.photo]), IMAGE_SIZE))

    def _colorize(self, folder: Path, out: Path, mutants: Sequence[Mutant], findings: Findings, beat: Beat) -> None:
        from keras_colorize.batch.folder import colorize_folder
        from keras_colorize.batch.plan import ERRORS_FILE, IN_COLOR_FILE, FolderSettings

        settings = FolderSettings(max_pixels=self.max_pixels)
        results = {}
        for result in colorize_folder(self.colorizer, folder, out, settings):
            if result.source.name in results:
                findings.problem(result.source.name, "colorize: two results")
            results[result.source.name] = result
            findings.slowest = max(findings.slowest, result.seconds)
            beat()
        errors_file = out / ERRORS_FILE
        rows = list(csv.reader(errors_file.open(encoding="utf-8", newline=""))) if errors_file.exists() else []
        listed = {Path(row[0]).name: row[1] for row in rows[1:]}
        written = {ERRORS_FILE, IN_COLOR_FILE} & {path.name for path in out.iterdir()}
        for one in mutants:
            result = results.get(one.name)
            colored = result is not None and result.error is None
            self._check_reason(findings, "colorize", one.name, colored, listed.get(printable(one.name)))
            findings.colored[one.name] = colored
            if result is None:
                continue
            written |= {path.name for path in result.outputs}
            if result.error is not None:
                if result.outputs:
                    findings.problem(one.name, "colorize: failed, and a result was written")
                # A TIFF of several pages that goes by the name of another format is refused with good reason.
                if one.mutation in WHOLE and "holds one picture" not in result.error:
                    findings.problem(one.name, f"colorize: a whole photo was refused: {result.error}")
                continue
            # A profile that was cut off changes the pixels, and its remark says so.
            cut = one.mutation == TRUNCATED and not any("was not applied" in remark for remark in result.remarks)
            whole = self.photos[one.photo] if cut else None
            for problem in self._wrong_result(folder / one.name, result.outputs, whole):
                findings.problem(one.name, f"colorize: {problem}")
            beat()
        control = results[CONTROL].outputs[0]
        self._check_control("colorize", np.asarray(Image.open(control)), findings)
        for path in out.rglob("*"):
            if path.name not in written | {control.name}:
                findings.problem("", f"{path.name} was left behind")

    def _command(self, folder: Path, out: Path, findings: Findings) -> None:
        """`keras-colorize colorize` does what the function does, and says how many failed."""
        from keras_colorize.cli import main as keras_colorize
        from keras_colorize.models.weights import save_weights
        from keras_colorize.runs.folder import RunFolder

        run = RunFolder(folder.with_name("run"))
        run.keep_recipe(self.colorizer.recipe)
        save_weights(self.colorizer.generator, run.generator_weights)
        said = io.StringIO()
        options = ["--out", str(out), "--max-megapixels", str(self.max_pixels / 1e6)]
        with contextlib.redirect_stdout(said):
            code = keras_colorize(["colorize", str(folder), "--run", str(run), *options])
        failed = sum(not taken for taken in findings.colored.values())
        if code != bool(failed) or (failed and f"failed   {failed:,}, listed" not in said.getvalue()):
            findings.problem("", f"the command ends with {code} where {failed} of the photos fail")
        made = sum(path.suffix != ".csv" for path in out.iterdir())
        if made != len(findings.colored) - failed + 1:  # the control
            findings.problem("", f"the command makes {made} files of {len(findings.colored) - failed} photos")

    def _wrong_result(self, file: Path, outputs: Sequence[Path], whole: bytes | None) -> Iterator[str]:
        """Yield what is wrong with a photo's result: its pages, their sizes.

        whole: a file with the same pixels, where the photo has to have these.
        """
        from keras_colorize.images import read_pictures

        if len(outputs) != 1:
            yield f"{len(outputs)} results"
            return
        read = [picture.pixels for picture in read_pictures(file)]
        try:
            sizes = [picture.pixels.shape[:2] for picture in read_pictures(outputs[0], max_pixels=sys.maxsize)]
        except ColorizeError as error:
            yield f"its result cannot be read: {error}"
            return
        wanted = [pixels.shape[:2] for pixels in read]
        if sizes != (wanted if outputs[0].suffix.startswith(".tif") else wanted[: len(sizes)]):
            yield f"its result has the pages {sizes}, and the photo has {wanted}"
        with contextlib.suppress(Exception), Image.open(file) as image:  # another reader's word on the size
            if sorted(image.size) != sorted(sizes[0]):
                yield f"its result is {sizes[0]}, and Pillow says {image.size}"
        if whole is not None:
            pages = [picture.pixels for picture in read_pictures(io.BytesIO(whole))]
            if len(pages) != len(read) or not all(map(np.array_equal, pages, read)):
                yield "parts of the photo are missing, and nobody says so"

    @staticmethod
    def _check_reason(findings: Findings, way: str, name: str, taken: bool, reason: str | None) -> None:
        if taken == (reason is not None):
            findings.problem(name, f"{way}: {'taken and refused' if taken else 'lost: neither taken nor refused'}")
        elif reason is not None:
            if not reason.strip() or len(reason.splitlines()) != 1 or len(reason) > 400:
                findings.problem(name, f"{way}: the reason is not one line: {reason!r}")
            elif re.match(r"\w*(Error|Exception|Warning): ", reason):
                findings.problem(name, f"{way}: an error that nobody expected: {reason}")

    def _check_control(self, way: str, rgb_u8: np.ndarray, findings: Findings) -> None:
        first = self.control.setdefault(way, rgb_u8)
        # Another batch of the network may round otherwise.
        if first.shape != rgb_u8.shape or np.abs(first.astype(int) - rgb_u8).max() > 2:
            findings.problem("", f"{way}: the control photo came out otherwise than in the first folder")


def _control() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (24, 40, 3), np.uint8)


def _listing(folder: Path) -> list[tuple[str, int, int]]:
    return sorted((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in folder.iterdir())
