"""The run folder: the place of each file of a run, and how runs are found again.

A folder that somebody shares is a run folder with a recipe, weights and a card only. Its recipe states the checksum of
the weights.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.files import written_whole
from keras_colorize.recipes import ModelCard, Recipe, load_card, packaged_sha256, zoo_names


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
        folder = cls(Path(path).expanduser())
        if not folder.recipe_file.is_file():
            raise ColorizeError(f"'{path}' is no run folder: expected {folder.recipe_file.name} in it")
        return folder

    @classmethod
    def make_empty(cls, path: str | Path) -> "RunFolder":
        """Make a folder to share, new or empty.

        Raises:
            ColorizeError: it exists and holds something, or is a file.
            OSError: the folder cannot be made.
        """
        folder = cls(Path(path).expanduser())
        if folder.path.exists() and (not folder.path.is_dir() or any(folder.path.iterdir())):
            raise ColorizeError(f"'{path}' exists: choose a new folder")
        folder.path.mkdir(parents=True, exist_ok=True)
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

    def keep_recipe(self, recipe: Recipe, card: ModelCard | None = None) -> None:
        """Write the recipe, which makes the folder a run; with facts about the weights where it is shared."""
        self.path.mkdir(parents=True, exist_ok=True)
        text = recipe.to_toml()
        if card is not None:
            text += f'\n[card]\nparameters = {card.parameters}\nsha256 = "{card.sha256}"\n'
        with written_whole(self.recipe_file) as temporary:
            temporary.write_text(text, encoding="utf-8")

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
    def card_file(self) -> Path:
        """The page for people about a system that is shared."""
        return self.path / "README.md"

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

    def sha256(self) -> str:
        """Return the SHA-256 that the recipe states for the weights; empty where it states none."""
        return load_card(str(self.recipe_file)).sha256

    def check_weights(self) -> None:
        """Check that there are weights, and that they are those of the checksum, where there is one.

        Raises:
            ColorizeError: they are missing or damaged.
        """
        file, sha256 = self.generator_weights, self.sha256()
        if not file.is_file():
            advice = "copy the whole folder again" if sha256 else "let it train to its first checkpoint"
            raise ColorizeError(f"{self} has no {file.name}{'' if sha256 else ' yet'}: {advice}")
        if sha256 and file_sha256(file) != sha256:
            raise ColorizeError(f"{file} is damaged: its SHA-256 is not {sha256[:12]}…; copy the whole folder again")

    def __str__(self) -> str:
        return str(self.path)


def find_model(name: str | Path) -> RunFolder | str:
    """Find the weights of a model.

    Args:
        name: of a system of the zoo, or a folder: one that somebody shared, or of a run.

    Returns:
        The folder, or the name of the system of the zoo.

    Raises:
        ColorizeError: no such system, it comes without weights, or the folder has no recipe.
    """
    if str(name) not in zoo_names() and Path(name).expanduser().is_dir():
        return RunFolder.open(name)
    packaged_sha256(str(name))
    return str(name)


def file_sha256(file: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
