"""The work of the league: speeds, training runs, measurements, and what is left of it."""

import hashlib
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.league.plan import (
    TABLES,
    Competitor,
    Encoder,
    Mark,
    Run,
    Scale,
    Table,
    make_recipe,
    plan_runs,
    seconds_of,
)
from benchmarks.league.results import FOLDER, SPEEDS, keep_result, row_file, short
from benchmarks.league.speeds import Speeds, keep_speed, measure_speed, read_speeds
from keras_colorize.errors import ColorizeError
from keras_colorize.recipes import Recipe
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.log import read_log

if TYPE_CHECKING:
    from keras_colorize.training.reporter import Reporter, StopRequest

ROOT = Path(__file__).resolve().parents[2]
CURVE_ROWS = 60  # of a log, at most


@dataclass(frozen=True)
class Job:
    """A run that is to be brought to one of its marks, and measured there."""

    run: Run
    mark: Mark
    seconds: float

    @property
    def name(self) -> str:
        """Names the competitor and the table, as the row's file does."""
        return f"{self.run.competitor.name}.{self.mark.tables[0]}"

    @property
    def order(self) -> tuple[int, int, float]:
        """The place of the job: a whole table of the same images comes first, its short runs before its long ones."""
        competitor = self.run.competitor
        later = "images" not in self.mark.tables and competitor.phase < 2
        return (2 * competitor.phase if not later else 3, TABLES.index(self.mark.tables[0]), self.seconds)


@dataclass
class League:
    """The league on one machine.

    Attributes:
        everyone: who takes part.
        train: folders of training photos, as train.py takes them, by name.
        test: folders with test photos, by name.
        encoder: where pretrained encoders start.
        out: the folder of runs.
        results: the folder of the rows' files.
        scale: of the league.
        speed: measures images per second in each stage of a recipe.
    """

    everyone: Sequence[Competitor]
    train: Mapping[str, Path]
    test: Mapping[str, Path]
    encoder: Encoder
    out: Path
    results: Path = FOLDER
    scale: Scale = field(default_factory=Scale)
    speed: Callable[[Recipe], list[float]] = measure_speed

    @cached_property
    def photos(self) -> Path:
        """The folder that joins the training photos by links, so that their names do not depend on the machine."""
        folder = self.out / "photos"
        folder.mkdir(parents=True, exist_ok=True)
        for name, source in self.train.items():
            if not source.is_dir():
                raise ColorizeError(f"no folder of photos at '{source}'")
            link = folder / name
            if not link.is_symlink():
                link.symlink_to(source.resolve(), target_is_directory=True)
        return folder.resolve()

    @property
    def features(self) -> Path:
        """The file of the feature network, for early stopping."""
        return (self.out / "resnet18-layer3.keras").resolve()

    @property
    def speeds(self) -> Speeds:
        """The speeds measured until now."""
        return read_speeds(self.results / SPEEDS)

    def recipe(self, competitor: Competitor) -> Recipe:
        """Return a competitor's recipe for the table of the same images."""
        return make_recipe(competitor, self.scale, self.photos, self.encoder, self.features)

    def missing_speeds(self) -> list[str]:
        """List the systems whose speed is not known."""
        known = self.speeds
        return [name for name in dict.fromkeys(each.system for each in self.everyone) if _key(name) not in known]

    def measure_speed(self, system: str) -> list[float]:
        """Measure a system's speed and keep it."""
        competitor = next(each for each in self.everyone if each.system == system)
        recipe = self.recipe(competitor)
        speed = self.speed(recipe)
        keep_speed(self.results / SPEEDS, _key(system), speed, recipe.data.batch_size, machine())
        return speed

    def jobs(self) -> list[Job]:
        """List what is left to do, in order; competitors without a known speed are left out."""
        known = self.speeds
        jobs = []
        for competitor in self.everyone:
            speed = known.get(_key(competitor.system))
            if speed is None:
                continue
            recipe = self.recipe(competitor)
            stages = 2 if recipe.pretrain.epochs else 1
            for run in plan_runs(competitor, recipe, self.scale, speed[-stages:]):
                for mark in run.marks:
                    if any(not self.row_file(competitor, table).is_file() for table in mark.tables):
                        jobs.append(Job(run, mark, seconds_of(run, mark, speed[-stages:])))
        return sorted(jobs, key=lambda job: job.order)

    def row_file(self, competitor: Competitor, table: Table) -> Path:
        """Return the file of a row."""
        return row_file(self.results, competitor.name, table)

    def folder(self, run: Run) -> RunFolder | None:
        """Find the folder of a run; None before it has begun."""
        try:
            return RunFolder.newest(self.out / "runs" / run.name)
        except ColorizeError:
            return None

    def trained(self, run: Run, mark: Mark) -> bool:
        """Tell whether a run has reached a mark, and no later one."""
        folder = self.folder(run)
        if folder is None or folder.recipe().schedule.epochs != mark.epochs:
            return False
        from keras_colorize.training.checkpoints import newest_position

        position = newest_position(folder.checkpoints)
        return position is not None and position.finished

    def work(
        self,
        job: Job,
        *,
        minutes: float | None = None,
        reporter: "Reporter | None" = None,
        stop: "StopRequest | None" = None,
    ) -> bool:
        """Bring a run to a mark and measure it there, and at the marks on the way; return whether that is done.

        A run that was stopped or killed goes on at its newest checkpoint, bit for bit. Its training time adds up.

        Args:
            job: from `jobs`.
            minutes: time for this call; training stops at a checkpoint then, and measuring does not begin.
            reporter, stop: as `training.loop.start` takes them.

        Raises:
            ColorizeError: photos or weights are missing, a loss is not finite.
        """
        deadline = None if minutes is None else time.monotonic() + 60 * minutes
        competitor = job.run.competitor
        for mark in job.run.marks:
            if mark.epochs > job.mark.epochs:
                break
            if all(self.row_file(competitor, table).is_file() for table in mark.tables):
                continue
            if not self.trained(job.run, mark):
                self._train(job.run, mark, deadline, reporter, stop)
            if not self.trained(job.run, mark) or (deadline is not None and time.monotonic() >= deadline):
                return False
            self._measure(job.run, mark)
        return True

    def _train(
        self,
        run: Run,
        mark: Mark,
        deadline: float | None,
        reporter: "Reporter | None",
        stop: "StopRequest | None",
    ) -> None:
        """Train towards a mark: start, resume, or continue beyond the mark before."""
        from keras_colorize.training import loop

        left = None if deadline is None else (deadline - time.monotonic()) / 60
        if left is not None and left <= 0:
            return
        if run.recipe.early_stopping.monitor == "fid":
            from benchmarks.league.features import keep_network

            keep_network(self.encoder, self.features)
        folder = self.folder(run)
        if folder is None:
            recipe = run.recipe.with_values(**{"schedule.epochs": mark.epochs})
            loop.start(recipe, self.out / "runs" / run.name, max_minutes=left, reporter=reporter, stop=stop)
            return
        longer = mark.epochs if folder.recipe().schedule.epochs != mark.epochs else None
        loop.resume(folder, epochs=longer, max_minutes=left, reporter=reporter, stop=stop)

    def _measure(self, run: Run, mark: Mark) -> None:
        """Measure a run at a mark that it has reached, and write its rows."""
        from benchmarks.league.features import league_network
        from benchmarks.league.measurement import measure_sets
        from benchmarks.league.pictures import keep_strip
        from keras_colorize.evaluation.evaluation import library_versions
        from keras_colorize.evaluation.systems import System
        from keras_colorize.inference.colorizer import Colorizer
        from keras_colorize.training.checkpoints import newest_position

        folder = self.folder(run)
        assert folder is not None
        position = newest_position(folder.checkpoints)
        assert position is not None
        colorizer = Colorizer.from_run(folder.path)
        competitor, recipe = run.competitor, folder.recipe()
        common = {
            "competitor": competitor.name,
            "system": competitor.system,
            "note": competitor.note,
            "seed": competitor.seed,
            "images": position.step * recipe.data.batch_size,
            "steps": position.step,
            "batch_size": recipe.data.batch_size,
            "image_size": recipe.data.image_size,
            "seconds": round(position.seconds, 1),
            "images_per_second": self.speeds[_key(competitor.system)],
            "stopped early": position.step < run.images(mark) // recipe.data.batch_size,
            "parameters": colorizer.generator.count_params(),
            "photos": _photos(folder),
            "recipe": recipe_digest(recipe),
            "encoder": recipe.encoder_sha256[:16],
            "weights": System(competitor.name, colorizer).digest(),
            "commit": commit(),
            "versions": library_versions(),
            "machine": machine(),
            "measured": datetime.now().isoformat(timespec="seconds"),
            "curve": thinned(read_log(folder.log_file)),
            "sets": measure_sets(colorizer, self.test, self.scale, league_network(self.encoder)),
        }
        for table in mark.tables:
            keep_strip(colorizer, self.out / "strips" / f"{competitor.name}.{table}.png")
            keep_result(self.results, {"table": table, **common})
        if mark == run.marks[-1]:  # nothing goes on from here, and a checkpoint has up to a gigabyte
            shutil.rmtree(folder.checkpoints)


