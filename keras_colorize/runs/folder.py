"""The run folder: the place of each file of a run, and how runs are found again."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.files import written_whole
from keras_colorize.recipes import Recipe


@dataclass(frozen=True)
class RunFolder:
    """The folder `runs/<model>/<time>/` with all files of a run."""

    path: Path

    @classmethod
    def create(cls, out: str | Path, recipe: Recipe) -> "RunFolder":
        """Make a new folder under `out`, named by the recipe and the time, with the recipe in it.

        Raises:
            ColorizeError: a thousand runs began within the same second.
            OSError: the folder cannot be written.
        """
        parent = Path(out) / recipe.name
        parent.mkdir(parents=True, exist_ok=True)
        stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        for attempt in range(1, 1000):
            path = parent / (stamp if attempt == 1 else f"{stamp}-{attempt}")
            try:
                path.mkdir()
            except FileExistsError:  # another run began within the same second
                continue
            folder = cls(path)
            folder.previews.mkdir()
            folder.keep_recipe(recipe)
            return folder
        raise ColorizeError(f"no free name for a run at {parent / stamp}: wait a second and start again")

    @classmethod
    def open(cls, path: str | Path) -> "RunFolder":
        """Open an existing run.

        Raises:
            ColorizeError: `path` is no run folder.
        """
        folder = cls(Path(path))
        if not folder.recipe_file.is_file():
            raise ColorizeError(f"'{path}' is no run folder: expected {folder.recipe_file.name} in it")
        return folder

    @classmethod
    def newest(cls, out: str | Path, model: str | None = None) -> "RunFolder":
        """Find the newest run of `model` under `out`; None stands for any model.

        Raises:
            ColorizeError: there is none.
        """
        known = sorted({file.parent.parent.name for file in Path(out).glob("*/*/recipe.toml")})
        files = list(Path(out).glob(f"{model or '*'}/*/recipe.toml"))
        if not files:
            what = f"run of '{model}'{did_you_mean(model, known)}" if model else "run"
            raise ColorizeError(f"no {what} under {out}", action="train", model=model or "unet_skip")
        return cls(max(files, key=lambda file: (file.stat().st_mtime, file.parent.name)).parent)

    def keep_recipe(self, recipe: Recipe) -> None:
        """Write the recipe, which makes the folder a run."""
        self.path.mkdir(parents=True, exist_ok=True)
        with written_whole(self.recipe_file) as temporary:
            temporary.write_text(recipe.to_toml(), encoding="utf-8")

    @property
    def recipe_file(self) -> Path:
        """The recipe with all values, enough to run it again."""
        return self.path / "recipe.toml"

    @property
    def lock_file(self) -> Path:
        """The lock, which exists while a process writes into the folder."""
        return self.path / "lock"

    @property
    def log_file(self) -> Path:
        """One row per logging interval: losses, validation, speed."""
        return self.path / "log.csv"

    @property
    def notes_file(self) -> Path:
        """The header and remarks in words, and every photo left out."""
        return self.path / "run.log"

    @property
    def previews(self) -> Path:
        """Pictures of the validation photos, one file per epoch."""
        return self.path / "previews"

    @property
    def curves_file(self) -> Path:
        """The log as a picture."""
        return self.path / "curves.png"

    @property
    def events(self) -> Path:
        """TensorBoard's events."""
        return self.path / "tensorboard"

    @property
    def checkpoints(self) -> Path:
        """The state of training, to resume from."""
        return self.path / "checkpoint"

    @property
    def generator_weights(self) -> Path:
        """The generator's weights, float32, for evaluation and use; the best ones where a run stops early."""
        return self.path / "generator.weights.h5"

    @property
    def best_weights(self) -> Path:
        """The generator's best weights so far, as early stopping keeps them."""
        return self.path / "best.weights.h5"

    @property
    def discriminator_weights(self) -> Path:
        """The discriminator's weights, where there is one."""
        return self.path / "discriminator.weights.h5"

    @property
    def evaluation(self) -> Path:
        """Metrics and picture grid of the last evaluation."""
        return self.path / "evaluation"

    def remove_leftovers(self) -> None:
        """Remove files that a kill left half written; only the holder of the lock may do so."""
        for file in self.path.rglob("tmp-*"):
            if file.is_file():
                file.unlink()

    def of_worker(self, worker: int) -> "RunFolder":
        """Return the folder for the checkpoints of one of several workers; the chief, 0, has the run's own."""
        return self if worker == 0 else RunFolder(self.path / f"worker-{worker}")

    def recipe(self) -> Recipe:
        """Read the recipe that this run was made with."""
        return Recipe.load(self.recipe_file)

    def __str__(self) -> str:
        return str(self.path)