def _key(system: str) -> str:
    """Return the key of a system's speed; a recipe file stands for itself by its name."""
    return Path(system).stem


def recipe_digest(recipe: Recipe) -> str:
    """Return 16 digits of SHA-256 over a recipe without the places of its files."""
    paths = {"data.source": "", "encoder_weights": "", "early_stopping.fid_network": ""}
    return hashlib.sha256(recipe.with_values(**paths).to_toml().encode()).hexdigest()[:16]


def thinned(rows: Sequence[Mapping[str, float]]) -> dict[str, list]:
    """Take rows of a log as a table: all that have validation figures, and others evenly up to `CURVE_ROWS`."""
    validated = [number for number, row in enumerate(rows) if "val_ab_mae" in row]
    others = [number for number in range(len(rows)) if number not in set(validated)]
    room = max(0, CURVE_ROWS - len(validated))
    step = -(-len(others) // room) if room else len(others) + 1
    chosen = sorted([*validated, *others[step - 1 :: step]])
    columns = list(dict.fromkeys(name for number in chosen for name in rows[number]))
    return {"columns": columns, "rows": [[short(rows[number].get(name)) for name in columns] for number in chosen]}


def _photos(folder: RunFolder) -> str:
    """Return the line of the run's header that counts the photos."""
    lines = folder.notes_file.read_text(encoding="utf-8").splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("photos: ")), "")


def commit() -> str:
    """Return the commit, with a + where the code or a recipe differs from it; empty outside a repository."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    code = ("keras_colorize", "benchmarks", "zoo/*.toml")
    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "--", *code) else "")
    except OSError:  # no git
        return ""


def machine() -> str:
    """Name the processor, with its cores, and the precision that it trains in."""
    from keras_colorize.hardware import describe_device, resolve_precision

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")
    return ", ".join(filter(None, (model, describe_device(), resolve_precision("auto"))))
